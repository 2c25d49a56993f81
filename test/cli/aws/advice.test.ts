import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { adviceOnce, adviceToUser } from "../../../src/core/advice.ts";
import { FAILURE_KINDS } from "../../../src/core/failure.ts";

/** What lies nowhere cannot be replayed, and who typed one command has no process to start again. */
const AMISS = /replay|dead letter|sync again|made again|start the process|by itself/;

describe("the advice under one call that was refused", () => {
  for (const kind of Object.keys(FAILURE_KINDS)) {
    test(`speaks of one call only, for ${kind}`, () => {
      for (const advice of [adviceOnce(kind), adviceToUser(kind)]) {
        assert.ok(advice.length > 20, advice);
        if (kind === "token-expired" && advice === adviceOnce(kind)) continue;
        assert.doesNotMatch(advice, AMISS);
      }
    });
  }

  test("is that of the failure met last, where it was given up", () => {
    assert.equal(adviceToUser("gave-up", "internal-error"), adviceOnce("internal-error"));
  });
});
