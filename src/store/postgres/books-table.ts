/** The books in the database: one row for each run and term. */
import { EMPTY_BOOKS, type Books, type Entry, type Term } from "../../core/books.ts";
import type { Session } from "./database.ts";

/** Posts movements; those that cancel each other leave no trace. */
export async function postEntries(session: Session, entries: readonly Entry[]): Promise<void> {
  const sums = new Map<string, { run: string; term: Term; by: number }>();
  for (const { run, term, by } of entries) {
    const key = `${term} ${run}`;
    const sum = sums.get(key);
    if (sum) sum.by += by;
    else sums.set(key, { run, term, by });
  }
  const moved = [...sums.values()].filter(({ by }) => by !== 0);
  if (moved.length === 0) return;
  await session.query(
    `INSERT INTO poolsync.books AS old (run, term, n) SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
     ON CONFLICT (run, term) DO UPDATE SET n = old.n + excluded.n`,
    [moved.map(({ run }) => run), moved.map(({ term }) => term), moved.map(({ by }) => by)],
  );
}

/** Of one run, or in total where it is blank. */
export async function readBooks(session: Session, run: string): Promise<Books> {
  const rows = await session.query<{ term: Term; n: number }>(
    "SELECT term, sum(n)::bigint AS n FROM poolsync.books WHERE $1 = '' OR run = $1 GROUP BY term",
    [run],
  );
  const books = { ...EMPTY_BOOKS };
  for (const { term, n } of rows) books[term] = n;
  return books;
}
