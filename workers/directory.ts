/** Runs the feeds of `poolsync.yaml` that have a schedule, as one of a fleet on Redis. Stopped by SIGTERM. */
import { readConfig } from "../src/config/config.ts";
import { runDirectory } from "../src/app/workers/feed-worker.ts";
import { reportFailure } from "../src/app/app-error.ts";
import { listenForSignals } from "../src/lifecycle.ts";
import { createLog } from "../src/log.ts";

const interrupts = listenForSignals();
try {
  const config = await readConfig({});
  process.exitCode = await runDirectory({ config, log: createLog(config.logLevel ?? "info"), interrupts });
} catch (error) {
  const { kind, message, exitCode } = reportFailure(error);
  createLog("info").fatal({ kind, reason: message }, "directory worker failed");
  process.exitCode = exitCode;
} finally {
  interrupts.release();
}
