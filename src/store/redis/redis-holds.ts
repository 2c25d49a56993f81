import { randomUUID } from "node:crypto";
import { FIRST_PROBE_MS, LONGEST_PROBE_MS } from "../holds.ts";
import type { Holds } from "../holds.ts";
import type { RedisClient } from "./connection.ts";
import { holdDocument, holdReply, parseDocument } from "./documents.ts";
import type { Keys } from "./keys.ts";
import type { Scripts } from "./scripts.ts";

export function createRedisHolds(redis: RedisClient, keys: Keys, scripts: Scripts): Holds {
  return {
    async place(pool, scope, kind) {
      return (await scripts.run("hold-place", [keys.holds], [pool, scope, kind, FIRST_PROBE_MS])) === 1;
    },

    async ask(pool, scope) {
      const reply = await scripts.run("hold-ask", [keys.holds], [pool, scope, LONGEST_PROBE_MS, randomUUID()]);
      return parseDocument(holdReply, reply, "the answer about a hold");
    },

    async lift(pool, scope) {
      return (await scripts.run("command", [keys.holds], ["HDEL", `${pool}|${scope}`])) === 1;
    },

    async list() {
      const texts = await redis.hvals(keys.holds);
      return texts.map((text) => parseDocument(holdDocument, text, "a hold"));
    },
  };
}
