import { defined } from "../../core/defined.ts";
import { admit, REPEAT_MS, type InboxLimits } from "../../core/inbox.ts";
import { createBatcher } from "../batcher.ts";
import type { AddedEntry, DrainedRef, Inbox, NewEntry, ParkedBounds, Take, TakenRef, TakeOptions } from "../inbox.ts";
import type { Session, StoreDatabase } from "./database.ts";
import { COUNTED, countInbox, sizeOf, type SizeRow } from "./inbox-counts.ts";

/** More batches than this are added in several transactions, so that none holds the process up for long. */
const BATCHES_PER_STEP = 50;
const PAGE = 200;

interface Batch {
  readonly entries: readonly NewEntry[];
  readonly limits: InboxLimits;
}

interface EntryRow {
  readonly id: string;
  readonly feed: string;
  readonly arrival: number;
  readonly arrived_at: number;
  readonly parked_at: number | null;
  readonly reason: string | null;
}

interface MovedRow {
  readonly id: string;
  readonly bytes: number;
}

/** How often what is moved is added to what waits or is taken, and to what is parked. */
interface Movement {
  readonly waiting?: number;
  readonly parked?: number;
}

const COLUMNS = "id, feed, arrival, arrived_at, parked_at, reason";
/** Of what is given back, and is taken by nobody. */
const FREED = "token = NULL, lease_until = NULL";

/** The port to the inbox: as long as it has methods, of which each is one transaction or one query. */
export function createInbox(database: StoreDatabase, now: () => number): Inbox {
  const inSteps = createBatcher<Batch, "full" | readonly AddedEntry[]>({
    maxSize: BATCHES_PER_STEP,
    keyOf: ({ entries }) => entries[0]?.id ?? "",
    send: (batches) => database.transaction((session) => addBatches(session, batches, now())),
  });

  /** Entries of which `where` is true change their state by one statement, and the counts with them. */
  const move = (
    statement: string,
    { ids, token }: Partial<TakenRef> & Pick<TakenRef, "ids">,
    by: Movement,
    ...params: readonly unknown[]
  ) =>
    database.transaction(async (session) => {
      const whose = token === undefined ? "parked_at IS NOT NULL AND $2::text IS NULL" : "token = $2";
      const rows = await session.query<MovedRow>(
        `${statement} WHERE id = ANY($1::text[]) AND ${whose} RETURNING id, bytes`,
        [ids, token ?? null, ...params],
      );
      await resize(session, rows, by);
      const moved = new Set(rows.map(({ id }) => id));
      return ids.filter((id) => moved.delete(id));
    });

  return {
    add: async (entries, limits) => (entries.length === 0 ? [] : inSteps({ entries, limits })),
    take: (token, options) => database.transaction((session) => takeEntries(session, token, options, now())),

    renew: (taken, leaseMs) => move("UPDATE poolsync.inbox SET lease_until = $3", taken, {}, now() + leaseMs),
    done: (taken) => move("DELETE FROM poolsync.inbox", taken, { waiting: -1 }),
    defer: (taken, notBefore) =>
      move(`UPDATE poolsync.inbox SET ${FREED}, not_before = $3`, taken, {}, notBefore > now() ? notBefore : null),
    park: (taken, reason) =>
      move(
        `UPDATE poolsync.inbox SET ${FREED}, parked_at = $3, reason = $4`,
        taken,
        { waiting: -1, parked: 1 },
        now(),
        reason,
      ),
    replay: (ids) =>
      move("UPDATE poolsync.inbox SET parked_at = NULL, reason = NULL", { ids }, { waiting: 1, parked: -1 }),
    discard: (ids) => move("DELETE FROM poolsync.inbox", { ids }, { parked: -1 }),

    async *parked({ feed, reason, since, until }) {
      const [newest] = await database.query<{ arrival: number | null }>(
        "SELECT max(arrival) AS arrival FROM poolsync.inbox WHERE parked_at IS NOT NULL",
        [],
      );
      for (let last = -1; ;) {
        const rows: readonly EntryRow[] = await database.query<EntryRow>(
          `SELECT ${COLUMNS} FROM poolsync.inbox
           WHERE parked_at IS NOT NULL AND arrival > $1 AND arrival <= $2
             AND ($3::text IS NULL OR feed = $3) AND ($4::text IS NULL OR reason = $4)
             AND ($5::bigint IS NULL OR arrived_at >= $5) AND ($6::bigint IS NULL OR arrived_at < $6)
           ORDER BY arrival LIMIT ${PAGE}`,
          [last, newest?.arrival ?? -1, feed ?? null, reason ?? null, since ?? null, until ?? null],
        );
        for (const row of rows) yield { ...arrivedOf(row), ...parkedOf(row) };
        const end = rows.at(-1);
        if (rows.length < PAGE || !end) return;
        last = end.arrival;
      }
    },

    async older({ feed, before, limit, maxBytes }) {
      const rows = await database.query<EntryRow & { readonly body: string | null }>(
        `SELECT ${COLUMNS}, CASE WHEN upto <= $4 OR upto = bytes THEN body END AS body
         FROM (SELECT *, sum(bytes) OVER (ORDER BY arrival)::bigint AS upto FROM poolsync.inbox
               WHERE parked_at IS NULL AND feed = $1 AND arrival < $2 ORDER BY arrival LIMIT $3) AS older`,
        [feed, before, limit + 1, maxBytes],
      );
      const entries = rows
        .slice(0, limit)
        .flatMap(({ body, ...row }) => (body === null ? [] : { ...arrivedOf(row), body }));
      return { entries, isCut: rows.length > entries.length };
    },

    async get(id) {
      const [row] = await database.query<EntryRow & { body: string; not_before: number | null }>(
        `SELECT ${COLUMNS}, body, not_before FROM poolsync.inbox WHERE id = $1`,
        [id],
      );
      if (!row) return undefined;
      const { body, not_before: at } = row;
      const parked = row.parked_at === null ? undefined : parkedOf(row);
      return defined({ ...arrivedOf(row), body, parked, notBefore: at !== null && at > now() ? at : undefined });
    },

    trim: (bounds, limit) => database.transaction((session) => trimParked(session, bounds, limit, now())),
    counts: () => countInbox(database, now()),

    // An entry's place is in the row itself.
    verify: () =>
      database.transaction(async (session) => {
        const before = await sizeOf(session);
        const [counted] = await session.query<SizeRow>(COUNTED);
        await session.query("DELETE FROM poolsync.inbox_size");
        await session.query(`INSERT INTO poolsync.inbox_size ${COUNTED}`);
        const miscounted = Object.entries(counted ?? {}).filter(([name, is]) => Reflect.get(before, name) !== is);
        return { lost: 0, miscounted: miscounted.length };
      }),
  };
}

/** Every drainer belongs to a process before this one, which is dead. */
export async function endInboxLeases(session: Session, at: number): Promise<void> {
  await session.query("UPDATE poolsync.inbox SET lease_until = $1 WHERE lease_until > $1", [at]);
}

/** True where all of them are in the hands of this drainer, or there are none. */
export async function areTaken(session: Session, taken: TakenRef): Promise<boolean> {
  const ids = [...new Set(taken.ids)];
  const rows = await session.query("SELECT 1 FROM poolsync.inbox WHERE id = ANY($1::text[]) AND token = $2", [
    ids,
    taken.token,
  ]);
  return rows.length === ids.length;
}

/** Entries that became changes are gone, and those of which some did not are parked, or have the rest alone. */
export async function removeEntries(
  session: Session,
  { ids, parked = [], kept = [] }: Omit<DrainedRef, "token">,
  at: number,
): Promise<void> {
  const rests = new Map(parked.map((rest) => [rest.id, rest]));
  const staying = new Map(kept.map((rest) => [rest.id, rest]));
  const remove = "DELETE FROM poolsync.inbox WHERE id = ANY($1::text[]) RETURNING id, bytes";
  const gone = ids.filter((id) => !rests.has(id) && !staying.has(id));
  await resize(session, await session.query<MovedRow>(remove, [gone]), { waiting: -1 });
  for (const { id, body } of staying.values()) {
    const before = await session.query<MovedRow>("SELECT id, bytes FROM poolsync.inbox WHERE id = $1", [id]);
    const bytes = Buffer.byteLength(body);
    await session.query("UPDATE poolsync.inbox SET bytes = $2, body = $3 WHERE id = $1", [id, bytes, body]);
    await resize(session, before, { waiting: -1 });
    await resize(session, [{ id, bytes }], { waiting: 1 });
  }
  for (const { id, reason, body } of rests.values()) {
    const before = await session.query<MovedRow>("SELECT id, bytes FROM poolsync.inbox WHERE id = $1", [id]);
    const bytes = Buffer.byteLength(body);
    await session.query(
      `UPDATE poolsync.inbox SET ${FREED}, parked_at = $2, reason = $3, bytes = $4, body = $5 WHERE id = $1`,
      [id, at, reason, bytes, body],
    );
    await resize(session, before, { waiting: -1 });
    await resize(session, [{ id, bytes }], { parked: 1 });
  }
}

async function resize(session: Session, rows: readonly MovedRow[], { waiting = 0, parked = 0 }: Movement) {
  if (rows.length === 0 || (waiting === 0 && parked === 0)) return;
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  await session.query(
    `UPDATE poolsync.inbox_size SET entries = entries + $1, bytes = bytes + $2,
       parked_entries = parked_entries + $3, parked_bytes = parked_bytes + $4`,
    [waiting * rows.length, waiting * bytes, parked * rows.length, parked * bytes],
  );
}

async function addBatches(session: Session, batches: readonly Batch[], at: number) {
  const arriving = batches.map(({ entries, limits }) => ({
    entries: entries.map((entry) => ({ ...entry, bytes: Buffer.byteLength(entry.body) })),
    limits,
  }));
  const known = await session.query<{ id: string; arrived_at: number }>(
    `SELECT id, arrived_at FROM poolsync.inbox WHERE id = ANY($1::text[])
     UNION ALL SELECT id, arrived_at FROM poolsync.events_seen WHERE id = ANY($1::text[]) AND arrived_at > $2`,
    [arriving.flatMap(({ entries }) => entries.map(({ id }) => id)), at - REPEAT_MS],
  );
  const firstAt = new Map(known.map(({ id, arrived_at }) => [id, arrived_at]));
  const admissions = admit(arriving, firstAt, await sizeOf(session), at);
  const fresh = arriving.flatMap(({ entries }, batch) => {
    const admitted = admissions[batch] ?? "full";
    return admitted === "full" ? [] : entries.filter((_, index) => admitted[index]?.is === "added");
  });
  let next = 1 + (await giveArrivals(session, arrivalsOf(fresh)));
  const arrivals = fresh.map((entry) => {
    const arrival = next;
    next += arrivalsOf([entry]);
    return arrival;
  });
  if (fresh.length > 0) {
    await session.query(
      `INSERT INTO poolsync.inbox (id, feed, arrival, arrived_at, not_before, bytes, body)
       SELECT id, feed, arrival, $1, nullif(not_before, 0), bytes, body
       FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[])
         AS new (arrival, id, feed, not_before, bytes, body)`,
      [
        at,
        arrivals,
        fresh.map(({ id }) => id),
        fresh.map(({ feed }) => feed),
        fresh.map(({ notBefore = 0 }) => (notBefore > at ? notBefore : 0)),
        fresh.map(({ bytes }) => bytes),
        fresh.map(({ body }) => body),
      ],
    );
    await session.query(
      `INSERT INTO poolsync.events_seen SELECT id, $1 FROM unnest($2::text[]) AS new (id)
       ON CONFLICT (id) DO UPDATE SET arrived_at = excluded.arrived_at`,
      [at, fresh.map(({ id }) => id)],
    );
    await resize(session, fresh, { waiting: 1 });
    await forgetSeen(session, at, 2 * fresh.length);
  }
  const given = arrivals.values();
  return admissions.map((admitted) => {
    if (admitted === "full") return admitted;
    return admitted.map((one): AddedEntry => {
      return one.is === "added" ? { is: "added", arrival: given.next().value ?? 0, arrivedAt: at } : one;
    });
  });
}

/** How many arrivals are theirs. */
function arrivalsOf(entries: readonly { readonly bytes: number }[]): number {
  return entries.reduce((sum, { bytes }) => sum + Math.max(1, bytes), 0);
}

/** Answers the arrival before the first. */
async function giveArrivals(session: Session, count: number): Promise<number> {
  if (count === 0) return 0;
  const give = "UPDATE poolsync.arrivals SET last = last + $1 RETURNING last";
  const [row] = await session.query<{ last: number }>(give, [count]);
  return (row?.last ?? 0) - count;
}

async function forgetSeen(session: Session, at: number, limit: number): Promise<void> {
  await session.query(
    `DELETE FROM poolsync.events_seen WHERE id IN
       (SELECT id FROM poolsync.events_seen WHERE arrived_at <= $1 ORDER BY arrived_at LIMIT $2)`,
    [at - REPEAT_MS, limit],
  );
}

async function takeEntries(
  session: Session,
  token: string,
  { leaseMs, limit, maxBytes }: TakeOptions,
  at: number,
): Promise<Take> {
  await session.query(`UPDATE poolsync.inbox SET ${FREED} WHERE lease_until <= $1`, [at]);
  const next = await session.query<MovedRow>(
    `SELECT id, bytes FROM poolsync.inbox
     WHERE parked_at IS NULL AND token IS NULL AND (not_before IS NULL OR not_before <= $1) ORDER BY arrival LIMIT $2`,
    [at, limit + 1],
  );
  let bytes = 0;
  const ids = next.slice(0, limit).flatMap((row, index) => {
    bytes += row.bytes;
    return index > 0 && bytes > maxBytes ? [] : [row.id];
  });
  const rows = await session.query<EntryRow & { readonly body: string }>(
    `UPDATE poolsync.inbox SET token = $2, lease_until = $3, not_before = NULL
     WHERE id = ANY($1::text[]) RETURNING ${COLUMNS}, body`,
    [ids, token, at + leaseMs],
  );
  const entries = rows
    .map((row) => ({ ...arrivedOf(row), body: row.body }))
    .toSorted((one, other) => one.arrival - other.arrival);
  if (next.length > ids.length) return { entries, nextInMs: 0 };
  const [first] = await session.query<{ at: number | null }>(
    `SELECT least((SELECT min(not_before) FROM poolsync.inbox WHERE not_before IS NOT NULL),
       (SELECT min(lease_until) FROM poolsync.inbox WHERE lease_until IS NOT NULL)) AS at`,
    [],
  );
  const nextAt = first?.at ?? undefined;
  return defined({ entries, nextInMs: nextAt === undefined ? undefined : Math.max(0, nextAt - at) });
}

async function trimParked(session: Session, { keepMs, entries, bytes }: ParkedBounds, limit: number, at: number) {
  const size = await sizeOf(session);
  const oldest = await session.query<MovedRow & { readonly arrived_at: number }>(
    "SELECT id, bytes, arrived_at FROM poolsync.inbox WHERE parked_at IS NOT NULL ORDER BY arrival LIMIT $1",
    [limit],
  );
  let [left, bytesLeft] = [size.parked_entries, size.parked_bytes];
  const keptFrom = oldest.findIndex((row) => {
    if (row.arrived_at > at - keepMs && left <= entries && bytesLeft <= bytes) return true;
    left -= 1;
    bytesLeft -= row.bytes;
    return false;
  });
  const gone = keptFrom < 0 ? oldest : oldest.slice(0, keptFrom);
  await session.query("DELETE FROM poolsync.inbox WHERE id = ANY($1::text[])", [gone.map(({ id }) => id)]);
  await resize(session, gone, { parked: -1 });
  await forgetSeen(session, at, limit);
  return gone.length;
}

function arrivedOf({ id, feed, arrival, arrived_at: arrivedAt }: EntryRow) {
  return { id, feed, arrival, arrivedAt };
}

function parkedOf({ reason, parked_at: parkedAt }: EntryRow) {
  return { reason: reason ?? "", parkedAt: parkedAt ?? 0 };
}
