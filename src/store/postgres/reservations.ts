import type { Reservations } from "../reservations.ts";
import type { StoreDatabase } from "./database.ts";

/** The port to reservations. */
export function createReservations(database: StoreDatabase, now: () => number): Reservations {
  return {
    take: (pool, alias, user, forMs) =>
      database.transaction(async (session) => {
        const at = now();
        await session.query("DELETE FROM poolsync.reservations WHERE ends_at <= $1", [at]);
        const [taken] = await session.query<{ ends_at: number }>(
          "SELECT ends_at FROM poolsync.reservations WHERE pool = $1 AND alias = $2 AND user_key <> $3",
          [pool, alias, user],
        );
        if (taken) return { is: "held", retryInMs: taken.ends_at - at };
        await session.query(
          `INSERT INTO poolsync.reservations VALUES ($1, $2, $3, $4)
           ON CONFLICT (pool, alias) DO UPDATE SET ends_at = excluded.ends_at`,
          [pool, alias, user, at + forMs],
        );
        return { is: "taken" };
      }),
    async release(pool, alias, user) {
      await database.write("DELETE FROM poolsync.reservations WHERE pool = $1 AND alias = $2 AND user_key = $3", [
        pool,
        alias,
        user,
      ]);
    },
    async holder(pool, alias) {
      const [taken] = await database.query<{ user_key: string; ends_at: number }>(
        "SELECT user_key, ends_at FROM poolsync.reservations WHERE pool = $1 AND alias = $2",
        [pool, alias],
      );
      const endsInMs = (taken?.ends_at ?? 0) - now();
      return taken && endsInMs > 0 ? { holder: taken.user_key, endsInMs } : undefined;
    },
  };
}
