import {
  accountIn,
  accountTexts,
  INDEX_KEPT_MS,
  together,
  type AccountIndex,
  type IndexingScan,
} from "../account-index.ts";
import type { Session, StoreDatabase } from "./database.ts";

/** Forgets what a process that is no more saw of scans that it did not end, and what is kept no longer. */
export async function dropFormerScans(database: Session, nowMs: number): Promise<void> {
  const rows = await database.query<{ id: number }>(
    "SELECT id FROM poolsync.account_scans WHERE NOT whole OR began_at <= $1",
    [nowMs - INDEX_KEPT_MS],
  );
  await dropScans(
    database,
    rows.map(({ id }) => id),
  );
}

async function dropScans(session: Session, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) return;
  await session.query("DELETE FROM poolsync.accounts WHERE scan = ANY($1::integer[])", [ids]);
  await session.query("DELETE FROM poolsync.account_scans WHERE id = ANY($1::integer[])", [ids]);
}

/** Begins it where nothing of it is there. */
async function countAdd(session: Session, { pool, attribute, scan, beganAt }: IndexingScan, adds: number) {
  const [row] = await session.query<{ id: number; adds: number }>(
    `INSERT INTO poolsync.account_scans (pool, attribute, scan, began_at, adds, whole)
     VALUES ($1, $2, $3, $4, $5, false)
     ON CONFLICT (scan, attribute) DO UPDATE SET adds = account_scans.adds + excluded.adds RETURNING id, adds`,
    [pool, attribute, scan, beganAt, adds],
  );
  if (row === undefined) throw new Error("Expected the scan that was just counted");
  return row;
}

/** The port to the account index. */
export function createAccounts(database: StoreDatabase): AccountIndex {
  return {
    add: (scan, accounts) =>
      database.transaction(async (session) => {
        const { id } = await countAdd(session, scan, 1);
        const texts = accountTexts(accounts);
        const there = await session.query<{ name: string; account: string }>(
          "SELECT name, account FROM poolsync.accounts WHERE scan = $1 AND name = ANY($2::text[])",
          [id, [...texts.keys()]],
        );
        const before = new Map(there.map(({ name, account }) => [name, account]));
        await session.query(
          `INSERT INTO poolsync.accounts SELECT $1, name, account FROM unnest($2::text[], $3::text[]) AS new (name, account)
           ON CONFLICT (scan, name) DO UPDATE SET account = excluded.account`,
          [id, [...texts.keys()], Array.from(texts, ([name, text]) => together(before.get(name), text))],
        );
      }),

    drop: ({ scan, attribute }) =>
      database.transaction(async (session) => {
        const rows = await session.query<{ id: number }>(
          "SELECT id FROM poolsync.account_scans WHERE scan = $1 AND attribute = $2",
          [scan, attribute],
        );
        await dropScans(
          session,
          rows.map(({ id }) => id),
        );
      }),

    finish: (scan, adds) =>
      database.transaction(async (session) => {
        const { pool, attribute, beganAt } = scan;
        const { id, adds: added } = await countAdd(session, scan, 0);
        const others = await session.query<{ id: number; began_at: number; whole: boolean }>(
          "SELECT id, began_at, whole FROM poolsync.account_scans WHERE pool = $1 AND attribute = $2 AND id <> $3",
          [pool, attribute, id],
        );
        if (added !== adds || others.some((other) => other.whole && other.began_at > beganAt)) {
          await dropScans(session, [id]);
          return false;
        }
        // Those that were cut go with the former one.
        const former = others.flatMap((other) => (other.whole || other.began_at <= beganAt ? other.id : []));
        await dropScans(session, former);
        await session.query("UPDATE poolsync.account_scans SET whole = true WHERE id = $1", [id]);
        return true;
      }),

    async find({ pool, attribute }, name) {
      const [row] = await database.query<{ began_at: number; account: string | null }>(
        `SELECT began_at, account FROM poolsync.account_scans AS scans
         LEFT JOIN poolsync.accounts ON accounts.scan = scans.id AND name = $3
         WHERE pool = $1 AND attribute = $2 AND whole`,
        [pool, attribute, name],
      );
      return { found: accountIn(row?.account ?? undefined), ...(row ? { scannedAt: row.began_at } : {}) };
    },

    async scanned(pool) {
      const rows = await database.query<{ attribute: string; began_at: number }>(
        "SELECT attribute, began_at FROM poolsync.account_scans WHERE pool = $1 AND whole",
        [pool],
      );
      return new Map(rows.map(({ attribute, began_at: at }) => [attribute, at]));
    },
  };
}
