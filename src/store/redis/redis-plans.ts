import type { StoredPlan, Plans } from "../plans.ts";
import type { RedisClient } from "./connection.ts";
import { timeIn } from "../documents.ts";
import type { Keys } from "./keys.ts";
import type { Scripts } from "./scripts.ts";

/** The port to plans. What nobody takes away is gone by itself after twice its time, and a part of one with it. */
export function createRedisPlans(redis: RedisClient, keys: Keys, scripts: Scripts): Plans {
  const write = (key: string, command: string, ...args: readonly (string | number)[]) =>
    scripts.run("command", [key], [command, ...args]);
  return {
    async keep({ run, expiresAt }, chunks) {
      const key = keys.plan(run);
      const goneAt = expiresAt + Math.max(0, expiresAt - Date.now());
      await write(key, "DEL");
      for await (const chunk of chunks) {
        await write(key, "RPUSH", chunk);
        await write(key, "PEXPIREAT", goneAt);
      }
      await write(keys.plans, "ZADD", expiresAt, run);
    },

    async *read(run) {
      for (let at = 0; ; at += 1) {
        const chunk = await redis.lindex(keys.plan(run), at);
        if (chunk === null) return;
        yield chunk;
      }
    },

    async list() {
      const found = await redis.zrange(keys.plans, "0", "-1", "WITHSCORES");
      const plans: StoredPlan[] = [];
      for (let at = 0; at + 1 < found.length; at += 2) {
        plans.push({ run: found[at] ?? "", expiresAt: timeIn(found[at + 1]) });
      }
      return plans;
    },

    async drop(run) {
      await write(keys.plans, "ZREM", run);
      await write(keys.plan(run), "DEL");
    },

    async setAside(run) {
      await scripts.run("set-aside-plan", [keys.plans, keys.plan(run)], [run]);
    },
  };
}
