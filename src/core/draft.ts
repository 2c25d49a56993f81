/**
 * A user's documents while a step changes them. ledger.ts and placing.ts have what the steps (put.ts, claim.ts, settle.ts,
 * replay.ts) do with it alike; only these use it.
 */
import type { Entry, Term } from "./books.ts";
import type { PassageOf } from "./gate.ts";
import type { AbandonedCall, LedgerEntry, QueuedUnit, SettledUnit, UserState } from "./mailbox.ts";
import { contactOf, flagOf } from "./unit.ts";

/** What a step leaves behind. */
export interface Outcome {
  readonly state: UserState;
  readonly entries: readonly Entry[];
}

export interface Draft {
  readonly user: string;
  mailbox: {
    pool: string;
    username: string;
    priority: number;
    pending: Record<string, QueuedUnit>;
    claim?: { token: string; leaseUntil: number; units: Record<string, QueuedUnit>; sent?: readonly string[] };
    abandonedCalls: Record<string, AbandonedCall>;
    lastSettled: Record<string, SettledUnit>;
    overwritten: Record<string, string>;
    unresolvedCalls: Record<string, { digest: string; until: number }>;
  };
  ledger: Record<string, LedgerEntry>;
  entries: Entry[];
  readonly passageOf: PassageOf;
}

export interface Owner {
  readonly user: string;
  readonly pool: string;
  readonly username: string;
  readonly priority: number;
}

export function draft(state: UserState, owner: Owner, passageOf: PassageOf): Draft {
  const { mailbox, ledger } = state;
  return {
    user: owner.user,
    mailbox: {
      pool: mailbox?.pool ?? owner.pool,
      username: mailbox?.username ?? owner.username,
      priority: Math.min(mailbox?.priority ?? owner.priority, owner.priority),
      pending: withoutPrototype(mailbox?.pending),
      ...(mailbox?.claim ? { claim: { ...mailbox.claim, units: withoutPrototype(mailbox.claim.units) } } : {}),
      abandonedCalls: withoutPrototype(mailbox?.abandonedCalls),
      lastSettled: withoutPrototype(mailbox?.lastSettled),
      overwritten: withoutPrototype(mailbox?.overwritten),
      unresolvedCalls: withoutPrototype(mailbox?.unresolvedCalls),
    },
    ledger: withoutPrototype(ledger),
    entries: [],
    passageOf,
  };
}

/** A copy that has the names of the record and no others: a unit may be called `constructor` or `__proto__`. */
export function withoutPrototype<T>(record: Readonly<Record<string, T>> = {}): Record<string, T> {
  const copy = { ...record };
  Object.setPrototypeOf(copy, null);
  return copy;
}

export function book(d: Draft, run: string, term: Term, by: number): void {
  d.entries.push({ run, term, by });
}

/** Takes an entry out of a record and returns it. */
export function take<T>(record: Record<string, T>, name: string): T | undefined {
  const value = record[name];
  delete record[name];
  return value;
}

/** The flag of a contact, the contact of a flag: writing one changes what is known of the other. */
export function otherOf(name: string): string | undefined {
  return flagOf(name) ?? contactOf(name);
}
