import { counted } from "../core/amounts.ts";
import type { MissedFigures } from "../plan/missed.ts";

/** What no event had brought, and the file does. */
export function missedSentence({ values, people }: MissedFigures): string {
  return `Events had missed ${counted(values, "value")} of ${counted(people, "person", "people")}: the file has them.`;
}
