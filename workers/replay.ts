/** Carries out the replay orders of a fleet on Redis (`poolsync dead replay --detach`). Stopped by SIGTERM. */
import { readConfig } from "../src/config/config.ts";
import { carryOutOrders } from "../src/app/workers/fleet.ts";
import { reportFailure } from "../src/app/app-error.ts";
import { listenForSignals } from "../src/lifecycle.ts";
import { createLog } from "../src/log.ts";

const interrupts = listenForSignals();
try {
  const config = await readConfig({});
  process.exitCode = await carryOutOrders({ config, log: createLog(config.logLevel ?? "info"), interrupts });
} catch (error) {
  const { kind, message, exitCode } = reportFailure(error);
  createLog("info").fatal({ kind, reason: message }, "replay worker failed");
  process.exitCode = exitCode;
} finally {
  interrupts.release();
}
