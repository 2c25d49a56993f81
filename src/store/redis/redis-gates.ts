import { z } from "zod";
import type { Gates } from "../gates.ts";
import type { RedisClient } from "./connection.ts";
import { gateDocument, parseDocument } from "./documents.ts";
import type { Keys } from "./keys.ts";
import type { Scripts } from "./scripts.ts";

const gateNames = z.array(z.string());

export function createRedisGates(redis: RedisClient, keys: Keys, scripts: Scripts): Gates {
  return {
    pause: async (gate, { by, reason }) => (await scripts.run("gate-pause", [keys.gates], [gate, by, reason])) === 1,
    resume: async (gate) => (await scripts.run("gate-resume", [keys.gates], [gate])) === 1,
    async list() {
      const gates = Object.entries(await redis.hgetall(keys.gates)).map(([gate, text]) => ({
        gate,
        ...parseDocument(gateDocument, text, "a gate"),
      }));
      return gates.toSorted((a, b) => a.since - b.since || (a.gate < b.gate ? -1 : 1));
    },
    kept: (gate) => redis.zlexcount(keys.kept, `[${gate}\0`, `(${gate}\u0001`),
    opened: async () => gateNames.parse(await scripts.run("gates-opened", [keys.gates, keys.kept], [])),
  };
}
