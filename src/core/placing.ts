/** Which values of a draft wait, are done or are discarded: the same for all steps. */
import { defined } from "./defined.ts";
import { book, otherOf, take, type Draft, type Outcome } from "./draft.ts";
import { cameBefore, fenceOf, fenceVersion, isStale, liftFences } from "./ledger.ts";
import {
  ABANDONED_CALL_MS,
  MOST_REPLACED,
  isOfFormer,
  COOLDOWN_MS,
  type QueuedUnit,
  type ReplacedUnit,
  type SettledUnit,
  type SendUnless,
  type UserState,
} from "./mailbox.ts";
import { isSuccessor } from "./person.ts";
import { contactOf, flagOf } from "./unit.ts";
import { ordinalOf } from "./version.ts";

/** What nobody has tried to send. */
export const UNTRIED = { attempts: 0, faults: 0, deaths: 0, notBefore: 0 } as const;

/** What waits, as the gates stand now: what a cancelled run has put is discarded, and what a closed one keeps has its name. */
export function applyGates(d: Draft): void {
  const { pending } = d.mailbox;
  for (const [name, unit] of Object.entries(pending)) {
    if (d.passageOf(unit.run).is !== "cancelled") continue;
    delete pending[name];
    book(d, unit.run, "pending", -1);
    discard(d, name, unit);
  }
  for (const [name, unit] of Object.entries(pending)) pending[name] = passedOn(d, behind(d, unit));
}

/** The unit with the name of the gate that keeps it, if one does. */
function behind(d: Draft, unit: QueuedUnit): QueuedUnit {
  const passage = d.passageOf(unit.run);
  const { gate: _before, ...free } = unit;
  return passage.is === "closed" ? { ...free, gate: passage.gate } : free;
}

/**
 * The unit as it may go: where a gate keeps it, and another run that gave way to it says the same and is kept by none, the
 * two runs change places. It is one value of one time, so that nothing goes out of order. Where other gates keep such
 * runs, each is named: any of them lets it go.
 */
function passedOn(d: Draft, unit: QueuedUnit): QueuedUnit {
  if (unit.replaced === undefined) return unit;
  const { gate, ...free } = unit;
  const line = unit.replaced.map(({ gate: _before, ...one }): ReplacedUnit => one);
  if (gate === undefined) return { ...free, replaced: line };
  const named = [...line];
  for (const [index, one] of line.entries()) {
    const passage = d.passageOf(one.run);
    if (passage.is === "cancelled") continue;
    if (!isRepeat(unit, one) || unit.account !== one.account) break;
    if (passage.is === "open") {
      line[index] = { ...sentUnless(one, unit.sendUnless), run: unit.run };
      for (const [run, by] of [
        [unit.run, 1],
        [one.run, -1],
      ] as const) {
        book(d, run, "superseded", by);
        book(d, run, "pending", -by);
      }
      return { ...free, run: one.run, replaced: line };
    }
    if (passage.gate !== gate) named[index] = { ...one, gate: passage.gate };
  }
  return { ...unit, replaced: named };
}

/** A unit of a cancelled run, which waits no more, is not sent. The newest value of another run that it superseded is. */
export function discard(d: Draft, name: string, unit: QueuedUnit): void {
  book(d, unit.run, "discarded", 1);
  const line = unit.replaced ?? [];
  const [back, ...older] = line.filter(({ run }) => d.passageOf(run).is !== "cancelled");
  if (back === undefined) return;
  liftFences(d, name, [unit, ...line]);
  book(d, back.run, "superseded", -1);
  const { fencedOver: _inLedger, ...value } = back;
  place(d, name, { ...value, ...UNTRIED, ...(older.length > 0 ? { replaced: older } : {}) });
}

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

/** Of two reasons not to send the same value, the one that skips less. */
function stricter(one: SendUnless | undefined, other: SendUnless | undefined): SendUnless | undefined {
  if (one === undefined || other === undefined) return undefined;
  return one === "there" ? one : other;
}

/** The unit with what may keep it from being sent. */
function sentUnless<Unit extends ReplacedUnit>(unit: Unit, sendUnless: SendUnless | undefined) {
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

/** True where both say the same, of the same time by the source's clock. */
export function isRepeat(unit: ReplacedUnit, other: ReplacedUnit): boolean {
  return unit.digest === other.digest && ordinalOf(unit.version) === ordinalOf(other.version);
}

/**
 * True where `unit` gives way to `other`, which waits or is in flight: to what is newer, and to what says the same in its
 * own run. What says the same in another run may never go, because that run is paused or nobody delivers it: then the
 * later one goes itself, unless a gate keeps it and not the other.
 */
function yieldsTo(d: Draft, unit: QueuedUnit, other: QueuedUnit): boolean {
  if (unit.version <= other.version) return true;
  if (!isRepeat(unit, other)) return false;
  return unit.run === other.run || (d.passageOf(unit.run).is === "closed" && d.passageOf(other.run).is === "open");
}

/** A unit that waits, or a letter. */
type Replacing = ReplacedUnit & Pick<QueuedUnit, "hasToken" | "replaced">;

/** The unit with what it superseded: its own from before, the loser, and the loser's. */
export function replacing<T extends Replacing>(
  d: Draft,
  name: string,
  unit: T,
  loser: Replacing | undefined,
): Omit<T, "replaced"> & Pick<Replacing, "replaced"> {
  if (loser === undefined) return unit;
  const { replaced = [], ...rest } = unit;
  const runs = new Set([unit.run]);
  const kept: ReplacedUnit[] = [];
  const line = [...replaced, ...(loser.hasToken ? [] : [loser]), ...(loser.replaced ?? [])];
  for (const one of line.toSorted((a, b) => (a.version < b.version ? 1 : -1))) {
    const fencedOver = fenceOf(d, name, one);
    // One of a cancelled run is kept for the fence that it left, and for nothing else.
    const isWanted = fencedOver !== undefined || d.passageOf(one.run).is !== "cancelled";
    if (runs.has(one.run) || kept.length === MOST_REPLACED || !isWanted) continue;
    runs.add(one.run);
    const { version, digest, body, run, sendUnless, account } = one;
    kept.push(defined({ version, digest, body, run, sendUnless, account, fencedOver }));
  }
  return kept.length === 0 ? rest : { ...rest, replaced: kept };
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
  if (rival && !cameBefore(rival.account, unit.account) && yieldsTo(d, unit, rival)) {
    const winner = replacing(d, name, waiting?.digest === unit.digest ? sentUnless(rival, strict) : rival, unit);
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
  pending[name] = behind(d, replacing(d, name, { ...sentUnless(unit, strict), notBefore }, loser));
  book(d, unit.run, "pending", 1);
}

/** Merges back the units of a claim whose lease has ended: its worker is dead, and its call may yet be applied. */
export function takeOver(d: Draft, nowMs: number): void {
  const dead = d.mailbox.claim;
  if (!dead || dead.leaseUntil > nowMs) return;
  delete d.mailbox.claim;
  d.mailbox.overwritten = {};
  for (const [name, unit] of Object.entries(dead.units)) {
    book(d, unit.run, "pending", -1);
    fenceVersion(d, name, unit, nowMs + ABANDONED_CALL_MS, nowMs);
    d.mailbox.abandonedCalls[name] = { ...d.mailbox.abandonedCalls[name], until: nowMs + ABANDONED_CALL_MS };
    place(d, name, { ...unit, deaths: unit.deaths + 1 });
  }
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
