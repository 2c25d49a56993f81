import { keptTextsSuite } from "../suites/kept-texts.ts";
import type { Opened } from "../suites/open-store.ts";
import { storeSuite } from "../suites/store.ts";
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import { testRedis } from "../support/redis.ts";
import { clockedRedis } from "./redis-clock.ts";

async function open(): Promise<Opened> {
  const store = await openRedisStore(testRedis());
  return { store, close: () => store.close() };
}

storeSuite("Redis, by the server's time", open, "real");
keptTextsSuite("Redis", open, "real");

storeSuite(
  "Redis, by a clock of the test's",
  async () => {
    const clocked = await clockedRedis(testRedis());
    let nowMs = 1_800_000_000_000;
    await clocked.setClock(nowMs);
    return {
      store: await clocked.openStore(),
      clock: { advance: (ms: number) => clocked.setClock((nowMs += ms)) },
      close: () => clocked.close(),
    };
  },
  "moved",
);
