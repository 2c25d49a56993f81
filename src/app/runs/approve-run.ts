/** Has a run go on that a guard has stopped: with exactly the plan that was shown, or, of events, with all that waits. */
import { runGate } from "../../core/gate.ts";
import { nextStep, sentence } from "../../core/sentence.ts";
import { releaseKept } from "../../delivery/kept-users.ts";
import type { Log } from "../../log.ts";
import { checkStoredPlan } from "../../plan/stored-plan.ts";
import type { Engine } from "../../queues/engine.ts";
import { orderApproved } from "../../queues/schedules.ts";
import type { Run } from "../../store/runs.ts";
import { AppError } from "../app-error.ts";
import { expireWaiting } from "./approvals.ts";
import { findRun } from "./find-run.ts";

export interface ApprovedRun extends Pick<Run, "feed" | "pool"> {
  /** The plan's id; absent of a run of events, which has none. */
  readonly plan?: string;
  /** How many users are due again; absent of a run with a plan, which somebody has to carry out. */
  readonly users?: number;
}

/**
 * Approves the run, and gives the order that a feed worker executes where it has a plan. Throws an AppError `no-run` or `not-waiting`, and
 * a PlanFileError for a plan that was altered.
 */
export async function approveRun(engine: Engine, log: Log, id: string): Promise<ApprovedRun> {
  await expireWaiting(engine, log);
  const { runs, plans } = engine.store;
  const run = await findRun(engine, id);
  const { state, pool, feed, source } = run;
  if (state !== "needs-approval") throw notWaiting(id, state);
  if (source === "events") return approveEvents(engine, log, run);
  // An altered plan is found here, by whoever approves it.
  const kept = await checkStoredPlan({ plans, keyring: engine.keyring }, run, Date.now());
  if (kept === undefined) {
    if ((await engine.store.damaged.list()).some(({ kind, place }) => kind === "plan" && place === id)) {
      throw new AppError(
        "not-waiting",
        sentence`The plan of run ${id} is damaged, and was set aside (${nextStep("damaged", "list")}): plan the feed again with ${nextStep("sync", "--feed", feed)}.`,
      );
    }
    throw new AppError("not-waiting", `The plan of run ${id} is being made: try again in a moment.`);
  }
  if (!(await runs.transition(id, ["needs-approval"], "reading")))
    throw notWaiting(id, (await findRun(engine, id)).state);
  const plan = kept.header.id;
  log.warn({ run: id, plan, pool, feed }, "run approved");
  await orderApproved(engine.queues, { feed, run: id });
  return { plan, feed, pool };
}

/** All that waits goes on, in the order of its versions; what comes later is counted anew. */
async function approveEvents(engine: Engine, log: Log, { id, pool, feed }: Run): Promise<ApprovedRun> {
  const { runs } = engine.store;
  if (!(await runs.transition(id, ["needs-approval"], "delivering")))
    throw notWaiting(id, (await findRun(engine, id)).state);
  log.warn({ run: id, pool, feed }, "run approved");
  // Whoever delivers does it as well, where this process dies.
  return { feed, pool, users: await releaseKept(engine, runGate(id)) };
}

function notWaiting(id: string, state: string): AppError {
  return new AppError(
    "not-waiting",
    sentence`Run ${id} is ${state}, and waits for no approval: see ${nextStep("runs", "list")}.`,
  );
}
