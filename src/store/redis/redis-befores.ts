import type { Befores } from "../befores.ts";
import type { RedisClient } from "./connection.ts";
import type { Keys } from "./keys.ts";
import { scanHash } from "./scan-hash.ts";
import type { Scripts } from "./scripts.ts";

/** The port to what was there before a run. */
export function createRedisBefores(redis: RedisClient, keys: Keys, scripts: Scripts): Befores {
  return {
    async keep(run, befores, forMs) {
      const texts = befores.flatMap(({ unit, body }) => [unit, body]);
      await scripts.run("keep-befores", [keys.before(run)], [forMs, ...texts]);
    },
    read: (run) => scanHash(redis, keys.before(run)),
  };
}
