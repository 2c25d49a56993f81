/** The shapes of what the scripts answer: text is parsed into a type or refused. */
import { z } from "zod";
import { holdDocument, letterDocument, sent, units } from "../documents.ts";
import { StoreError } from "../store-error.ts";

export const putReply = z.object({
  accepted: z.boolean(),
  cursor: z.string(),
  ahead: z.number(),
  stale: z.array(z.object({ user: z.string(), name: z.string() })).default([]),
  waiting: z.array(z.string()).default([]),
  at: z.number(),
  arrival: z.number(),
});

/** A claim that is given is answered with the mailbox as it is kept. */
export const claimReply = z.union([
  z
    .object({
      pool: z.string(),
      username: z.string(),
      priority: z.number(),
      claim: z.object({ leaseUntil: z.number(), units, sent }),
    })
    .transform(({ claim, ...mailbox }) => ({ is: "claimed" as const, ...mailbox, ...claim })),
  z.object({ is: z.enum(["busy", "later"]), retryInMs: z.number() }),
  z.object({ is: z.literal("idle") }),
]);

export const settleReply = z.object({
  late: z.boolean(),
  doubted: z.array(z.string()).default([]),
  letters: z.array(letterDocument.pick({ id: true, user: true, unit: true, kind: true })).default([]),
  dueInMs: z.exactOptional(z.number()),
  priority: z.exactOptional(z.number()),
});

const due = z.object({ user: z.string(), priority: z.number() });
export const sweepReply = z.object({
  due: z.array(due.extend({ dueAt: z.number(), runs: z.array(z.string()).default([]) })).default([]),
});
export const sortOutReply = z.object({ looked: z.number(), left: z.number() });
export const releaseReply = z.object({ due: z.array(due.extend({ pool: z.string() })).default([]) });
export const replayReply = z.object({ due: z.array(due.extend({ letter: z.string(), pool: z.string() })).default([]) });

export const beginRunReply = z.object({ id: z.string(), resumed: z.boolean() });
export const sweepRunsReply = z.object({ gone: z.number(), stayed: z.number() });

export const holdReply = z.discriminatedUnion("is", [
  z.object({ is: z.literal("free") }),
  z.object({ is: z.literal("probe"), hold: holdDocument }),
  z.object({ is: z.literal("held"), hold: holdDocument, retryInMs: z.number() }),
]);

export const reservationReply = z.discriminatedUnion("is", [
  z.object({ is: z.literal("taken") }),
  z.object({ is: z.literal("held"), retryInMs: z.number() }),
]);

export const holderReply = z.object({ holder: z.string(), endsInMs: z.number() });

export const reserveReply = z.object({
  slots: z.array(z.object({ waitMs: z.number(), slotAt: z.number() })),
  askAgainMs: z.number(),
});
export const paceReply = z.object({ ratePerSecond: z.number(), ceilingPerSecond: z.number(), cutAt: z.number() });

export const inboxCountsReply = z.object({
  isUsed: z.boolean(),
  waiting: z.number(),
  ahead: z.number(),
  taken: z.number(),
  bytes: z.number(),
  oldestAt: z.exactOptional(z.number()),
  parked: z.object({ entries: z.number(), bytes: z.number() }),
  feeds: z.record(z.string(), z.number()).default({}),
});

/** The answer of a script. The error names what was expected where, never a value. */
export function parseReply<T>(shape: z.ZodType<T>, text: unknown, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(String(text));
  } catch {
    // JSON.parse quotes what it read, and that may be a person's data: its error is left behind.
    throw damaged(what, "it is not JSON");
  }
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  throw damaged(what, parsed.error.issues.map((issue) => `${issue.code} at ${issue.path.length} deep`).join(", "));
}

function damaged(what: string, why: string): StoreError {
  return new StoreError(
    "damaged",
    `Expected ${what} in Redis to have the form that this version of poolsync writes, but ${why}: check that no other program writes to these keys, and that all processes run the same version`,
  );
}
