import {
  blank,
  book,
  discardCancelled,
  done,
  draft,
  enter,
  finish,
  fenceVersion,
  isStale,
  otherOf,
  withoutPrototype,
  place,
  type Outcome,
} from "./draft.ts";
import {
  dueAt,
  isBelieved,
  mayGoAt,
  ABANDONED_CALL_MS,
  type Claim,
  type QueuedUnit,
  type Mailbox,
  type UserState,
} from "./mailbox.ts";
import { contactOf, isFlag } from "./unit.ts";

export type Claimed =
  | { readonly is: "claimed"; readonly mailbox: Mailbox; readonly claim: Claim }
  /** Another claim's lease lives. */
  | { readonly is: "busy"; readonly retryAt: number }
  /** Nothing may go before `retryAt`. */
  | { readonly is: "later"; readonly retryAt: number }
  | { readonly is: "idle" };

/**
 * A worker asks for what is due of one user. `isCancelled` says of a run that somebody has cancelled it: what it put is
 * discarded.
 */
export function claim(
  state: UserState,
  user: string,
  token: string,
  leaseMs: number,
  nowMs: number,
  isCancelled: (run: string) => boolean,
): Outcome & { readonly result: Claimed } {
  const { mailbox } = state;
  if (!mailbox) return { state, entries: [], result: { is: "idle" } };
  if (mailbox.claim && mailbox.claim.leaseUntil > nowMs) {
    return { state, entries: [], result: { is: "busy", retryAt: mailbox.claim.leaseUntil } };
  }
  const d = draft(state, { user, ...mailbox });
  const dead = d.mailbox.claim;
  if (dead) {
    delete d.mailbox.claim;
    d.mailbox.overwritten = {};
    for (const [name, unit] of Object.entries(dead.units)) {
      book(d, unit.run, "pending", -1);
      fenceVersion(d, name, unit, nowMs + ABANDONED_CALL_MS);
      place(d, name, { ...unit, deaths: unit.deaths + 1 });
      d.mailbox.abandonedCalls[name] = { until: nowMs + ABANDONED_CALL_MS };
    }
  }
  discardCancelled(d, isCancelled);
  const units = withoutPrototype<QueuedUnit>();
  const sent: string[] = [];
  // Flags come last: whether one must be sent depends on whether its contact is.
  const waiting = Object.entries(d.mailbox.pending).toSorted(([a], [b]) => Number(isFlag(a)) - Number(isFlag(b)));
  for (const [name, unit] of waiting) {
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
      enter(d, name, unit.version, unit.digest);
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
    return { ...outcome, result: left ? { is: "later", retryAt: dueAt(left) } : { is: "idle" } };
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
