/** The kinds of changes that a plan makes: an attribute and a difference each. And which changes people are shown. */
import type { Difference } from "../core/difference.ts";
import { exampleOf, type Example } from "./figures.ts";
import { isSent, type PlannedRow } from "./planned-row.ts";

export interface ChangeKind {
  readonly attribute: string;
  readonly difference: Difference;
  readonly count: number;
}

/** So many changes a page has at the most. */
const MOST_CHANGES = 5000;

export interface KindTally {
  add(change: Pick<Example, "attribute" | "difference">): void;
  /** By attribute, of each the most frequent first. */
  kinds(): readonly ChangeKind[];
}

export function createKindTally(): KindTally {
  const counts = new Map<string, { attribute: string; difference: Difference; count: number }>();
  return {
    add({ attribute, difference }) {
      if (difference === undefined) return;
      const key = `${attribute}\0${difference}`;
      const known = counts.get(key);
      if (known) known.count += 1;
      else counts.set(key, { attribute, difference, count: 1 });
    },
    kinds: () =>
      [...counts.values()].toSorted((one, other) =>
        one.attribute === other.attribute ? other.count - one.count : one.attribute < other.attribute ? -1 : 1,
      ),
  };
}

/** How many of each kind are shown, so that all together are `most` at the most, and one of each at the least. */
export function shownOfEach(kinds: readonly ChangeKind[], most = MOST_CHANGES): number {
  let [left, each] = [most, 0];
  const counts = kinds.map(({ count }) => count).toSorted((one, other) => one - other);
  for (const [index, count] of counts.entries()) {
    const share = Math.floor(left / (counts.length - index));
    each = Math.min(count, share);
    if (count > share) break;
    left -= count;
  }
  return Math.max(1, each);
}

/** What the row changes, for people to look at. */
export function* changesOf(row: PlannedRow): Generator<Example> {
  if (row.kind === "fault") return;
  for (const unit of row.units) if (isSent(unit.action)) yield exampleOf(row, unit);
}

/** Says of the changes of a plan, in the plan's order, which of them are shown: all, or the first of each kind. */
export function createSelection(kinds: readonly ChangeKind[], most = MOST_CHANGES): (change: Example) => boolean {
  const each = shownOfEach(kinds, most);
  const left = new Map(kinds.map(({ attribute, difference }) => [`${attribute}\0${difference}`, each]));
  return ({ attribute, difference = "" }) => {
    const key = `${attribute}\0${difference}`;
    const more = left.get(key) ?? 0;
    left.set(key, more - 1);
    return more > 0;
  };
}

/** The changes of a plan that are shown. The rows are walked no further than they are. */
export function* shownChanges(rows: Iterable<PlannedRow>, kinds: readonly ChangeKind[]): Generator<Example> {
  const each = shownOfEach(kinds);
  let left = kinds.reduce((sum, { count }) => sum + Math.min(count, each), 0);
  const isShown = createSelection(kinds);
  for (const row of rows) {
    if (left <= 0) return;
    for (const change of changesOf(row)) {
      if (!isShown(change)) continue;
      left -= 1;
      yield change;
    }
  }
}
