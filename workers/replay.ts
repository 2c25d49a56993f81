/** Executes the replay orders of a fleet on Redis (`poolsync dead replay --detach`). Stopped by SIGTERM. */
import { runReplayWorker } from "../src/app/workers/replay-worker.ts";
import { runWorker } from "./entry.ts";

await runWorker(runReplayWorker, (log, { kind, reason }) => log.fatal({ kind, reason }, "replay worker failed"));
