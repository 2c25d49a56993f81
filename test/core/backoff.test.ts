import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { backoffMs, fullJitter, LONGEST_BACKOFF_MS } from "../../src/core/backoff.ts";

describe("the back-off", () => {
  for (const [failures, random, wanted] of [
    [1, 0, 0],
    [1, 0.5, 500],
    [2, 0.5, 1000],
    [5, 0.25, 4000],
    [9, 0.999, 255_744],
    [10, 0.5, LONGEST_BACKOFF_MS / 2],
    [5000, 0.5, LONGEST_BACKOFF_MS / 2],
  ] as const) {
    test(`after ${failures} failures and with ${random} drawn is ${wanted} ms`, () => {
      assert.equal(backoffMs(failures, random), wanted);
    });
  }

  test("may start from another bound", () => {
    assert.equal(fullJitter(3, 200, 0.5), 400);
  });

  for (const failures of [0, -1, 1.5, Number.NaN]) {
    test(`refuses ${failures} failures`, () => {
      assert.throws(() => backoffMs(failures, 0.5), /whole number from 1/);
    });
  }
});
