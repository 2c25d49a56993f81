import type { Command } from "commander";
import { demandNoPause } from "../app/gates/pause.ts";
import type { Leftover } from "../app/runs/leftovers.ts";
import { deliverOwn, waitForOthers, type OwnDeliveries } from "../app/runs/own-deliveries.ts";
import type { RunContext } from "../app/runs/run-context.ts";
import { runFeed, type RunSource } from "../app/runs/run-feed.ts";
import { logRun } from "../app/runs/run-log.ts";
import { isComplete } from "../app/runs/run-summary.ts";
import { stopDeliveries } from "../app/runs/stop-deliveries.ts";
import { EXIT } from "../exit-codes.ts";
import type { Scope } from "../lifecycle.ts";
import { DIRECT } from "../store/runs.ts";
import { count, counted } from "../core/amounts.ts";
import type { Pool } from "../delivery/pool.ts";
import type { Engine } from "../queues/engine.ts";
import { commandLine } from "./command-line.ts";
import { tell, type Io } from "./io.ts";
import type { CognitoFlags, OpenedCommand } from "./opening.ts";
import { showRun } from "./run-display.ts";

/** Flags of every command that runs a feed. */
export interface RunFlags extends CognitoFlags {
  readonly report?: string;
  readonly detach?: boolean;
  readonly leftovers?: boolean;
}

export function leftoversOption(command: Command): Command {
  return command.option("--leftovers", "also deliver what earlier runs left pending in the pool");
}

/** Starts to deliver what the command puts, and says first what earlier runs left. */
export async function startDelivering(
  io: Io,
  { log }: OpenedCommand,
  scope: Scope,
  {
    engine,
    pools,
    runs,
  }: { readonly engine: Engine; readonly pools: readonly Pool[]; readonly runs: readonly string[] },
  flags: RunFlags,
): Promise<OwnDeliveries> {
  const leftovers = flags.leftovers === true;
  const started = await deliverOwn(engine, pools, {
    runs,
    leftovers,
    onLeft(left) {
      for (const { id: run, pool, feed, pending } of left) {
        log.info({ pool, run, feed, pending }, "left pending by an earlier run");
      }
      tell(io, leftoversText(io, left, { leftovers, hasWorkers: engine.kind === "redis" }, flags));
    },
  });
  scope.defer(started.deliveries, (all) => stopDeliveries(all, io.interrupts));
  return started;
}

const MOST_LISTED = 5;

function leftoversText(
  io: Io,
  left: readonly Leftover[],
  { leftovers, hasWorkers }: { readonly leftovers: boolean; readonly hasWorkers: boolean },
  flags: RunFlags,
): string {
  const command = (...words: readonly string[]): string => commandLine(io, words, flags);
  const listed = left
    .slice(0, MOST_LISTED)
    .map(({ id, feed, pending }) => `${id} of ${feed} (${counted(pending, "change")})`);
  const more = left.length > MOST_LISTED ? `, and ${count(left.length - MOST_LISTED)} more` : "";
  const what = `Left pending by earlier runs: ${listed.join(", ")}${more}.`;
  if (leftovers) return `${what} They are delivered as well, but for what somebody has paused.`;
  // Changes of applications and of single commands have no end.
  const cancelled = left.find(({ feed }) => feed !== DIRECT);
  const discards = cancelled ? `, and \`${command("runs", "cancel", cancelled.id)}\` discards them` : "";
  return `${what} They stay queued${hasWorkers ? " for a worker" : ""}; --leftovers delivers them here${discards}.`;
}

/** The runs of one command: the log hears of them, and whoever looks on sees how far they are. */
export function runContext(
  io: Io,
  { config, log, interactive }: OpenedCommand,
  {
    engine,
    pool,
    deliveries,
    ownRuns,
    leftRuns = [],
  }: Pick<RunContext, "engine" | "pool" | "deliveries" | "ownRuns" | "leftRuns">,
  flags: RunFlags,
): RunContext {
  const observers = [logRun(log), showRun(io, { interactive, flags })];
  return {
    config,
    log,
    engine,
    pool,
    deliveries,
    ownRuns,
    leftRuns,
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
  await demandNoPause(engine.store, { pool: pool.profile.id, feed: source.name });
  const runs = source.run === undefined ? [] : [source.run];
  const started = await startDelivering(io, opened, scope, { engine, pools: [pool], runs }, flags);
  const context = runContext(io, opened, { engine, pool, ...started }, flags);
  const summary = await runFeed(context, source);
  await waitForOthers(context, [pool.profile.id], started.leftRuns);
  if (flags.json === true) io.stdout.write(`${JSON.stringify(summary, undefined, 2)}\n`);
  return isComplete(summary) ? EXIT.done : EXIT.partial;
}
