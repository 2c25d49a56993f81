/** One run at the command line: from its beginning to the end of its deliveries. */
import { randomBytes } from "node:crypto";
import type { Identifier } from "../../core/identifier.ts";
import type { GuardSettings } from "../../core/guards.ts";
import { canonicalUsername } from "../../core/pool-schema.ts";
import type { JudgedRow } from "../../plan/judged-row.ts";
import { FeedError } from "../../feeds/feed-error.ts";
import type { Delivery } from "../../delivery/delivery.ts";
import { putFeed, type FeedRow } from "../../delivery/feed-run.ts";
import type { Pool } from "../../delivery/pool.ts";
import type { Run, Runs } from "../../store/runs.ts";
import { runLost, StoreError } from "../../store/store-error.ts";
import { commandLine } from "../../cli/command-line.ts";
import { EXIT } from "../../cli/exit-codes.ts";
import { CommandError } from "../app-error.ts";
import { counted } from "../../views/figures.ts";
import { columnsOf, tell, type Io } from "../../cli/io.ts";
import type { CognitoFlags, Opened, PoolMeans } from "../opening.ts";
import { keepBeforeRun, keepsBefore } from "../plans/before-images.ts";
import { createProgress } from "../../cli/progress.ts";
import { createReportFile } from "./report-file.ts";
import { waitUntilSettled } from "./settling.ts";
import { stopDeliveries } from "../workers/stopping.ts";
import { cancelledText, summarise, summaryText, type RunSummary } from "../../views/run-summary.ts";
import { indent } from "../../views/table.ts";

export interface RunFlags extends CognitoFlags {
  readonly report?: string;
  readonly detach?: boolean;
}

/** What every run of a command shares. */
export interface Session extends Opened {
  readonly io: Io;
  readonly flags: RunFlags;
  readonly engine: PoolMeans["engine"];
  readonly pool: Pool;
  /** None with --detach, and where the fleet delivers. */
  readonly deliveries: readonly Delivery[];
  /** Where a run's report is written unless --report says it. */
  readonly reportPath?: (run: string) => string;
}

/** What a run puts. */
export interface RunSource {
  readonly name: string;
  /** The run that it goes on with, which was cut or approved; absent where a run is begun for it. */
  readonly run?: string;
  /** Blank where the run cannot be resumed. */
  readonly identity: string;
  readonly asOfMs: number;
  readonly totalRows?: number;
  /** What the plan's scan found, to be kept where the run is to be undone; absent where nothing was looked at. */
  readonly judged?: () => Iterable<JudgedRow>;
  /** Dead letters that were replayed before it; absent where none may heal. */
  readonly healed?: number;
  /** Whether `records` may be called again. */
  readonly rereadable: boolean;
  readonly identifier?: Identifier;
  readonly guards: Pick<GuardSettings, "protectUsers" | "protectAttributes">;
  records(asOfMs: number): AsyncIterable<FeedRow>;
}

/**
 * A run until it has come to its end: where the store forgets it, it is begun again, unless it was to go on with just
 * this run. Throws a CommandError `cancelled` where somebody has cancelled it.
 */
export async function carryOut(session: Session, source: RunSource): Promise<RunSummary> {
  for (;;) {
    try {
      return await carryOutOnce(session, source);
    } catch (error) {
      if (!(error instanceof StoreError && error.kind === "run-lost")) throw error;
      if (!source.rereadable || source.run !== undefined) throw error;
      session.log.warn({ pool: session.pool.profile.id, feed: source.name }, "run forgotten, begun again");
    }
  }
}

/** One run, from its beginning to the end of its deliveries. */
async function carryOutOnce(session: Session, source: RunSource): Promise<RunSummary> {
  const { io, flags, engine, pool, deliveries, log, lively } = session;
  const { runs, letters } = engine.store;
  const startedAt = performance.now();
  const { run, resumed } = await beginRun(session, source);
  log.info({ run: run.id, pool: run.pool, feed: run.feed, resumed }, "run started");
  const users = new Set(source.guards.protectUsers.map((name) => canonicalUsername(pool.profile, name)));
  const attributes = new Set(source.guards.protectAttributes);
  const isProtected = { user: (name: string) => users.has(name), attribute: (name: string) => attributes.has(name) };
  const report = createReportFile(flags.report ?? session.reportPath?.(run.id) ?? `poolsync-report-${run.id}.ndjson`);
  const progress = createProgress(io.stderr, lively);
  const say = (sentence: string): void => {
    progress.clear();
    tell(io, sentence);
  };
  const failed = new AbortController();
  const signal = AbortSignal.any([io.interrupts.drain, failed.signal, engine.store.foreign]);
  let rows = run.rows.read;
  let endsAt: string | undefined;
  let toldStill = false;
  const othersDeliver = deliveries.length === 0;
  const logStill = (): void => log.warn({ run: run.id, pool: run.pool }, "nothing is delivered");
  const tellStill = (): void => {
    if (toldStill) return;
    toldStill = true;
    logStill();
    const worker = commandLine(io, ["worker", "--pools", run.pool], flags);
    say(
      `The rest of the file waits: many users are due, and none was delivered for a while. Unless a worker runs, start one: ${worker}; \`${commandLine(io, ["status"], flags)}\` tells of holds.`,
    );
  };
  const put = async (): Promise<void> => {
    if (source.judged && keepsBefore(session.config, source.name)) {
      await keepBeforeRun(engine, run, source.judged());
    }
    const cursor = await putFeed({
      engine,
      profile: pool.profile,
      names: pool.names,
      ...(source.identifier === undefined ? {} : { identifier: source.identifier }),
      isProtected,
      run,
      records: source.records(run.asOf),
      report: (issue) => report.add(issue),
      progress: (at) => (rows = at),
      ...(othersDeliver ? { onStill: tellStill } : {}),
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
          ...(source.totalRows === undefined ? {} : { totalRows: source.totalRows }),
        }),
      onHeld: say,
      ...(othersDeliver ? { onStill: logStill } : {}),
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
  let isCancelled = false;
  const watch = setInterval(() => {
    // Whether it was cancelled is seen the next time where it cannot be seen now.
    runs.get(run.id).then(
      (now) => {
        if (now?.state !== "cancelled") return;
        isCancelled = true;
        failed.abort();
      },
      () => undefined,
    );
  }, CANCELLED_LOOK_MS);
  const parts = [put().catch(stopBoth), ...(flags.detach === true ? [] : [settled().catch(stopBoth)])];
  try {
    await Promise.all(parts);
  } catch (error) {
    await Promise.allSettled(parts);
    clearInterval(watch);
    report.close();
    progress.stop();
    engine.store.foreign.throwIfAborted();
    const isRefused = error instanceof StoreError && error.kind === "run-cancelled";
    if (isCancelled || isRefused) throw await cancelled(runs, run.id);
    if (isAbort(error) && io.interrupts.drain.aborted) {
      throw await interruptedRun(session, run, source, error);
    }
    // A feed that is not what it was cannot go on where it is; any other failure can.
    if (error instanceof FeedError) await runs.advance(run.id, "failed");
    throw error;
  }
  clearInterval(watch);
  progress.stop();
  if ((await runs.get(run.id))?.state === "cancelled") throw await cancelled(runs, run.id);
  await runs.sweep(Date.now() - session.config.keepRunsMs);
  const durationMs = Math.round(performance.now() - startedAt);
  const summary = await summarise(runs, letters, run.id, {
    resumed,
    durationMs,
    ...(report.issues > 0 ? { report: report.path } : {}),
    ...(source.healed === undefined ? {} : { healed: source.healed }),
  });
  log.info(
    { run: run.id, pool: run.pool, rows: summary.rows, books: summary.books, durationMs },
    flags.detach === true ? "run put" : "run finished",
  );
  if (flags.json !== true) printSummary(session, summary, run.state === "delivering");
  return summary;
}

/** How often is looked whether somebody has cancelled the run. */
const CANCELLED_LOOK_MS = 1000;

async function cancelled(runs: Runs, run: string): Promise<CommandError> {
  return new CommandError("cancelled", `Run ${run} was cancelled. ${cancelledText(await runs.books(run))}`);
}

/** An id that no other run has; those of later runs are later in the alphabet. */
export function freshRunId(): string {
  return `r-${Date.now().toString(36)}-${randomBytes(3).toString("hex")}`;
}

/** Begins the run, or goes on with the one that the same command left. */
async function beginRun(session: Session, source: RunSource): Promise<{ run: Run; resumed: boolean }> {
  const { engine, pool } = session;
  const { runs } = engine.store;
  if (source.run !== undefined) {
    const run = await runs.get(source.run);
    if (run === undefined) throw runLost(source.run);
    if (run.state === "cancelled") throw await cancelled(runs, run.id);
    return { run, resumed: true };
  }
  const id = freshRunId();
  const wanted = {
    id,
    pool: pool.profile.id,
    feed: source.name,
    identity: source.identity,
    asOf: source.asOfMs,
  };
  const begun = await runs.begin(wanted);
  // A run that was put with --detach is over when nothing of it is pending; the same command then means a new one.
  if (!begun.resumed || begun.run.state !== "delivering" || (await runs.books(begun.run.id)).pending > 0) return begun;
  await runs.advance(begun.run.id, "finished");
  return runs.begin(wanted);
}

async function interruptedRun(session: Session, run: Run, source: RunSource, cause: unknown): Promise<CommandError> {
  const { io, engine, deliveries, log } = session;
  await stopDeliveries(deliveries, io.interrupts);
  const { pending } = await engine.store.runs.books(run.id);
  log.info({ run: run.id, pool: run.pool, pending }, "run interrupted");
  const changes = counted(pending, "change stays", "changes stay");
  const next = source.rereadable
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

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}
