/** What waits stays found, though Redis has lost the sorted sets by which it is found. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import { statusOf } from "../../src/app/status.ts";
import { createKeys } from "../../src/store/redis/keys.ts";
import { statusText } from "../../src/views/status.ts";
import { setApp } from "../support/app-stage.ts";
import { addUsers, POOL } from "../support/pool-stage.ts";

test("a recount finds users and letters again of which the store has lost the place, and says so", async (t) => {
  const app = await setApp(t);
  addUsers(app.pool, 3);
  const redis = new Redis(app.environment["REDIS_URL"] ?? "");
  t.after(() => redis.disconnect());
  const keys = createKeys(app.environment["POOLSYNC_NAMESPACE"] ?? "");
  const { store, ...engine } = await app.open();
  const verify = async () => {
    const status = await statusOf(
      { store, ...engine },
      { ceilingsOf: () => ({ ratePerSecond: 25, listsPerSecond: 25 }), verify: true },
    );
    return { ...status.verified, text: statusText(status, 500, (...words) => words.join(" ")) };
  };
  const found = async () => (await verify()).lost;

  await app.queue("nobody", { given_name: "New" });
  await app.deliver();
  await app.queue("u0", { given_name: "Due" });
  await app.pause({}, { by: "ann", reason: "a test" });
  await app.queue("u1", { given_name: "Kept" });
  await app.queue("u2", { given_name: "Kept" });
  assert.deepEqual(await found(), { users: 0, letters: 0 });

  await redis.del(keys.due(POOL), keys.letterTimes);
  await redis.zrem(keys.kept, ...(await redis.zrange(keys.kept, "0", "-1")).filter((_member, index) => index !== 0));
  const { differences, lost, text } = await verify();
  assert.deepEqual([differences, lost], [[], { users: 2, letters: 1 }]);
  assert.match(text, /had lost its place of 2 users who wait and 1 dead letter\. They are found again/);
  assert.deepEqual(await found(), { users: 0, letters: 0 });
  assert.match((await verify()).text, /every mailbox and every dead letter is in the books/);

  // Whoever claims one that a gate keeps leaves it with its gate.
  for (const user of ["u0", "u1", "u2"])
    await store.mailboxes.claim(engine.keyring.userKey(POOL, user), "token", 60_000);
  assert.equal(await redis.zcard(keys.kept), 3);
  assert.deepEqual(await found(), { users: 0, letters: 0 });
  assert.equal((await Array.fromAsync(store.letters.list({}))).length, 1);
  await app.resume({});
  await app.deliver();
  const names = ["u0", "u1", "u2"].map((user) => app.pool.user(user)?.attributes["given_name"]);
  assert.deepEqual(names, ["Due", "Kept", "Kept"]);
});
