/** Runs the feeds of `poolsync.yaml` that have a schedule, as one of a fleet on Redis. Stopped by SIGTERM. */
import { runFeedWorker } from "../src/app/workers/feed-worker.ts";
import { runWorker } from "./entry.ts";

await runWorker(runFeedWorker, (log, { kind, reason }) => log.fatal({ kind, reason }, "directory worker failed"));
