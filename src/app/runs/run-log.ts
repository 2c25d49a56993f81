import type { Log } from "../../log.ts";
import type { RunObserver } from "./run-observer.ts";
import { isOnlyStale } from "./run-summary.ts";

/** An observer that writes what a run tells to the log. */
export function logRun(log: Log): RunObserver {
  return (event) => {
    switch (event.is) {
      case "started": {
        const { run, resumed } = event;
        return log.info({ run: run.id, pool: run.pool, feed: run.feed, resumed }, "run started");
      }
      case "stalled":
        return log.warn({ run: event.run.id, pool: event.run.pool }, "nothing is delivered");
      case "interrupted": {
        const { run, pending } = event;
        return log.info({ run: run.id, pool: run.pool, pending }, "run interrupted");
      }
      case "forgotten":
        return log.warn({ pool: event.pool, feed: event.feed }, "run forgotten, begun again");
      case "finished": {
        const { run, pool, feed, rows, books, durationMs, stale, missed } = event.outcome.summary;
        if (missed) log.warn({ run, pool, feed, ...missed }, "events had missed values");
        if (stale && isOnlyStale(event.outcome.summary)) {
          log.warn({ run, pool, feed, stale: stale.values, asOf: stale.asOf }, "run is older than what was written");
        }
        if (event.outcome.detached) return log.info({ run, pool, rows, books, durationMs }, "run put");
        return log.info({ run, pool, rows, books, durationMs }, "run finished");
      }
      case "progress":
      case "held":
      case "stopped":
        // A hold has a line of its own where it is placed, and the rest is for people who look on.
        return undefined;
    }
  };
}
