import type { Pace } from "../pace.ts";
import type { Keys } from "./keys.ts";
import { paceReply, parseReply, reserveReply } from "./replies.ts";
import type { Scripts } from "./scripts.ts";

/** One pace for the whole fleet: each step is one script on the server, by the server's clock. */
export function createRedisPace(keys: Keys, scripts: Scripts): Pace {
  return {
    async reserve(bucket, ceilingPerSecond, { maxSlots, urgent }) {
      const reply = await scripts.run("reserve", [keys.pace(bucket)], [ceilingPerSecond, maxSlots, urgent ? 1 : 0]);
      return parseReply(reserveReply, reply, "the answer to a reservation");
    },

    async throttled(bucket, ceilingPerSecond, slotAt) {
      return (await scripts.run("throttled", [keys.pace(bucket)], [ceilingPerSecond, slotAt])) === 1;
    },

    async view(bucket, ceilingPerSecond) {
      const reply = await scripts.run("pace-view", [keys.pace(bucket)], [ceilingPerSecond]);
      return parseReply(paceReply, reply, "the pace");
    },
  };
}
