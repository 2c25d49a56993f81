/** Has a run go on whose plan broke a guard, with exactly the plan that was shown. */
import { nextStep, sentence } from "../../core/sentence.ts";
import type { Log } from "../../log.ts";
import { checkStoredPlan } from "../../plan/stored-plan.ts";
import type { Engine } from "../../queues/engine.ts";
import { orderApproved } from "../../queues/schedules.ts";
import type { Run } from "../../store/runs.ts";
import { AppError } from "../app-error.ts";
import { expireWaiting } from "./approvals.ts";
import { findRun } from "./find-run.ts";

export interface ApprovedRun extends Pick<Run, "feed" | "pool"> {
  /** The plan's id. */
  readonly plan: string;
}

/**
 * Approves the run and gives the order that a feed worker executes. Throws an AppError `no-run` or `not-waiting`, and
 * a PlanFileError for a plan that was altered.
 */
export async function approveRun(engine: Engine, log: Log, id: string): Promise<ApprovedRun> {
  await expireWaiting(engine, log);
  const { runs, plans } = engine.store;
  const run = await findRun(engine, id);
  const { state, pool, feed } = run;
  if (state !== "needs-approval") throw notWaiting(id, state);
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

function notWaiting(id: string, state: string): AppError {
  return new AppError(
    "not-waiting",
    sentence`Run ${id} is ${state}, and waits for no approval: see ${nextStep("runs", "list")}.`,
  );
}
