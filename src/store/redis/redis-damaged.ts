import { z } from "zod";
import { TERMS } from "../../core/books.ts";
import { DOCUMENT_KINDS, type Damaged } from "../damaged.ts";
import { soundDocument } from "../documents.ts";
import type { RedisClient } from "./connection.ts";
import type { Counters } from "./counters.ts";
import type { Keys } from "./keys.ts";
import type { Counted } from "./redis-mailboxes.ts";
import type { Scripts } from "./scripts.ts";

const shelved = z.object({
  kind: z.enum(DOCUMENT_KINDS),
  place: z.string(),
  since: z.number(),
  pool: z.exactOptional(z.string()),
  run: z.exactOptional(z.string()),
});

/** `walk` counts what is in mailboxes and letters. */
export function createRedisDamaged(
  redis: RedisClient,
  keys: Keys,
  scripts: Scripts,
  counters: Counters,
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
      if ((await redis.hexists(keys.damagedTexts, "owed")) === 0) return 0;
      const [books, letters] = [await counters.all("books"), await counters.all("pools")];
      // What breaks from here on is owed under another id.
      const owed = await redis.hget(keys.damagedTexts, "owed");
      if (owed === null) return 0;
      const counted = await walk();
      const runs = new Set([...books.keys()].map((field) => field.slice(0, field.lastIndexOf("|"))));
      const all = { pending: 0, dead: 0 };
      const more = (run: string, there: { readonly pending: number; readonly dead: number }) => {
        const terms = Object.fromEntries(TERMS.map((term) => [term, books.get(`${run}|${term}`) ?? 0]));
        const [pending, dead] = [(terms["pending"] ?? 0) - there.pending, (terms["dead"] ?? 0) - there.dead];
        all.pending += pending;
        all.dead += dead;
        return pending === 0 && dead === 0 ? [] : [{ run, terms, pending, dead }];
      };
      const gone = [...runs].flatMap((run) => {
        return run === "" ? [] : more(run, counted.runs.get(run) ?? { pending: 0, dead: 0 });
      });
      // The runs' share is booked in the total with them.
      for (const { pending, dead } of counted.runs.values()) {
        all.pending += pending;
        all.dead += dead;
      }
      gone.push(...more("", all));
      const counts = [...letters].flatMap(([pool, was]) => {
        const is = counted.letters.get(pool) ?? 0;
        return was === is ? [] : [{ pool, was, is }];
      });
      const args = [owed, JSON.stringify(gone), JSON.stringify(counts)];
      return Number(await scripts.run("reckon", [keys.books, keys.pools], args));
    },
  };
}
