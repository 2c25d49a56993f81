import type { Plans } from "../plans.ts";
import { setAside } from "./damaged.ts";
import type { StoreDatabase } from "./database.ts";

/** The port to plans. */
export function createPlans(database: StoreDatabase): Plans {
  return {
    async keep({ run, expiresAt }, chunks) {
      await database.write("DELETE FROM poolsync.plan_chunks WHERE run = $1", [run]);
      let place = 0;
      for await (const chunk of chunks) {
        await database.write("INSERT INTO poolsync.plan_chunks VALUES ($1, $2, $3)", [run, place, chunk]);
        place += 1;
      }
      await database.write(
        "INSERT INTO poolsync.plans VALUES ($1, $2) ON CONFLICT (run) DO UPDATE SET expires_at = excluded.expires_at",
        [run, expiresAt],
      );
    },

    async *read(run) {
      for (let place = 0; ; place += 1) {
        const rows = await database.query<{ chunk: string }>(
          "SELECT chunk FROM poolsync.plan_chunks WHERE run = $1 AND place = $2",
          [run, place],
        );
        if (rows[0] === undefined) return;
        yield rows[0].chunk;
      }
    },

    async list() {
      const rows = await database.query<{ run: string; expires_at: number }>(
        "SELECT run, expires_at FROM poolsync.plans ORDER BY expires_at, run",
        [],
      );
      return rows.map(({ run, expires_at }) => ({ run, expiresAt: expires_at }));
    },

    async drop(run) {
      await database.transaction(async (session) => {
        await session.query("DELETE FROM poolsync.plans WHERE run = $1", [run]);
        await session.query("DELETE FROM poolsync.plan_chunks WHERE run = $1", [run]);
      });
    },

    setAside: (run) =>
      database.transaction(async (session) => {
        await setAside(session, { kind: "plan", place: run, text: "" });
        await session.query("DELETE FROM poolsync.plans WHERE run = $1", [run]);
      }),
  };
}
