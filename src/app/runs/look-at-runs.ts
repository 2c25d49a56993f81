/** What is to be seen of runs: the latest with their books, or one with its plan where it waits for an approval. */
import type { Books } from "../../core/books.ts";
import type { Log } from "../../log.ts";
import { nextStep, sentence } from "../../core/sentence.ts";
import type { Example } from "../../plan/figures.ts";
import { checkStoredPlan, readStoredPlan } from "../../plan/stored-plan.ts";
import type { PlanHeader, PlanSummary, WrittenPlan } from "../../plan/plan-lines.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Run } from "../../store/runs.ts";
import { workersOf } from "../../store/workers.ts";
import { AppError } from "../app-error.ts";
import { pauseOf, type PausedGate } from "../gates/pause.ts";
import { expireWaiting } from "./approvals.ts";
import { defined } from "../../core/defined.ts";
import { findRun } from "./find-run.ts";
import { keptMissed } from "./kept-report.ts";
import { isWaitingFlood } from "../events/flood-gate.ts";
import { summarise, type RunSummary } from "./run-summary.ts";
import { readWaitingEvents, type WaitingEvents } from "./waiting-events.ts";

export interface ListedRun {
  readonly run: Run;
  readonly books: Books;
}

/** The newest first. */
export async function listRuns(engine: Engine, log: Log, limit: number): Promise<readonly ListedRun[]> {
  await expireWaiting(engine, log);
  await engine.store.damaged.reckon();
  const listed: ListedRun[] = [];
  for (const run of await engine.store.runs.list(limit)) {
    listed.push({ run, books: await engine.store.runs.books(run.id) });
  }
  return listed;
}

export interface ShownRun {
  readonly run: Run;
  readonly summary: RunSummary;
  /** The plan that is kept for an approval. */
  readonly kept: WrittenPlan | undefined;
  /** What waits for one, of events. */
  readonly waiting: WaitingEvents | undefined;
  /** True where workers deliver, and not the command that put the run. */
  readonly othersDeliver: boolean;
  /** How many workers are alive that deliver to the run's pool. */
  readonly workers: number;
  /** What keeps the run's changes. */
  readonly paused: PausedGate | undefined;
}

/** Throws an AppError `no-run`. */
export async function showRun(engine: Engine, log: Log, id: string): Promise<ShownRun> {
  await expireWaiting(engine, log);
  await engine.store.damaged.reckon();
  const { runs, letters, plans } = engine.store;
  const run = await findRun(engine, id);
  const kept = await checkStoredPlan({ plans, keyring: engine.keyring }, run, 0);
  const durationMs = Math.max(0, (run.finishedAt ?? Date.now()) - run.startedAt);
  const missed = await keptMissed(engine, id);
  const summary = await summarise(runs, letters, id, defined({ resumed: false, durationMs, missed }));
  const workers = await workersOf(engine.store, run.pool);
  const paused = await pauseOf(engine.store, run);
  const waiting = isWaitingFlood(run) ? await readWaitingEvents(engine, run) : undefined;
  return { run, summary, kept, waiting, othersDeliver: engine.kind === "redis", workers, paused };
}

export interface KeptPlan {
  readonly run: Run;
  readonly header: PlanHeader;
  readonly summary: PlanSummary;
  readonly changes: readonly Example[];
}

/** The plan of a run that waits for an approval, with its changes. Throws an AppError `no-run` or `not-waiting`. */
export async function readKeptPlan(engine: Engine, log: Log, id: string): Promise<KeptPlan> {
  await expireWaiting(engine, log);
  const run = await findRun(engine, id);
  const kept = await readStoredPlan({ plans: engine.store.plans, keyring: engine.keyring }, run, 0);
  if (kept?.summary) return { run, header: kept.header, summary: kept.summary, changes: kept.changes };
  if (isWaitingFlood(run)) {
    throw new AppError(
      "not-waiting",
      sentence`Run ${id} is of events, and has no plan: ${nextStep("runs", "show", id)} tells what waits in it.`,
    );
  }
  throw new AppError(
    "not-waiting",
    sentence`Run ${id} is ${run.state}, and no plan of it is kept: ${nextStep("runs", "show", id)} tells what it did, and ${nextStep("plan", "--html", "FILE")} makes a page of what a sync would do.`,
  );
}
