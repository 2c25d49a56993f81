/** What of a plan's rows is not put, and why: rows at fault, and values that cannot be written. */
import { z } from "zod";
import { defined } from "../core/defined.ts";
import type { PlannedRow } from "./planned-row.ts";

export const notPutForm = z.object({
  line: z.number(),
  /** As the row names its user, where it is at fault as a whole. Absent where it names nobody. */
  username: z.exactOptional(z.string()),
  /** Absent where the whole row is at fault. */
  attribute: z.exactOptional(z.string()),
  reason: z.string(),
  detail: z.string(),
});
export type NotPut = Readonly<z.infer<typeof notPutForm>>;

/** How many of them a plan shows where all are not asked for. */
export const MOST_NOT_PUT = 5000;

export function notPutOf(row: PlannedRow): readonly NotPut[] {
  const { line } = row;
  if (row.kind === "fault") return [defined({ line, username: row.name, reason: row.reason, detail: row.detail })];
  const { username } = row;
  return row.invalid.map(({ name, reason, detail }) => ({ line, username, attribute: name, reason, detail }));
}
