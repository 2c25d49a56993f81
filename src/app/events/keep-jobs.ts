/** Moves jobs of the queue `changes` into the inbox. */
import type { Log } from "../../log.ts";
import type { ChangeJob } from "../../queues/change-jobs.ts";
import type { Accept } from "./accept-event.ts";
import { jobEvent, type KnownPools } from "./job-change.ts";

/** Answers whether a job is kept; where it is not, it is to come again. Never rejects. */
export function createKeepJob(config: KnownPools, accept: Accept, log: Log): (job: ChangeJob) => Promise<boolean> {
  let isFull = false;
  return async (job) => {
    const { feed, event } = jobEvent(config, job);
    try {
      const acceptance = await accept(feed, event);
      // Said once: whoever waits asks every second.
      if (acceptance === "full" && !isFull) log.warn({ feed }, "jobs wait, the inbox is full");
      isFull = acceptance === "full";
      return acceptance === "accepted";
    } catch (error) {
      log.error({ feed, err: error }, "event could not be kept");
      return false;
    }
  };
}
