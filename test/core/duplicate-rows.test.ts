import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDuplicateRows, type Overruled, type UserRow } from "../../src/core/duplicate-rows.ts";

const row = (nth: number, timeMs: number, values: Readonly<Record<string, string>>): UserRow => ({
  row: nth,
  version: { timeMs, sequence: nth },
  units: Object.entries(values).map(([name, text]) => ({ name, value: { kind: "text", text } })),
});
const says = (nth: number, unit: string, as: Overruled["as"]): Overruled => ({ row: nth, unit, as });

interface Case {
  readonly title: string;
  readonly rows: readonly UserRow[];
  readonly last?: boolean;
  readonly overruled: readonly Overruled[];
}

const cases: readonly Case[] = [
  {
    title: "rows of different attributes stand both",
    rows: [row(1, 5, { a: "x" }), row(2, 5, { b: "y" })],
    overruled: [],
  },
  {
    title: "of rows that agree the last stands",
    rows: [row(1, 5, { a: "x" }), row(2, 5, { a: "x" })],
    overruled: [says(1, "a", "superseded")],
  },
  {
    title: "of rows of different times the newest stands",
    rows: [row(1, 9, { a: "x" }), row(2, 5, { a: "y" })],
    overruled: [says(2, "a", "superseded")],
  },
  {
    title: "of rows of one time that disagree none stands",
    rows: [row(1, 5, { a: "x", b: "same" }), row(2, 5, { a: "y", b: "same" })],
    overruled: [says(1, "a", "rows-disagree"), says(1, "b", "superseded"), says(2, "a", "rows-disagree")],
  },
  {
    title: "an older row does not stand because the newer ones disagree",
    rows: [row(1, 1, { a: "w" }), row(2, 5, { a: "x" }), row(3, 5, { a: "y" })],
    overruled: [1, 2, 3].map((nth) => says(nth, "a", "rows-disagree")),
  },
  {
    title: "older rows that disagree are superseded where the newest stands alone",
    rows: [row(1, 1, { a: "w" }), row(2, 1, { a: "x" }), row(3, 5, { a: "y" }), row(4, 5, { a: "y" })],
    overruled: [1, 2, 3].map((nth) => says(nth, "a", "superseded")),
  },
  {
    title: "that two of one time agree with the first does not mend the one that does not",
    rows: [row(1, 5, { a: "x" }), row(2, 5, { a: "y" }), row(3, 5, { a: "x" })],
    overruled: [1, 2, 3].map((nth) => says(nth, "a", "rows-disagree")),
  },
  {
    title: "of rows of one time that disagree the last stands, where that is said",
    rows: [row(1, 5, { a: "x" }), row(2, 5, { a: "y" })],
    last: true,
    overruled: [says(1, "a", "superseded")],
  },
];

describe("several rows for one user", () => {
  for (const { title, rows, last = false, overruled } of cases) {
    test(title, () => {
      const duplicates = createDuplicateRows(last);
      for (const each of rows) duplicates.meet(each);
      assert.deepEqual(
        rows.flatMap((each) => duplicates.overruled(each)),
        overruled,
      );
    });
  }
});
