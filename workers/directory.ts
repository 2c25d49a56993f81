/** Runs the feeds of `poolsync.yaml` that have a schedule, as one of a fleet on Redis. Stopped by SIGTERM. */
import { readConfig } from "../src/config.ts";
import { runDirectory } from "../src/cli/directory.ts";
import { reportFailure } from "../src/cli/failure-report.ts";
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
