import { book, draft, otherOf, withoutPrototype, type Outcome } from "./draft.ts";
import { blank, enter, isStale, unchangedBy } from "./ledger.ts";
import { applyGates, done, finish, takeOver } from "./placing.ts";
import type { PassageOf } from "./gate.ts";
import {
  dueAt,
  isBelieved,
  isOf,
  mayGoAt,
  type Claim,
  type QueuedUnit,
  type Mailbox,
  type Runs,
  type UserState,
} from "./mailbox.ts";
import { contactOf, isFlag } from "./unit.ts";

export type Claimed =
  | { readonly is: "claimed"; readonly mailbox: Mailbox; readonly claim: Claim }
  /** Another claim's lease lives. */
  | { readonly is: "busy"; readonly retryAt: number }
  /** Nothing may go before `retryAt`. */
  | { readonly is: "later"; readonly retryAt: number }
  /** Nothing waits, or nothing of these runs does, or gates keep it. */
  | { readonly is: "idle" };

export interface ClaimRequest {
  readonly token: string;
  readonly leaseMs: number;
  /** Only what these runs have put; absent for everything. */
  readonly runs?: Runs;
  /** Units of these runs that are meant although a pause keeps them. */
  readonly despitePause?: readonly string[];
}

/** A worker asks for what is due of one user. */
export function claim(
  state: UserState,
  user: string,
  { token, leaseMs, runs, despitePause = [] }: ClaimRequest,
  nowMs: number,
  passageOf: PassageOf,
): Outcome & { readonly result: Claimed } {
  const { mailbox } = state;
  if (!mailbox) return { state, entries: [], result: { is: "idle" } };
  if (mailbox.claim && mailbox.claim.leaseUntil > nowMs) {
    return { state, entries: [], result: { is: "busy", retryAt: mailbox.claim.leaseUntil } };
  }
  const d = draft(state, { user, ...mailbox }, passageOf);
  takeOver(d, nowMs);
  applyGates(d);
  for (const name of despitePause) {
    const kept = d.mailbox.pending[name];
    if (kept === undefined || runs?.has(kept.run) !== true) continue;
    const { gate: _paused, ...unit } = kept;
    d.mailbox.pending[name] = unit;
  }
  const units = withoutPrototype<QueuedUnit>();
  const sent: string[] = [];
  // Flags come last: whether one must be sent depends on whether its contact is.
  const waiting = Object.entries(d.mailbox.pending).filter(([name]) => isOf(runs, d.mailbox.pending, name));
  for (const [name, unit] of waiting.toSorted(([a], [b]) => Number(isFlag(a)) - Number(isFlag(b)))) {
    if (mayGoAt(d.mailbox.pending, name, unit) > nowMs) continue;
    delete d.mailbox.pending[name];
    const applied = d.ledger[name];
    const contact = contactOf(name);
    if (isStale(d, name, unit)) {
      book(d, unit.run, "pending", -1);
      book(d, unit.run, "stale", 1);
    } else if (
      unit.sendUnless === "written" &&
      isBelieved(applied, unit.digest, nowMs) &&
      !(contact !== undefined && units[contact])
    ) {
      enter(d, name, unit.version, unit.digest, { ending: unchangedBy(unit, nowMs) });
      book(d, unit.run, "pending", -1);
      done(d, name, unit, "unchanged");
    } else {
      units[name] = unit;
      if (unit.sendUnless !== undefined && applied?.digest === unit.digest) sent.push(name);
    }
  }
  if (Object.keys(units).length === 0) {
    const outcome = finish(d, nowMs);
    const left = outcome.state.mailbox;
    const retryAt = left ? dueAt(left, runs) : Infinity;
    return { ...outcome, result: retryAt < Infinity ? { is: "later", retryAt } : { is: "idle" } };
  }
  for (const name of Object.keys(units)) {
    // From here until the settle nobody knows what the pool holds.
    blank(d, name);
    blank(d, otherOf(name));
  }
  const leaseUntil = nowMs + leaseMs;
  d.mailbox.claim = { token, leaseUntil, units, ...(sent.length > 0 ? { sent } : {}) };
  const outcome = finish(d, nowMs);
  const left = outcome.state.mailbox;
  if (!left?.claim) throw new Error("Expected the mailbox to hold the claim that was just made");
  return { ...outcome, result: { is: "claimed", mailbox: left, claim: left.claim } };
}
