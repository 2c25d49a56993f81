/**
 * Documents that were set aside. A table's columns keep their types, so only what is JSON, or a word of a few, can have
 * another form than it should.
 */
import type { Entry } from "../../core/books.ts";
import { defined } from "../../core/defined.ts";
import type { Damaged, DamagedDocument, DocumentKind } from "../damaged.ts";
import { RUN_STATES } from "../runs.ts";
import { postEntries, readBooks } from "./books-table.ts";
import type { Session, StoreDatabase } from "./database.ts";

/**
 * How each kind is taken from its place, where it is still what was read: `$1` is the place and `$2` the text. Each
 * answers pool, run and text.
 */
const TAKEN = {
  mailbox: `UPDATE poolsync.users SET mailbox = NULL, due_at = NULL, claimed = false
    WHERE user_key = $1 AND mailbox::text = $2 RETURNING pool,
      (SELECT id FROM poolsync.runs WHERE position('"run":' || to_json(id)::text IN $2) > 0 LIMIT 1) AS run, $2 AS body`,
  ledger: `UPDATE poolsync.users SET ledger = '{}'
    WHERE user_key = $1 AND ledger::text = $2 RETURNING nullif(pool, '') AS pool, NULL AS run, $2 AS body`,
  letter: `DELETE FROM poolsync.letters WHERE id = $1 AND letter::text = $2 RETURNING pool, run, $2 AS body`,
  run: `DELETE FROM poolsync.runs WHERE id = $1 AND row_to_json(runs)::text = $2 RETURNING pool, id AS run, $2 AS body`,
  hold: `DELETE FROM poolsync.holds WHERE pool || '|' || scope = $1 AND row_to_json(holds)::text = $2
    RETURNING pool, NULL AS run, $2 AS body`,
  exceptions: `DELETE FROM poolsync.exceptions WHERE about = $1 AND row_to_json(exceptions)::text = $2
    RETURNING NULL AS pool, NULL AS run, $2 AS body`,
  link: `DELETE FROM poolsync.links WHERE pool || '|' || digest = $1 AND username = $2
    RETURNING pool, NULL AS run, $2 AS body`,
  // Its chunks go together, whatever is in them.
  plan: `SELECT NULL AS pool, run, string_agg(chunk, E'\\n' ORDER BY place) AS body FROM gone GROUP BY run`,
  // That of a run stands as the run does; any other is a pause from here on.
  gate: `UPDATE poolsync.gates SET
      state = coalesce((SELECT CASE WHEN runs.state = 'cancelled' THEN 'cancelled' WHEN runs.state = 'needs-approval' THEN 'waiting'
          WHEN runs.state IN (${RUN_STATES.map((state) => `'${state}'`).join(", ")}) THEN 'open' END
        FROM poolsync.runs WHERE 'run:' || id = gate), 'paused'),
      paused_by = 'poolsync', reason = 'the record of this pause is damaged'
    WHERE gate = $1 AND row_to_json(gates)::text = $2 RETURNING NULL AS pool, NULL AS run, $2 AS body`,
} as const satisfies Partial<Record<DocumentKind, string>>;

export interface Broken {
  readonly kind: keyof typeof TAKEN;
  readonly place: string;
  readonly text: string;
}

/** Sets a document aside, in one statement. `session` is a transaction's, or else the store's for reading. */
export async function setAside(session: Session | StoreDatabase, { kind, place, text }: Broken): Promise<void> {
  const query: Session["query"] = "write" in session ? session.write : (sql, params) => session.query(sql, params);
  await query(
    `WITH gone AS (DELETE FROM poolsync.plan_chunks WHERE ${kind === "plan"} AND run = $1 AND $2 = '' RETURNING run, place, chunk),
       taken AS (${TAKEN[kind]}),
       unkept AS (DELETE FROM poolsync.kept WHERE $3 AND user_key = $1 AND EXISTS (SELECT 1 FROM taken))
     INSERT INTO poolsync.damaged (kind, place, since, pool, run, body, owed)
     SELECT $4, $1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, pool, run, body, $5 FROM taken`,
    [place, text, kind === "mailbox", kind, kind === "mailbox" || kind === "letter"],
  );
  if (kind === "gate") await query("DELETE FROM poolsync.gates WHERE gate = $1 AND state = 'open'", [place]);
}

interface DamagedRow {
  readonly id: number;
  readonly kind: DocumentKind;
  readonly place: string;
  readonly since: number;
  readonly pool: string | null;
  readonly run: string | null;
}

export type Counts = ReadonlyMap<string, { readonly pending: number; readonly dead: number }>;

/** The port to documents that were set aside. `recount` walks every mailbox and letter. */
export function createDamaged(database: StoreDatabase, recount: (session: Session) => Promise<Counts>): Damaged {
  return {
    async list(): Promise<readonly DamagedDocument[]> {
      const rows = await database.query<DamagedRow>(
        "SELECT id, kind, place, since, pool, run FROM poolsync.damaged ORDER BY id",
        [],
      );
      return rows.map(({ id, pool, run, ...rest }) =>
        defined({ ...rest, id: String(id), pool: pool ?? undefined, run: run ?? undefined }),
      );
    },

    remove: (ids) =>
      database.transaction(async (session) => {
        // Its units would stay in the books for ever.
        await reckon(session, recount);
        const gone = await session.query<{ kind: string; place: string }>(
          "DELETE FROM poolsync.damaged WHERE id::text = ANY($1::text[]) RETURNING kind, place",
          [ids],
        );
        // The gate of a run that nobody knows opens again.
        const gates = gone.filter(({ kind }) => kind === "gate").map(({ place }) => place);
        await session.query(
          "DELETE FROM poolsync.gates WHERE gate = ANY($1::text[]) AND gate LIKE 'run:%' AND state = 'paused'",
          [gates],
        );
        return gone.length;
      }),

    reckon: () => database.transaction((session) => reckon(session, recount)),
  };
}

async function reckon(session: Session, recount: (session: Session) => Promise<Counts>): Promise<number> {
  const owed = await session.query("SELECT 1 FROM poolsync.damaged WHERE owed LIMIT 1", []);
  if (owed.length === 0) return 0;
  const counted = await recount(session);
  const runs = await session.query<{ run: string }>(
    "SELECT DISTINCT run FROM poolsync.books WHERE term IN ('pending', 'dead') AND n > 0 AND run <> ''",
    [],
  );
  const entries: Entry[] = [];
  let units = 0;
  for (const { run } of runs) {
    const books = await readBooks(session, run);
    for (const term of ["pending", "dead"] as const) {
      const gone = books[term] - (counted.get(run)?.[term] ?? 0);
      if (gone <= 0) continue;
      units += gone;
      entries.push({ run, term, by: -gone }, { run, term: "damaged", by: gone });
    }
  }
  await postEntries(session, entries);
  await session.query("UPDATE poolsync.damaged SET owed = false WHERE owed", []);
  return units;
}
