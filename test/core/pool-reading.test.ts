import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { chooseReading, filterOf, isAskable, type Reading, type ReadingFacts } from "../../src/core/pool-reading.ts";

const LOOKS = (calls: number): Reading => ({ is: "looks", calls });
const SCAN = (calls: number): Reading => ({ is: "scan", calls });

describe("a pool is read", () => {
  const table: readonly (readonly [string, ReadingFacts, Reading])[] = [
    ["one by one for 5,000 rows of 5 million users", { estimatedUsers: 5_000_000, looks: 5000 }, LOOKS(5000)],
    ["as a whole for everybody's rows", { estimatedUsers: 100_000, looks: 100_000 }, SCAN(1667)],
    ["as a whole where that is as few calls", { estimatedUsers: 600, looks: 10 }, SCAN(10)],
    ["one by one where that is one call less", { estimatedUsers: 601, looks: 10 }, LOOKS(10)],
    ["as a whole where it has a page", { estimatedUsers: 59, looks: 1 }, SCAN(1)],
    ["as a whole where it is blank", { estimatedUsers: 0, looks: 3 }, SCAN(1)],
    ["not at all where rows name nobody", { estimatedUsers: 5_000_000, looks: 0 }, LOOKS(0)],
    ["as a whole where looks do not find everybody", { estimatedUsers: 5_000_000 }, SCAN(83_334)],
    ["one by one for up to 1,000 looks where its size is unknown", { looks: 1000 }, LOOKS(1000)],
    ["as a whole for more where its size is unknown", { looks: 1001 }, { is: "scan" }],
    [
      "as a whole for up to 1,000 pages where looks may miss somebody",
      { estimatedUsers: 60_000, looks: 3, mayMiss: true },
      SCAN(1000),
    ],
    [
      "one by one where that would be more pages, and more calls",
      { estimatedUsers: 60_001, looks: 1000, mayMiss: true },
      LOOKS(1000),
    ],
    ["as a whole where they are fewer calls", { estimatedUsers: 60_001, looks: 1001, mayMiss: true }, SCAN(1001)],
    ["as a whole where looks may miss somebody and its size is unknown", { looks: 3, mayMiss: true }, { is: "scan" }],
    ["as a whole where nothing is known", {}, { is: "scan" }],
  ];
  for (const [title, facts, reading] of table) {
    test(title, () => assert.deepEqual(chooseReading(facts), reading));
  }
});

describe("the list is asked", () => {
  test("for a quoted value", () => {
    assert.equal(filterOf("name", 'Jo "the \\ax" Doe'), String.raw`name = "Jo \"the \\ax\" Doe"`);
  });

  for (const [attribute, value, is] of [
    ["username", "ann", true],
    ["sub", "4f1b", true],
    ["family_name", "Lee", true],
    ["custom:id", "42", false],
    ["nickname", "Ann", false],
    ["email", `${"a".repeat(246)}`, true],
    ["email", `${"a".repeat(247)}`, false],
  ] as const) {
    test(`${is ? "for" : "never for"} ${attribute}, ${value.length} characters`, () =>
      assert.equal(isAskable(attribute, value), is));
  }
});
