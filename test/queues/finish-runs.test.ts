/** What becomes of a run that nobody waits for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { finishRuns } from "../../src/app/workers/finish-runs.ts";
import { openMemoryStore } from "../support/memory-store.ts";

test("a run of which nothing is pending any more is ended at the second look, once, and that is told", async () => {
  const { store, clock } = openMemoryStore();
  const { runs, mailboxes } = store;
  const lines: string[] = [];
  const log = pino({ base: null, timestamp: false, level: "info" }, { write: (line) => void lines.push(line) });
  const look = (before: ReadonlySet<string>) => finishRuns(store, log, ["pool"], before);
  for (const [id, pool] of [
    ["pending", "pool"],
    ["over", "pool"],
    ["read", "pool"],
    ["elsewhere", "other"],
  ] as const) {
    await runs.begin({ id, source: "file", pool, feed: "feed", identity: "", asOf: 0 });
    if (id !== "read") await runs.advance(id, "delivering");
  }
  const changes = [{ user: "ann", username: "ann", units: [{ name: "name", digest: "digest", body: "body" }] }];
  const rows = { read: 1, faulty: 0 };
  await mailboxes.put({ pool: "pool", run: "pending", priority: 1, changes, invalid: 0, rows });
  const first = await look(new Set());
  assert.deepEqual([...first], ["over"]);
  assert.equal((await runs.get("over"))?.state, "delivering");
  clock.advance(5_000);
  const [here, there] = await Promise.all([look(first), look(first)]);
  assert.deepEqual([here, there], [first, first]);
  const states = await Promise.all(
    ["pending", "over", "read", "elsewhere"].map(async (id) => (await runs.get(id))?.state),
  );
  assert.deepEqual(states, ["delivering", "finished", "reading", "delivering"]);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /"run":"over".*"durationMs":5000,"msg":"run finished"/);
});
