/** Several rows of one feed for one user: which values stand. */
import type { Unit } from "./unit.ts";
import type { Ordinal } from "./version.ts";

export interface UserRow {
  readonly row: number;
  readonly version: Ordinal;
  readonly units: readonly Unit[];
}

/** What becomes of a unit of a row because of another row: two values of one time disagree, or a newer one stands. */
export type Overruled = { readonly row: number; readonly unit: string; readonly as: "rows-disagree" | "superseded" };

/** The newest value of one unit in the rows of a user met so far. */
interface NewestValue {
  timeMs: number;
  /** Of the rows of that time: the one that was met last, and the value of the first. */
  row: number;
  readonly value: string;
  disagree: boolean;
}

/**
 * Which values stand, of as many rows as there are: it keeps what it found of each unit and not the rows. All rows are
 * met first, in their order, and then each is asked about.
 */
export interface DuplicateRows {
  meet(row: UserRow): void;
  /** The units of a row that do not stand as it says them. */
  overruled(row: UserRow): readonly Overruled[];
}

/**
 * Of different times the newest stands; of one time the last row does where `last` is set, and else none: nobody said
 * which of them is right. An older one does not stand because the newer ones disagree.
 */
export function createDuplicateRows(last: boolean): DuplicateRows {
  const newest = new Map<string, NewestValue>();
  return {
    meet({ row, version: { timeMs }, units }) {
      for (const { name, value } of units) {
        const known = newest.get(name);
        if (known && known.timeMs > timeMs) continue;
        const text = JSON.stringify(value);
        if (known?.timeMs !== timeMs) newest.set(name, { timeMs, row, value: text, disagree: false });
        else {
          known.row = row;
          known.disagree ||= known.value !== text;
        }
      }
    },
    overruled({ row, units }) {
      return units.flatMap(({ name: unit }) => {
        const newestValue = newest.get(unit);
        if (newestValue?.disagree === true && !last) return { row, unit, as: "rows-disagree" };
        return newestValue?.row === row ? [] : { row, unit, as: "superseded" };
      });
    },
  };
}
