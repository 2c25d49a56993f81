import type { Befores } from "../befores.ts";
import type { RedisClient } from "./connection.ts";
import type { Keys } from "./keys.ts";
import { redisFault } from "./redis-error.ts";
import { scanHash } from "./scan-hash.ts";

/** The port to what was there before a run. */
export function createRedisBefores(redis: RedisClient, keys: Keys): Befores {
  return {
    async keep(run, befores, forMs) {
      const key = keys.before(run);
      try {
        await Promise.all(befores.map(({ unit, body }) => redis.hsetnx(key, unit, body)));
        await redis.pexpire(key, forMs);
      } catch (error) {
        throw redisFault(error);
      }
    },
    read: (run) => scanHash(redis, keys.before(run)),
  };
}
