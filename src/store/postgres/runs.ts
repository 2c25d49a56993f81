import { defined } from "../../core/defined.ts";
import { runGate } from "../../core/gate.ts";
import {
  CHANGE_SOURCES,
  directRunId,
  isEnded,
  RUN_STATES,
  type ChangeSource,
  type ForgottenRun,
  type Run,
  type Runs,
  type RunState,
} from "../runs.ts";
import { runLost } from "../store-error.ts";
import { readBooks } from "./books-table.ts";
import { setAside } from "./damaged.ts";
import type { Session, StoreDatabase } from "./database.ts";

interface RunRow {
  readonly id: string;
  readonly source: string;
  readonly pool: string;
  readonly feed: string;
  readonly identity: string;
  readonly as_of: number;
  readonly started_at: number;
  readonly finished_at: number | null;
  readonly state: string;
  readonly text: string;
  readonly cursor: string | null;
  readonly rows_read: number | null;
  readonly rows_faulty: number | null;
}

/** One sweep takes so many runs at most: the next one goes on. */
const SWEPT = 5000;

const SELECT_RUN =
  "SELECT runs.*, row_to_json(runs)::text AS text, cursor, rows_read, rows_faulty FROM poolsync.runs LEFT JOIN poolsync.progress ON progress.run = runs.id";

type Beginning = Pick<Run, "id" | "source" | "pool" | "feed" | "identity"> & { readonly asOf?: number };

/** The port to runs. */
export function createRuns(database: StoreDatabase, now: () => number): Runs {
  /** Without an as-of it is of the time at which it begins. */
  const begin = ({ id, source, pool, feed, identity, asOf }: Beginning): ReturnType<Runs["begin"]> =>
    database.transaction(async (session) => {
      const at = now();
      if (identity !== "") {
        const rows = await session.query<RunRow>(`${SELECT_RUN} WHERE identity = $1 AND finished_at IS NULL`, [
          identity,
        ]);
        const [same] = await soundRuns(session, rows);
        if (same) return { run: same, resumed: same.id !== id };
      }
      await readRun(session, id);
      await session.query(
        `INSERT INTO poolsync.runs (id, source, pool, feed, identity, as_of, started_at, state)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'reading') ON CONFLICT DO NOTHING`,
        [id, source, pool, feed, identity, asOf ?? at, at],
      );
      const run = await readRun(session, id);
      if (!run) throw new Error("Expected the run that was just begun to be there");
      return { run, resumed: false };
    });

  const transition: Runs["transition"] = (id, from, to, { evenOver = false } = {}) =>
    database.transaction(async (session) => {
      const at = now();
      await readRun(session, id);
      const changed = await session.query(
        `UPDATE poolsync.runs SET state = $2, finished_at = coalesce(finished_at, $3::bigint)
       WHERE id = $1 AND state = ANY($4::text[]) AND state NOT IN ('cancelled', 'expired')
         AND ($5 OR $2 <> 'cancelled' OR state NOT IN ('delivering', 'finished', 'failed') OR EXISTS (
           SELECT 1 FROM poolsync.books WHERE run = id AND term = 'pending' AND n > 0)) RETURNING id`,
        [id, to, isEnded(to) ? at : null, from, evenOver],
      );
      if (changed.length === 0) return false;
      await turnGate(session, id, to, at);
      return true;
    });

  return {
    begin,
    async direct(pool) {
      return (await begin({ id: directRunId(pool), source: "direct", pool, feed: "direct", identity: "" })).run;
    },
    get: (id) => readRun(database, id),
    async list(limit) {
      const rows = await database.query<RunRow>(`${SELECT_RUN} ORDER BY started_at DESC, place DESC LIMIT $1`, [limit]);
      return soundRuns(database, rows);
    },
    async unfinished() {
      const rows = await database.query<RunRow>(`${SELECT_RUN} WHERE identity <> '' AND finished_at IS NULL`);
      return soundRuns(database, rows);
    },
    async rename(id, identity) {
      await database.write("UPDATE poolsync.runs SET identity = $2 WHERE id = $1", [id, identity]);
    },
    async advance(id, state) {
      await transition(id, RUN_STATES, state);
      if (!(await readRun(database, id))) throw runLost(id);
    },
    transition,
    sweep: (before) =>
      database.transaction(async (session) => {
        const gone = await session.query<{ id: string }>(
          `DELETE FROM poolsync.runs WHERE id IN (
             SELECT id FROM poolsync.runs WHERE started_at < $1 AND state <> 'needs-approval' AND id <> 'direct:' || pool
             AND NOT EXISTS (
               SELECT 1 FROM poolsync.books WHERE run = id AND term IN ('pending', 'dead') AND n <> 0)
             AND NOT (
               EXISTS (SELECT 1 FROM poolsync.books WHERE run = id AND term = 'superseded' AND n <> 0)
               AND (
                 EXISTS (SELECT 1 FROM poolsync.users WHERE users.pool = runs.pool AND due_at IS NOT NULL)
                 OR EXISTS (SELECT 1 FROM poolsync.letters WHERE letters.pool = runs.pool)
                 OR EXISTS (SELECT 1 FROM poolsync.kept)))
             ORDER BY started_at LIMIT $2) RETURNING id`,
          [before, SWEPT],
        );
        const ids = gone.map(({ id }) => id);
        // The total is the sum of all books: what the runs had is kept under no run's name.
        await session.query(
          `WITH gone AS (DELETE FROM poolsync.books WHERE run = ANY($1::text[]) RETURNING term, n)
           INSERT INTO poolsync.books AS old (run, term, n) SELECT '', term, sum(n) FROM gone GROUP BY term
           ON CONFLICT (run, term) DO UPDATE SET n = old.n + excluded.n`,
          [ids],
        );
        await session.query("DELETE FROM poolsync.progress WHERE run = ANY($1::text[])", [ids]);
        await session.query("DELETE FROM poolsync.gates WHERE gate = ANY($1::text[])", [ids.map(runGate)]);
        await session.query("DELETE FROM poolsync.forgotten WHERE at < $1", [before]);
        return ids.length;
      }),
    async noteForgotten(ids) {
      await database.write(
        "INSERT INTO poolsync.forgotten SELECT run, $2 FROM unnest($1::text[]) AS run ON CONFLICT DO NOTHING",
        [ids, now()],
      );
    },
    forgotten: () => database.query<ForgottenRun>("SELECT run, at FROM poolsync.forgotten ORDER BY at, run"),
    books: (id = "") => readBooks(database, id),
  };
}

/** Closes the gate of a run that is cancelled, or waits for an approval, and opens that of any other. */
async function turnGate(session: Session, run: string, to: RunState, at: number): Promise<void> {
  const state = to === "cancelled" ? to : to === "needs-approval" ? "waiting" : undefined;
  if (state === undefined) {
    await session.query("DELETE FROM poolsync.gates WHERE gate = $1", [runGate(run)]);
    return;
  }
  await session.query(
    `INSERT INTO poolsync.gates (gate, state, since) VALUES ($1, $2, $3)
     ON CONFLICT (gate) DO UPDATE SET state = excluded.state, since = excluded.since`,
    [runGate(run), state, at],
  );
}

export async function readRun(session: Session | StoreDatabase, id: string): Promise<Run | undefined> {
  return (await readRuns(session, [id]))[0];
}

export async function readRuns(session: Session | StoreDatabase, ids: readonly string[]): Promise<readonly Run[]> {
  return soundRuns(session, await session.query<RunRow>(`${SELECT_RUN} WHERE id = ANY($1::text[])`, [ids]));
}

/** Those that are sound; the others are set aside. */
async function soundRuns(session: Session | StoreDatabase, rows: readonly RunRow[]): Promise<readonly Run[]> {
  const runs: Run[] = [];
  for (const row of rows) {
    const { source, state } = row;
    if (isOneOf(CHANGE_SOURCES, source) && isOneOf(RUN_STATES, state)) runs.push(runOf(row, source, state));
    else await setAside(session, { kind: "run", place: row.id, text: row.text });
  }
  return runs;
}

function isOneOf<T extends string>(words: readonly T[], word: string): word is T {
  return (words as readonly string[]).includes(word);
}

function runOf(row: RunRow, source: ChangeSource, state: RunState): Run {
  return defined({
    id: row.id,
    source,
    pool: row.pool,
    feed: row.feed,
    identity: row.identity,
    asOf: row.as_of,
    startedAt: row.started_at,
    finishedAt: row.finished_at ?? undefined,
    state,
    cursor: row.cursor ?? "",
    rows: { read: row.rows_read ?? 0, faulty: row.rows_faulty ?? 0 },
  });
}
