/** Delivers to the pools of POOLSYNC_POOLS or `poolsync.yaml`, as one of a fleet on Redis. Stopped by SIGTERM. */
import { readConfig } from "../src/config/config.ts";
import { deliverPools } from "../src/app/workers/fleet.ts";
import { reportFailure } from "../src/app/app-error.ts";
import { listenForSignals } from "../src/lifecycle.ts";
import { createLog } from "../src/log.ts";

const interrupts = listenForSignals();
try {
  const config = await readConfig({});
  process.exitCode = await deliverPools({ config, log: createLog(config.logLevel ?? "info"), interrupts });
} catch (error) {
  const { kind, message, exitCode } = reportFailure(error);
  createLog("info").fatal({ kind, reason: message }, "worker failed");
  process.exitCode = exitCode;
} finally {
  interrupts.release();
}
