import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PLAN_FAULTS } from "../../src/core/plan-fault.ts";
import { INVALID_REASONS } from "../../src/core/pool-schema.ts";
import { adviceOfRow } from "../../src/core/row-advice.ts";

describe("why a value was not written", () => {
  for (const reason of [...INVALID_REASONS, ...Object.keys(PLAN_FAULTS), "stale"]) {
    test(`is said in a sentence: ${reason}`, () => {
      assert.match(adviceOfRow(reason), /^[A-Z].+\.$/);
    });
  }

  test("is not made up where the reason is of another version", () => {
    assert.equal(adviceOfRow("toString"), "");
  });
});
