import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { Redis } from "ioredis";
import { createKeys } from "../../src/store/redis/keys.ts";
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import { openEmbeddedStore, type EmbeddedStore } from "../../src/store/postgres/embedded-store.ts";
import { FORMAT } from "../../src/store/postgres/schema.ts";
import type { Store } from "../../src/store/store.ts";
import { fenceSuite } from "../suites/fence.ts";
import { freePort, openRedisProcesses, redisVersion } from "../chaos/redis-processes.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { dumpRedis } from "../support/redis-dump.ts";
import { testRedis } from "../support/redis.ts";
import { removeKeys } from "./redis-clock.ts";

fenceSuite("Redis", async () => {
  const at = testRedis();
  const { memory } = createKeys(at.namespace);
  const redis = new Redis(at.url);
  const stores: (() => Promise<void>)[] = [];
  let opened: Record<string, string> = {};
  return {
    async openStore() {
      const store = await openRedisStore(at);
      stores.push(() => store.close());
      return store;
    },
    async change(what) {
      opened = await redis.hgetall(memory);
      if (what === "gone") await redis.del(memory);
      else await redis.hset(memory, what, "1000");
    },
    restore: async () => void (await redis.hset(memory, opened)),
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
    /** All tables at once: hundreds of dumps are compared, and a statement for each table takes most of the time. */
    let everything: string | undefined;
    let opened: readonly { readonly name: string; readonly value: string }[] = [];
    return {
      async openStore() {
        if (store?.lost.aborted === false) return store;
        await store?.close();
        store = await openEmbeddedStore({ dataDir });
        return store;
      },
      async change(what) {
        assert.ok(store);
        const { database } = store;
        opened = await database.query("SELECT name, value FROM poolsync.memory");
        if (what === "format") await database.query("UPDATE poolsync.format SET steps = $1", [FORMAT + 1]);
        else if (what === "gone") await database.query("DELETE FROM poolsync.memory");
        else await database.query("UPDATE poolsync.memory SET value = '1000' WHERE name = $1", [what]);
      },
      async restore() {
        assert.ok(store);
        const { database } = store;
        await database.query("UPDATE poolsync.format SET steps = $1", [FORMAT]);
        await database.query("DELETE FROM poolsync.memory");
        for (const { name, value } of opened)
          await database.query("INSERT INTO poolsync.memory VALUES ($1, $2)", [name, value]);
      },
      async dump() {
        assert.ok(store);
        const { database } = store;
        if (everything === undefined) {
          const names = await database.query<{ name: string }>(
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'poolsync' ORDER BY 1",
          );
          const parts = names.map(({ name }) => `SELECT '${name}', (SELECT json_agg(t)::text FROM poolsync.${name} t)`);
          everything = parts.join(" UNION ALL ");
        }
        return database.query(everything);
      },
      async close() {
        await store?.close();
        await rm(dataDir, { recursive: true, force: true });
      },
    };
  },
  { sharesPace: false },
);

const skip = redisVersion() === "none" ? "there is no redis-server on the PATH" : false;

describe("a namespace in Redis", () => {
  const open = async (t: TestContext) => {
    const at = testRedis();
    const redis = new Redis(at.url);
    const stores: Store[] = [];
    t.after(async () => {
      for (const store of stores) await store.close();
      await redis.quit();
      await removeKeys(at);
    });
    const openStore = async () => {
      const store = await openRedisStore(at);
      stores.push(store);
      return store;
    };
    return { openStore, redis, memory: createKeys(at.namespace).memory };
  };

  test("has one identity for all who open it at once, and says since when it is there", async (t) => {
    const { openStore } = await open(t);
    const [one, other] = await Promise.all([openStore(), openStore()]);
    assert.match(one.identity, /^[\w-]{22}$/);
    assert.deepEqual([one.identity, one.epoch, one.since], [other.identity, 1, other.since]);
    assert.ok(one.since !== undefined && Math.abs(one.since - (await one.now())) < 60_000);
  });

  test("of the former format comes to this one in one step, and nobody knows since when it is there", async (t) => {
    const { openStore, redis, memory } = await open(t);
    await redis.hset(memory, { format: "2", key: "none" });
    const [one, other] = await Promise.all([openStore(), openStore()]);
    assert.deepEqual(await redis.hgetall(memory), { format: "3", key: "none", identity: one.identity, epoch: "1" });
    assert.deepEqual([other.identity, other.since], [one.identity, undefined]);
  });

  test("whose epoch is no number is opened by nobody, who are told what to do; then it is", async (t) => {
    const { openStore, redis, memory } = await open(t);
    const before = await openStore();
    for (const broken of ["abc", "", "007", "1e3", "99999999999999999999"]) {
      await redis.hset(memory, "epoch", broken);
      await assert.rejects(openStore(), { kind: "damaged", message: /epoch .*HDEL '.*:memory' epoch.*epoch raise/ });
      await assert.rejects(before.setValue("name", "value"), { kind: "store-replaced" });
    }
    await redis.hdel(memory, "epoch");
    const after = await openStore();
    await after.raiseEpoch();
    assert.ok(after.epoch > 1);
    await redis.hset(memory, "since", "abc");
    assert.equal((await openStore()).since, undefined);
  });

  test("of a Redis that comes back with nothing refuses what is sent again", { skip }, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "poolsync-fence-"));
    const servers = openRedisProcesses(directory);
    const server = await servers.start("redis", await freePort(), ['save ""', "appendonly no"]);
    const store = await openRedisStore({ url: `redis://127.0.0.1:${server.port}`, namespace: "nothing" });
    t.after(async () => {
      await store.close();
      await servers.close();
      await rm(directory, { recursive: true, force: true });
    });
    assert.equal(store.withoutAof, true);
    await server.kill();
    const written = assert.rejects(store.setValue("name", "value"), { kind: "store-replaced", message: /emptied/ });
    await server.startAgain();
    await written;
    assert.equal(await server.ask((client) => client.dbsize()), 0);
  });

  test("that was emptied refuses who had it open, and is another one for who opens it then", async (t) => {
    const { openStore, redis, memory } = await open(t);
    const before = await openStore();
    await redis.del(memory);
    await assert.rejects(before.setValue("name", "value"), { kind: "store-replaced" });
    const after = await openStore();
    assert.notEqual(after.identity, before.identity);
    await assert.rejects(before.look(), { kind: "store-replaced", message: /^Another store/ });
    await after.setValue("name", "value");
  });
});
