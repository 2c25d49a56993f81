/** The way back of a run: a plan that puts back what was there before, but for what has changed since. */
import { setTimeout as sleep } from "node:timers/promises";
import { count } from "../../core/amounts.ts";
import type { GuardSettings } from "../../core/guards.ts";
import { nextStep, sentence } from "../../core/sentence.ts";
import type { Config } from "../../config/config.ts";
import { sortOutRun } from "../../delivery/kept-users.ts";
import type { Plan } from "../../plan/plan.ts";
import { openWayBack } from "../../plan/way-back.ts";
import type { Store } from "../../store/store.ts";
import type { Run } from "../../store/runs.ts";
import { AppError } from "../app-error.ts";
import { findRun } from "../runs/find-run.ts";
import type { RunSource } from "../runs/run-feed.ts";
import { planAll, type PlanningDeps } from "./make-plans.ts";

/** How often is looked whether the calls of a cancelled run have ended. */
const LOOK_EVERY_MS = 200;

/**
 * The run, of which nothing is under way any more: of one that was cancelled the calls in flight are waited for. Throws
 * an AppError `no-run` or `not-undoable`.
 */
export async function findUndoable(store: Store, id: string, signal: AbortSignal): Promise<Run> {
  for (;;) {
    const run = await findRun({ store }, id);
    const { pending } = await store.runs.books(id);
    if (pending === 0) return run;
    if (run.state !== "cancelled") throw stillPending(id, pending);
    await sortOutRun(store, run, signal);
    await sleep(LOOK_EVERY_MS, undefined, { signal });
  }
}

function stillPending(id: string, pending: number): AppError {
  return new AppError(
    "not-undoable",
    sentence`Of run ${id} ${count(pending)} changes are still pending: let them be delivered, or end it with ${nextStep("runs", "cancel", id)}; ${nextStep("runs", "show", id)} tells how far it is.`,
  );
}

export interface WayBackPlan {
  readonly plan: Plan;
  /** What a run of the plan puts. */
  readonly source: RunSource;
}

/** Plans the way back. Throws an AppError `not-undoable` where nothing is kept of what was there before. */
export async function planWayBack(
  deps: PlanningDeps,
  config: Pick<Config, "feeds" | "guards">,
  { id, feed, startedAt }: Run,
): Promise<WayBackPlan> {
  const { engine, pool } = deps;
  const { profile } = pool;
  const now = Date.now();
  const back = await openWayBack(engine.store, { keyring: engine.keyring, profile }, id, {
    timeMs: now,
    begunAt: startedAt,
  });
  if (!back) {
    throw new AppError(
      "not-undoable",
      `Nothing is kept of what was there before run ${id}: it was made without keepBefore, it wrote nothing, or that was long ago.`,
    );
  }
  const setting = Object.hasOwn(config.feeds, feed) ? config.feeds[feed] : undefined;
  // What is put back was there before: that it is blank, or the same for many, marks no wrong file.
  const unmarked = { cleared: undefined, sameValue: undefined, shape: undefined };
  const guards: GuardSettings = { ...(setting?.guards ?? config.guards), ...unmarked };
  const mapping = { identifier: "username", attributes: [] } as const;
  const input = { feed: `undo ${id}`, records: back.records(), mapping, guards };
  const [plan] = await planAll(deps, [input], "live");
  if (!plan) throw new Error("Expected a plan of the way back");
  const source: RunSource = {
    name: plan.feed,
    // Begun again it finds what was put back already, and does the rest.
    identity: "",
    asOfMs: now,
    totalRows: plan.figures.rows.read,
    rereadable: true,
    guards,
    records: () => plan.feedRows(),
    plannedRows: () => plan.rows(),
  };
  return { plan, source };
}
