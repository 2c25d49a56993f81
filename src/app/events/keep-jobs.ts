/** Moves jobs of the queue `changes` into the inbox. */
import type { Config } from "../../config/config.ts";
import { keepAlive } from "../../delivery/worker-lease.ts";
import type { Scope } from "../../lifecycle.ts";
import type { Log } from "../../log.ts";
import { startChangeJobs, type ChangeJob } from "../../queues/change-jobs.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Accept } from "./accept-event.ts";
import { jobEvent, type KnownPools } from "./job-change.ts";

export interface JobsDeps {
  readonly engine: Pick<Engine, "store" | "queues">;
  readonly config: KnownPools & Pick<Config, "takesJobs">;
  readonly accept: Accept;
  readonly log: Log;
}

/**
 * Moves jobs until the scope is closed, unless the configuration does not want them: whoever may write to Redis may add
 * one, and with POOLSYNC_KEY nobody who can do no more than that is to have a value sent.
 */
export function takeJobs({ engine: { store, queues }, config, accept, log }: JobsDeps, scope: Scope): void {
  if (!config.takesJobs) {
    const next = "set POOLSYNC_JOBS=on where only producers of jobs may write to Redis";
    return log.info({ next }, "jobs are not taken");
  }
  scope.defer(startChangeJobs(queues, createKeepJob(config, accept, log)), (jobs) => jobs.stop());
  scope.defer(keepAlive(store, { does: "jobs" }), (lease) => lease.end());
}

/** Answers whether a job is kept; where it is not, it is to come again. Never rejects. */
function createKeepJob(config: KnownPools, accept: Accept, log: Log): (job: ChangeJob) => Promise<boolean> {
  let isFull = false;
  return async (job) => {
    const { feed, event } = jobEvent(config, job);
    try {
      const acceptance = await accept(feed, event);
      // Said once: whoever waits asks every second.
      if (acceptance === "full" && !isFull) log.warn({ feed }, "jobs wait, the inbox is full");
      isFull = acceptance === "full";
      return acceptance === "accepted" || acceptance === "repeated";
    } catch (error) {
      log.error({ feed, err: error }, "event could not be kept");
      return false;
    }
  };
}
