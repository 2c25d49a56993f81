import assert from "node:assert/strict";
import { test } from "node:test";
import { keepAlive } from "../../src/delivery/worker-lease.ts";
import { openMemoryStore } from "../support/memory-store.ts";

test("a worker is alive until it ends, or as long as its process can say so", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { store, clock } = openMemoryStore();
  const lease = keepAlive(store, { does: "delivery", pool: "pool" });
  const alive = async (): Promise<number> => (await store.workers.list()).length;
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    t.mock.timers.tick(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  for (let minutes = 0; minutes < 5; minutes++) {
    assert.equal(await alive(), 1);
    for (let tens = 0; tens < 6; tens++) await pass(10_000);
  }
  clock.advance(30_000);
  assert.equal(await alive(), 0, "one that has died says nothing more");
  await pass(10_000);
  assert.equal(await alive(), 1);
  lease.end();
  assert.equal(await alive(), 0);
  await pass(60_000);
  assert.equal(await alive(), 0);
});
