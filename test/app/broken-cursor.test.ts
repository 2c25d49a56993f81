/** How far the feed of a run was put is believed where it can be so, and nothing of a file is left out in silence. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Redis } from "ioredis";
import { createKeys } from "../../src/store/redis/keys.ts";
import { setApp } from "../support/app-stage.ts";
import { addUsers } from "../support/pool-stage.ts";

const ROWS = 3;

/** A file whose run was cut, though all of it was put; and the same with another cursor, and another count of rows. */
async function cutRun(t: TestContext, cursor: string, counted = String(ROWS)) {
  const app = await setApp(t);
  addUsers(app.pool, ROWS);
  const rows = Array.from({ length: ROWS }, (_, index) => `u${index},New`);
  const file = await app.file(`username,given_name\n${rows.join("\n")}\n`);
  const { run } = await app.sync(file, { detached: true });
  const redis = new Redis(app.environment["REDIS_URL"] ?? "");
  t.after(() => redis.disconnect());
  const keys = createKeys(app.environment["POOLSYNC_NAMESPACE"] ?? "");
  const document = (await redis.hget(keys.runs, run)) ?? "";
  await redis.hset(keys.runs, run, document.replace('"delivering"', '"reading"'));
  await redis.hset(keys.cursors, run, cursor);
  await redis.hset(keys.books, `${run}|rows-read`, counted);
  return { app, file, run };
}

for (const cursor of ["abc", "1e999", "-1", "0x2", "2"]) {
  test(`a file is put whole where its run says \`${cursor}\` of how far it was put`, async (t) => {
    const { app, file, run } = await cutRun(t, cursor);
    const summary = await app.sync(file);
    assert.equal(summary.run, run);
    assert.deepEqual([summary.books.applied, summary.books.pending], [ROWS, 0]);
    assert.equal(app.pool.user("u0")?.attributes["given_name"], "New");
    assert.equal(summary.rows.read, ROWS + (cursor === "2" ? 1 : ROWS));
  });
}

test("a file is put from where its rows were counted, where its run says more", async (t) => {
  const { app, file } = await cutRun(t, String(ROWS), "0");
  const summary = await app.sync(file);
  // What of the first put was delivered before the second is applied, and not superseded.
  const { received, applied, superseded, unchanged } = summary.books;
  assert.deepEqual([received, applied + superseded + unchanged], [2 * ROWS, 2 * ROWS]);
  assert.equal(app.pool.user("u2")?.attributes["given_name"], "New");
  assert.equal(summary.rows.read, ROWS);
});

test("a run that says more was put than its file has is not taken for put", async (t) => {
  const { app, file, run } = await cutRun(t, "99");
  await assert.rejects(app.sync(file), { kind: "damaged", message: new RegExp(`runs cancel ${run}.*the same sync`) });
  assert.equal((await (await app.open()).store.runs.get(run))?.state, "reading");
  // It may have delivered some of what it had put before it was refused.
  const { applied } = await (await app.open()).store.runs.books(run);
  await app.cancel(run);
  const summary = await app.sync(file);
  assert.notEqual(summary.run, run);
  assert.deepEqual([summary.books.applied, summary.books.unchanged], [ROWS - applied, applied]);
  for (let number = 0; number < ROWS; number += 1)
    assert.equal(app.pool.user(`u${number}`)?.attributes["given_name"], "New");
});
