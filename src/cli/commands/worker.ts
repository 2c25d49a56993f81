/** `poolsync worker`: delivers until it is stopped. */
import type { Command } from "commander";
import { EXIT } from "../../exit-codes.ts";
import { createLog } from "../../log.ts";
import { DRAIN_SECONDS, runDeliveryWorker } from "../../app/workers/delivery-worker.ts";
import { openConfig, paceOptions, type EngineFlags } from "../opening.ts";
import { integer } from "../option-values.ts";
import type { Context } from "../command.ts";

interface WorkerFlags extends EngineFlags {
  readonly drainTimeout?: number;
}

export function addWorker(program: Command, context: Context): void {
  const worker = program
    .command("worker")
    .description("Deliver what others put, until it is stopped (needs REDIS_URL).")
    .option("--pools <ids>", "user pools, apart by commas (default: POOLSYNC_POOLS, else all of poolsync.yaml)");
  paceOptions(worker)
    .option("--concurrency <number>", "most calls in flight, a pool (default: 10)")
    .option(
      "--drain-timeout <seconds>",
      `how long calls under way may take to end (default: ${DRAIN_SECONDS})`,
      integer(0),
    )
    .option("--health-port <port>", "answer /healthz and /readyz here (default: POOLSYNC_HEALTH_PORT, else nowhere)")
    .option("--config <file>", "configuration file (default: ./poolsync.yaml, if it is there)")
    .addHelpText(
      "after",
      `
Examples:
  $ REDIS_URL=redis://127.0.0.1:6379 poolsync worker --pools eu-west-1_Example
  $ poolsync worker --health-port 8080 --drain-timeout 60

The first signal drains: no new work is taken, and calls under way end; what is
left stays queued for other workers. The second aborts.`,
    )
    .action(
      context.act(async (flags: WorkerFlags) => {
        const { config } = await openConfig(context.io, flags);
        const log = createLog(config.logLevel ?? "info");
        await runDeliveryWorker({ config, log, interrupts: context.io.interrupts }, flags.drainTimeout);
        return EXIT.done;
      }),
    );
}
