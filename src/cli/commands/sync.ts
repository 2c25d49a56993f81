/** `poolsync sync`: a file goes in, users in a pool change. */
import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import { ConfigError } from "../../config-error.ts";
import { choosePool } from "../../config.ts";
import { VERIFIED } from "../../core/unit.ts";
import { FeedError } from "../../feeds/feed-error.ts";
import type { Mapping } from "../../feeds/mapping.ts";
import { withOwned } from "../../lifecycle.ts";
import type { Delivery } from "../../queues/delivery.ts";
import { putFeed } from "../../queues/feed-run.ts";
import type { Pool } from "../../queues/pool.ts";
import type { Run } from "../../store/runs.ts";
import { runLost, StoreError } from "../../store/store-error.ts";
import { commandLine } from "../command-line.ts";
import { choice } from "../option-values.ts";
import { EXIT } from "../exit-codes.ts";
import { identityOf, mappingOf, openInput, recordsOf, type FeedFlags, type FeedInput } from "../feed-input.ts";
import { CommandError } from "../failure-report.ts";
import { columnsOf, tell, type Io } from "../io.ts";
import {
  cognitoOptions,
  engineOptions,
  openChosenPool,
  openClients,
  openConfig,
  openEngineOf,
  type CognitoFlags,
  type Opened,
  type PoolMeans,
} from "../open.ts";
import type { Context } from "../program.ts";
import { counted } from "../figures.ts";
import { createProgress } from "../progress.ts";
import { createReportFile } from "../report-file.ts";
import { waitUntilSettled } from "../settling.ts";
import { stopDeliveries } from "../stopping.ts";
import { isWhole, summarise, summaryText, type RunSummary } from "../summary.ts";
import { indent } from "../table.ts";

interface SyncFlags extends CognitoFlags, FeedFlags {
  readonly userPoolId?: string;
  readonly feed?: string;
  readonly report?: string;
  readonly detach?: boolean;
}

export function addSync(program: Command, context: Context): void {
  const command = program
    .command("sync")
    .description("Put the values of a file into a user pool, and wait until all is applied or set aside.")
    .argument("[files...]", "CSV, NDJSON or JSON, also .gz; `-` is standard input")
    .option("--user-pool-id <id>", "the user pool, by id or by its name in poolsync.yaml")
    .option("--feed <name>", "take file, pool and mapping from this feed of poolsync.yaml")
    .option("--username-column <column>", "the column that names the user (default: username)")
    .option(
      "--verified <what>",
      "a changed e-mail or phone number: mark it verified, ask the person, or keep the flag",
      choice("--verified", VERIFIED),
    )
    .option(
      "--as-of <time>",
      "when the values were true: ISO 8601 with a zone, or epoch (default: the file's modification time)",
    )
    .option("--ignore-unknown", "ignore columns that are no attribute of the pool")
    .option("--encoding <label>", "of the file, where it is neither UTF-8 nor UTF-16 with a BOM");
  cognitoOptions(command)
    .option("--detach", "put the changes and leave: workers deliver them (needs REDIS_URL)")
    .option("--stream", "read standard input once as it comes, without a first pass and without resuming")
    .option("--report <file>", "where rows that were not put are listed (default: here, under the name of the run)");
  engineOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync sync users.csv --user-pool-id eu-west-1_Example --verified mark
  $ zcat export.ndjson.gz | poolsync sync - --user-pool-id eu-west-1_Example
  $ poolsync sync --feed hr --json

The first Ctrl-C finishes the calls under way and leaves the rest queued; the
same command goes on. Exit codes: 0 all applied; 1 failed; 2 finished, with dead
letters or invalid input; 64 wrong usage or configuration; 130 interrupted.`,
    )
    .action(context.act((files: string[], flags: SyncFlags) => sync(context.io, files, flags)));
}

/** What every run of the command shares. */
interface Session extends Opened {
  readonly io: Io;
  readonly flags: SyncFlags;
  readonly engine: PoolMeans["engine"];
  readonly pool: Pool;
  /** None with --detach. */
  readonly deliveries: readonly Delivery[];
}

async function sync(io: Io, files: readonly string[], flags: SyncFlags): Promise<number> {
  const opened = await openConfig(io, flags);
  const { config, log } = opened;
  if (flags.feed !== undefined && !Object.hasOwn(config.feeds, flags.feed)) {
    const names = Object.keys(config.feeds).join(", ") || "none";
    throw new ConfigError([
      { path: "--feed", message: `Expected a feed of poolsync.yaml (there are: ${names}), got \`${flags.feed}\`` },
    ]);
  }
  const setting = flags.feed === undefined ? undefined : config.feeds[flags.feed];
  const feed = flags.feed === undefined || setting === undefined ? undefined : { name: flags.feed, setting };
  const paths = files.length > 0 ? files : feed?.setting.file === undefined ? [] : [feed.setting.file];
  const poolName = flags.userPoolId ?? feed?.setting.pool;
  if (paths.length === 0) throw usage("FILE", "Expected at least one file, or `-` for standard input");
  if (poolName === undefined)
    throw usage("--user-pool-id", "Expected the user pool: give --user-pool-id eu-west-1_Example");
  if (paths.filter((path) => path === "-").length > 1)
    throw usage("FILE", "Expected `-` once: standard input can be read only once");
  if (paths.length > 1 && flags.report !== undefined) {
    throw usage("--report", "Expected one file with --report: of several files each has a report of its own");
  }
  if (flags.detach === true && config.redisUrl === undefined) {
    throw usage(
      "--detach",
      "Expected REDIS_URL: the embedded engine has no workers that could deliver after this command has ended",
    );
  }
  const chosen = choosePool(config, poolName, flags);

  return withOwned(async (own) => {
    const inputs: FeedInput[] = [];
    for (const path of paths) {
      inputs.push(
        await openInput(path, {
          flags,
          feed,
          spoolDir: config.dataDir,
          stdin: io.stdin,
          now: Date.now(),
          own,
          signal: io.interrupts.drain,
        }),
      );
    }
    const engine = await openEngineOf(config, own, log);
    const clients = openClients(config, own);
    const pool = await openChosenPool({ config, log, engine, clients, own }, chosen);
    const planned = inputs.map((input) => ({ input, mapping: mappingOf(input, feed, flags, pool.profile) }));
    const deliveries = flags.detach === true ? [] : [await pool.deliver()];
    own(deliveries, (all) => stopDeliveries(all, io.interrupts));
    const session: Session = { ...opened, io, flags, engine, pool, deliveries };

    const summaries: RunSummary[] = [];
    for (const { input, mapping } of planned) {
      summaries.push(await carryOut(session, input, mapping));
    }
    if (flags.json === true) {
      const [only] = summaries;
      io.stdout.write(`${JSON.stringify(summaries.length === 1 ? only : { runs: summaries }, undefined, 2)}\n`);
    }
    return summaries.every(isWhole) ? EXIT.done : EXIT.partial;
  });
}

/** A run until it has come to its end: where the store forgets it, it is begun again. */
async function carryOut(session: Session, input: FeedInput, mapping: Mapping): Promise<RunSummary> {
  for (;;) {
    try {
      return await carryOutOnce(session, input, mapping);
    } catch (error) {
      if (!(error instanceof StoreError && error.kind === "run-lost") || !input.source.rereadable) throw error;
      session.log.warn({ pool: session.pool.profile.id, feed: input.name }, "run forgotten, begun again");
    }
  }
}

/** One run, from its beginning to the end of its deliveries. */
async function carryOutOnce(session: Session, input: FeedInput, mapping: Mapping): Promise<RunSummary> {
  const { io, flags, engine, pool, deliveries, log, lively } = session;
  const { runs, letters } = engine.store;
  const startedAt = performance.now();
  const { run, resumed } = await beginRun(session, input, mapping);
  log.info({ run: run.id, pool: run.pool, feed: run.feed, resumed }, "run started");
  const report = createReportFile(flags.report ?? `poolsync-report-${run.id}.ndjson`);
  const progress = createProgress(io.stderr, lively);
  const say = (sentence: string): void => {
    progress.clear();
    tell(io, sentence);
  };
  const failed = new AbortController();
  const signal = AbortSignal.any([io.interrupts.drain, failed.signal]);
  let rows = run.rows.read;
  let endsAt: string | undefined;
  let toldStill = false;
  const tellStill = (): void => {
    if (toldStill) return;
    toldStill = true;
    const worker = commandLine(io, ["worker", "--pools", run.pool], flags);
    say(
      `The rest of the file waits: many users are due, and none was delivered for a while. Unless a worker runs, start one: ${worker}; \`${commandLine(io, ["status"], flags)}\` tells of holds.`,
    );
  };
  const put = async (): Promise<void> => {
    const records = recordsOf(input, mapping, run.asOf);
    const cursor = await putFeed({
      engine,
      profile: pool.profile,
      links: pool.links,
      ...(mapping.identifier === undefined ? {} : { identifier: mapping.identifier }),
      run,
      records,
      report: (issue) => report.add(issue),
      progress: (at) => (rows = at),
      ...(flags.detach === true ? { onStill: tellStill } : {}),
      signal,
    });
    report.close();
    await runs.advance(run.id, "delivering");
    endsAt = cursor;
  };
  const settled = async (): Promise<void> => {
    await waitUntilSettled({
      engine,
      deliveries,
      runs: [run.id],
      pools: [run.pool],
      // With --detach others deliver: then it is enough that everything was put.
      allPut: () => endsAt !== undefined,
      onLook: (books) =>
        progress.show({
          ...books,
          rows,
          ...(input.checked ? { totalRows: input.checked.records + input.checked.faults } : {}),
        }),
      onHeld: say,
      signal,
    });
    // Nothing pending is no proof where the store has forgotten the last pages.
    if ((await runs.get(run.id))?.cursor !== endsAt) throw runLost(run.id);
    await runs.advance(run.id, "finished");
  };
  const stopBoth = (error: unknown): never => {
    failed.abort();
    throw error;
  };
  const parts = [put().catch(stopBoth), ...(flags.detach === true ? [] : [settled().catch(stopBoth)])];
  try {
    await Promise.all(parts);
  } catch (error) {
    await Promise.allSettled(parts);
    report.close();
    progress.stop();
    if (isAbort(error) && io.interrupts.drain.aborted) {
      throw await interruptedRun(session, run, input, error);
    }
    // A feed that is not what it was cannot go on where it is; any other failure can.
    if (error instanceof FeedError) await runs.advance(run.id, "failed");
    throw error;
  }
  progress.stop();
  const durationMs = Math.round(performance.now() - startedAt);
  const summary = await summarise(runs, letters, run.id, {
    resumed,
    durationMs,
    ...(report.issues > 0 ? { report: report.path } : {}),
  });
  log.info(
    { run: run.id, pool: run.pool, rows: summary.rows, books: summary.books, durationMs },
    flags.detach === true ? "run put" : "run finished",
  );
  if (flags.json !== true) printSummary(session, summary, run.state === "delivering");
  return summary;
}

/** Begins the run, or goes on with the one that the same command left. */
async function beginRun(session: Session, input: FeedInput, mapping: Mapping): Promise<{ run: Run; resumed: boolean }> {
  const { engine, pool } = session;
  const { runs } = engine.store;
  const id = `r-${Date.now().toString(36)}-${randomBytes(3).toString("hex")}`;
  const wanted = {
    id,
    pool: pool.profile.id,
    feed: input.name,
    identity: identityOf(input, pool.profile.id, mapping),
    asOf: input.asOfMs,
  };
  const begun = await runs.begin(wanted);
  // A run that was put with --detach is over when nothing of it is pending; the same command then means a new one.
  if (!begun.resumed || begun.run.state !== "delivering" || (await runs.books(begun.run.id)).pending > 0) return begun;
  await runs.advance(begun.run.id, "finished");
  return runs.begin(wanted);
}

async function interruptedRun(session: Session, run: Run, input: FeedInput, cause: unknown): Promise<CommandError> {
  const { io, engine, deliveries, log } = session;
  await stopDeliveries(deliveries, io.interrupts);
  const { pending } = await engine.store.runs.books(run.id);
  log.info({ run: run.id, pool: run.pool, pending }, "run interrupted");
  const changes = counted(pending, "change stays", "changes stay");
  const next = input.source.rereadable
    ? "the same command goes on where this one stopped"
    : "the next sync into the pool delivers them, and what was not read is to be given again";
  return new CommandError("interrupted", `Interrupted. ${changes} queued, in run ${run.id}; ${next}.`, {
    cause,
    exitCode: EXIT.interrupted,
  });
}

/** `before`: an earlier command had put the whole feed already, and not all of it was delivered. */
function printSummary({ io, flags }: Session, summary: RunSummary, before: boolean): void {
  const width = columnsOf(io.stdout);
  const command = (...words: readonly string[]): string => commandLine(io, words, flags);
  const { run, feed, rows, books, resumed } = summary;
  if (flags.detach === true) {
    const what = before
      ? `${feed} was put by an earlier command, in run ${run}, and ${counted(books.pending, "change", "changes")} of it ${books.pending === 1 ? "is" : "are"} pending.`
      : `${counted(rows.read, "row was", "rows were")} put from ${feed}, in run ${run}.`;
    const sentence = `${what} Workers deliver them; look with \`${command("runs", "show", run)}\`.`;
    io.stdout.write(indent("", sentence, width));
    return;
  }
  const origin = before ? "put by an earlier command, and delivered now" : "went on where it was cut";
  io.stdout.write(summaryText(summary, width, { command, ...(resumed ? { origin } : {}) }));
}

function usage(path: string, message: string): CommandError {
  return new CommandError("usage", path === "FILE" ? message : `${path}: ${message}`, { exitCode: EXIT.usage });
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}
