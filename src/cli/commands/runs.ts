/** `poolsync runs list|show`: passes over feeds, and their books. */
import type { Command } from "commander";
import { imbalance, type Books } from "../../core/books.ts";
import { withOwned } from "../../lifecycle.ts";
import type { Run } from "../../store/runs.ts";
import { commandLine } from "../command-line.ts";
import { EXIT } from "../exit-codes.ts";
import { CommandError } from "../failure-report.ts";
import { columnsOf } from "../io.ts";
import { engineOptions, openConfig, openEngineOf, type EngineFlags } from "../open.ts";
import { whole } from "../option-values.ts";
import type { Context } from "../program.ts";
import { age, count } from "../figures.ts";
import { stateText, summarise, summaryText } from "../summary.ts";
import { indent, table } from "../table.ts";

interface ListFlags extends EngineFlags {
  readonly limit?: number;
}

const LISTED = 20;

export function addRuns(program: Command, context: Context): void {
  const runs = program
    .command("runs")
    .description("Passes over feeds, and their books.")
    .addHelpText("after", "\nExamples:\n  $ poolsync runs list\n  $ poolsync runs show r-mwpw75al-0d0e85");
  engineOptions(
    runs
      .command("list")
      .description("The latest runs.")
      .option("--limit <number>", `so many at most (default: ${LISTED})`, whole(1)),
  )
    .addHelpText("after", "\nExamples:\n  $ poolsync runs list\n  $ poolsync runs list --limit 100 --json")
    .action(context.act((flags: ListFlags) => list(context, flags)));
  engineOptions(runs.command("show").description("One run, with its books and dead letters.").argument("<id>"))
    .addHelpText("after", "\nExamples:\n  $ poolsync runs show r-mwpw75al-0d0e85")
    .action(context.act((id: string, flags: EngineFlags) => show(context, id, flags)));
}

async function list({ io }: Context, flags: ListFlags): Promise<number> {
  const { config } = await openConfig(io, flags);
  return withOwned(async (own) => {
    const engine = await openEngineOf(config, own);
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
    return EXIT.done;
  });
}

async function show({ io }: Context, id: string, flags: EngineFlags): Promise<number> {
  const { config } = await openConfig(io, flags);
  return withOwned(async (own) => {
    const engine = await openEngineOf(config, own);
    const { runs, letters } = engine.store;
    const run = await runs.get(id);
    if (run === undefined) {
      throw new CommandError("no-run", `There is no run \`${id}\`: see \`poolsync runs list\`.`);
    }
    const durationMs = Math.max(0, (run.finishedAt ?? Date.now()) - run.startedAt);
    const summary = await summarise(runs, letters, id, { resumed: false, durationMs });
    if (flags.json === true) {
      const { balanced, deadLetters, books } = summary;
      io.stdout.write(`${JSON.stringify({ ...describe(run), books, balanced, deadLetters }, undefined, 2)}\n`);
      return EXIT.done;
    }
    const width = columnsOf(io.stdout);
    io.stdout.write(summaryText(summary, width, { command: (...words) => commandLine(io, words, flags) }));
    const asOf = new Date(run.asOf).toISOString();
    io.stdout.write(
      indent(
        "",
        `State: ${stateText(run.state, summary.books)}. Begun ${new Date(run.startedAt).toISOString()}, values as of ${asOf}.`,
        width,
      ),
    );
    return EXIT.done;
  });
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
