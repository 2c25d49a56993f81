import { book, draft, finish, place, type Outcome, type Owner } from "./draft.ts";
import type { UserState } from "./mailbox.ts";
import { isTooFarAhead, ordinalText, versionText } from "./version.ts";

/** A wanted unit as a producer puts it; the store gives it its arrival. */
export interface Wanted {
  readonly name: string;
  /** Absent where the source has no clock: the store's time is taken. */
  readonly ordinal?: string;
  readonly digest: string;
  readonly body: string;
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
    place(d, wanted.name, {
      version: versionText(ordinal, arrival),
      digest: wanted.digest,
      body: wanted.body,
      run: change.run,
      attempts: 0,
      faults: 0,
      deaths: 0,
      notBefore: 0,
    });
  });
  return finish(d, nowMs);
}
