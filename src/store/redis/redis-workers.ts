import { aliveIn, type Workers } from "../workers.ts";
import type { RedisClient } from "./connection.ts";
import type { Keys } from "./keys.ts";
import type { Scripts } from "./scripts.ts";

export function createRedisWorkers(redis: RedisClient, keys: Keys, scripts: Scripts): Workers {
  return {
    async renew(id, worker, forMs) {
      await scripts.run("worker-renew", [keys.workers], [id, forMs, JSON.stringify(worker)]);
    },
    async end(id) {
      await scripts.run("command", [keys.workers], ["HDEL", id]);
    },
    async list() {
      const texts = await redis.hvals(keys.workers);
      return texts.length === 0 ? [] : aliveIn(texts, Number(await scripts.run("now", [], [])));
    },
  };
}
