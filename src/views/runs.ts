/** Runs as documents for machines, and as text for people. */
import type { ListedRun, ShownRun } from "../app/runs/look-at-runs.ts";
import { age, count, counted } from "../core/amounts.ts";
import { imbalance } from "../core/books.ts";
import { directRunId, type Run } from "../store/runs.ts";
import { planDocument, planText } from "./plan-view.ts";
import { stateText, summaryText, type SummaryWords } from "./run-summary.ts";
import { indent, table } from "./table.ts";
import { waitingDocument, waitingText } from "./waiting-events.ts";
import { whoDelivers } from "./who-delivers.ts";

function described({ id, source, pool, feed, state, asOf, startedAt, finishedAt, rows }: Run): object {
  return {
    run: id,
    feed,
    pool,
    source,
    state,
    rows,
    asOf: new Date(asOf).toISOString(),
    startedAt: new Date(startedAt).toISOString(),
    ...(finishedAt === undefined ? {} : { finishedAt: new Date(finishedAt).toISOString() }),
  };
}

export function runListDocument(runs: readonly ListedRun[]): object {
  return { runs: runs.map(({ run, books }) => ({ ...described(run), books, balanced: imbalance(books) === 0 })) };
}

interface ListLook {
  readonly width: number;
  /** Epoch ms. */
  readonly now: number;
  readonly command: SummaryWords["command"];
}

export function runListText(runs: readonly ListedRun[], { width, now, command }: ListLook): string {
  if (runs.length === 0) return "No runs yet.\n";
  const lines = table(
    [
      { title: "RUN" },
      { title: "FEED", shrinks: true },
      { title: "STATE" },
      { title: "AGE", align: "right" },
      { title: "RECEIVED", align: "right" },
      { title: "PENDING", align: "right" },
      { title: "DEAD", align: "right" },
    ],
    runs.map(({ run, books }) => [
      run.id,
      run.feed,
      stateText(run, books),
      age(now - run.startedAt),
      count(books.received),
      count(books.pending),
      count(books.dead),
    ]),
    width,
  );
  const waiting = runs.filter(({ run }) => run.state === "needs-approval").length;
  if (waiting === 0) return lines;
  const look = command("runs", "show", "ID");
  const sentence = `${counted(waiting, "run waits", "runs wait")} for an approval: look with \`${look}\`.`;
  return lines + indent("", sentence, width);
}

export function runDocument({ run, summary, kept, waiting }: ShownRun, showValues: boolean): object {
  const { balanced, deadLetters, deadPeople, books, missed } = summary;
  return {
    ...described(run),
    books,
    balanced,
    deadLetters,
    deadPeople,
    ...(missed === undefined ? {} : { missed }),
    ...(kept?.summary ? { plan: planDocument(kept.summary, run.pool, showValues) } : {}),
    ...(waiting ? { waiting: waitingDocument(waiting, run, showValues) } : {}),
    ...(kept ? { expiresAt: new Date(kept.header.expiresAt).toISOString() } : {}),
  };
}

interface RunLook {
  readonly width: number;
  /** Without bars. */
  readonly noColor: boolean;
  readonly showValues: boolean;
  readonly command: SummaryWords["command"];
}

export function runText(shown: ShownRun, look: RunLook): string {
  const { run, summary, kept, waiting, othersDeliver, workers, paused } = shown;
  const { width, noColor, showValues, command } = look;
  const { id, pool, state } = run;
  if (state === "needs-approval") {
    const plan = kept?.summary ? planText(kept.summary, { pool, noColor, showValues }, width) : "";
    const events = waiting ? waitingText(waiting, run, { width, showValues }) : "";
    const until = kept ? ` until ${new Date(kept.header.expiresAt).toISOString()}` : "";
    const what = waiting
      ? `Nothing of it was written, and what else comes of ${run.feed} waits with it. The run waits`
      : "Nothing of it was written. It waits";
    const sentence = `${what} for an approval${until}: \`${command("runs", "approve", id)}\`, or \`${command("runs", "cancel", id)}\`.`;
    return `${plan}${events}\n${indent("", sentence, width)}`;
  }
  const begun = new Date(run.startedAt).toISOString();
  const asOf = new Date(run.asOf).toISOString();
  const stands = `State: ${stateText(run, summary.books)}. Begun ${begun}${run.source === "events" ? "" : `, values as of ${asOf}`}.`;
  const { pending, invalid } = summary.books;
  const isReported = (run.rows.faulty > 0 || invalid > 0) && id !== directRunId(pool);
  const isOfEvents = run.source === "events";
  const byLine = `line by line: \`${command("runs", "report", id)}\``;
  const byUser = `user by user: \`${command("explain", "USERNAME")}\``;
  const report = isReported ? `What was not put, ${isOfEvents ? byUser : byLine}. ` : "";
  const text =
    summaryText(summary, width, { command, ...(isOfEvents ? { item: "record" } : {}) }) +
    indent("", report + stands, width);
  if (!othersDeliver || state !== "delivering" || pending === 0) return text;
  const sentence = `${whoDelivers({ pool, pending, workers, paused }, command)} \`${command("status")}\` tells of holds.`;
  return text + indent("", sentence, width);
}
