import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { belowBacklog } from "../../src/delivery/backlog.ts";

/** The answers of `dueCount`, one after the other; the last stays. */
function dueCounts(...counts: readonly number[]) {
  const left = [...counts];
  return { dueCount: async () => (left.length > 1 ? left.shift() : left[0]) ?? 0 };
}

// Each waits for a while, and none for another.
describe("a backlog", { concurrency: true }, () => {
  test("of a few due users is not waited for", async () => {
    await belowBacklog(dueCounts(2), "pool", { limit: 3, onStill: () => assert.fail("nothing stands still") });
  });

  test("that nobody works on is told once", async () => {
    let told = 0;
    await belowBacklog(dueCounts(5, 5, 5, 5, 2), "pool", { limit: 3, stillMs: 0, onStill: () => (told += 1) });
    assert.equal(told, 1);
  });

  test("that shrinks is told nothing of", async () => {
    await belowBacklog(dueCounts(6, 5, 4, 2), "pool", {
      limit: 3,
      stillMs: 0,
      onStill: () => assert.fail("somebody delivers"),
    });
  });

  test("is waited for until the signal", async () => {
    await assert.rejects(belowBacklog(dueCounts(5), "pool", { limit: 3 }, AbortSignal.abort()), { name: "AbortError" });
  });
});
