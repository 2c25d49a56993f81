import assert from "node:assert/strict";
import { test } from "node:test";
import { createMasterRule, REPLICATION_LAG_MS } from "./master-watch.ts";

/** What a history of looks, one every 100 ms, says was lost. */
function lossesOf(history: readonly (readonly number[])[]) {
  const rule = createMasterRule();
  return history.flatMap((takers, index) => {
    const { loss, changed } = rule(10_000 + index * 100, takers);
    return loss ? [[loss.from + REPLICATION_LAG_MS, loss.to, changed === true]] : [];
  });
}

test("nothing is lost while one server takes writes, nor while none does", () => {
  assert.deepEqual(lossesOf([[0], [0], [], [], [0]]), []);
});

test("what was acknowledged from the old master's last time alone may be lost in a failover", () => {
  assert.deepEqual(lossesOf([[0], [0], [], [], [1], [1]]), [[10_100, 10_400, true]]);
});

test("what was acknowledged while two take writes may be lost, whoever is left", () => {
  assert.deepEqual(lossesOf([[0], [0, 1], [0, 1], [1], [1]]), [[10_100, 10_300, true]]);
  assert.deepEqual(lossesOf([[1], [0, 1], [1], [1]]), [[10_100, 10_200, false]]);
});
