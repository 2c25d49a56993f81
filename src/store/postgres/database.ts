/**
 * The embedded PostgreSQL: PGlite in a directory, one session for the store and for BullMQ. It survives the death of
 * the process at any moment, but not a power cut: PGlite never waits for the disk.
 *
 * Statements run on the main thread. Each one first yields to the event loop, or timers, sockets and the renewal of
 * locks would starve under load. A mutex lets one statement or one transaction run at a time, so that no statement of
 * BullMQ's falls into a transaction of the store's, or the other way round.
 *
 * Nothing is cleaned up by itself in PGlite: neither dead rows nor the write-ahead log. A timer does both once enough
 * was written.
 */
import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { PGlite, type Transaction } from "@electric-sql/pglite";
import { SessionPool, type SessionResult } from "./session-pool.ts";
import { createMutex } from "./mutex.ts";
import { storeReplaced, type StoreError } from "../store-error.ts";
import { watchDirectory } from "./directory-watch.ts";

export interface Session {
  /** One statement with parameters; or several in one text without, which answers the last one's rows. */
  query<Row>(sql: string, params?: readonly unknown[]): Promise<readonly Row[]>;
}

/** What the store's ports are given: `query` is for reading. */
export interface StoreDatabase extends Session {
  /** Commits what `act` did with its session, or nothing of it. Within it only that session may be used. */
  transaction<T>(act: (session: Session) => Promise<T>): Promise<T>;
  /** A transaction of one statement. */
  write: Session["query"];
}

export interface Database extends Session, Pick<StoreDatabase, "transaction"> {
  /** For BullMQ. */
  readonly pool: SessionPool;
  /** Takes away dead rows and the write-ahead log, as the timer does. */
  tidy(): Promise<void>;
  /** Waits for the statements that were begun. Later ones are refused. */
  close(): Promise<void>;
}

/** PGlite's defaults are a server's: these take a process from about 500 MB to 200 MB, and its directory down by 80. */
const LOW_MEMORY = ["shared_buffers=8MB", "wal_buffers=1MB", "min_wal_size=32MB"].flatMap((text) => ["-c", text]);
const LOOK_EVERY_MS = 10_000;
const TIDY_AFTER_BYTES = 32 * 2 ** 20;
/** How finely columns are counted for the planner: 100, PostgreSQL's own, looks at ten times as many rows. */
const STATISTICS = "SET default_statistics_target = 10";
/** Those of poolsync and BullMQ, and PostgreSQL's own, whose old transactions must be forgotten as well. */
const TABLES =
  "SELECT relid::regclass::text AS name, schemaname LIKE 'pg\\_%' AS own FROM pg_stat_all_tables WHERE schemaname <> 'pg_toast'";
/** BullMQ knows these words: it expects them of a pool that is closed while it waits. */
const CLOSED = "Cannot use a pool after calling end on the pool";

/**
 * Keeps V8's optimising compiler off WebAssembly, for the whole process and from now on. At work on PGlite's 9 MB it
 * takes half a gigabyte, and PostgreSQL is no faster for it. Both are needed, before PGlite is compiled: either alone
 * changes nothing.
 */
function compileWebAssemblyOnce(): void {
  setFlagsFromString("--no-wasm-tier-up");
  setFlagsFromString("--no-wasm-dynamic-tiering");
}

/**
 * Opens the database of a directory, which is made where it is not there. `schema` is the one of unqualified names. It is
 * long because everything in it shares the one session of PGlite, which nobody else may touch.
 *
 * Where somebody puts another directory in the place of this one, `onReplaced` is told, every statement is refused, and
 * the database is not closed: PGlite opens files by their names, and would write into those of the other one.
 */
export async function openDatabase(
  directory: string,
  schema: string,
  onReplaced: (error: StoreError) => void = () => {},
): Promise<Database> {
  compileWebAssemblyOnce();
  const pglite = await PGlite.create({
    dataDir: directory,
    startParams: [...PGlite.defaultStartParams, ...LOW_MEMORY],
  });
  const mutex = createMutex();
  const watch = watchDirectory(directory);
  const demandSame = (): void => {
    if (!watch.isReplaced()) return;
    const error = storeReplaced("directory");
    onReplaced(error);
    throw error;
  };
  const pool = new SessionPool((sql, params) => {
    demandSame();
    return runStatement(pglite, pglite, sql, params);
  }, mutex);
  pglite.onNotification((channel, payload) => pool.notify(channel, payload));

  const alone = async <T>(act: () => Promise<T>): Promise<T> => {
    const done = await mutex();
    try {
      return await act();
    } finally {
      done();
    }
  };
  const query: Session["query"] = async <Row>(sql: string, params?: readonly unknown[]) =>
    (await pool.query<Row>(sql, params)).rows;

  await query(`SET search_path TO ${schema}`);
  await query(STATISTICS);
  const tidying = await startTidying(query);

  let closed: Promise<void> | undefined;
  return {
    pool,
    query,
    tidy: () => tidy(query),
    transaction: (act) =>
      alone(async () => {
        if (pglite.closed) throw new Error(CLOSED);
        demandSame();
        return pglite.transaction((tx) =>
          act({
            async query<Row>(sql: string, params?: readonly unknown[]) {
              demandSame();
              return (await runStatement<Row>(pglite, tx, sql, params)).rows;
            },
          }),
        );
      }),
    close() {
      tidying.stop();
      closed ??= alone(async () => {
        try {
          if (!watch.isReplaced()) await pglite.close();
        } finally {
          watch.close();
        }
      });
      return closed;
    },
  };
}

/** Runs a statement on the session, or within the transaction that it is in. */
async function runStatement<Row>(
  pglite: PGlite,
  session: PGlite | Transaction,
  sql: string,
  params: readonly unknown[] | undefined,
): Promise<SessionResult<Row>> {
  await yieldToEventLoop();
  if (pglite.closed) throw new Error(CLOSED);
  try {
    if (params) {
      const { rows, affectedRows = 0 } = await session.query<Row>(sql, [...params]);
      return { rows, rowCount: affectedRows };
    }
    const { rows, affectedRows = 0 } = (await session.exec(sql)).at(-1) ?? { rows: [] };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `exec` has no type for its rows: the caller does
    return { rows: rows as Row[], rowCount: affectedRows };
  } catch (error) {
    throw withoutData(error);
  }
}

/** Tidies by a timer, once enough was written since the last time. */
async function startTidying(query: Session["query"]): Promise<{ stop(): void }> {
  let tidiedAt = await bytesWritten(query);
  let looking = false;
  const look = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    try {
      if ((await bytesWritten(query)) - tidiedAt < TIDY_AFTER_BYTES) return;
      await tidy(query);
      tidiedAt = await bytesWritten(query);
    } finally {
      looking = false;
    }
  };
  const timer = setInterval(() => {
    // What could not be tidied is tidied the next time; a database that is broken says so to those who need it.
    look().catch(() => undefined);
  }, LOOK_EVERY_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/**
 * A statement stops everything else in the process: one for all tables takes seconds where 100,000 users wait, and
 * nearly all of that goes into the statistics of columns that nobody searches by.
 */
async function tidy(query: Session["query"]): Promise<void> {
  for (const { name, own } of await query<{ name: string; own: boolean }>(TABLES)) {
    await query(`VACUUM ${name}`);
    if (!own) await query(`ANALYZE ${name}`);
  }
  await query("CHECKPOINT");
}

async function bytesWritten(query: Session["query"]): Promise<number> {
  const rows = await query<{ bytes: number }>("SELECT (pg_current_wal_insert_lsn() - '0/0')::float8 AS bytes");
  return rows[0]?.bytes ?? 0;
}

/** PGlite hangs the parameters on its errors, and PostgreSQL names rows in them: people's data, which goes no further. */
function withoutData(error: unknown): unknown {
  if (error instanceof Error) Object.assign(error, { params: undefined, query: undefined, detail: undefined });
  return error;
}
