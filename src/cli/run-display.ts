/** What people see of a run at the command line: a progress bar, why it stands still, and what it came to. */
import type { RunEvent, RunObserver, RunOutcome } from "../app/runs/run-observer.ts";
import { counted } from "../core/amounts.ts";
import { whoDelivers } from "../views/who-delivers.ts";
import { notPutSentence, summaryText } from "../views/run-summary.ts";
import { missedSentence } from "../views/missed.ts";
import { staleSentence } from "../views/stale.ts";
import { standstillText } from "../views/standstill.ts";
import { indent } from "../views/table.ts";
import { asTyped, commandLine, type PassedFlags } from "./command-line.ts";
import { columnsOf, tell, type Io } from "./io.ts";
import { createProgress } from "./progress.ts";

export interface RunDisplay {
  readonly interactive: boolean;
  readonly flags: PassedFlags & { readonly json?: boolean };
}

/** An observer of the runs of one command, one after another. */
export function showRun(io: Io, { interactive, flags }: RunDisplay): RunObserver {
  let progress = createProgress(io.stderr, false);
  const say = (sentence: string): void => {
    progress.clear();
    tell(io, sentence);
  };
  return (event: RunEvent) => {
    switch (event.is) {
      case "started":
        progress = createProgress(io.stderr, interactive);
        return;
      case "progress": {
        const { books, rows, totalRows } = event;
        return progress.show({ ...books, rows, ...(totalRows === undefined ? {} : { totalRows }) });
      }
      case "held":
        progress.held(event.standstill);
        return say(asTyped(io, standstillText(event.standstill), flags));
      case "stalled": {
        if (event.while === "delivering") return;
        const worker = commandLine(io, ["worker", "--pools", event.run.pool], flags);
        const status = commandLine(io, ["status"], flags);
        return say(
          `The rest of the file waits: many users are due, and none was delivered for a while. Unless a worker runs, start one: ${worker}; \`${status}\` tells of holds.`,
        );
      }
      case "stopped":
        return progress.stop();
      case "finished":
        progress.stop();
        if (flags.json !== true) io.stdout.write(outcomeText(io, event.outcome, flags));
        return;
      case "forgotten":
      case "interrupted":
        // The command ends with a sentence on it, or goes on.
        return;
    }
  };
}

function outcomeText(io: Io, outcome: RunOutcome, flags: PassedFlags): string {
  const { summary, detached, putBefore, workers, paused } = outcome;
  const width = columnsOf(io.stdout);
  const command = (...words: readonly string[]): string => commandLine(io, words, flags);
  const { run, feed, pool, rows, books, resumed } = summary;
  if (detached) {
    const what = putBefore
      ? `${feed} was put by an earlier command, in run ${run}.`
      : `${counted(rows.read, "row was", "rows were")} put from ${feed}, in run ${run}.`;
    const next =
      books.pending === 0
        ? "Nothing of it is left to be delivered."
        : whoDelivers({ pool, pending: books.pending, workers, paused }, command);
    const { report } = summary;
    const unput = report === undefined ? "" : indent("", notPutSentence(report, command("runs", "report", run)), width);
    const stale = summary.stale ? indent("", staleSentence(summary.stale, "left"), width) : "";
    const missed = summary.missed ? indent("", missedSentence(summary.missed), width) : "";
    return indent("", `${what} ${next} Look with \`${command("runs", "show", run)}\`.`, width) + missed + stale + unput;
  }
  const origin = putBefore ? "put by an earlier command, and delivered now" : "went on where it was cut";
  return summaryText(summary, width, { command, ...(resumed ? { origin } : {}) });
}
