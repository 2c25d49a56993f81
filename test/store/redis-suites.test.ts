/** The store on Redis against the suites that every store passes: by the server's clock, and by one that is set. */
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import { mailboxSuite } from "../suites/mailboxes.ts";
import type { Opened } from "../suites/open-store.ts";
import { testRedis } from "../support/redis.ts";
import { clockedRedis, removeKeys } from "./redis-clock.ts";

async function openByServerClock(): Promise<Opened> {
  const redis = testRedis();
  const store = await openRedisStore(redis);
  return {
    store,
    async close() {
      await store.close();
      await removeKeys(redis);
    },
  };
}

async function openBySetClock(): Promise<Opened> {
  const clocked = await clockedRedis(testRedis());
  let now = Date.now();
  await clocked.setClock(now);
  return {
    store: await clocked.openStore(),
    clock: {
      // The suite awaits what this returns.
      advance: (ms) => clocked.setClock((now += Math.ceil(ms))),
    },
    close: () => clocked.close(),
  };
}

mailboxSuite("Redis", openByServerClock);
mailboxSuite("Redis, hours passing at will", openBySetClock);
