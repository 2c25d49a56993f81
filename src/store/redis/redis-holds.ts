import { randomUUID } from "node:crypto";
import { FIRST_PROBE_MS, LONGEST_PROBE_MS } from "../holds.ts";
import type { Holds } from "../holds.ts";
import type { RedisClient } from "./connection.ts";
import { holdDocument } from "../documents.ts";
import type { Keys } from "./keys.ts";
import { holdReply, parseReply } from "./replies.ts";
import type { Scripts } from "./scripts.ts";
import type { Shelf } from "./shelf.ts";

export function createRedisHolds(redis: RedisClient, keys: Keys, scripts: Scripts, shelf: Shelf): Holds {
  return {
    async place(pool, scope, kind) {
      return (await scripts.run("hold-place", [keys.holds], [pool, scope, kind, FIRST_PROBE_MS])) === 1;
    },

    async ask(pool, scope) {
      const reply = await scripts.run("hold-ask", [keys.holds], [pool, scope, LONGEST_PROBE_MS, randomUUID()]);
      return parseReply(holdReply, reply, "the answer about a hold");
    },

    async lift(pool, scope) {
      return (await scripts.run("command", [keys.holds], ["HDEL", `${pool}|${scope}`])) === 1;
    },

    async list() {
      const texts = await redis.hgetall(keys.holds);
      return (await shelf.soundFields(holdDocument, { kind: "hold", key: keys.holds }, texts)).map(([, hold]) => hold);
    },
  };
}
