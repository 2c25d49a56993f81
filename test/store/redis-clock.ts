import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import { redisClient, redisConnection } from "../../src/store/redis/connection.ts";
import { createKeys } from "../../src/store/redis/keys.ts";
import type { Keys } from "../../src/store/redis/keys.ts";
import { createRedisStore } from "../../src/store/redis/redis-store.ts";
import { createScripts } from "../../src/store/redis/scripts.ts";
import type { Store } from "../../src/store/store.ts";
import type { TestRedis } from "../support/redis.ts";

export interface ClockedRedis {
  readonly redis: Redis;
  readonly keys: Keys;
  /** The scripts of these stores read this clock in place of the server's. */
  setClock(ms: number): Promise<void>;
  /** A store as another process would open it. */
  openStore(): Promise<Store>;
  close(): Promise<void>;
}

/** A fresh namespace whose scripts read a clock that the test sets. Closing it removes its keys. */
export async function clockedRedis({ url, namespace }: TestRedis): Promise<ClockedRedis> {
  const keys = createKeys(namespace);
  const clockKey = `{poolsync:${namespace}}:test-clock`;
  const clock = readFileSync(new URL("../../src/store/redis/lua/clock.lua", import.meta.url), "utf8").replace(
    /local function now_exact\(\)[\s\S]*?\nend\n/,
    `local function now_exact()\n  return tonumber(redis.call('GET', '${clockKey}'))\nend\n`,
  );
  const redis = new Redis(url);
  const stores: Store[] = [];
  return {
    redis,
    keys,
    setClock: async (ms) => void (await redis.set(clockKey, String(ms))),
    async openStore() {
      const client = redisClient(redisConnection(url), () => true);
      await client.connect();
      const store = await createRedisStore(client, keys, createScripts(client, clock));
      stores.push(store);
      return store;
    },
    async close() {
      for (const store of stores) await store.close();
      await redis.quit();
      await removeKeys({ url, namespace });
    },
  };
}

/** Removes what a test has left in its namespace. */
export async function removeKeys({ url, namespace }: TestRedis): Promise<void> {
  const redis = new Redis(url);
  const keys = await redis.keys(`{poolsync:${namespace}}:*`);
  if (keys.length > 0) await redis.del(...keys);
  await redis.quit();
}
