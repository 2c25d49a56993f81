import type { BeforeImages } from "../before-images.ts";
import type { RedisClient } from "./connection.ts";
import type { Keys } from "./keys.ts";
import { scanHash } from "./scan-hash.ts";
import type { Scripts } from "./scripts.ts";

/** The port to before images. */
export function createRedisBeforeImages(redis: RedisClient, keys: Keys, scripts: Scripts): BeforeImages {
  return {
    async keep(run, beforeImages, forMs) {
      const texts = beforeImages.flatMap(({ unit, body }) => [unit, body]);
      await scripts.run("keep-before-images", [keys.beforeImages(run)], [forMs, ...texts]);
    },
    async *read(run) {
      for await (const [unit, body] of scanHash(redis, keys.beforeImages(run))) yield { unit, body };
    },
  };
}
