import { FIRST_PROBE_MS, LONGEST_PROBE_MS, PROBE_GROWTH, type Hold, type Holds, type HoldScope } from "../holds.ts";
import type { StoreDatabase } from "./database.ts";

interface HoldRow {
  readonly pool: string;
  readonly scope: HoldScope;
  readonly kind: string;
  readonly since: number;
  readonly probe_at: number;
  readonly probe_every_ms: number;
}

/** The port to holds. */
export function createHolds(database: StoreDatabase, now: () => number): Holds {
  return {
    async place(pool, scope, kind) {
      const at = now();
      const rows = await database.write(
        "INSERT INTO poolsync.holds VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING pool",
        [pool, scope, kind, at, at + FIRST_PROBE_MS, FIRST_PROBE_MS],
      );
      return rows.length > 0;
    },
    ask: (pool, scope) =>
      database.transaction(async (session) => {
        const at = now();
        const where = "WHERE pool = $1 AND scope = $2";
        const [row] = await session.query<HoldRow>(`SELECT * FROM poolsync.holds ${where}`, [pool, scope]);
        if (!row) return { is: "free" };
        const hold = holdOf(row);
        if (at < hold.probeAt) return { is: "held", hold, retryInMs: hold.probeAt - at };
        const probeEveryMs = Math.min(LONGEST_PROBE_MS, hold.probeEveryMs * PROBE_GROWTH);
        const probeAt = at + probeEveryMs;
        await session.query(`UPDATE poolsync.holds SET probe_at = $3, probe_every_ms = $4 ${where}`, [
          pool,
          scope,
          probeAt,
          probeEveryMs,
        ]);
        return { is: "probe", hold: { ...hold, probeAt, probeEveryMs } };
      }),
    async lift(pool, scope) {
      const rows = await database.write("DELETE FROM poolsync.holds WHERE pool = $1 AND scope = $2 RETURNING pool", [
        pool,
        scope,
      ]);
      return rows.length > 0;
    },
    async list() {
      return (await database.query<HoldRow>("SELECT * FROM poolsync.holds ORDER BY pool, scope", [])).map(holdOf);
    },
  };
}

function holdOf({ pool, scope, kind, since, probe_at, probe_every_ms }: HoldRow): Hold {
  return { pool, scope, kind, since, probeAt: probe_at, probeEveryMs: probe_every_ms };
}
