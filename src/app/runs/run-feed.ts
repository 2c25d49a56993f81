/** One run of a feed: from its beginning to the end of its deliveries. */
import { counted } from "../../core/amounts.ts";
import type { GuardSettings } from "../../core/guards.ts";
import type { Identifier } from "../../core/identifier.ts";
import { canonicalUsername } from "../../core/pool-schema.ts";
import { nextStep, sentence } from "../../core/sentence.ts";
import { putFeed, type FeedRow } from "../../delivery/feed-run.ts";
import { FeedError } from "../../feeds/feed-error.ts";
import type { RowTimes } from "../../plan/figures.ts";
import type { MissedFigures } from "../../plan/missed.ts";
import type { PlannedRow } from "../../plan/planned-row.ts";
import type { Run, Runs } from "../../store/runs.ts";
import { runLost, StoreError } from "../../store/store-error.ts";
import { workersOf } from "../../store/workers.ts";
import { AppError } from "../app-error.ts";
import { pauseOf } from "../gates/pause.ts";
import { keepBeforeImagesOfRun, keepsBeforeImages } from "../plans/before-images.ts";
import { stopDeliveries } from "./stop-deliveries.ts";
import { cancelledSentence } from "./cancel-run.ts";
import { keepReport, keptMissed, sweepReports } from "./kept-report.ts";
import { createReportFile, type ReportFile } from "./report-file.ts";
import type { RunContext } from "./run-context.ts";
import { freshRunId } from "./run-id.ts";
import { summarise, type RunSummary } from "./run-summary.ts";
import { waitUntilSettled } from "./settling.ts";

/** What a run puts. */
export interface RunSource {
  readonly name: string;
  /** The run that it goes on with, which was cut or approved; absent where a run is begun for it. */
  readonly run?: string;
  /** Blank where the run cannot be resumed. */
  readonly identity: string;
  readonly asOfMs: number;
  readonly totalRows?: number;
  /** For people; absent where no file says it. */
  readonly times?: RowTimes;
  /** What the feed's events had missed, by the plan; absent where that is nothing, or nobody can tell. */
  readonly missed?: MissedFigures | undefined;
  /** What the plan's scan found, to be kept where the run is to be undone; absent where nothing was looked at. */
  readonly plannedRows?: () => Iterable<PlannedRow>;
  /** Dead letters that were replayed before it; absent where none may heal. */
  readonly healed?: number;
  /** Whether `records` may be called again. */
  readonly rereadable: boolean;
  /** Ends a reading that is under way, which may wait for whoever writes; absent where it waits for nobody. */
  readonly stop?: () => Promise<void>;
  readonly identifier?: Identifier;
  readonly guards: Pick<GuardSettings, "protectUsers" | "protectAttributes">;
  records(asOfMs: number): AsyncIterable<FeedRow>;
}

/**
 * Runs a feed to its end: where the store forgets the run, it is begun again, unless it was to go on with just this
 * run. Throws an AppError `cancelled` where somebody has cancelled it, and `interrupted` where a signal stopped it.
 */
export async function runFeed(context: RunContext, source: RunSource): Promise<RunSummary> {
  for (;;) {
    try {
      return await runOnce(context, source);
    } catch (error) {
      if (!(error instanceof StoreError && error.kind === "run-lost")) throw error;
      if (!source.rereadable || source.run !== undefined) throw error;
      context.observe({ is: "forgotten", pool: context.pool.profile.id, feed: source.name });
    }
  }
}

/** A run that is under way, and how far it is. */
interface Progress {
  readonly run: Run;
  readonly report: ReportFile;
  /** What the feed's events had missed when the run was planned first. */
  readonly missed: MissedFigures | undefined;
  /** Values that were put and are older than what was written since. */
  stale: number;
  /** Rows put so far, those of earlier commands included. */
  rows: number;
  /** The cursor at the feed's end, once everything is put. */
  endsAt: string | undefined;
}

/** Puts and delivers at once: whichever fails first stops the other. */
async function runOnce(context: RunContext, source: RunSource): Promise<RunSummary> {
  const { engine, pool, interrupts, observe, detached } = context;
  const { runs } = engine.store;
  const startedAt = performance.now();
  const { run, resumed } = await beginRun(context, source);
  context.ownRuns?.add(run.id);
  // What it put before it was cut is to be woken.
  if (resumed && context.ownRuns) await Promise.all(context.deliveries.map((delivery) => delivery.wakeAll()));
  observe({ is: "started", run, resumed });
  const report = createReportFile(context.reportPath(run.id));
  const missed = (resumed ? await keptMissed(engine, run.id) : undefined) ?? source.missed;
  const progress: Progress = { run, report, missed, stale: 0, rows: run.rows.read, endsAt: undefined };
  const failed = new AbortController();
  const signal = AbortSignal.any([interrupts.drain, failed.signal, engine.store.lost, pool.refused]);
  const stopBoth = (error: unknown): never => {
    failed.abort();
    throw error;
  };
  const watch = watchForCancelling(runs, run.id, () => failed.abort());
  // Whoever writes a stream may write nothing more.
  signal.addEventListener("abort", () => void source.stop?.(), { once: true });
  const parts = [put(context, source, progress, signal).catch(stopBoth)];
  if (!detached) parts.push(settle(context, source, progress, signal).catch(stopBoth));
  try {
    await Promise.all(parts);
    if ((await runs.get(run.id))?.state === "cancelled") throw await cancelled(runs, run.id);
    if ((await runs.sweep(Date.now() - context.config.keepRunsMs)) > 0) await sweepReports(engine.store);
    const summary = await summarise(runs, engine.store.letters, run.id, {
      resumed,
      durationMs: Math.round(performance.now() - startedAt),
      ...(report.issues > 0 ? { report: report.path } : {}),
      ...(progress.stale === 0 ? {} : { stale: { values: progress.stale, ...source.times } }),
      ...(missed === undefined ? {} : { missed }),
      ...(source.healed === undefined ? {} : { healed: source.healed }),
    });
    const workers = detached ? await workersOf(engine.store, run.pool) : 0;
    const paused = detached ? await pauseOf(engine.store, run) : undefined;
    observe({ is: "finished", outcome: { summary, detached, putBefore: run.state === "delivering", workers, paused } });
    return summary;
  } catch (error) {
    await Promise.allSettled(parts);
    report.close();
    observe({ is: "stopped", run });
    engine.store.lost.throwIfAborted();
    pool.refused.throwIfAborted();
    const isRefused = error instanceof StoreError && error.kind === "run-cancelled";
    if (watch.isCancelled() || isRefused) throw await cancelled(runs, run.id);
    if (interrupts.drain.aborted && (isAbort(error) || source.stop))
      throw await interruptedRun(context, run, source, error);
    // A feed that is not what it was cannot go on where it is; any other failure can.
    if (error instanceof FeedError) await runs.advance(run.id, "failed");
    throw error;
  } finally {
    watch.end();
  }
}

async function put(context: RunContext, source: RunSource, progress: Progress, signal: AbortSignal): Promise<void> {
  const { config, engine, pool, deliveries, ownRuns, observe } = context;
  const { run, report, missed } = progress;
  const users = new Set(source.guards.protectUsers.map((name) => canonicalUsername(pool.profile, name)));
  const attributes = new Set(source.guards.protectAttributes);
  if (source.plannedRows && keepsBeforeImages(config, source.name))
    await keepBeforeImagesOfRun(engine, run, source.plannedRows());
  const keepUntil = Date.now() + config.keepRunsMs;
  // Whoever goes on with it plans what is left, and not what there was.
  if (missed) await keepReport(engine, context.log, run, { first: [], issues: 0, missed }, keepUntil);
  const cursor = await putFeed({
    engine,
    profile: pool.profile,
    names: pool.names,
    ...(source.identifier === undefined ? {} : { identifier: source.identifier }),
    isProtected: { user: (name) => users.has(name), attribute: (name) => attributes.has(name) },
    run,
    records: source.records(run.asOf),
    report: (issue) => report.add(issue),
    progress: (rows) => (progress.rows = rows),
    stale: (values) => (progress.stale += values),
    deliversOwn: ownRuns !== undefined,
    ...(deliveries.length === 0 ? { onStill: onceOnly(() => observe({ is: "stalled", run, while: "putting" })) } : {}),
    signal,
  });
  report.close();
  const { first, issues } = report;
  await keepReport(engine, context.log, run, { first, issues, missed }, Date.now() + config.keepRunsMs);
  await engine.store.runs.advance(run.id, "delivering");
  progress.endsAt = cursor;
}

function onceOnly(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}

async function settle(context: RunContext, source: RunSource, progress: Progress, signal: AbortSignal): Promise<void> {
  const { engine, deliveries, observe } = context;
  const { run } = progress;
  const { runs } = engine.store;
  await waitUntilSettled({
    engine,
    deliveries,
    runs: [run.id],
    pools: [run.pool],
    allPut: () => progress.endsAt !== undefined,
    onLook: (books) => observe({ is: "progress", books, rows: progress.rows, totalRows: source.totalRows }),
    onHold: (standstill) => observe({ is: "held", standstill }),
    ...(deliveries.length === 0 ? { onStill: () => observe({ is: "stalled", run, while: "delivering" }) } : {}),
    signal,
  });
  // Nothing pending is no proof where the store has forgotten the last pages.
  if ((await runs.get(run.id))?.cursor !== progress.endsAt) throw runLost(run.id);
  await runs.advance(run.id, "finished");
}

/** How often is looked whether somebody has cancelled the run. */
const CANCELLED_LOOK_MS = 1000;

function watchForCancelling(runs: Runs, run: string, onCancelled: () => void) {
  let isCancelled = false;
  const timer = setInterval(() => {
    // Whether it was cancelled is seen the next time where it cannot be seen now.
    runs.get(run).then(
      (now) => {
        if (now?.state !== "cancelled") return;
        isCancelled = true;
        onCancelled();
      },
      () => undefined,
    );
  }, CANCELLED_LOOK_MS);
  return { isCancelled: () => isCancelled, end: () => clearInterval(timer) };
}

async function cancelled(runs: Runs, run: string): Promise<AppError> {
  const { applied, discarded, pending } = await runs.books(run);
  const became = cancelledSentence({ applied, discarded: discarded + pending, inFlight: 0 });
  return new AppError("cancelled", `Run ${run} was cancelled. ${became}`);
}

/** Begins the run, or goes on with the one that the same command left. */
async function beginRun({ engine, pool }: RunContext, source: RunSource): Promise<{ run: Run; resumed: boolean }> {
  const { runs } = engine.store;
  if (source.run !== undefined) {
    const run = await runs.get(source.run);
    if (run === undefined) throw runLost(source.run);
    if (run.state === "cancelled") throw await cancelled(runs, run.id);
    return { run, resumed: true };
  }
  const beginning = {
    id: freshRunId(),
    source: "file" as const,
    pool: pool.profile.id,
    feed: source.name,
    identity: source.identity,
    asOf: source.asOfMs,
  };
  const begun = await runs.begin(beginning);
  // A run that was put with --detach is over when nothing of it is pending; the same command then means a new one.
  if (!begun.resumed || begun.run.state !== "delivering" || (await runs.books(begun.run.id)).pending > 0) return begun;
  await runs.advance(begun.run.id, "finished");
  return runs.begin(beginning);
}

async function interruptedRun(context: RunContext, run: Run, source: RunSource, cause: unknown): Promise<AppError> {
  const { interrupts, engine, deliveries, observe } = context;
  await stopDeliveries(deliveries, interrupts);
  const { pending } = await engine.store.runs.books(run.id);
  observe({ is: "interrupted", run, pending });
  const changes = counted(pending, "change stays", "changes stay");
  const isDelivered = (await workersOf(engine.store, run.pool)) > 0;
  const others = isDelivered ? "workers go on with them, " : engine.kind === "redis" ? "no worker is alive, " : "";
  const leftovers = isDelivered ? "" : "the next sync into the pool with --leftovers delivers them, ";
  const next = source.rereadable
    ? `${others}the same command goes on where this one stopped`
    : `${others}${leftovers}what was not read is to be given again`;
  const queued = `Interrupted. ${changes} queued, in run ${run.id}: ${next}`;
  const cancels = nextStep("runs", "cancel", run.id);
  return new AppError("interrupted", sentence`${queued}, and ${cancels} discards them.`, {
    cause,
    category: "interrupted",
  });
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}
