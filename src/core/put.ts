import { defined } from "./defined.ts";
import { book, draft, otherOf, type Draft, type Outcome, type Owner } from "./draft.ts";
import { blank, enter, enterSeen, isStale, unchangedBy } from "./ledger.ts";
import { applyGates, finish, forgetFormer, place, UNTRIED } from "./placing.ts";
import type { PassageOf } from "./gate.ts";
import { isBelieved, type QueuedUnit, type SendUnless, type UserState } from "./mailbox.ts";
import { isSuccessor } from "./person.ts";
import { isFlag } from "./unit.ts";
import { isTooFarAhead, ordinalText, versionText } from "./version.ts";

/** A wanted unit as a producer puts it; the store gives it its arrival. */
export interface DesiredUnit {
  readonly name: string;
  /** Absent where the source has no clock: the store's time is taken. */
  readonly ordinal?: string;
  readonly digest: string;
  readonly body: string;
  /** See `QueuedUnit`. */
  readonly hasToken?: true;
  /** Once it waits: see `SendUnless`. What a look found to be another is sent whatever this says. */
  readonly sendUnless?: SendUnless;
  /** Absent: nobody looked. */
  readonly look?: Look;
  /** Another row of the same feed stands instead: it is superseded, and not sent on the way. */
  readonly overruled?: boolean;
}

/** What a look at the pool found a while ago. */
export interface Look {
  /** Epoch ms by the store's clock: before it began. */
  readonly at: number;
  /** `awaiting`: another value, and the wanted one was sent and waits until the person confirms it. */
  readonly found: Found;
}
export type Found = "there" | "other" | "awaiting";

/**
 * A change of one user arrives. `stale` of the answer: units of which something newer was written before. `arrivals` gives each unit its place in the order of arrival. What a cancelled run has
 * put is discarded first: nothing yields to it. `account` is the mark of the account that a look found: values for an
 * account that had the username before are void.
 */
export function put(
  state: UserState,
  change: Owner & { readonly run: string; readonly units: readonly DesiredUnit[]; readonly account?: string },
  arrivals: readonly number[],
  nowMs: number,
  passageOf: PassageOf,
): Outcome & { readonly stale: readonly string[] } {
  const d = draft(state, change, passageOf);
  const stale: string[] = [];
  applyGates(d);
  const { account } = change;
  if (account !== undefined) forgetFormer(d, account);
  change.units.forEach((desired, index) => {
    const arrival = arrivals[index];
    if (arrival === undefined) throw new RangeError(`Expected an arrival for unit ${index}, got none`);
    const ordinal = desired.ordinal ?? ordinalText({ timeMs: nowMs, sequence: 0 });
    book(d, change.run, "received", 1);
    if (isTooFarAhead(ordinal, nowMs)) return book(d, change.run, "invalid", 1);
    if (desired.overruled === true) return book(d, change.run, "superseded", 1);
    const { name, look } = desired;
    const isOld = look === undefined || wroteSince(d, name, look.at) || lagged(d, name, account);
    const found = isOld ? undefined : look.found;
    const sendUnless = found === "other" ? undefined : desired.sendUnless;
    const unit: QueuedUnit = {
      version: versionText(ordinal, arrival),
      digest: desired.digest,
      body: desired.body,
      run: change.run,
      ...UNTRIED,
      ...(sendUnless === undefined ? {} : { sendUnless }),
      ...defined({ account, hasToken: desired.hasToken }),
    };
    // Somebody else has changed the value since poolsync wrote it, so the ledger does not know it any more.
    if (found === "other" && d.ledger[name]?.digest === unit.digest) blank(d, name);
    const known = isUndisturbed(d, name) && !isStale(d, name, unit) ? knownBy(d, desired, found, nowMs) : undefined;
    if (known === undefined) {
      const before = d.entries.length;
      place(d, name, unit);
      if (d.entries.slice(before).some(({ term }) => term === "stale")) stale.push(name);
      return;
    }
    if (known === "look") enterSeen(d, name, unit, d.ledger[name]?.digest === unit.digest, nowMs);
    else enter(d, name, unit.version, unit.digest, { account, ending: unchangedBy(unit, nowMs) });
    book(d, change.run, "unchanged", 1);
  });
  return { ...finish(d, nowMs), stale };
}

/** True where a call of poolsync's may have changed the unit, or its contact or flag, after the look began. */
function wroteSince({ ledger }: Draft, name: string, lookedAt: number): boolean {
  return [name, otherOf(name)].some((touched) => touched !== undefined && (ledger[touched]?.at ?? -1) >= lookedAt);
}

/** True where the list lagged: it showed an account that another one has replaced since. */
function lagged({ ledger }: Draft, name: string, account: string | undefined): boolean {
  const ours = ledger[name]?.account;
  return ours !== undefined && account !== undefined && isSuccessor(ours, account);
}

/** True where nothing is under way that could change the unit, or its contact or flag, after this. */
function isUndisturbed({ mailbox: { pending, claim, abandonedCalls, unresolvedCalls } }: Draft, name: string): boolean {
  return [name, otherOf(name)].every(
    (touched) =>
      touched === undefined ||
      !(pending[touched] || claim?.units[touched] || abandonedCalls[touched] || unresolvedCalls[touched]),
  );
}

/**
 * Says how poolsync knows that the value is there, so that it spends no call and no place in the mailbox on it. A look
 * decides, unless poolsync wrote after it; the ledger is no answer to a person who asks without a look. A flag for the
 * value that is there always waits its turn: an address that comes with it, or an older one that is still to come, may
 * take it away.
 */
function knownBy(
  { ledger }: Draft,
  { name, digest, look, sendUnless }: DesiredUnit,
  found: Found | undefined,
  nowMs: number,
): "look" | "ledger" | undefined {
  const entry = ledger[name];
  if (isFlag(name)) return undefined;
  switch (found) {
    case "there":
      return "look";
    case "awaiting":
      return entry?.digest === digest ? "ledger" : undefined;
    case "other":
      return undefined;
    case undefined: {
      const mayBelieve = look !== undefined || sendUnless === "written";
      return mayBelieve && isBelieved(entry, digest, nowMs) ? "ledger" : undefined;
    }
  }
}
