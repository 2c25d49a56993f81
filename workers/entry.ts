/** How every worker begins and ends: configuration, log and signals, and an exit code that says how it went. */
import { failureOf, messageOf } from "../src/app/app-error.ts";
import type { WorkerDeps } from "../src/app/workers/worker-process.ts";
import { readConfig } from "../src/config/config.ts";
import { EXIT } from "../src/exit-codes.ts";
import { listenForSignals } from "../src/lifecycle.ts";
import { createLog } from "../src/log.ts";

/** Runs a worker until it is stopped. `onFailure` writes the line for what ended it. */
export async function runWorker(
  run: (deps: WorkerDeps) => Promise<void>,
  onFailure: (log: ReturnType<typeof createLog>, failure: { kind: string; reason: string }) => void,
): Promise<void> {
  const interrupts = listenForSignals();
  try {
    const config = await readConfig({});
    await run({ config, log: createLog(config.logLevel ?? "info"), interrupts });
    process.exitCode = EXIT.done;
  } catch (error) {
    const failure = failureOf(error);
    onFailure(createLog("info"), { kind: failure.kind, reason: messageOf(failure) });
    process.exitCode = EXIT[failure.category];
  } finally {
    interrupts.release();
  }
}
