import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fullBucket, levelBucket, takeToken } from "../../src/emulator/bucket.ts";
import type { BucketRule } from "../../src/emulator/bucket.ts";

interface Case {
  readonly fact: string;
  readonly rule: Partial<BucketRule>;
  /** When calls arrive, in ms from the start. */
  readonly arrivals: readonly number[];
  readonly granted: number;
}

const every = (count: number, stepMs: number): number[] => Array.from({ length: count }, (_, index) => index * stepMs);

const CASES: readonly Case[] = [
  { fact: "a full bucket gives its capacity at once", rule: {}, arrivals: every(60, 0), granted: 25 },
  { fact: "calls at the rate are all let through", rule: {}, arrivals: every(200, 40), granted: 200 },
  { fact: "twice the rate gets the burst and the rate", rule: {}, arrivals: every(200, 20), granted: 25 + 99 },
  {
    fact: "an idle minute fills no more than the capacity",
    rule: {},
    arrivals: every(60, 0).map(() => 60_000),
    granted: 25,
  },
  {
    fact: "other traffic leaves the rest",
    rule: { othersPerSecond: 15, capacity: 1 },
    arrivals: every(400, 10),
    granted: 1 + 39,
  },
  {
    fact: "other traffic that takes it all leaves the burst",
    rule: { othersPerSecond: 25 },
    arrivals: every(400, 10),
    granted: 25,
  },
  {
    fact: "other traffic above the rate drains the burst",
    rule: { othersPerSecond: 50 },
    arrivals: [1000, 1001, 1002],
    granted: 0,
  },
  {
    fact: "refill in fractions adds up to a whole token",
    rule: { refillPerSecond: 1, capacity: 1 },
    arrivals: [0, ...every(26, 40)],
    granted: 2,
  },
];

describe("the bucket", () => {
  for (const { fact, rule: changes, arrivals, granted } of CASES) {
    test(fact, () => {
      const rule = { refillPerSecond: 25, capacity: 25, othersPerSecond: 0, ...changes };
      let bucket = fullBucket(rule, 0);
      let count = 0;
      for (const at of arrivals) {
        const taken = takeToken(bucket, rule, at);
        bucket = taken.bucket;
        if (taken.granted) count += 1;
      }
      assert.equal(count, granted);
    });
  }

  test("a refused call takes nothing", () => {
    const rule = { refillPerSecond: 10, capacity: 1, othersPerSecond: 0 };
    const empty = takeToken(fullBucket(rule, 0), rule, 0).bucket;
    const refused = takeToken(empty, rule, 50);
    assert.equal(refused.granted, false);
    assert.equal(takeToken(refused.bucket, rule, 100).granted, true);
  });

  test("a clock that goes back changes nothing", () => {
    const rule = { refillPerSecond: 10, capacity: 5, othersPerSecond: 0 };
    const bucket = { tokens: 2, at: 1000 };
    assert.deepEqual(levelBucket(bucket, rule, 500), bucket);
  });
});
