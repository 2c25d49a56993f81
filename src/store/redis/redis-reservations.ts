import type { Reservations } from "../reservations.ts";
import type { Keys } from "./keys.ts";
import { holderReply, parseReply, reservationReply } from "./replies.ts";
import type { Scripts } from "./scripts.ts";

export function createRedisReservations(keys: Keys, scripts: Scripts): Reservations {
  return {
    async take(pool, alias, user, forMs) {
      const reply = await scripts.run("reservation-take", [keys.reservation(pool, alias)], [user, forMs]);
      return parseReply(reservationReply, reply, "the answer about a reservation");
    },

    async release(pool, alias, user) {
      await scripts.run("reservation-release", [keys.reservation(pool, alias)], [user]);
    },

    async holder(pool, alias) {
      const reply = await scripts.run("reservation-holder", [keys.reservation(pool, alias)], []);
      return reply === "" ? undefined : parseReply(holderReply, reply, "the holder of a reservation");
    },
  };
}
