import {
  blank,
  book,
  done,
  draft,
  finish,
  isFlag,
  letNothingOlderFollow,
  isStale,
  otherOf,
  ownNames,
  place,
  type Outcome,
} from "./draft.ts";
import { dueAt, mayGoAt, SUSPECT_MS, type Held, type Mailbox, type Units, type UserState } from "./mailbox.ts";
import { contactOf } from "./unit.ts";

export type Claimed =
  | { readonly is: "claimed"; readonly mailbox: Mailbox; readonly units: Units; readonly leaseUntil: number }
  /** Another claim's lease lives. */
  | { readonly is: "busy"; readonly retryAt: number }
  /** Nothing may go before `retryAt`. */
  | { readonly is: "later"; readonly retryAt: number }
  | { readonly is: "idle" };

/** A worker asks for what is due of one user. */
export function claim(
  state: UserState,
  user: string,
  token: string,
  leaseMs: number,
  nowMs: number,
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
    d.mailbox.doubts = {};
    for (const [name, held] of Object.entries(dead.units)) {
      book(d, held.run, "pending", -1);
      letNothingOlderFollow(d, name, held.version);
      place(d, name, { ...held, deaths: held.deaths + 1 });
      d.mailbox.suspects[name] = { until: nowMs + SUSPECT_MS };
    }
  }
  const units = ownNames<Held>();
  // Flags come last: whether one must be sent depends on whether its contact is.
  const waiting = Object.entries(d.mailbox.pending).toSorted(([a], [b]) => Number(isFlag(a)) - Number(isFlag(b)));
  for (const [name, held] of waiting) {
    if (mayGoAt(d.mailbox.pending, name, held) > nowMs) continue;
    delete d.mailbox.pending[name];
    const applied = d.ledger[name];
    const contact = contactOf(name);
    if (isStale(d, name, held)) {
      book(d, held.run, "pending", -1);
      book(d, held.run, "stale", 1);
    } else if (
      applied &&
      applied.digest !== "" &&
      applied.digest === held.digest &&
      !(contact !== undefined && units[contact])
    ) {
      d.ledger[name] = { version: held.version, digest: held.digest };
      book(d, held.run, "pending", -1);
      done(d, name, held, "unchanged");
    } else {
      units[name] = held;
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
  d.mailbox.claim = { token, leaseUntil, units };
  const outcome = finish(d, nowMs);
  const left = outcome.state.mailbox;
  if (!left?.claim) throw new Error("Expected the mailbox to hold the claim that was just made");
  return { ...outcome, result: { is: "claimed", mailbox: left, units: left.claim.units, leaseUntil } };
}
