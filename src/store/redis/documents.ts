/** The shapes of what Redis holds and of what the scripts answer: text is parsed into a type or refused. */
import { z } from "zod";
import { EXCEPTION_KINDS } from "../exceptions.ts";
import { CHANGE_SOURCES, RUN_STATES } from "../runs.ts";
import { StoreError } from "../store-error.ts";

/** An object by names. Unlike `z.record` it keeps a name `__proto__`: what was put must not be lost. */
function byName<T>(shape: z.ZodType<T>) {
  const entries = z.array(z.tuple([z.string(), shape]));
  const isObject = (value: unknown): value is object =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  return z
    .preprocess((value) => (isObject(value) ? Object.entries(value) : undefined), entries)
    .transform((pairs): Readonly<Record<string, T>> => Object.fromEntries(pairs));
}

/** A count that is 0 is left out. */
const count = z.number().default(0);
const sendUnless = z.exactOptional(z.enum(["written", "there"]));
const replaced = z.exactOptional(
  z.array(
    z.object({
      version: z.string(),
      digest: z.string(),
      body: z.string(),
      run: z.string(),
      sendUnless,
      account: z.exactOptional(z.string()),
      fencedOver: z.exactOptional(z.string()),
    }),
  ),
);
const queuedUnit = z.object({
  version: z.string(),
  digest: z.string(),
  body: z.string(),
  run: z.string(),
  attempts: count,
  faults: count,
  deaths: count,
  notBefore: count,
  sendUnless,
  account: z.exactOptional(z.string()),
  hasToken: z.exactOptional(z.literal(true)),
  gate: z.exactOptional(z.string()),
  replaced,
});
const units = byName(queuedUnit);
const sent = z.exactOptional(z.array(z.string()));

export const mailboxDocument = z.object({
  pool: z.string(),
  username: z.string(),
  priority: z.number(),
  pending: units,
  claim: z.exactOptional(z.object({ token: z.string(), leaseUntil: z.number(), units, sent })),
  // Left out where they are empty.
  abandonedCalls: byName(z.object({ until: z.number(), unwanted: z.exactOptional(z.string()) })).default({}),
  lastSettled: byName(queuedUnit.extend({ term: z.enum(["applied", "unchanged"]) })).default({}),
  overwritten: byName(z.string()).default({}),
  unresolvedCalls: byName(z.object({ digest: z.string(), until: z.number() })).default({}),
});

export const ledgerDocument = byName(
  z.object({
    version: z.string(),
    digest: z.string(),
    at: z.exactOptional(z.number()),
    account: z.exactOptional(z.string()),
    run: z.exactOptional(z.string()),
    outcome: z.exactOptional(z.enum(["unchanged", "unresolved"])),
    settledAt: z.exactOptional(z.number()),
    fencedOver: z.exactOptional(z.string()),
  }),
);

export const letterDocument = z.object({
  id: z.string(),
  user: z.string(),
  pool: z.string(),
  username: z.string(),
  unit: z.string(),
  kind: z.string(),
  reason: z.string(),
  owner: z.exactOptional(z.string()),
  version: z.string(),
  run: z.string(),
  digest: z.string(),
  body: z.string(),
  account: z.exactOptional(z.string()),
  replaced,
  buriedAt: z.number(),
});

/** A run without its cursor and its rows, which move with each page and lie beside it. */
export const runDocument = z.object({
  id: z.string(),
  source: z.enum(CHANGE_SOURCES),
  pool: z.string(),
  feed: z.string(),
  identity: z.string(),
  asOf: z.number(),
  startedAt: z.number(),
  finishedAt: z.exactOptional(z.number()),
  state: z.enum(RUN_STATES),
});

export const holdDocument = z.object({
  pool: z.string(),
  scope: z.enum(["pool", "contacts"]),
  kind: z.string(),
  since: z.number(),
  probeAt: z.number(),
  probeEveryMs: z.number(),
});

/** A closed gate, without its name. */
export const gateDocument = z.object({
  state: z.enum(["cancelled", "waiting", "paused"]),
  since: z.number(),
  by: z.exactOptional(z.string()),
  reason: z.exactOptional(z.string()),
});

/** Exceptions about one user or name, by unit. */
export const exceptionsDocument = byName(
  z.object({
    kind: z.enum(EXCEPTION_KINDS),
    run: z.string(),
    line: z.exactOptional(z.number()),
    reason: z.string(),
    at: z.number(),
  }),
);

export const targetDocument = z.object({ pool: z.string(), endpoint: z.string(), region: z.string(), arn: z.string() });

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

/** JSON text as a document. The error names what was expected where, never a value. */
export function parseDocument<T>(shape: z.ZodType<T>, text: unknown, what: string): T {
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
