/** `poolsync runs list|show|approve|cancel`: passes over feeds, their books, and those that wait for somebody. */
import type { Command } from "commander";
import { imbalance, type Books } from "../../core/books.ts";
import { closest } from "../../feeds/closest.ts";
import { withOwned } from "../../lifecycle.ts";
import { openKeptPlan } from "../../plan/kept-plan.ts";
import type { Engine } from "../../queues/engine.ts";
import { orderApproved } from "../../queues/schedules.ts";
import { directRunId, type Run } from "../../store/runs.ts";
import { expireWaiting } from "../../app/runs/approvals.ts";
import { commandLine } from "../command-line.ts";
import { EXIT } from "../exit-codes.ts";
import { CommandError } from "../../app/app-error.ts";
import { columnsOf } from "../io.ts";
import { engineOptions, openConfig, openEngineOf, type EngineFlags } from "../../app/opening.ts";
import { whole } from "../option-values.ts";
import type { Context } from "../program.ts";
import { age, count, counted } from "../../views/figures.ts";
import { planDocument, printPlan } from "../../views/plan-view.ts";
import { cancelledText, stateText, summarise, summaryText } from "../../views/run-summary.ts";
import { indent, table } from "../../views/table.ts";

interface ListFlags extends EngineFlags {
  readonly limit?: number;
}

interface ShowFlags extends EngineFlags {
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
      .option("--limit <number>", `so many at most (default: ${LISTED})`, whole(1)),
  )
    .addHelpText("after", "\nExamples:\n  $ poolsync runs list\n  $ poolsync runs list --limit 100 --json")
    .action(context.act((flags: ListFlags) => list(context, flags)));
  engineOptions(
    runs
      .command("show")
      .description("One run, with its books and dead letters, and its plan where it waits for an approval.")
      .argument("<id>")
      .option("--show-values", "show values in examples, instead of how long they are"),
  )
    .addHelpText("after", "\nExamples:\n  $ poolsync runs show r-mwpw75al-0d0e85")
    .action(context.act((id: string, flags: ShowFlags) => show(context, id, flags)));
  engineOptions(
    runs
      .command("approve")
      .description("Have a run go on whose plan broke a guard, with exactly the plan that `runs show` shows.")
      .argument("<id>"),
  )
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync runs show r-mwpw75al-0d0e85
  $ poolsync runs approve r-mwpw75al-0d0e85

A directory worker carries it out. Users who were changed since the plan was
made are skipped and reported.`,
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
  const names = runs.commands.map((each) => each.name());
  if (word === undefined || word.startsWith("-") || names.includes(word)) return;
  const [meant] = closest(word, names, 1);
  const hint = meant === undefined ? "" : `\n(Did you mean ${meant}?)`;
  runs.error(`error: unknown command '${word}'${hint}`, { code: "commander.unknownCommand" });
}

async function list({ io }: Context, flags: ListFlags): Promise<number> {
  const { config, log } = await openConfig(io, flags);
  return withOwned(async (own) => {
    const engine = await openEngineOf(config, own, { log, io });
    await expireWaiting(engine, log);
    const runs: { readonly run: Run; readonly books: Books }[] = [];
    for (const run of await engine.store.runs.list(flags.limit ?? LISTED)) {
      runs.push({ run, books: await engine.store.runs.books(run.id) });
    }
    if (flags.json === true) {
      const shown = runs.map(({ run, books }) => ({ ...describe(run), books, balanced: imbalance(books) === 0 }));
      io.stdout.write(`${JSON.stringify({ runs: shown }, undefined, 2)}\n`);
      return EXIT.done;
    }
    const now = Date.now();
    if (runs.length === 0) io.stdout.write("No runs yet.\n");
    io.stdout.write(
      table(
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
          stateText(run.state, books),
          age(now - run.startedAt),
          count(books.received),
          count(books.pending),
          count(books.dead),
        ]),
        columnsOf(io.stdout),
      ),
    );
    const waiting = runs.filter(({ run }) => run.state === "needs-approval").length;
    if (waiting > 0) {
      const sentence = `${counted(waiting, "run waits", "runs wait")} for an approval: look with \`${commandLine(io, ["runs", "show", "ID"], flags)}\`.`;
      io.stdout.write(indent("", sentence, columnsOf(io.stdout)));
    }
    return EXIT.done;
  });
}

async function show({ io }: Context, id: string, flags: ShowFlags): Promise<number> {
  const { config, log } = await openConfig(io, flags);
  return withOwned(async (own) => {
    const engine = await openEngineOf(config, own, { log, io });
    await expireWaiting(engine, log);
    const { runs, letters, plans } = engine.store;
    const run = await runOf(engine, id);
    const kept = await openKeptPlan(plans, engine.keyring, { run: id, now: 0 });
    const showValues = flags.showValues === true;
    const durationMs = Math.max(0, (run.finishedAt ?? Date.now()) - run.startedAt);
    const summary = await summarise(runs, letters, id, { resumed: false, durationMs });
    if (flags.json === true) {
      const { balanced, deadLetters, books } = summary;
      const document = {
        ...describe(run),
        books,
        balanced,
        deadLetters,
        ...(kept?.summary ? { plan: planDocument(kept.summary, run.pool, showValues) } : {}),
        ...(kept ? { expiresAt: new Date(kept.header.expiresAt).toISOString() } : {}),
      };
      io.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
      return EXIT.done;
    }
    const width = columnsOf(io.stdout);
    if (run.state === "needs-approval") {
      const plain = io.stdout.isTTY !== true || config.plain;
      if (kept?.summary) printPlan(io, kept.summary, { pool: run.pool, plain, showValues });
      const until = kept ? ` until ${new Date(kept.header.expiresAt).toISOString()}` : "";
      const sentence = `Nothing of it was written. It waits for an approval${until}: \`${commandLine(io, ["runs", "approve", id], flags)}\`, or \`${commandLine(io, ["runs", "cancel", id], flags)}\`.`;
      io.stdout.write(`\n${indent("", sentence, width)}`);
      return EXIT.done;
    }
    io.stdout.write(summaryText(summary, width, { command: (...words) => commandLine(io, words, flags) }));
    const asOf = new Date(run.asOf).toISOString();
    io.stdout.write(
      indent(
        "",
        `State: ${stateText(run.state, summary.books)}. Begun ${new Date(run.startedAt).toISOString()}, values as of ${asOf}.`,
        width,
      ),
    );
    const { pending } = summary.books;
    if (engine.kind === "redis" && run.state === "delivering" && pending > 0) {
      const sentence = `${counted(pending, "change waits", "changes wait")} for a worker: one has to run, such as \`${commandLine(io, ["worker", "--pools", run.pool], flags)}\`. \`${commandLine(io, ["status"], flags)}\` tells of holds.`;
      io.stdout.write(indent("", sentence, width));
    }
    return EXIT.done;
  });
}

async function approve({ io }: Context, id: string, flags: EngineFlags): Promise<number> {
  const { config, log } = await openConfig(io, flags);
  return withOwned(async (own) => {
    const engine = await openEngineOf(config, own, { log, io });
    await expireWaiting(engine, log);
    const { runs, plans } = engine.store;
    const { state, pool, feed } = await runOf(engine, id);
    if (state !== "needs-approval") throw notWaiting(id, state);
    // An altered plan is found here, by whoever approves it.
    const kept = await openKeptPlan(plans, engine.keyring, { run: id, now: Date.now() });
    if (kept === undefined) {
      throw new CommandError("not-waiting", `The plan of run ${id} is being made: try again in a moment.`);
    }
    if (!(await runs.turn(id, ["needs-approval"], "reading"))) throw notWaiting(id, (await runOf(engine, id)).state);
    log.warn({ run: id, plan: kept.header.id, pool, feed }, "run approved");
    await orderApproved(engine.queues, { feed, run: id });
    if (flags.json === true) io.stdout.write(`${JSON.stringify({ run: id, plan: kept.header.id, feed, pool })}\n`);
    else {
      const look = commandLine(io, ["runs", "show", id], flags);
      io.stdout.write(
        `Run ${id} goes on with plan ${kept.header.id}. A directory worker carries it out: \`${look}\`.\n`,
      );
    }
    return EXIT.done;
  });
}

async function cancel({ io }: Context, id: string, flags: EngineFlags): Promise<number> {
  const { config, log } = await openConfig(io, flags);
  return withOwned(async (own) => {
    const engine = await openEngineOf(config, own, { log, io });
    const { runs, plans } = engine.store;
    const { pool, feed } = await runOf(engine, id);
    // Those of applications and of single commands have no end.
    const isOpen =
      id !== directRunId(pool) && (await runs.turn(id, ["needs-approval", "reading", "delivering"], "cancelled"));
    const books = await runs.books(id);
    if (!isOpen) throw notOpen(await runOf(engine, id), books);
    await plans.drop(id);
    log.warn({ run: id, pool, feed }, "run cancelled");
    const { applied, pending } = books;
    if (flags.json === true) io.stdout.write(`${JSON.stringify({ run: id, feed, pool, applied, pending })}\n`);
    else io.stdout.write(indent("", `Run ${id} is cancelled. ${cancelledText(books)}`, columnsOf(io.stdout)));
    return EXIT.done;
  });
}

function notOpen({ id, state }: Run, books: Books): CommandError {
  const is = state === "delivering" ? "delivered" : state;
  const written =
    books.applied === 0
      ? ""
      : ` ${counted(books.applied, "change")} of it ${books.applied === 1 ? "was" : "were"} written.`;
  return new CommandError(
    "not-open",
    `Run ${id} is ${is}, and cannot be cancelled.${written} See \`poolsync runs list\`.`,
  );
}

async function runOf({ store }: Engine, id: string): Promise<Run> {
  const run = await store.runs.get(id);
  if (run === undefined) throw new CommandError("no-run", `There is no run \`${id}\`: see \`poolsync runs list\`.`);
  return run;
}

function notWaiting(id: string, state: string): CommandError {
  return new CommandError(
    "not-waiting",
    `Run ${id} is ${state}, and waits for no approval: see \`poolsync runs list\`.`,
  );
}

function describe({ id, pool, feed, state, asOf, startedAt, finishedAt, rows }: Run): object {
  return {
    run: id,
    feed,
    pool,
    state,
    rows,
    asOf: new Date(asOf).toISOString(),
    startedAt: new Date(startedAt).toISOString(),
    ...(finishedAt === undefined ? {} : { finishedAt: new Date(finishedAt).toISOString() }),
  };
}
