import type { KeptTexts, Shelf } from "../kept-texts.ts";
import type { RedisClient } from "./connection.ts";
import type { Keys } from "./keys.ts";
import type { Scripts } from "./scripts.ts";

const PAGE = 200;
/** Of up to 256 KB each. */
const CHUNKS = 8;

/** The port to what is kept sealed. */
export function createRedisTexts(redis: RedisClient, keys: Keys, scripts: Scripts): KeptTexts {
  function keyOf({ kind, of }: Shelf): string {
    switch (kind) {
      case "mailboxes":
        return keys.mailboxes;
      case "letters":
        return keys.letters;
      case "links":
        return keys.links(of);
      case "before images":
        return keys.beforeImages(of);
      case "plan":
        return keys.plan(of);
      case "notes":
        return keys.notes;
      case "events":
        return keys.inboxBodies;
    }
  }
  return {
    async shelves() {
      const pools = await redis.hkeys(keys.targets);
      const runs = await redis.hkeys(keys.runs);
      const plans = await redis.zrange(keys.plans, "0", "-1");
      const shelves: Shelf[] = [
        { kind: "mailboxes", of: "" },
        { kind: "letters", of: "" },
        ...pools.map((of): Shelf => ({ kind: "links", of })),
        ...runs.map((of): Shelf => ({ kind: "before images", of })),
        ...plans.map((of): Shelf => ({ kind: "plan", of })),
        { kind: "notes", of: "" },
        { kind: "events", of: "" },
      ];
      const counts = await Promise.all(
        shelves.map((shelf) => (shelf.kind === "plan" ? redis.llen(keyOf(shelf)) : redis.hlen(keyOf(shelf)))),
      );
      return shelves.map((shelf, index) => ({ ...shelf, texts: counts[index] ?? 0 }));
    },

    async page(shelf, left) {
      // It was kept in a note, which another program may have broken.
      const cursor = /^\d{1,15}$/.test(left) ? left : "0";
      if (shelf.kind === "plan") {
        const from = Number(cursor);
        const chunks = await redis.lrange(keyOf(shelf), from, from + CHUNKS - 1);
        const found = chunks.map((text, index) => ({ name: String(from + index), text }));
        return { found, next: chunks.length < CHUNKS ? undefined : String(from + CHUNKS) };
      }
      const [next, elements] = await redis.hscan(keyOf(shelf), cursor, "COUNT", PAGE);
      const found = [];
      for (let at = 0; at + 1 < elements.length; at += 2) {
        found.push({ name: elements[at] ?? "", text: elements[at + 1] ?? "" });
      }
      return { found, next: next === "0" ? undefined : next };
    },

    async read(shelf, name) {
      const key = keyOf(shelf);
      return (await (shelf.kind === "plan" ? redis.lindex(key, Number(name)) : redis.hget(key, name))) ?? undefined;
    },

    async replace(shelf, { name, text }, to) {
      return (await scripts.run("replace-text", [keyOf(shelf)], [name, text, to])) === 1;
    },

    async era() {
      return String(await scripts.run("era", [], []));
    },
  };
}
