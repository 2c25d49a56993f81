/**
 * A user's documents while a step changes them: what is placed, forgotten, kept quiet and booked is the same for all
 * steps. Only the steps (put.ts, claim.ts, settle.ts, replay.ts) use it.
 */
import type { Entry, Term } from "./books.ts";
import { defined } from "./defined.ts";
import type { PassageOf } from "./gate.ts";
import {
  isOfFormer,
  COOLDOWN_MS,
  type QueuedUnit,
  type ReplacedUnit,
  type SettledUnit,
  type LedgerEntry,
  type SendUnless,
  type UserState,
} from "./mailbox.ts";
import { isSuccessor } from "./person.ts";
import { contactOf, flagOf, isContact } from "./unit.ts";
import { ordinalOf } from "./version.ts";

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
    abandonedCalls: Record<string, { until: number }>;
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

/** What waits, as the gates stand now: what a cancelled run has put is discarded, and what a closed one keeps has its name. */
export function applyGates(d: Draft): void {
  const { pending } = d.mailbox;
  for (const [name, unit] of Object.entries(pending)) {
    const passage = d.passageOf(unit.run);
    if (passage.is === "cancelled") {
      delete pending[name];
      book(d, unit.run, "pending", -1);
      discard(d, name, unit);
    } else pending[name] = behind(d, unit);
  }
}

/** The unit with the name of the gate that keeps it, if one does. */
function behind(d: Draft, unit: QueuedUnit): QueuedUnit {
  const passage = d.passageOf(unit.run);
  const { gate: _before, ...free } = unit;
  return passage.is === "closed" ? { ...free, gate: passage.gate } : free;
}

/** A unit of a cancelled run, which waits no more, is not sent. The value of another run that it superseded is. */
export function discard(d: Draft, name: string, { run, replaced }: QueuedUnit): void {
  book(d, run, "discarded", 1);
  if (replaced === undefined || d.passageOf(replaced.run).is === "cancelled") return;
  book(d, replaced.run, "superseded", -1);
  place(d, name, { ...replaced, ...UNTRIED });
}

/** What nobody has tried to send. */
export const UNTRIED = { attempts: 0, faults: 0, deaths: 0, notBefore: 0 } as const;

/**
 * A look found that another account has the username now. What the ledger knows of the former account, and what waits
 * for it, is void.
 */
export function forgetFormer(d: Draft, account: string): void {
  for (const [name, entry] of Object.entries(d.ledger)) if (isOfFormer(entry, account)) delete d.ledger[name];
  const { pending, lastSettled } = d.mailbox;
  // What it superseded waited for the former account as well, or was older than its successor.
  for (const [name, unit] of Object.entries(pending)) {
    if (unit.account === undefined || !isSuccessor(account, unit.account)) continue;
    delete pending[name];
    book(d, unit.run, "pending", -1);
    book(d, unit.run, "discarded", 1);
  }
  for (const [name, unit] of Object.entries(lastSettled)) {
    if (unit.account !== undefined && isSuccessor(account, unit.account)) delete lastSettled[name];
  }
}

/** The ledger's account of a call that went by the username. */
export const NOT_LOOKED_AT = "";

/** By which change, when, and how a unit was settled last: see LedgerEntry. */
type Ending = Pick<LedgerEntry, "run" | "outcome" | "settledAt">;

/** A value that was found there, or is taken for there. */
export const unchangedBy = ({ run }: Pick<QueuedUnit, "run">, nowMs: number): Ending => ({
  run,
  outcome: "unchanged",
  settledAt: nowMs,
});

/**
 * What the ledger has of a unit from here on. `at`: a call of ours may have changed it then; the last such time stays.
 * `account`: the account that has the value; unless given, the one from before, and so is `ending`.
 */
export function enter(
  d: Draft,
  name: string,
  version: string,
  digest: string,
  {
    at,
    account,
    ending,
  }: { readonly at?: number; readonly account?: string | undefined; readonly ending?: Ending } = {},
): void {
  const before = d.ledger[name];
  const last = at === undefined || (before?.at !== undefined && before.at > at) ? before?.at : at;
  const whose = account ?? before?.account ?? NOT_LOOKED_AT;
  d.ledger[name] = defined({
    version,
    digest,
    at: last,
    account: whose === NOT_LOOKED_AT ? undefined : whose,
    run: (ending ?? before)?.run,
    outcome: (ending ?? before)?.outcome,
    settledAt: (ending ?? before)?.settledAt,
  });
}

/** Marks the value that is there as unknown to the ledger. */
export function blank(d: Draft, name: string | undefined, at?: number): void {
  const entry = name === undefined ? undefined : d.ledger[name];
  if (name !== undefined && entry) enter(d, name, entry.version, "", at === undefined ? {} : { at });
}

/**
 * A look found the value there: nothing older than it follows. It is poolsync's own where it was the last that poolsync
 * wrote, but an address or number is not waited for any more once it was seen. `account`: at which it was seen.
 */
export function enterSeen(
  d: Draft,
  name: string,
  unit: QueuedUnit,
  wasLast: boolean,
  nowMs: number,
  account = unit.account,
): void {
  const ending = unchangedBy(unit, nowMs);
  enter(d, name, unit.version, wasLast && !isContact(name) ? unit.digest : "", { account, ending });
}

/** Of two reasons not to send the same value, the one that skips less. */
function stricter(one: SendUnless | undefined, other: SendUnless | undefined): SendUnless | undefined {
  if (one === undefined || other === undefined) return undefined;
  return one === "there" ? one : other;
}

/** The unit with what may keep it from being sent. */
function sentUnless(unit: QueuedUnit, sendUnless: SendUnless | undefined): QueuedUnit {
  const { sendUnless: _before, ...rest } = unit;
  return sendUnless === undefined ? rest : { ...rest, sendUnless };
}

/** Until when a value waits for unresolved calls: those of a different value, and those of its contact or flag. */
function cooldownUntil(d: Draft, name: string, digest: string): number {
  const other = otherOf(name);
  const unresolved = d.mailbox.unresolvedCalls[name];
  const otherUnresolved = other === undefined ? undefined : d.mailbox.unresolvedCalls[other];
  return Math.max(unresolved && unresolved.digest !== digest ? unresolved.until : 0, otherUnresolved?.until ?? 0);
}

/** A call is unresolved: what is pending waits for it. A blank digest stands for any value. */
export function startCooldown(d: Draft, name: string, digest: string, nowMs: number): void {
  const { pending, unresolvedCalls } = d.mailbox;
  const before = unresolvedCalls[name];
  const mixed = before && before.until > nowMs && before.digest !== digest;
  unresolvedCalls[name] = { digest: mixed ? "" : digest, until: nowMs + COOLDOWN_MS };
  for (const touched of [name, otherOf(name)]) {
    const waiting = touched === undefined ? undefined : pending[touched];
    if (touched === undefined || !waiting) continue;
    const notBefore = Math.max(waiting.notBefore, cooldownUntil(d, touched, waiting.digest));
    pending[touched] = { ...waiting, notBefore };
  }
}

/**
 * The value may have been written without an answer: the ledger takes its version. The same version may be sent again,
 * as a retry or a replay; whatever becomes of it, an older one is stale. `until`: the call may still come then.
 */
export function fenceVersion(
  d: Draft,
  name: string,
  { version, run, account = NOT_LOOKED_AT }: QueuedUnit,
  until: number,
  nowMs: number,
): void {
  const applied = d.ledger[name];
  const ending = { run, outcome: "unresolved", settledAt: nowMs } as const;
  enter(d, name, applied && applied.version > version ? applied.version : version, "", { at: until, account, ending });
  blank(d, otherOf(name), until);
}

/** True where a call that was given up may still change the unit: one for itself, its contact or its flag. */
function hasAbandonedCall(d: Draft, name: string): boolean {
  const other = otherOf(name);
  return (
    d.mailbox.abandonedCalls[name] !== undefined ||
    (other !== undefined && d.mailbox.abandonedCalls[other] !== undefined)
  );
}

/** Books a unit as done, and keeps it where an abandoned call may yet undo it. */
export function done(d: Draft, name: string, unit: QueuedUnit, term: SettledUnit["term"]): void {
  book(d, unit.run, term, 1);
  const { replaced: _over, ...settled } = unit;
  if (hasAbandonedCall(d, name)) d.mailbox.lastSettled[name] = { ...settled, term };
}

/** Sends again what was kept, unless something newer is on its way. */
export function resend(d: Draft, name: string): void {
  const { pending, claim, lastSettled } = d.mailbox;
  if (pending[name] || claim?.units[name]) return;
  const last = take(lastSettled, name);
  const applied = d.ledger[name];
  if (!last || (applied && applied.version > last.version)) return;
  const { term, ...unit } = last;
  pending[name] = behind(d, { ...unit, ...UNTRIED, notBefore: cooldownUntil(d, name, unit.digest) });
  book(d, unit.run, term, -1);
  book(d, unit.run, "pending", 1);
  // Writing an address takes its flag away, so what the flag was set to goes after it.
  const flag = flagOf(name);
  if (flag !== undefined) resend(d, flag);
}

/** True where the ledger has something newer of the unit, or of the contact that it speaks of. */
export function isStale(d: Draft, name: string, { version, account }: QueuedUnit): boolean {
  const contact = contactOf(name);
  return [d.ledger[name], contact === undefined ? undefined : d.ledger[contact]].some(
    (applied) => applied && version < applied.version && !cameBefore(applied.account, account),
  );
}

/**
 * True where the one account had the username before the other. False where nobody looked at one of them, because then
 * it is not known.
 */
export function cameBefore(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined && isSuccessor(other, one);
}

/** True where `unit` says nothing that `other` does not say as well or better. */
function yieldsTo(unit: QueuedUnit, other: QueuedUnit): boolean {
  if (unit.version <= other.version) return true;
  return unit.digest === other.digest && ordinalOf(unit.version) === ordinalOf(other.version);
}

/** The newest of some values that is of another run than this: what goes in its place where this run is cancelled. */
function newestOfOthers(run: string, ...units: readonly (ReplacedUnit | undefined)[]): ReplacedUnit | undefined {
  let newest: ReplacedUnit | undefined;
  for (const unit of units) {
    if (unit !== undefined && unit.run !== run && (newest === undefined || unit.version > newest.version))
      newest = unit;
  }
  if (newest === undefined) return undefined;
  const { version, digest, body, run: whose, sendUnless, account } = newest;
  return defined({ version, digest, body, run: whose, sendUnless, account });
}

function replacing(unit: QueuedUnit, ...losers: readonly (QueuedUnit | undefined)[]): QueuedUnit {
  const { replaced, ...rest } = unit;
  const others = losers.flatMap((loser) => (loser === undefined ? [] : [loser, loser.replaced]));
  const newest = newestOfOthers(unit.run, replaced, ...others);
  return newest === undefined ? rest : { ...rest, replaced: newest };
}

/**
 * Puts a value among the pending ones, against the gates, the ledger, what is pending and what is in flight. Books where
 * it ended (`pending`, `stale`, `superseded` or `discarded`) and the loser it replaced.
 */
export function place(d: Draft, name: string, unit: QueuedUnit): void {
  const { pending, claim } = d.mailbox;
  if (d.passageOf(unit.run).is === "cancelled") return discard(d, name, unit);
  const contact = contactOf(name);
  // A value for an account that no longer exists, as from a dead claim or a letter, replaces no value of its successor.
  const others = [pending[name], claim?.units[name]];
  if (others.some((other) => cameBefore(unit.account, other?.account))) return book(d, unit.run, "discarded", 1);
  if (isStale(d, name, unit)) return book(d, unit.run, "stale", 1);
  if (contact !== undefined) {
    // A flag for "the value that is there" yields to any newer value.
    const values = [pending[contact], claim?.units[contact]];
    if (values.some((value) => value && value.version > unit.version)) return book(d, unit.run, "superseded", 1);
  }
  // What is pending is newer than what is in flight: a value equal to the older of the two may still be the newest.
  const waiting = pending[name];
  // The change that ends here asked for the very same value, so the stricter condition of the two holds from now on.
  const strict = waiting?.digest === unit.digest ? stricter(waiting.sendUnless, unit.sendUnless) : unit.sendUnless;
  const rival = waiting ?? claim?.units[name];
  if (rival && !cameBefore(rival.account, unit.account) && yieldsTo(unit, rival)) {
    const winner = replacing(waiting?.digest === unit.digest ? sentUnless(rival, strict) : rival, unit);
    if (waiting) pending[name] = winner;
    else if (claim) claim.units[name] = winner;
    return book(d, unit.run, "superseded", 1);
  }

  const loser = take(pending, name);
  if (loser) {
    book(d, loser.run, "pending", -1);
    book(d, loser.run, "superseded", 1);
  }
  const flag = flagOf(name);
  if (flag !== undefined && pending[flag] && pending[flag].version < unit.version) {
    book(d, pending[flag].run, "pending", -1);
    book(d, pending[flag].run, "superseded", 1);
    delete pending[flag];
  }
  const notBefore = Math.max(unit.notBefore, cooldownUntil(d, name, unit.digest));
  pending[name] = behind(d, replacing({ ...sentUnless(unit, strict), notBefore }, loser));
  book(d, unit.run, "pending", 1);
}

/** Applies the gates, and forgets what has expired, and the mailbox itself when nothing is left in it. */
export function finish(d: Draft, nowMs: number): Outcome {
  const { mailbox } = d;
  applyGates(d);
  for (const [name, abandoned] of Object.entries(mailbox.abandonedCalls)) {
    if (abandoned.until > nowMs) continue;
    delete mailbox.abandonedCalls[name];
  }
  for (const name of Object.keys(mailbox.lastSettled)) {
    if (!hasAbandonedCall(d, name)) delete mailbox.lastSettled[name];
  }
  for (const [name, unresolved] of Object.entries(mailbox.unresolvedCalls)) {
    if (unresolved.until <= nowMs) delete mailbox.unresolvedCalls[name];
  }
  const empty = [mailbox.pending, mailbox.abandonedCalls, mailbox.unresolvedCalls].every(
    (part) => Object.keys(part).length === 0,
  );
  const state = empty && !mailbox.claim ? { ledger: { ...d.ledger } } : asDocuments(d);
  return { state, entries: d.entries };
}

/** Plain objects, as they are stored and read. */
function asDocuments({ mailbox, ledger }: Draft): UserState {
  const { pending, claim, abandonedCalls, lastSettled, overwritten, unresolvedCalls } = mailbox;
  return {
    mailbox: {
      ...mailbox,
      pending: { ...pending },
      ...(claim ? { claim: { ...claim, units: { ...claim.units } } } : {}),
      abandonedCalls: { ...abandonedCalls },
      lastSettled: { ...lastSettled },
      overwritten: { ...overwritten },
      unresolvedCalls: { ...unresolvedCalls },
    },
    ledger: { ...ledger },
  };
}
