import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { belowBacklog } from "../../src/delivery/backlog.ts";

/** How much waits, one answer after the other; the last stays. */
function counts(...answers: readonly number[]) {
  const left = [...answers];
  return async () => (left.length > 1 ? left.shift() : left[0]) ?? 0;
}

// Each waits for a while, and none for another.
describe("a backlog", { concurrency: true }, () => {
  test("of a few due users is not waited for", async () => {
    await belowBacklog(counts(2), { limit: 3, onStill: () => assert.fail("nothing stands still") });
  });

  test("that nobody works on is told once", async () => {
    let told = 0;
    await belowBacklog(counts(5, 5, 5, 5, 2), { limit: 3, stillMs: 0, onStill: () => (told += 1) });
    assert.equal(told, 1);
  });

  test("that shrinks is told nothing of", async () => {
    await belowBacklog(counts(6, 5, 4, 2), {
      limit: 3,
      stillMs: 0,
      onStill: () => assert.fail("somebody delivers"),
    });
  });

  test("is waited for until the signal", async () => {
    await assert.rejects(belowBacklog(counts(5), { limit: 3 }, AbortSignal.abort()), { name: "AbortError" });
  });
});
