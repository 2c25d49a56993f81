/** What a run came to, as text for people. */
import { adviceOf } from "../core/advice.ts";
import { TERMS, type Books } from "../core/books.ts";
import type { RunSummary } from "../app/runs/run-summary.ts";
import { count, counted, duration } from "../core/amounts.ts";
import type { Run } from "../store/runs.ts";
import { missedSentence } from "./missed.ts";
import { staleSentence } from "./stale.ts";
import { indent } from "./table.ts";

export interface SummaryWords {
  /** A follow-up command as the user would type it. */
  readonly command: (...words: readonly string[]) => string;
  /** How the run came to be there, where it was not begun just now. */
  readonly origin?: string;
  /** What is read, where it is no row. */
  readonly item?: string;
}

export function summaryText(
  summary: RunSummary,
  width: number,
  { command, origin, item = "row" }: SummaryWords,
): string {
  const { run, feed, pool, rows, books, balanced, deadLetters, deadPeople, report, healed = 0, durationMs } = summary;
  const faulty = rows.faulty > 0 ? `, ${count(rows.faulty)} of them faulty` : "";
  const parts = [
    indent("", `${feed} → ${pool}, run ${run}${origin === undefined ? "" : ` (${origin})`}`, width),
    indent("  ", `${counted(rows.read, item)} read${faulty}, in ${duration(durationMs)}`, width),
    "\n",
    booksText(books),
    indent("", balanceText(balanced, command), width),
  ];
  if (books.damaged > 0) {
    const sentence = `${counted(books.damaged, "change was", "changes were")} in a document that broke and was set aside; what became of them is not known. See \`${command("damaged", "list")}\`, and give the same sync again.`;
    parts.push("\n", indent("", sentence, width));
  }
  if (books.superseded > 0) {
    const gaveWay = `${counted(books.superseded, "value")} gave way to later ones of the same user and attribute, of this run or another${books.pending > 0 ? `: \`${command("runs", "list")}\` tells what is pending` : ""}.`;
    parts.push("\n", indent("", gaveWay, width));
  }
  if (healed > 0) {
    const sentence = `${counted(healed, "dead letter")} whose cause was gone went to their old runs again.`;
    parts.push("\n", indent("", sentence, width));
  }
  if (summary.missed) {
    parts.push("\n", indent("", missedSentence(summary.missed), width));
  }
  if (summary.stale) {
    const others = books.stale - summary.stale.values;
    const there = others > 0 ? ` The other ${counted(others, "stale one is", "stale ones are")} there anyhow.` : "";
    parts.push("\n", indent("", `${staleSentence(summary.stale, "left")}${there}`, width));
  }
  if (report !== undefined) {
    parts.push("\n", indent("", notPutSentence(report, command("runs", "report", run)), width));
  }
  const kinds = Object.entries(deadLetters).toSorted(([, a], [, b]) => b - a);
  if (kinds.length > 0) {
    const all = kinds.reduce((sum, [, letters]) => sum + letters, 0);
    parts.push("\n", `Dead letters: ${count(all)}, of ${counted(deadPeople, "person", "people")}\n`);
    for (const [kind, letters] of kinds) {
      parts.push(`  ${kind}: ${count(letters)}\n`);
      const advice = adviceOf(kind);
      if (advice !== "") parts.push(indent("    ", advice, width));
      parts.push(`    ${command("dead", "replay", "--kind", kind)}\n`);
    }
    parts.push(`  One by one: ${command("dead", "list", "--letters", "--run", run)}\n`);
  }
  return parts.join("");
}

/** Where the report is. `command`: prints what the store has of it. */
export function notPutSentence(report: string, command: string): string {
  return `What was not put, line by line: ${report}, or \`${command}\`.`;
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

interface StateOf extends Pick<Run, "source"> {
  readonly state: string;
}

/** A run that was put with --detach stays `delivering` until its command comes again: people see when it is over. */
export function stateText({ state, source }: StateOf, { pending }: Books): string {
  if (source === "events" && (state === "reading" || state === "delivering")) return "takes events";
  return state === "delivering" && pending === 0 ? "delivered" : state;
}
