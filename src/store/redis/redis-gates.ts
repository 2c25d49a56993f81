import { z } from "zod";
import type { Gates } from "../gates.ts";
import type { RedisClient } from "./connection.ts";
import { gateDocument } from "../documents.ts";
import type { Keys } from "./keys.ts";
import type { Scripts } from "./scripts.ts";
import type { Shelf } from "./shelf.ts";

const gateNames = z.array(z.string());

export function createRedisGates(redis: RedisClient, keys: Keys, scripts: Scripts, shelf: Shelf): Gates {
  return {
    pause: async (gate, { by, reason }) => (await scripts.run("gate-pause", [keys.gates], [gate, by, reason])) === 1,
    resume: async (gate) => (await scripts.run("gate-resume", [keys.gates], [gate])) === 1,
    async list() {
      const place = { kind: "gate", key: keys.gates } as const;
      const texts = await redis.hgetall(keys.gates);
      let found = await shelf.soundFields(gateDocument, place, texts);
      // In the place of one that is set aside stands another.
      if (found.length < Object.keys(texts).length) {
        found = await shelf.soundFields(gateDocument, place, await redis.hgetall(keys.gates));
      }
      const gates = found.map(([gate, document]) => ({ gate, ...document }));
      return gates.toSorted((a, b) => a.since - b.since || (a.gate < b.gate ? -1 : 1));
    },
    kept: (gate) => redis.zlexcount(keys.kept, `[${gate}\0`, `(${gate}\u0001`),
    async keptUsers(gate, limit) {
      const members = await redis.zrangebylex(keys.kept, `[${gate}\0`, `(${gate}\u0001`, "LIMIT", 0, limit);
      return members.map((member) => member.slice(gate.length + 1));
    },
    opened: async () => gateNames.parse(await scripts.run("gates-opened", [keys.gates, keys.kept], [])),
  };
}
