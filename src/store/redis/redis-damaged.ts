import { z } from "zod";
import { TERMS } from "../../core/books.ts";
import { DOCUMENT_KINDS, type Damaged } from "../damaged.ts";
import { soundDocument } from "../documents.ts";
import type { RedisClient } from "./connection.ts";
import type { Keys } from "./keys.ts";
import type { Counted } from "./redis-mailboxes.ts";
import type { Scripts } from "./scripts.ts";

const shelved = z.object({
  kind: z.enum(DOCUMENT_KINDS),
  place: z.string(),
  since: z.number(),
  pool: z.exactOptional(z.string()),
});

/** `walk` counts what is in mailboxes and letters. */
export function createRedisDamaged(
  redis: RedisClient,
  keys: Keys,
  scripts: Scripts,
  walk: () => Promise<Counted>,
): Damaged {
  return {
    async list() {
      const entries = Object.entries(await redis.hgetall(keys.damaged)).flatMap(([id, text]) => {
        const entry = soundDocument(shelved, text);
        return entry === undefined ? [] : [{ id, ...entry }];
      });
      return entries.toSorted((a, b) => Number(a.id) - Number(b.id));
    },

    remove: async (ids) => (ids.length === 0 ? 0 : Number(await scripts.run("damaged-remove", [keys.gates], ids))),

    async reckon() {
      const owed = await redis.hget(keys.damagedTexts, "owed");
      if (owed === null) return 0;
      const [books, letters] = [await redis.hgetall(keys.books), await redis.hgetall(keys.pools)];
      const counted = await walk();
      const runs = new Set(Object.keys(books).map((field) => field.slice(0, field.lastIndexOf("|"))));
      const gone = [...runs].flatMap((run) => {
        if (run === "") return [];
        const terms = Object.fromEntries(TERMS.map((term) => [term, Number(books[`${run}|${term}`] ?? 0)]));
        const { pending: waits, dead: lies } = counted.runs.get(run) ?? { pending: 0, dead: 0 };
        const pending = Math.max(0, (terms["pending"] ?? 0) - waits);
        const dead = Math.max(0, (terms["dead"] ?? 0) - lies);
        return pending + dead > 0 ? [{ run, terms, pending, dead }] : [];
      });
      const counts = Object.entries(letters).flatMap(([pool, text]) => {
        const [was, is] = [Number(text), counted.letters.get(pool) ?? 0];
        return was === is ? [] : [{ pool, was, is }];
      });
      const args = [owed, JSON.stringify(gone), JSON.stringify(counts)];
      return Number(await scripts.run("reckon", [keys.books, keys.pools], args));
    },
  };
}
