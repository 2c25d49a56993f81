import { blank, book, draft, finish, isFlag, isStale, place, type Draft, type Outcome, type Owner } from "./draft.ts";
import type { Held, UserState } from "./mailbox.ts";
import { flagOf } from "./unit.ts";
import { isTooFarAhead, ordinalText, versionText } from "./version.ts";

/** A wanted unit as a producer puts it; the store gives it its arrival. */
export interface Wanted {
  readonly name: string;
  /** Absent where the source has no clock: the store's time is taken. */
  readonly ordinal?: string;
  readonly digest: string;
  readonly body: string;
  /** What a look at the pool found a while ago: that the value is there, or that it is not. Absent: nobody looked. */
  readonly there?: boolean;
}

/** A change of one user arrives. `arrivals` gives each unit its place in the order of arrival. */
export function put(
  state: UserState,
  change: Owner & { readonly run: string; readonly units: readonly Wanted[] },
  arrivals: readonly number[],
  nowMs: number,
): Outcome {
  const d = draft(state, change);
  change.units.forEach((wanted, index) => {
    const arrival = arrivals[index];
    if (arrival === undefined) throw new RangeError(`Expected an arrival for unit ${index}, got none`);
    const ordinal = wanted.ordinal ?? ordinalText({ timeMs: nowMs, sequence: 0 });
    book(d, change.run, "received", 1);
    if (isTooFarAhead(ordinal, nowMs)) return book(d, change.run, "invalid", 1);
    const held: Held = {
      version: versionText(ordinal, arrival),
      digest: wanted.digest,
      body: wanted.body,
      run: change.run,
      attempts: 0,
      faults: 0,
      deaths: 0,
      notBefore: 0,
    };
    // Somebody else changed it: that it was sent once says nothing any more.
    if (wanted.there === false) blank(d, wanted.name);
    if (!isThere(d, wanted, held)) return place(d, wanted.name, held);
    d.ledger[wanted.name] = { version: held.version, digest: held.digest };
    book(d, change.run, "unchanged", 1);
  });
  return finish(d, nowMs);
}

/**
 * True where the value is known to be there, so that no call and no place in the mailbox is spent on it. The ledger
 * goes before a look at the pool: what poolsync wrote last may have been written after the look. And nothing may be
 * under way that could change the unit, or its contact or flag, after this. A flag for the value that is there always
 * waits its turn: an address that comes with it may take it away.
 */
function isThere(d: Draft, { name, there }: Wanted, held: Held): boolean {
  const { pending, claim, suspects, unknown } = d.mailbox;
  const applied = d.ledger[name];
  if (isFlag(name) || isStale(d, name, held)) return false;
  if (applied ? applied.digest === "" || applied.digest !== held.digest : there !== true) return false;
  return [name, flagOf(name)].every(
    (touched) =>
      touched === undefined || !(pending[touched] || claim?.units[touched] || suspects[touched] || unknown[touched]),
  );
}
