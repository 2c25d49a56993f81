/** What a run came to, as a document for scripts and as text for people. */
import { imbalance, TERMS, type Books } from "../core/books.ts";
import type { Letters } from "../store/letters.ts";
import type { Runs } from "../store/runs.ts";
import { count, counted, duration } from "./figures.ts";
import { adviceOf } from "../app/runs/settling.ts";
import { indent } from "./table.ts";

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
  /** The report file, where there is one. */
  readonly report?: string;
  /** Dead letters of the pool whose cause was gone, and that were replayed; absent where none may heal. */
  readonly healed?: number;
  readonly resumed: boolean;
  readonly durationMs: number;
}

export interface SummaryFacts {
  readonly report?: string;
  readonly healed?: number;
  readonly resumed: boolean;
  readonly durationMs: number;
}

export async function summarise(runs: Runs, letters: Letters, id: string, facts: SummaryFacts): Promise<RunSummary> {
  const run = await runs.get(id);
  if (run === undefined) throw new Error("Expected the run that was just carried out to be there");
  const books = await runs.books(id);
  const deadLetters: Record<string, number> = {};
  if (books.dead > 0) {
    for await (const { kind } of letters.list({ run: id })) deadLetters[kind] = (deadLetters[kind] ?? 0) + 1;
  }
  const { feed, pool, state, rows } = run;
  return { run: id, feed, pool, state, rows, books, balanced: imbalance(books) === 0, deadLetters, ...facts };
}

/** True where everything that was asked for is in the pool, or was there already. */
export function isWhole({ rows, books }: Pick<RunSummary, "rows" | "books">): boolean {
  return rows.faulty === 0 && books.dead === 0 && books.invalid === 0;
}

export interface SummaryWords {
  /** A follow-up command as the user would type it. */
  readonly command: (...words: readonly string[]) => string;
  /** How the run came to be there, where it was not begun just now. */
  readonly origin?: string;
}

export function summaryText(summary: RunSummary, width: number, { command, origin }: SummaryWords): string {
  const { run, feed, pool, rows, books, balanced, deadLetters, report, healed = 0, durationMs } = summary;
  const faulty = rows.faulty > 0 ? `, ${count(rows.faulty)} of them faulty` : "";
  const parts = [
    indent("", `${feed} → ${pool}, run ${run}${origin === undefined ? "" : ` (${origin})`}`, width),
    indent("  ", `${counted(rows.read, "row")} read${faulty}, in ${duration(durationMs)}`, width),
    "\n",
    booksText(books),
    indent("", balanceText(balanced, command), width),
  ];
  if (healed > 0) {
    const sentence = `${counted(healed, "dead letter")} whose cause was gone went to their old runs again.`;
    parts.push("\n", indent("", sentence, width));
  }
  if (report !== undefined) {
    parts.push("\n", indent("", `What was not put, line by line: ${report}`, width));
  }
  const kinds = Object.entries(deadLetters).toSorted(([, a], [, b]) => b - a);
  if (kinds.length > 0) {
    parts.push("\n", `Dead letters: ${count(kinds.reduce((sum, [, letters]) => sum + letters, 0))}\n`);
    for (const [kind, letters] of kinds) {
      parts.push(`  ${kind}: ${count(letters)}\n`);
      const advice = adviceOf(kind);
      if (advice !== "") parts.push(indent("    ", advice, width));
      parts.push(`    ${command("dead", "replay", "--kind", kind)}\n`);
    }
  }
  return parts.join("");
}

/** One sentence on whether books balance. */
export function balanceText(balanced: boolean, command: SummaryWords["command"]): string {
  return balanced ? "The books balance." : `The books do NOT balance: run \`${command("status", "--verify")}\`.`;
}

/** Every term of the books on a line of its own. */
export function booksText(books: Books): string {
  const numbers = TERMS.map((term) => count(books[term]));
  const wide = Math.max(...numbers.map((number) => number.length));
  return TERMS.map((term, index) => `  ${term.padEnd(10)}  ${(numbers[index] ?? "").padStart(wide)}\n`).join("");
}

/** A run that was put with --detach stays `delivering` until its command comes again: people see when it is over. */
export function stateText(state: string, { pending }: Books): string {
  return state === "delivering" && pending === 0 ? "delivered" : state;
}

/** What became of a run that was cancelled. */
export function cancelledText({ applied, pending }: Pick<Books, "applied" | "pending">): string {
  const written =
    applied === 0
      ? "Nothing of it was written"
      : `${counted(applied, "change")} of it ${applied === 1 ? "was" : "were"} written before`;
  if (pending === 0) return `${written}.`;
  return `${written}, and ${counted(pending, "change that waits", "changes that wait")} will be discarded instead of sent.`;
}
