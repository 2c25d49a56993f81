import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { effectiveCeiling, parseReserve, type QuotaReserve } from "../../src/core/effective-ceiling.ts";

describe("the effective ceiling", () => {
  const cases: readonly (readonly [rate: number, reserve: QuotaReserve | undefined, ceiling: number])[] = [
    [25, undefined, 25],
    [25, { callsPerSecond: 5 }, 20],
    [25, { callsPerSecond: 0 }, 25],
    [25, { percent: 20 }, 20],
    [200, { percent: 0.5 }, 199],
    [1, { callsPerSecond: 0.5 }, 0.5],
  ];
  for (const [rate, reserve, ceiling] of cases) {
    test(`of ${rate} a second with ${JSON.stringify(reserve) ?? "no"} reserve is ${ceiling}`, () => {
      assert.equal(effectiveCeiling(rate, reserve), ceiling);
    });
  }

  const refused: readonly QuotaReserve[] = [
    { callsPerSecond: 25 },
    { callsPerSecond: -1 },
    { callsPerSecond: Number.NaN },
    { percent: 100 },
    { percent: -5 },
  ];
  for (const reserve of refused) {
    test(`is refused where ${JSON.stringify(reserve)} of 25 a second are left to others`, () => {
      assert.throws(() => effectiveCeiling(25, reserve), { name: "RangeError", message: /^Expected `reserve` to be/ });
    });
  }
});

describe("a reserve as text", () => {
  const cases: readonly (readonly [text: string, reserve: QuotaReserve | undefined])[] = [
    ["5", { callsPerSecond: 5 }],
    ["2.5", { callsPerSecond: 2.5 }],
    ["0", { callsPerSecond: 0 }],
    ["20%", { percent: 20 }],
    [" 20 % ", { percent: 20 }],
    ["100%", undefined],
    ["-1", undefined],
    ["a fifth", undefined],
    ["5 calls", undefined],
    ["", undefined],
  ];
  for (const [text, reserve] of cases) {
    test(`\`${text}\` is ${reserve ? JSON.stringify(reserve) : "none"}`, () => {
      assert.deepEqual(parseReserve(text), reserve);
    });
  }
});
