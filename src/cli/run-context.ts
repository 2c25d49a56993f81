import type { RunContext } from "../app/runs/run-context.ts";
import { runFeed, type RunSource } from "../app/runs/run-feed.ts";
import { logRun } from "../app/runs/run-log.ts";
import { isComplete } from "../app/runs/run-summary.ts";
import { stopDeliveries } from "../app/runs/stop-deliveries.ts";
import { EXIT } from "../exit-codes.ts";
import type { Scope } from "../lifecycle.ts";
import type { Io } from "./io.ts";
import type { CognitoFlags, OpenedCommand } from "./opening.ts";
import { showRun } from "./run-display.ts";

/** Flags of every command that runs a feed. */
export interface RunFlags extends CognitoFlags {
  readonly report?: string;
  readonly detach?: boolean;
}

/** The runs of one command: the log hears of them, and whoever looks on sees how far they are. */
export function runContext(
  io: Io,
  { config, log, interactive }: OpenedCommand,
  { engine, pool, deliveries }: Pick<RunContext, "engine" | "pool" | "deliveries">,
  flags: RunFlags,
): RunContext {
  const observers = [logRun(log), showRun(io, { interactive, flags })];
  return {
    config,
    log,
    engine,
    pool,
    deliveries,
    detached: flags.detach === true,
    interrupts: io.interrupts,
    observe: (event) => observers.forEach((observe) => observe(event)),
    reportPath: (run) => flags.report ?? `poolsync-report-${run}.ndjson`,
  };
}

/** Runs one source in this process, prints what it came to, and answers the command's exit code. */
export async function deliverRun(
  io: Io,
  opened: OpenedCommand,
  scope: Scope,
  { engine, pool, source }: Pick<RunContext, "engine" | "pool"> & { readonly source: RunSource },
  flags: RunFlags,
): Promise<number> {
  const deliveries = [await pool.deliver()];
  scope.defer(deliveries, (all) => stopDeliveries(all, io.interrupts));
  const summary = await runFeed(runContext(io, opened, { engine, pool, deliveries }, flags), source);
  if (flags.json === true) io.stdout.write(`${JSON.stringify(summary, undefined, 2)}\n`);
  return isComplete(summary) ? EXIT.done : EXIT.partial;
}
