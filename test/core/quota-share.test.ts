import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { effectiveCeiling, parseReserve } from "../../src/core/quota-share.ts";

describe("a reserve", () => {
  const cases: readonly (readonly [text: string, ofTwentyFive: number])[] = [
    ["5", 20],
    ["0", 25],
    ["2.5", 22.5],
    ["20%", 20],
    [" 20 % ", 20],
    ["0%", 25],
    ["30", -5],
  ];
  for (const [text, ofTwentyFive] of cases) {
    test(`of \`${text}\` leaves ${ofTwentyFive} of 25`, () => {
      const reserve = parseReserve(text);
      assert.ok(reserve);
      assert.equal(effectiveCeiling(25, reserve), ofTwentyFive);
    });
  }

  for (const text of ["", "-1", "a fifth", "100%", "1e3", "5 calls", "%"]) {
    test(`is not \`${text}\``, () => assert.equal(parseReserve(text), undefined));
  }
});
