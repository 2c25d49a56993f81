/** What a run came to, as a document. */
import { imbalance, type Books } from "../../core/books.ts";
import type { Letters } from "../../store/letters.ts";
import type { StaleFigures } from "../../plan/figures.ts";
import type { MissedFigures } from "../../plan/missed.ts";
import type { Runs } from "../../store/runs.ts";

export interface RunSummary {
  readonly run: string;
  readonly feed: string;
  readonly pool: string;
  readonly state: string;
  readonly rows: { readonly read: number; readonly faulty: number };
  readonly books: Books;
  readonly balanced: boolean;
  /** How many by kind, of those that still lie there. */
  readonly deadLetters: Readonly<Record<string, number>>;
  /** How many people they are of. */
  readonly deadPeople: number;
  /** The report file, where there is one. */
  readonly report?: string;
  /** Values that this command has put and that are not there, because newer ones were written; absent where there are none. */
  readonly stale?: Omit<StaleFigures, "rows">;
  /** What the feed's events had missed, by the plan of it; absent where that is nothing, or nobody can tell. */
  readonly missed?: MissedFigures;
  /** Dead letters of the pool whose cause was gone, and that were replayed; absent where none may heal. */
  readonly healed?: number;
  readonly resumed: boolean;
  readonly durationMs: number;
}

export interface SummaryFacts {
  readonly report?: string;
  readonly stale?: NonNullable<RunSummary["stale"]>;
  readonly missed?: MissedFigures;
  readonly healed?: number;
  readonly resumed: boolean;
  readonly durationMs: number;
}

export async function summarise(runs: Runs, letters: Letters, id: string, facts: SummaryFacts): Promise<RunSummary> {
  const run = await runs.get(id);
  if (run === undefined) throw new Error("Expected the run that was just carried out to be there");
  const books = await runs.books(id);
  const deadLetters: Record<string, number> = {};
  const people = new Set<string>();
  if (books.dead > 0) {
    for await (const { kind, user } of letters.list({ run: id })) {
      deadLetters[kind] = (deadLetters[kind] ?? 0) + 1;
      people.add(user);
    }
  }
  const { feed, pool, state, rows } = run;
  const balanced = imbalance(books) === 0;
  return { run: id, feed, pool, state, rows, books, balanced, deadLetters, deadPeople: people.size, ...facts };
}

/** True where everything that was asked for is in the pool, or was there already. */
export function isComplete(summary: Pick<RunSummary, "rows" | "books" | "stale">): boolean {
  const { rows, books } = summary;
  const hasFaults = rows.faulty > 0 || books.dead > 0 || books.invalid > 0 || books.damaged > 0;
  return !hasFaults && !isOnlyStale(summary);
}

/**
 * True where all that would have changed something came too late. Rows that say their own times are overtaken one by
 * one as a matter of course: of them all have to be. So is a file by events of its feed.
 */
export function isOnlyStale({ books, stale }: Pick<RunSummary, "books" | "stale">): boolean {
  if (stale === undefined || stale.events === true || books.applied > 0 || books.pending > 0) return false;
  return stale.column === undefined || books.stale === books.received;
}
