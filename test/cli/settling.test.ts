import assert from "node:assert/strict";
import { test } from "node:test";
import { waitUntilSettled } from "../../src/app/runs/settling.ts";
import { textOf } from "../../src/core/sentence.ts";
import { standstillText } from "../../src/views/standstill.ts";
import { openEngine } from "../../src/queues/engine.ts";
import { testRedis } from "../support/redis.ts";

test("a run that nobody delivers is told of once, and is waited for all the same", async () => {
  const { url, namespace } = testRedis();
  const engine = await openEngine({ redisUrl: url, namespace, dataDir: "/nonexistent" });
  try {
    const { runs, mailboxes } = engine.store;
    const pool = "eu-west-1_A";
    const { run } = await runs.begin({ id: "r-1", source: "file", pool, feed: "hr", identity: "", asOf: Date.now() });
    const units = [{ name: "nickname", digest: "d", body: "p:{}" }];
    const changes = [{ user: "0123", username: "p:jane", units }];
    await mailboxes.put({ pool, run: run.id, priority: 10, changes, invalid: 0, rows: { read: 1, faulty: 0 } });
    const stopping = new AbortController();
    let [looks, told] = [0, 0];
    const settled = waitUntilSettled({
      engine,
      runs: [run.id],
      deliveries: [],
      pools: [pool],
      allPut: () => true,
      onLook: () => ((looks += 1) > 4 ? stopping.abort() : undefined),
      onHold: () => assert.fail("nothing is held"),
      onStill: () => (told += 1),
      stillMs: 0,
      signal: stopping.signal,
    });
    await assert.rejects(settled, { name: "AbortError" });
    assert.equal(told, 1);
  } finally {
    await engine.close();
  }
});

test("a pause is told of once, and once that it is over", async () => {
  const { url, namespace } = testRedis();
  const engine = await openEngine({ redisUrl: url, namespace, dataDir: "/nonexistent" });
  try {
    const { runs, gates } = engine.store;
    const pool = "eu-west-1_A";
    await runs.begin({ id: "r-1", source: "file", pool, feed: "hr", identity: "", asOf: Date.now() });
    for (const gate of ["feed:hr", "feed:other"]) await gates.pause(gate, { by: "ann@desk", reason: "a check" });
    const stopping = new AbortController();
    const told: string[] = [];
    let looks = 0;
    const settled = waitUntilSettled({
      engine,
      runs: ["r-1"],
      deliveries: [],
      pools: [pool],
      allPut: () => false,
      onLook: () => {
        looks += 1;
        if (looks === 3) void gates.resume("feed:hr");
        if (looks === 6) stopping.abort();
      },
      onHold: (standstill) => told.push(textOf(standstillText(standstill))),
      signal: stopping.signal,
    });
    await assert.rejects(settled, { name: "AbortError" });
    assert.match(told.join("\n"), /^Feed hr has been paused since \S+ by ann@desk: a check\. .*\nFeed hr goes on\.$/);
  } finally {
    await engine.close();
  }
});
