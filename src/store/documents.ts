/**
 * The shapes of documents, in both stores: text is parsed into a type or refused. The scripts of Redis say the same
 * (redis/lua/damaged.lua).
 */
import { z } from "zod";
import { GATE_STATES } from "../core/gate.ts";
import { madeAt } from "../core/person.ts";
import { isVersion } from "../core/version.ts";
import { EXCEPTION_KINDS } from "./exceptions.ts";
import { CHANGE_SOURCES, RUN_STATES } from "./runs.ts";

/** An object by names. Unlike `z.record` it keeps a name `__proto__`: what was put must not be lost. */
function byName<T>(shape: z.ZodType<T>) {
  const entries = z.array(z.tuple([z.string(), shape]));
  const isObject = (value: unknown): value is object =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  return z
    .preprocess((value) => (isObject(value) ? Object.entries(value) : undefined), entries)
    .transform((pairs): Readonly<Record<string, T>> => Object.fromEntries(pairs));
}

/** Where the time of a `Date` ends, and so every number of a document. */
export const LAST_TIME_MS = 8_640_000_000_000_000;
const number = z.number().min(-LAST_TIME_MS).max(LAST_TIME_MS);
/** Above every counter, and so far below what a double carries that nothing which is added goes beyond. */
export const MOST_COUNTED = 9_000_000_000_000_000;
/** A count that is 0 is left out. */
const count = number.default(0);
/** A mark of an account begins with digits: see core/person.ts. */
const account = z.exactOptional(z.string().refine((mark) => !Number.isNaN(madeAt(mark))));
const version = z.string().refine(isVersion);
const sendUnless = z.exactOptional(z.enum(["written", "there"]));
const replaced = z.exactOptional(
  z.array(
    z.object({
      version,
      digest: z.string(),
      body: z.string(),
      run: z.string(),
      sendUnless,
      account,
      fencedOver: z.exactOptional(z.string()),
      gate: z.exactOptional(z.string()),
    }),
  ),
);
const queuedUnit = z.object({
  version,
  digest: z.string(),
  body: z.string(),
  run: z.string(),
  attempts: count,
  faults: count,
  deaths: count,
  notBefore: count,
  sendUnless,
  account,
  hasToken: z.exactOptional(z.literal(true)),
  gate: z.exactOptional(z.string()),
  replaced,
});
export const units = byName(queuedUnit);
export const sent = z.exactOptional(z.array(z.string()));

/** A part of keys. */
const pool = z.string().regex(/^[^"\\/\p{Cc}]+$/u);

export const mailboxDocument = z.object({
  pool,
  username: z.string(),
  priority: number,
  pending: units,
  claim: z.exactOptional(z.object({ token: z.string(), leaseUntil: number, units, sent })),
  // Left out where they are empty.
  abandonedCalls: byName(z.object({ until: number, unwanted: z.exactOptional(z.string()) })).default({}),
  lastSettled: byName(queuedUnit.extend({ term: z.enum(["applied", "unchanged"]) })).default({}),
  overwritten: byName(z.string()).default({}),
  unresolvedCalls: byName(z.object({ digest: z.string(), until: number })).default({}),
});

export const ledgerDocument = byName(
  z.object({
    version,
    digest: z.string(),
    at: z.exactOptional(number),
    account,
    run: z.exactOptional(z.string()),
    outcome: z.exactOptional(z.enum(["unchanged", "unresolved"])),
    settledAt: z.exactOptional(number),
    writtenBy: z.exactOptional(z.string()),
    fencedOver: z.exactOptional(z.string()),
  }),
);

export const letterDocument = z.object({
  id: z.string(),
  user: z.string(),
  pool,
  username: z.string(),
  unit: z.string(),
  /** A queue is named after it. */
  kind: z.string().regex(/^[a-z-]+$/),
  reason: z.string(),
  owner: z.exactOptional(z.string()),
  version,
  run: z.string(),
  digest: z.string(),
  body: z.string(),
  account,
  replaced,
  buriedAt: number,
  times: z.exactOptional(number),
  first: z.exactOptional(number),
});

/** A run without its cursor and its rows, which move with each page and lie beside it. */
export const runDocument = z.object({
  id: z.string(),
  source: z.enum(CHANGE_SOURCES),
  pool: z.string(),
  feed: z.string(),
  identity: z.string(),
  asOf: number,
  startedAt: number,
  finishedAt: z.exactOptional(number),
  state: z.enum(RUN_STATES),
});

export const holdDocument = z.object({
  pool: z.string(),
  scope: z.enum(["pool", "contacts"]),
  kind: z.string(),
  since: number,
  probeAt: number,
  probeEveryMs: number,
});

/** A closed gate, without its name. */
export const gateDocument = z.object({
  state: z.enum(GATE_STATES),
  since: number,
  by: z.exactOptional(z.string()),
  reason: z.exactOptional(z.string()),
});

/** Exceptions about one user or name, by unit. */
export const exceptionsDocument = byName(
  z.object({
    kind: z.enum(EXCEPTION_KINDS),
    run: z.string(),
    line: z.exactOptional(number),
    reason: z.string(),
    at: number,
  }),
);

/** An entry of the inbox, without its body. An arrival is text: Lua writes numbers with 14 digits. */
export const entryDocument = z.object({
  arrival: z.string().regex(/^\d{1,16}$/),
  arrivedAt: number,
  feed: z.string(),
  notBefore: z.exactOptional(number),
  taken: z.exactOptional(z.object({ token: z.string(), leaseUntil: number })),
  parked: z.exactOptional(z.object({ at: number, reason: z.string() })),
});

/** A pool's target. */
export const targetDocument = z.object({ pool: z.string(), endpoint: z.string(), region: z.string(), arn: z.string() });

/** A text as a document; undefined where it has another form. `where`: what else must be true of it. */
export function soundDocument<T>(
  shape: z.ZodType<T>,
  text: string,
  where: (document: T) => boolean = () => true,
): T | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // JSON.parse quotes what it read, and that may be a person's data: its error is left behind.
    return undefined;
  }
  if (MAY_OVERFLOW.test(text) && overflows(value)) return undefined;
  const parsed = shape.safeParse(value);
  return parsed.success && where(parsed.data) ? parsed.data : undefined;
}

const MAY_OVERFLOW = /e\+?\d{3}/i;

/** True where a number is beyond all bounds, also where nobody reads it: it could not be written again. */
function overflows(value: unknown): boolean {
  if (typeof value === "number") return !Number.isFinite(value);
  return typeof value === "object" && value !== null && Object.values(value).some(overflows);
}

/** The time in a text, in epoch ms: the beginning of all times where there is none. */
export function timeIn(text: string | undefined): number {
  const time = Number(text);
  return time >= 0 && time <= LAST_TIME_MS ? time : 0;
}

/** True for a text that may be one of the keyring's. */
export function looksSealed(text: string): boolean {
  return /^[a-z]:/.test(text);
}
