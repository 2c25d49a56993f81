import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Redis } from "ioredis";
import { createKeys } from "../../src/store/redis/keys.ts";
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import { openEmbeddedStore, type EmbeddedStore } from "../../src/store/postgres/embedded-store.ts";
import { FORMAT } from "../../src/store/postgres/schema.ts";
import { fenceSuite } from "../suites/fence.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { dumpRedis } from "../support/redis-dump.ts";
import { testRedis } from "../support/redis.ts";
import { removeKeys } from "./redis-clock.ts";

fenceSuite("Redis", async () => {
  const at = testRedis();
  const { memory } = createKeys(at.namespace);
  const redis = new Redis(at.url);
  const stores: (() => Promise<void>)[] = [];
  return {
    async openStore() {
      const store = await openRedisStore(at);
      stores.push(() => store.close());
      return store;
    },
    setFormat: async (is) => void (await redis.hset(memory, "format", is === "ours" ? "2" : "3")),
    dump: async () => Object.fromEntries(await dumpRedis(at.url, at.namespace)),
    async close() {
      for (const close of stores) await close();
      await redis.quit();
      await removeKeys(at);
    },
  };
});

/** One process has a directory at a time: what is opened again is the same store, which has not met another format yet. */
fenceSuite(
  "embedded",
  async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "poolsync-fence-"));
    putMadeDirectory(dataDir);
    let store: EmbeddedStore | undefined;
    return {
      async openStore() {
        if (store?.foreign.aborted === false) return store;
        await store?.close();
        store = await openEmbeddedStore({ dataDir });
        return store;
      },
      async setFormat(is) {
        await store?.database.query("UPDATE poolsync.format SET steps = $1", [is === "ours" ? FORMAT : FORMAT + 1]);
      },
      async dump() {
        assert.ok(store);
        const { database } = store;
        const names = await database.query<{ name: string }>(
          "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'poolsync' ORDER BY 1",
        );
        return Promise.all(names.map(({ name }) => database.query(`SELECT * FROM poolsync.${name}`)));
      },
      async close() {
        await store?.close();
        await rm(dataDir, { recursive: true, force: true });
      },
    };
  },
  { sharesPace: false },
);

test("a namespace in Redis without a format is as before: nobody is refused", async (t) => {
  const at = testRedis();
  const store = await openRedisStore(at);
  const redis = new Redis(at.url);
  t.after(async () => {
    await store.close();
    await redis.quit();
    await removeKeys(at);
  });
  await redis.del(createKeys(at.namespace).memory);
  await store.look();
  await store.setValue("name", "value");
  await store.runs.begin({ id: "run", source: "file", pool: "pool", feed: "hr", identity: "", asOf: 0 });
  assert.equal(store.foreign.aborted, false);
});
