import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createKindTally, shownChanges, shownOfEach, type ChangeKind } from "../../src/plan/change-kinds.ts";
import type { PlannedRow } from "../../src/plan/planned-row.ts";

const kindsOf = (...counts: readonly number[]): ChangeKind[] =>
  counts.map((count, index) => ({ attribute: `custom:${index}`, difference: "other value", count }));
const shown = (counts: readonly number[], each: number) =>
  counts.reduce((sum, count) => sum + Math.min(count, each), 0);

/** A row whose user is given a value where nothing was, and is compared with another. */
function rowOf(line: number, before?: string): PlannedRow {
  const unit = { name: "given_name", value: { kind: "text", text: "Ann" } } as const;
  return {
    kind: "user",
    line,
    user: `${line}`,
    username: `u${line}`,
    found: true,
    version: { timeMs: 0, sequence: 0 },
    units: [{ unit, action: before === undefined ? "set" : "change", message: false, before }],
    invalid: [],
    federated: [],
  };
}

describe("the kinds of changes of a plan", () => {
  test("are counted by attribute, of each the most frequent first", () => {
    const tally = createKindTally();
    for (const [attribute, difference] of [
      ["email", "another domain"],
      ["email", "cleared"],
      ["email", "cleared"],
      ["custom:a", "other case"],
    ] as const) {
      tally.add({ attribute, difference });
    }
    assert.deepEqual(
      tally.kinds().map(({ attribute, difference, count }) => [attribute, difference, count]),
      [
        ["custom:a", "other case", 1],
        ["email", "cleared", 2],
        ["email", "another domain", 1],
      ],
    );
  });

  test("are shown whole where there is room, and else share it", () => {
    for (const [counts, each] of [
      [[10, 20, 70], 70],
      [[10, 20, 1000], 70],
      [[1000, 1000], 50],
      [[1, 50, 50], 49],
      [[0, 100], 100],
    ] as const) {
      assert.equal(shownOfEach(kindsOf(...counts), 100), each, counts.join());
      assert.ok(shown(counts, each) <= 100);
    }
    assert.equal(shownOfEach(kindsOf(...Array.from({ length: 300 }, () => 5)), 100), 1);
    assert.equal(shownOfEach([], 100), 1);
  });

  test("are each there, however late in the feed, and nothing is read that is not shown", () => {
    let walked = 0;
    function* rows(): Generator<PlannedRow> {
      for (let line = 1; line <= 20_000; line += 1) {
        walked += 1;
        yield rowOf(line, line === 15_000 ? "Bob" : undefined);
      }
    }
    const kinds: ChangeKind[] = [
      { attribute: "given_name", difference: "set where nothing was", count: 19_999 },
      { attribute: "given_name", difference: "other value", count: 1 },
    ];
    const changes = [...shownChanges(rows(), kinds)];
    assert.equal(changes.length, 5000);
    assert.deepEqual(changes.at(-1), {
      line: 15_000,
      username: "u15000",
      attribute: "given_name",
      deed: "change",
      difference: "other value",
      before: "Bob",
      after: "Ann",
    });
    assert.equal(walked, 15_001);
  });
});
