/** Counters that are read outside of scripts: one that is no whole number is set aside, and read again. */
import type { RedisClient } from "./connection.ts";
import { MOST_COUNTED } from "../documents.ts";
import type { Keys } from "./keys.ts";
import type { Scripts } from "./scripts.ts";

export interface Counters {
  /** Some fields of the books, or the letters of some pools; 0 where there is none. */
  read(hash: "books" | "pools", fields: readonly string[]): Promise<readonly number[]>;
  all(hash: "books" | "pools"): Promise<ReadonlyMap<string, number>>;
}

export function createCounters(redis: RedisClient, keys: Keys, scripts: Scripts): Counters {
  async function sound(hash: "books" | "pools", read: () => Promise<readonly (readonly [string, string | null])[]>) {
    const found = await read();
    const broken = found.filter(([, text]) => !isCount(text)).map(([field]) => field);
    if (broken.length === 0) return found;
    const names =
      hash === "pools" ? broken : broken.map((field) => field.slice(0, Math.max(0, field.lastIndexOf("|"))));
    await scripts.run("mend-counters", [keys.books, keys.pools, keys.letterTimes], [hash, ...new Set(names)]);
    return read();
  }
  return {
    async read(hash, fields) {
      const found = await sound(hash, async () => {
        const texts = await redis.hmget(keys[hash], ...fields);
        return fields.map((field, index) => [field, texts[index] ?? null] as const);
      });
      return found.map(([, text]) => Number(text ?? 0));
    },

    async all(hash) {
      const found = await sound(hash, async () => Object.entries(await redis.hgetall(keys[hash])));
      return new Map(found.map(([field, text]) => [field, Number(text)]));
    },
  };
}

function isCount(text: string | null): boolean {
  return text === null || (/^(?:0|-?[1-9]\d*)$/.test(text) && Math.abs(Number(text)) <= MOST_COUNTED);
}
