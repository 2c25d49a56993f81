import { EXCEPTION_MS, MOST_EXCEPTIONS, type Exceptions } from "../exceptions.ts";
import type { RedisClient } from "./connection.ts";
import { exceptionsDocument } from "../documents.ts";
import type { Keys } from "./keys.ts";
import type { Scripts } from "./scripts.ts";
import type { Shelf } from "./shelf.ts";

/** More than this are noted in several steps, so that no script holds the server up for long. */
const STEP = 500;

export function createRedisExceptions(redis: RedisClient, keys: Keys, scripts: Scripts, shelf: Shelf): Exceptions {
  return {
    async note(exceptions) {
      for (let from = 0; from < exceptions.length; from += STEP) {
        const step = JSON.stringify(exceptions.slice(from, from + STEP));
        const own = [keys.exceptions, keys.exceptionTimes];
        await scripts.run("note-exceptions", own, [MOST_EXCEPTIONS, EXCEPTION_MS, step]);
      }
    },
    async about(key) {
      const text = await redis.hget(keys.exceptions, key);
      const place = { kind: "exceptions", key: keys.exceptions, field: key } as const;
      const noted = (await shelf.sound(exceptionsDocument, place, text)) ?? {};
      return Object.entries(noted).map(([unit, exception]) => ({ about: key, unit, ...exception }));
    },
  };
}
