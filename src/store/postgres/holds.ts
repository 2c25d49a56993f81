import { FIRST_PROBE_MS, LONGEST_PROBE_MS, PROBE_GROWTH, type Hold, type Holds } from "../holds.ts";
import { setAside } from "./damaged.ts";
import type { Session, StoreDatabase } from "./database.ts";

interface HoldRow {
  readonly pool: string;
  readonly scope: string;
  readonly kind: string;
  readonly since: number;
  readonly probe_at: number;
  readonly probe_every_ms: number;
  readonly text: string;
}

const SELECT_HOLD = "SELECT holds.*, row_to_json(holds)::text AS text FROM poolsync.holds";

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
        const [hold] = await readHolds(session, where, [pool, scope]);
        if (!hold) return { is: "free" };
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
    list: () => readHolds(database, "ORDER BY pool, scope", []),
  };
}

/** Those that are sound; the others are set aside. */
async function readHolds(
  session: Session | StoreDatabase,
  which: string,
  params: readonly unknown[],
): Promise<readonly Hold[]> {
  const holds: Hold[] = [];
  for (const row of await session.query<HoldRow>(`${SELECT_HOLD} ${which}`, params)) {
    const { pool, scope, kind, since, probe_at: probeAt, probe_every_ms: probeEveryMs, text } = row;
    if (scope === "pool" || scope === "contacts") holds.push({ pool, scope, kind, since, probeAt, probeEveryMs });
    else await setAside(session, { kind: "hold", place: `${pool}|${scope}`, text });
  }
  return holds;
}
