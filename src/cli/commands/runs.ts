/** `poolsync runs list|show|report|wait|start|approve|cancel`: passes over feeds, their books, and those that wait for somebody. */
import type { Command } from "commander";
import { isComplete } from "../../app/runs/run-summary.ts";
import { ranToItsEnd, waitForRun } from "../../app/runs/wait-for-run.ts";
import { runGate } from "../../core/gate.ts";
import { nextStep, sentence, type Sentence } from "../../core/sentence.ts";
import { EXIT } from "../../exit-codes.ts";
import { withScope } from "../../lifecycle.ts";
import { standstillText } from "../../views/standstill.ts";
import { findRun } from "../../app/runs/find-run.ts";
import { startFeed } from "../../app/feeds/start-feed.ts";
import { approveRun } from "../../app/runs/approve-run.ts";
import { cancelledSentence, cancelRun } from "../../app/runs/cancel-run.ts";
import { openEngineToLook, openEngineToStop } from "../../app/opening.ts";
import { readReport } from "../../app/runs/kept-report.ts";
import { listRuns, readKeptPlan, showRun, type ShownRun } from "../../app/runs/look-at-runs.ts";
import { closest } from "../../feeds/closest.ts";
import { runDocument, runListDocument, runListText, runText } from "../../views/runs.ts";
import { reportDocument, reportText } from "../../views/run-report.ts";
import { indent } from "../../views/table.ts";
import type { Context } from "../command.ts";
import { asTyped, commandLine } from "../command-line.ts";
import { columnsOf, tell, type Io } from "../io.ts";
import { printEngine } from "../engine-command.ts";
import { engineOptions, openConfig, type EngineFlags } from "../opening.ts";
import { integer } from "../option-values.ts";
import { writeKeptPage } from "../page-file.ts";
import { createProgress } from "../progress.ts";
import { resumedText } from "./pause.ts";

interface ListFlags extends EngineFlags {
  readonly limit?: number;
}

interface ShowFlags extends EngineFlags {
  readonly html?: string;
  readonly showValues?: boolean;
}

const LISTED = 20;

export function addRuns(program: Command, context: Context): void {
  const runs = program
    .command("runs")
    .description("Passes over feeds, and their books.")
    .addHelpText("after", "\nExamples:\n  $ poolsync runs list\n  $ poolsync runs show r-mwpw75al-0d0e85")
    .hook("preSubcommand", refuseUnknown);
  engineOptions(
    runs
      .command("list", { isDefault: true })
      .description("The latest runs, also without the word `list`.")
      .option("--limit <number>", `so many at most (default: ${LISTED})`, integer(1)),
  )
    .addHelpText("after", "\nExamples:\n  $ poolsync runs list\n  $ poolsync runs list --limit 100 --json")
    .action(context.act((flags: ListFlags) => list(context, flags)));
  engineOptions(
    runs
      .command("show")
      .description("One run, with its books and dead letters, and its plan where it waits for an approval.")
      .argument("<id>")
      .option("--html <file>", "write the plan of a run that waits as a page that an approver can read anywhere")
      .option("--show-values", "show values, and not only how they differ"),
  )
    .addHelpText(
      "after",
      "\nExamples:\n  $ poolsync runs show r-mwpw75al-0d0e85\n  $ poolsync runs show r-mwpw75al-0d0e85 --html plan.html",
    )
    .action(context.act((id: string, flags: ShowFlags) => show(context, id, flags)));
  engineOptions(
    runs
      .command("wait")
      .description("Wait until a run is over that was put with --detach, or by a schedule; then show it.")
      .argument("<id>"),
  )
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync runs wait r-mwpw75al-0d0e85 && ./report-to-hr

Exit codes: 0 all applied; 2 finished, with dead letters or invalid input; 3 it
waits for an approval; 1 it failed, was cancelled or has expired; 130
interrupted.`,
    )
    .action(context.act((id: string, flags: EngineFlags) => wait(context, id, flags)));
  engineOptions(
    runs.command("start").description("Run a feed now that has a schedule, as when its time comes.").argument("<feed>"),
  )
    .addHelpText("after", "\nExamples:\n  $ poolsync runs start hr\n\nA directory worker carries it out.")
    .action(context.act((feed: string, flags: EngineFlags) => start(context, feed, flags)));
  engineOptions(
    runs
      .command("report")
      .description("What a run did not put, line by line. The store keeps the first 10,000 lines with the run.")
      .argument("<id>"),
  )
    .addHelpText("after", "\nExamples:\n  $ poolsync runs report r-mwpw75al-0d0e85 --json")
    .action(context.act((id: string, flags: EngineFlags) => report(context, id, flags)));
  engineOptions(
    runs
      .command("approve")
      .description("Have a run go on that a guard has stopped, with exactly what `runs show` shows.")
      .argument("<id>"),
  )
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync runs show r-mwpw75al-0d0e85
  $ poolsync runs approve r-mwpw75al-0d0e85

A directory worker carries out a plan. Users who were changed since it was made
are skipped and reported. Of events all that waits goes on.`,
    )
    .action(context.act((id: string, flags: EngineFlags) => approve(context, id, flags)));
  engineOptions(
    runs
      .command("cancel")
      .description("End a run that waits, or is under way. What it has put and what is not sent yet is discarded.")
      .argument("<id>"),
  )
    .addHelpText("after", "\nExamples:\n  $ poolsync runs cancel r-mwpw75al-0d0e85")
    .action(context.act((id: string, flags: EngineFlags) => cancel(context, id, flags)));
}

/** A word that is no command would go to `list`, which knows of no arguments and so of no near word. */
function refuseUnknown(runs: Command): void {
  const [word] = runs.args;
  const names = runs.commands.map((item) => item.name());
  if (word === undefined || word.startsWith("-") || names.includes(word)) return;
  const [suggestion] = closest(word, names, 1);
  const hint = suggestion === undefined ? "" : `\n(Did you mean ${suggestion}?)`;
  runs.error(`error: unknown command '${word}'${hint}`, { code: "commander.unknownCommand" });
}

function list({ io }: Context, flags: ListFlags): Promise<number> {
  return printEngine(io, flags, async (engine, { log }) => {
    const runs = await listRuns(engine, log, flags.limit ?? LISTED);
    if (flags.json === true) return `${JSON.stringify(runListDocument(runs), undefined, 2)}\n`;
    const command = (...words: readonly string[]): string => commandLine(io, words, flags);
    return runListText(runs, { width: columnsOf(io.stdout), now: Date.now(), command });
  });
}

function show({ io }: Context, id: string, flags: ShowFlags): Promise<number> {
  return printEngine(io, flags, async (engine, { config, log }) => {
    const { html } = flags;
    if (html !== undefined) await writeKeptPage(html, await readKeptPlan(engine, log, id), flags.showValues === true);
    return shownText(io, await showRun(engine, log, id), { flags, noColor: config.noColor });
  });
}

function shownText(
  io: Io,
  shown: ShownRun,
  { flags, noColor }: { readonly flags: ShowFlags; readonly noColor: boolean },
): string {
  const showValues = flags.showValues === true;
  if (flags.json === true) return `${JSON.stringify(runDocument(shown, showValues), undefined, 2)}\n`;
  const command = (...words: readonly string[]): string => commandLine(io, words, flags);
  const look = { width: columnsOf(io.stdout), noColor: io.stdout.isTTY !== true || noColor, showValues, command };
  return runText(shown, look);
}

async function wait({ io }: Context, id: string, flags: EngineFlags): Promise<number> {
  const opened = await openConfig(io, flags);
  const { config, log, interactive } = opened;
  return withScope(async (scope) => {
    const engine = await openEngineToLook(config, scope, opened);
    const progress = scope.defer(createProgress(io.stderr, interactive), (bar) => bar.stop());
    const say = (said: Sentence | string): void => {
      progress.clear();
      tell(io, asTyped(io, said, flags));
    };
    const { rows } = await findRun(engine, id);
    const waited = await waitForRun(engine, log, id, {
      onLook: (books) => progress.show({ ...books, rows: rows.read, totalRows: rows.read }),
      onHold(standstill) {
        progress.held(standstill);
        say(standstillText(standstill));
      },
      onStill: ({ pool }) =>
        say(
          sentence`Nothing of it was delivered for a minute: ${nextStep("status")} tells of holds and whether a worker is there; ${nextStep("worker", "--pools", pool)} is one.`,
        ),
      signal: io.interrupts.drain,
    });
    progress.stop();
    io.stdout.write(shownText(io, waited, { flags, noColor: config.noColor }));
    const { run, summary } = waited;
    if (run.state === "needs-approval") return EXIT.guarded;
    if (!ranToItsEnd(run)) return EXIT.failed;
    return isComplete(summary) ? EXIT.done : EXIT.partial;
  });
}

function start({ io }: Context, feed: string, flags: EngineFlags): Promise<number> {
  return printEngine(io, flags, async (engine) => {
    const { workers, cancelled } = await startFeed(engine, feed);
    if (flags.json === true) return `${JSON.stringify({ feed, workers, cancelled })}\n`;
    const who =
      workers > 0 ? "a directory worker carries it out" : "it waits for a directory worker, and none is alive";
    const look = commandLine(io, ["runs", "list"], flags);
    const sync = commandLine(io, ["sync", "--feed", feed], flags);
    const last =
      cancelled === undefined
        ? ""
        : ` Run ${cancelled} was cancelled: where the content is still the same it is left alone, whatever its time, and there is no run; \`${sync}\` puts it all the same.`;
    const said = `Feed ${feed} is to run now: ${who}. \`${look}\` shows its run once it has begun.${last}`;
    return indent("", said, columnsOf(io.stdout));
  });
}

function report({ io }: Context, id: string, flags: EngineFlags): Promise<number> {
  return printEngine(io, flags, async (engine) => {
    const found = await readReport(engine, id);
    if (flags.json === true) return `${JSON.stringify(reportDocument(found), undefined, 2)}\n`;
    const command = (...words: readonly string[]): string => commandLine(io, words, flags);
    return reportText(found, { width: columnsOf(io.stdout), command });
  });
}

function approve({ io }: Context, id: string, flags: EngineFlags): Promise<number> {
  return printEngine(io, flags, async (engine, { log }) => {
    const kept = await engine.store.gates.kept(runGate(id));
    const { plan, users, feed, pool } = await approveRun(engine, log, id);
    if (flags.json === true) return `${JSON.stringify({ run: id, plan, feed, pool, users })}\n`;
    if (users !== undefined) {
      const command = (...words: readonly string[]): string => commandLine(io, words, flags);
      const became = await resumedText(engine, users, kept, command);
      return indent("", `Run ${id} of ${feed} goes on. ${became}`, columnsOf(io.stdout));
    }
    const look = commandLine(io, ["runs", "show", id], flags);
    return `Run ${id} goes on with plan ${plan}. A directory worker carries it out: \`${look}\`.\n`;
  });
}

function cancel({ io }: Context, id: string, flags: EngineFlags): Promise<number> {
  return printEngine(
    io,
    flags,
    async (engine, { log }) => {
      const cancelled = await cancelRun(engine, log, id);
      const { undoable, ...facts } = cancelled;
      if (flags.json === true) return `${JSON.stringify({ run: id, ...facts, undoable })}\n`;
      const undo = undoable ? ` \`${commandLine(io, ["undo", id], flags)}\` puts back what was written.` : "";
      return indent("", `Run ${id} is cancelled. ${cancelledSentence(cancelled)}${undo}`, columnsOf(io.stdout));
    },
    openEngineToStop,
  );
}
