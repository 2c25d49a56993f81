/** Runs whose plan broke a guard, and that wait for somebody's approval. */
import type { Log } from "../../log.ts";
import type { Engine } from "../../queues/engine.ts";
import type { StoredPlan } from "../../store/plans.ts";
import type { Run } from "../../store/runs.ts";
import type { Store } from "../../store/store.ts";
import { isReport } from "./kept-report.ts";

/** A run that waits has another identity than a sync of the same content, which is to look at its guards itself. */
export function waitingIdentity(identity: string): string {
  return `approval ${identity}`;
}

/** The identity that a sync of the same content has. */
export function contentOf(identity: string): string {
  return identity.replace(/^approval /, "");
}

/** Ends the runs that nobody has approved in time, and takes away the plans of those that have ended. */
export async function expireWaiting({ store }: Engine, log: Log, now = Date.now()): Promise<void> {
  for (const { run: id, expiresAt } of await plansIn(store)) {
    if (expiresAt <= now && (await store.runs.transition(id, ["needs-approval"], "expired"))) {
      log.warn({ run: id }, "run expired");
    }
    const run = await store.runs.get(id);
    const goesOn = run?.state === "needs-approval" || run?.state === "reading" || run?.state === "delivering";
    if (!goesOn) await store.plans.drop(id);
  }
}

/** The runs of a feed that were approved, and not put yet, or not wholly. */
export async function approvedRuns({ store }: Engine, pool: string, feed: string): Promise<readonly Run[]> {
  const runs = await Promise.all((await plansIn(store)).map(({ run }) => store.runs.get(run)));
  return runs.filter((run) => run !== undefined).filter((run) => isOf(run, pool, feed) && run.state === "reading");
}

async function plansIn({ plans }: Pick<Store, "plans">): Promise<readonly StoredPlan[]> {
  return (await plans.list()).filter(({ run }) => !isReport(run));
}

function isOf(run: Run, pool: string, feed: string): boolean {
  return run.pool === pool && run.feed === feed;
}
