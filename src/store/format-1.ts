/**
 * Documents as format 1 had them, brought to the form of format 2. What cannot be read stays as it is: whoever meets it
 * says what is wrong with it, and nothing of it is lost here.
 */
import { z } from "zod";

const mailbox = z.looseObject({
  suspects: z.unknown().optional(),
  kept: z.unknown().optional(),
  doubts: z.unknown().optional(),
  unknown: z.unknown().optional(),
});

/** Of a mailbox four parts have other names. Applied twice it changes nothing more. */
export function upgradedMailbox(text: string): string {
  const document = parsed(mailbox, text);
  if (document === undefined) return text;
  const { suspects, kept, doubts, unknown, ...rest } = document;
  // JSON leaves out what is undefined.
  return JSON.stringify({
    ...rest,
    abandonedCalls: suspects ?? rest["abandonedCalls"],
    lastSettled: kept ?? rest["lastSettled"],
    overwritten: doubts ?? rest["overwritten"],
    unresolvedCalls: unknown ?? rest["unresolvedCalls"],
  });
}

const run = z.looseObject({
  id: z.string(),
  pool: z.string(),
  state: z.string(),
  startedAt: z.number(),
  finishedAt: z.exactOptional(z.number()),
});

/** A run says where its changes come from; events did not exist. `gate` is its closed gate, as JSON. */
export function upgradedRun(text: string): { readonly text: string; readonly gate?: string } {
  const document = parsed(run, text);
  if (document === undefined) return { text };
  const { id, pool, state, startedAt, finishedAt = startedAt } = document;
  const upgraded = { text: JSON.stringify({ ...document, source: id === `direct:${pool}` ? "direct" : "file" }) };
  const closed = state === "cancelled" ? state : state === "needs-approval" ? "waiting" : undefined;
  return closed === undefined ? upgraded : { ...upgraded, gate: JSON.stringify({ state: closed, since: finishedAt }) };
}

function parsed<T>(shape: z.ZodType<T>, text: string): T | undefined {
  try {
    return shape.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
