/** `poolsync pause` and `poolsync resume`: what was put is kept, and nothing of it is sent, until somebody lets it go on. */
import { hostname, userInfo } from "node:os";
import { basename } from "node:path";
import type { Command } from "commander";
import {
  asStored,
  gateName,
  gateOf,
  isSchedule,
  keptText,
  pause,
  pausedGates,
  resume,
  type PauseTarget,
} from "../../app/gates/pause.ts";
import { pendingRunOf } from "../../app/gates/pending-run.ts";
import { openEngineToStop } from "../../app/opening.ts";
import { namedPool, type Config } from "../../config/config.ts";
import { LATEST_RUNS } from "../../app/plans/make-plans.ts";
import { AppError } from "../../app/app-error.ts";
import { nextStep, sentence } from "../../core/sentence.ts";
import { counted } from "../../core/amounts.ts";
import { printable } from "../../core/masking.ts";
import type { Engine } from "../../queues/engine.ts";
import { scheduledTimes } from "../../queues/schedules.ts";
import { DIRECT } from "../../store/runs.ts";
import { workersOf } from "../../store/workers.ts";
import type { Context } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { printEngine } from "../engine-command.ts";
import { columnsOf } from "../io.ts";
import { engineOptions, type EngineFlags } from "../opening.ts";
import { usage } from "../../app/feeds/open-feeds.ts";
import { indent } from "../../views/table.ts";

interface PauseFlags extends EngineFlags, PauseTarget {
  readonly reason?: string;
}

function targetOptions(command: Command): Command {
  return command
    .option("--pool <id>", "only this user pool, by id or by its name in poolsync.yaml")
    .option("--feed <name>", "only what this feed puts, or a file of this name that was synced before")
    .option("--schedule <feed>", "only the times of this feed's schedule; what it has put goes on");
}

export function addPause(program: Command, context: Context): void {
  const command = program
    .command("pause")
    .description("Send nothing more of a pool, a feed, or of everything, until `resume`. Changes are taken and kept.");
  engineOptions(
    targetOptions(command).option("--reason <text>", "why, in a few words that others will read (required)"),
  )
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync pause --pool eu-west-1_Example --reason "wrong export, asking HR"
  $ poolsync pause --feed hr --reason "HR checks the file"
  $ poolsync pause --schedule hr --reason "HR moves its server"
  $ poolsync pause --reason "incident 42"

Every process obeys at once; calls that are in flight end. Commands that would
write say who has paused what, and why. Without Redis there is one process: an
ingest obeys; press Ctrl-C in any other first, what is not sent stays queued.`,
    )
    .action(context.act((flags: PauseFlags) => runPause(context, flags)));
}

export function addResume(program: Command, context: Context): void {
  const command = program.command("resume").description("Let go on what `pause` keeps.");
  engineOptions(targetOptions(command))
    .addHelpText(
      "after",
      "\nExamples:\n  $ poolsync resume --pool eu-west-1_Example\n  $ poolsync resume --feed hr\n  $ poolsync resume",
    )
    .action(context.act((flags: PauseFlags) => runResume(context, flags)));
}

async function runPause({ io }: Context, flags: PauseFlags): Promise<number> {
  const { reason = "" } = flags;
  // Blanks, and what is not shown, say nothing.
  if (!/[^\p{Z}\p{C}\p{M}]/u.test(reason)) throw noReason(flags);
  return printEngine(
    io,
    flags,
    async (engine, { config, log }) => {
      const target = targetOf(config, flags);
      await demandKnown(engine, config, target);
      const given = asStored({ by: `${userInfo().username}@${hostname()}`, reason });
      const users = await pause(engine, log, target, given);
      if (flags.json === true) return `${JSON.stringify({ gate: gateOf(target), ...given, users })}\n`;
      const command = (...words: readonly string[]): string => `\`${commandLine(io, words, flags)}\``;
      const run = await pendingRunOf(engine.store, target);
      const said = [
        `Paused: ${gateName(gateOf(target))}. ${keptText(gateOf(target), users)}`,
        `Let it go on with ${command("resume", ...namesOf(flags))}.`,
        ...(run === undefined
          ? []
          : [`Where the file is wrong, discard what is left: ${command("runs", "cancel", run)}.`]),
      ];
      return indent("", said.join(" "), columnsOf(io.stdout));
    },
    openEngineToStop,
  );
}

function noReason(flags: PauseFlags): AppError {
  const step = nextStep("pause", ...namesOf(flags), "--reason", "HR checks the file");
  return new AppError("usage", sentence`Expected --reason with a few words that others will read: ${step}`, {
    category: "usage",
  });
}

function runResume({ io }: Context, flags: PauseFlags): Promise<number> {
  return printEngine(
    io,
    flags,
    async (engine, { config, log }) => {
      const target = targetOf(config, flags);
      const gate = gateOf(target);
      const kept = await engine.store.gates.kept(gate);
      const users = await resume(engine, log, target);
      if (flags.json === true) return `${JSON.stringify({ gate, users })}\n`;
      const command = (...words: readonly string[]): string => commandLine(io, words, flags);
      const became = isSchedule(gate) ? "It runs at its next time." : await resumedText(engine, users, kept, command);
      const said = `Resumed: ${gateName(gate)}. ${became}`;
      return indent("", said, columnsOf(io.stdout));
    },
    openEngineToStop,
  );
}

/** What becomes of those whom a gate has kept. `kept`: users, before it was opened. */
export async function resumedText(
  { kind, store }: Engine,
  users: number,
  kept: number,
  command: (...words: readonly string[]) => string,
): Promise<string> {
  if (users > 0) {
    const due = `${counted(users, "user is", "users are")} due again`;
    if (kind === "embedded") {
      // Whoever has the data directory may run this for somebody.
      const isAlone = (await store.workers.list()).length === 0;
      return isAlone
        ? `${due}: give the same sync again, any sync with --leftovers, or start \`${command("ingest")}\` where they came by events.`
        : `${due}: the process that has the data directory delivers them.`;
    }
    const still: string[] = [];
    for (const pool of await store.pools()) {
      if ((await workersOf(store, pool)) === 0 && (await store.mailboxes.dueCount(pool)) > 0) still.push(pool);
    }
    if (still.length === 0) return `${due}: workers deliver them.`;
    const worker = command("worker", "--pools", still.join(","));
    return `${due}, and no worker of ${still.join(", ")} is alive: one has to run, such as \`${worker}\`.`;
  }
  const others = (await pausedGates(store)).filter(({ gate }) => !isSchedule(gate));
  if (others.length === 0) return "Nothing was kept.";
  if (kept === 0) {
    const counts = await Promise.all(others.map(async ({ gate }) => ({ gate, of: await store.gates.kept(gate) })));
    const keeping = counts
      .filter(({ of }) => of > 0)
      .map(({ gate, of }) => `${gateName(gate)} (${counted(of, "user")})`);
    if (keeping.length === 0) return "Nothing was kept.";
    return `Nothing was kept by it. What others keep stays kept, also where this said the same at an earlier time: ${keeping.join(", ")}.`;
  }
  return `What it kept stays kept, for this is paused as well: ${others.map((one) => gateName(one.gate)).join(", ")}.`;
}

function targetOf(config: Config, { pool, feed, schedule }: PauseFlags): PauseTarget {
  if (schedule !== undefined) {
    if (pool === undefined && feed === undefined) return { schedule };
    throw usage("--schedule", "Expected --schedule alone");
  }
  if (pool !== undefined && feed !== undefined) throw usage("--feed", "Expected --pool or --feed, got both");
  if (feed?.trim() === "") throw usage("--feed", "Expected the name of a feed or of a file, got none");
  // A file is known by its name, wherever it lies.
  const name = feed === undefined || Object.hasOwn(config.feeds, feed) ? feed : basename(feed);
  return { pool: pool === undefined ? undefined : namedPool(config, pool, "--pool").id, feed: name };
}

/** A name that is mistyped pauses nothing, and that is found out too late. */
async function demandKnown(engine: Engine, config: Config, { pool, feed, schedule }: PauseTarget): Promise<void> {
  const { store } = engine;
  if (schedule !== undefined) return demandSchedule(engine, config, schedule);
  const pools = [...(await store.targets()).map((target) => target.pool), ...poolIds(config)];
  if (pool !== undefined && !pools.includes(pool)) {
    throw usage(
      "--pool",
      `Expected a pool that this namespace or poolsync.yaml knows, got \`${printable(pool)}\` (there are: ${pools.join(", ") || "none"})`,
    );
  }
  if (feed === undefined || feed === DIRECT || Object.hasOwn(config.feeds, feed)) return;
  const runs = await store.runs.list(LATEST_RUNS);
  if (runs.some((run) => run.feed === feed)) return;
  const feeds = [...Object.keys(config.feeds), ...new Set(runs.map((run) => run.feed))];
  throw usage(
    "--feed",
    `Expected a feed of poolsync.yaml, or a file that was synced, got \`${printable(feed)}\` (there are: ${feeds.slice(0, 10).join(", ") || "none"})`,
  );
}

async function demandSchedule({ kind, queues }: Engine, config: Config, feed: string): Promise<void> {
  const placed = kind === "redis" ? (await scheduledTimes(queues)).map((one) => one.feed) : [];
  const configured = Object.entries(config.feeds).flatMap(([name, { schedule }]) => (schedule ? name : []));
  const feeds = [...new Set([...placed, ...configured])];
  if (feeds.includes(feed)) return;
  throw usage(
    "--schedule",
    `Expected a feed that has a schedule, got \`${printable(feed)}\` (there are: ${feeds.join(", ") || "none"})`,
  );
}

const poolIds = ({ poolSettings }: Config): string[] => Object.values(poolSettings).map(({ id }) => id);

function namesOf({ pool, feed, schedule }: PauseFlags): string[] {
  if (schedule !== undefined) return ["--schedule", schedule];
  if (pool !== undefined) return ["--pool", pool];
  return feed === undefined ? [] : ["--feed", feed];
}
