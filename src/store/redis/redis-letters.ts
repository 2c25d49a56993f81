import { randomUUID } from "node:crypto";
import type { Letter } from "../../core/letter.ts";
import type { LetterFilter, Letters } from "../letters.ts";
import type { OwnRead } from "../fence.ts";
import type { RedisClient } from "./connection.ts";
import { letterDocument } from "../documents.ts";
import type { Keys } from "./keys.ts";
import { LETTERS_PER_STEP } from "./redis-mailboxes.ts";
import type { Scripts } from "./scripts.ts";
import { mailboxKeys, type Shelf } from "./shelf.ts";

export function createRedisLetters(
  redis: RedisClient,
  keys: Keys,
  scripts: Scripts,
  shelf: Shelf,
  ownRead: OwnRead,
): Letters {
  const sound = (field: string, text: string | null | undefined): Promise<Letter | undefined> =>
    shelf.sound(letterDocument, { kind: "letter", key: keys.letters, field }, text, ({ id }) => id === field);

  return {
    list: (filter) => list(redis, keys, filter, sound),

    get: async (id) => sound(id, await ownRead(() => redis.hget(keys.letters, id))),

    async discard(ids) {
      let count = 0;
      for (let from = 0; from < ids.length; from += LETTERS_PER_STEP) {
        const step = JSON.stringify(ids.slice(from, from + LETTERS_PER_STEP));
        count += Number(await scripts.run("discard", mailboxKeys(keys, randomUUID()), [step]));
      }
      return count;
    },
  };
}

/**
 * What is buried while the list is read is not in it, or a list whose letters are replayed might never end.
 * Walks on from the time of the last letter, not from a count of letters: a caller that replays or discards what it
 * has just read must not make the walk skip what comes after.
 */
async function* list(
  redis: RedisClient,
  keys: Keys,
  filter: LetterFilter,
  sound: (id: string, text: string | null | undefined) => Promise<Letter | undefined>,
): AsyncGenerator<Letter> {
  const [, youngest] = await redis.zrevrange(keys.letterTimes, 0, 0, "WITHSCORES");
  if (youngest === undefined) return;
  const end = filter.until !== undefined && filter.until <= Number(youngest) ? `(${filter.until}` : youngest;
  let start = String(filter.since ?? "-inf");
  let seen = new Set<string>();
  for (;;) {
    const limit = LETTERS_PER_STEP + seen.size;
    const page = await redis.zrangebyscore(keys.letterTimes, start, end, "WITHSCORES", "LIMIT", 0, limit);
    const fresh: string[] = [];
    for (let i = 0; i + 1 < page.length; i += 2) {
      const [id, score] = [page[i], page[i + 1]];
      if (id === undefined || score === undefined || (score === start && seen.has(id))) continue;
      if (score !== start) seen = new Set();
      start = score;
      seen.add(id);
      fresh.push(id);
    }
    if (fresh.length === 0) return;
    const texts = await redis.hmget(keys.letters, ...fresh);
    for (const [index, id] of fresh.entries()) {
      // One that is not there was replayed or discarded a moment ago, or set aside.
      const letter = await sound(id, texts[index]);
      if (letter !== undefined && matches(letter, filter)) yield letter;
    }
  }
}

function matches(letter: Letter, { pool, kind, user, unit, run, reason }: LetterFilter): boolean {
  return (
    (pool === undefined || letter.pool === pool) &&
    (kind === undefined || letter.kind === kind) &&
    (user === undefined || letter.user === user) &&
    (unit === undefined || letter.unit === unit) &&
    (run === undefined || letter.run === run) &&
    (reason === undefined || letter.reason === reason)
  );
}
