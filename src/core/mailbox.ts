/**
 * One user's mailbox and ledger, as documents, and who may hold them. The steps between them are pure functions (put.ts,
 * claim.ts, settle.ts, replay.ts): documents and a time go in, documents and movements in the books come out. The
 * embedded store runs them inside its transactions; the Redis scripts say the same in Lua, and both pass one suite.
 *
 * - Everything that waits is in `pending`, one value a unit, the newest that was put.
 * - A claim moves what is due to `claim.units` under a token and a lease. While the lease lives nobody else may claim;
 *   when it has ended anybody may, and gets the dead claim's units merged back first (a *takeover*).
 * - A settle names the token. Where it is no longer current the settle is *late*: nothing is booked, and what it says
 *   was written is *in doubt*, so that the newest value is sent once more.
 * - What a gate keeps (gate.ts) waits in `pending` with the gate's name, and is not due.
 * - A mailbox with nothing left to do or to remember is deleted.
 */
import { isSuccessor, madeAt } from "./person.ts";
import { contactOf, flagOf } from "./unit.ts";

/** A wanted value of one unit, on its way. `body` is the unit's value as the keyring sealed it. */
export interface QueuedUnit {
  readonly version: string;
  /** Keyed digest of the value: equal digests are equal values. */
  readonly digest: string;
  readonly body: string;
  readonly run: string;
  /** Failures that Cognito answered. */
  readonly attempts: number;
  /** Failures without an answer: network, time-out. */
  readonly faults: number;
  /** Claims that ended without a settle. */
  readonly deaths: number;
  /** Epoch ms before which it is not claimed; 0 where it may go at once. */
  readonly notBefore: number;
  readonly sendUnless?: SendUnless;
  /**
   * The mark of the account that it is for (core/person.ts); absent where it is for the user who has the username at
   * the call.
   */
  readonly account?: string;
  /** A user's own change: its body has the user's token, which is kept no longer than the change waits itself. */
  readonly hasToken?: true;
  /** The gate that keeps it while it waits (gate.ts). */
  readonly gate?: string;
  /**
   * Values of other runs that it superseded, the newest of each run, the newest first: of those whose run is not cancelled
   * the first goes instead where the run of this one is.
   */
  readonly replaced?: readonly ReplacedUnit[];
}

/** A value that gave way to one of another run, as it was put. */
export interface ReplacedUnit extends Pick<
  QueuedUnit,
  "version" | "digest" | "body" | "run" | "sendUnless" | "account"
> {
  /** Of one that may have been written: see LedgerEntry. */
  readonly fencedOver?: string;
  /** The gate that keeps it, of one that would go instead of the value that superseded it, which another gate keeps. */
  readonly gate?: string;
}

/**
 * What may keep a value from being sent: that poolsync wrote it within the hour (`written`: changes that come one by
 * one), or that a look finds it in the pool (`there`: files). Absent: it is sent whatever is known, because a person
 * asked for it. E-mail addresses and phone numbers are always looked at.
 */
export type SendUnless = "written" | "there";

export type Units = Readonly<Record<string, QueuedUnit>>;

/** A unit that is done, and the term of the books that it is in. */
export interface SettledUnit extends QueuedUnit {
  readonly term: "applied" | "unchanged";
}

export interface Claim {
  readonly token: string;
  /** Epoch ms. */
  readonly leaseUntil: number;
  readonly units: Units;
  /** Units of which the ledger had this very value as the last that was written; absent where there are none. */
  readonly sent?: readonly string[];
}

export interface AbandonedCall {
  /** Epoch ms: the call may still be applied until then. */
  readonly until: number;
  /** The newest version of such calls whose run was cancelled since: what gave way to it is wanted again, and older. */
  readonly unwanted?: string;
}

export interface Mailbox {
  readonly pool: string;
  /** The canonical username, sealed. */
  readonly username: string;
  /** 1 overtakes 10. See queues/wake-ups.ts. */
  readonly priority: number;
  readonly pending: Units;
  readonly claim?: Claim;
  /** Abandoned calls: units of claims that ended without a settle. */
  readonly abandonedCalls: Readonly<Record<string, AbandonedCall>>;
  /**
   * The value that was settled last, of a unit with an abandoned call and of its flag. It is kept as long as that call
   * may still be applied, and is sent again if it was.
   */
  readonly lastSettled: Readonly<Record<string, SettledUnit>>;
  /**
   * Overwritten: units in flight over which a late settle may have written. They are sent once more when this claim
   * settles.
   */
  readonly overwritten: Readonly<Record<string, string>>;
  /** Unresolved calls: nobody knows whether they were applied. A different value waits until the time given. */
  readonly unresolvedCalls: Readonly<Record<string, { readonly digest: string; readonly until: number }>>;
}

/**
 * What poolsync wrote last of a unit: a memory, and not what is there. The version is that of the newest value that was
 * applied, found there, or may have been applied: nothing older follows it. A blank digest says that poolsync does not
 * know this value for its own: it was found there, somebody else has changed it since, or the fate of a call was not
 * heard of.
 */
export interface LedgerEntry {
  readonly version: string;
  readonly digest: string;
  /**
   * Epoch ms by the store's clock: the last moment at which a call of poolsync's may have changed the unit, or may yet
   * change it. Absent: unknown, as of entries from before it was kept.
   */
  readonly at?: number;
  /** The mark of the account that has it; absent where the call went by the username, or was made before it was kept. */
  readonly account?: string;
  /** The run of the change that was settled last. Absent in entries from before it was kept. */
  readonly run?: string;
  /** What became of it; absent where it was applied. `unresolved`: nobody knows whether its call was applied. */
  readonly outcome?: "unchanged" | "unresolved";
  /** Epoch ms: when; absent where that is `at`. */
  readonly settledAt?: number;
  /** The run whose call was made at `at`, where `run` has made none since. */
  readonly writtenBy?: string;
  /**
   * Of an `unresolved` one, the version from before: it holds again where the run of that call is cancelled. Blank where
   * there was none.
   */
  readonly fencedOver?: string;
}

/** By unit. */
export type Ledger = Readonly<Record<string, LedgerEntry>>;

export interface UserState {
  readonly mailbox?: Mailbox;
  readonly ledger: Ledger;
}

/** So many values of other runs a value keeps that it superseded. */
export const MOST_REPLACED = 3;

/** How long a claim that ended without a settle is remembered, in ms. Longer suspensions are documented as lost. */
export const ABANDONED_CALL_MS = 15 * 60_000;
/** How long a different value waits after a call whose fate is unknown, in ms. */
export const COOLDOWN_MS = 15_000;
/** How long a value that poolsync wrote is taken for there, of changes that come one by one, in ms. */
export const BELIEVED_MS = 60 * 60_000;

/**
 * How far Cognito's clock may be ahead of the store's, in ms: an account that is created, and written a moment later,
 * must not be taken for its own successor.
 */
export const CLOCKS_APART_MS = 60_000;

/** True where the ledger is taken for the pool: it has this very value, from a write of poolsync's within the hour. */
export function isBelieved(entry: LedgerEntry | undefined, digest: string, nowMs: number): boolean {
  if (entry?.at === undefined || digest === "" || entry.digest !== digest) return false;
  return entry.at <= nowMs && nowMs - entry.at < BELIEVED_MS;
}

/**
 * True where the entry is of an account that was there before the one of this mark: another sub, or, where the call went
 * by the username, written before this account was made.
 */
export function isOfFormer({ account, at }: LedgerEntry, mark: string): boolean {
  return account === undefined ? at !== undefined && at + CLOCKS_APART_MS < madeAt(mark) : isSuccessor(mark, account);
}

/** When a pending unit may go, in epoch ms: a flag not before the contact that it speaks of. Never, behind a gate. */
export function mayGoAt(pending: Units, name: string, unit: QueuedUnit): number {
  const contact = contactOf(name);
  const address = contact === undefined ? undefined : pending[contact];
  if (unit.gate !== undefined || address?.gate !== undefined) return Infinity;
  return Math.max(unit.notBefore, address?.notBefore ?? 0);
}

/** Whose units are meant: those of some runs; all, where it is absent. */
export type Runs = ReadonlySet<string> | undefined;

/** True where the unit is of these runs, or is the contact that a flag of these runs waits for. */
export function isOf(runs: Runs, pending: Units, name: string): boolean {
  if (runs === undefined) return true;
  const flag = flagOf(name);
  return [pending[name], flag === undefined ? undefined : pending[flag]].some((unit) => unit && runs.has(unit.run));
}

/**
 * When the mailbox wants to be looked at next, in epoch ms: the end of its lease, or its earliest unit, or when what it
 * remembers of calls is over. Infinity where gates keep everything, or nothing is of these runs.
 */
export function dueAt({ claim, pending, abandonedCalls, unresolvedCalls }: Mailbox, runs?: Runs): number {
  if (claim) return claim.leaseUntil;
  const goesAt = Object.entries(pending).flatMap(([name, unit]) =>
    isOf(runs, pending, name) ? mayGoAt(pending, name, unit) : [],
  );
  const earliest = Math.min(...goesAt);
  const remembered = [...Object.values(abandonedCalls), ...Object.values(unresolvedCalls)].map(({ until }) => until);
  return earliest < Infinity || remembered.length === 0 ? earliest : Math.max(...remembered);
}

/** True where a value of the run is kept behind one of these, which superseded it. */
export function isBehind(units: readonly Pick<QueuedUnit, "replaced">[], run: string): boolean {
  return units.some(({ replaced = [] }) => replaced.some((one) => one.run === run));
}

/** All that waits in the mailbox, or is in its claim. */
export function openUnits({ pending, claim }: Mailbox): QueuedUnit[] {
  return [...Object.values(pending), ...Object.values(claim?.units ?? {})];
}

/** The gates that keep something in the mailbox: where one of them opens, something may go. */
export function gatesIn(mailbox: Mailbox | undefined): ReadonlySet<string> {
  const kept = Object.values(mailbox?.pending ?? {}).flatMap((unit) => [unit, ...(unit.replaced ?? [])]);
  return new Set(kept.flatMap(({ gate }) => gate ?? []));
}
