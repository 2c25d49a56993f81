/** How much lies in the inbox: what is kept of it, and what is counted anew. */
import { defined } from "../../core/defined.ts";
import type { InboxCounts } from "../inbox.ts";
import type { Session, StoreDatabase } from "./database.ts";

export interface SizeRow {
  readonly entries: number;
  readonly bytes: number;
  readonly parked_entries: number;
  readonly parked_bytes: number;
}

const SIZE = "SELECT entries, bytes, parked_entries, parked_bytes FROM poolsync.inbox_size";
/** Of every entry. */
export const COUNTED = `
  SELECT count(*) FILTER (WHERE parked_at IS NULL) AS entries,
    coalesce(sum(bytes) FILTER (WHERE parked_at IS NULL), 0)::bigint AS bytes,
    count(*) FILTER (WHERE parked_at IS NOT NULL) AS parked_entries,
    coalesce(sum(bytes) FILTER (WHERE parked_at IS NOT NULL), 0)::bigint AS parked_bytes
  FROM poolsync.inbox`;

export async function sizeOf(session: Session | StoreDatabase): Promise<SizeRow> {
  const [size] = await session.query<SizeRow>(SIZE, []);
  return size ?? { entries: 0, bytes: 0, parked_entries: 0, parked_bytes: 0 };
}

export async function countInbox(database: StoreDatabase, at: number): Promise<InboxCounts> {
  const [row] = await database.query<
    SizeRow & { ahead: number; taken: number; oldest_at: number | null; seen: boolean }
  >(
    `SELECT inbox_size.*, (SELECT count(*) FROM poolsync.inbox WHERE not_before > $1) AS ahead,
       (SELECT count(*) FROM poolsync.inbox WHERE lease_until > $1) AS taken,
       (SELECT arrived_at FROM poolsync.inbox
        WHERE parked_at IS NULL AND coalesce(not_before, 0) <= $1 AND coalesce(lease_until, 0) <= $1
        ORDER BY arrival LIMIT 1) AS oldest_at,
       EXISTS (SELECT 1 FROM poolsync.events_seen) AS seen
     FROM poolsync.inbox_size`,
    [at],
  );
  const feeds = await database.query<{ feed: string; n: number }>(
    "SELECT feed, count(*) AS n FROM poolsync.inbox WHERE parked_at IS NOT NULL GROUP BY feed",
    [],
  );
  const { entries = 0, bytes = 0, parked_entries: parked = 0, parked_bytes: parkedBytes = 0 } = row ?? {};
  const { ahead = 0, taken = 0, oldest_at: oldestAt = null } = row ?? {};
  return defined({
    isUsed: entries + parked > 0 || row?.seen === true,
    waiting: entries - ahead - taken,
    ahead,
    taken,
    bytes,
    oldestAt: oldestAt ?? undefined,
    parked: {
      entries: parked,
      bytes: parkedBytes,
      feeds: Object.fromEntries(feeds.map(({ feed, n }) => [feed, n])),
    },
  });
}
