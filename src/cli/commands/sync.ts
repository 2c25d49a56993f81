/** `poolsync sync`: a file goes in, users in a pool change. */
import type { Command } from "commander";
import { withOwned } from "../../lifecycle.ts";
import { replayLetters } from "../../delivery/replay.ts";
import { carryOut, type RunFlags, type RunSource, type Session } from "../../app/runs/run-feed.ts";
import { commandLine } from "../command-line.ts";
import { EXIT } from "../exit-codes.ts";
import { CommandError, interruptedEarly } from "../../app/app-error.ts";
import { inFeedTurn } from "../../app/feeds/feed-lease.ts";
import { recordsOf } from "../../app/feeds/feed-input.ts";
import {
  feedOptions,
  openFeeds,
  planOptions,
  usage,
  type FeedsFlags,
  type OpenedFeed,
} from "../../app/feeds/open-feeds.ts";
import { tell, type Io } from "../io.ts";
import { cognitoOptions, engineOptions, openConfig } from "../../app/opening.ts";
import { mayGoOn, planFeeds, plannedSource, stopAtGuards, type PlannedFeed } from "../../app/plans/make-plans.ts";
import type { Context } from "../program.ts";
import { waitUntilSettled } from "../../app/runs/settling.ts";
import { stopDeliveries } from "../../app/workers/stopping.ts";
import { isWhole, type RunSummary } from "../../views/run-summary.ts";

interface SyncFlags extends FeedsFlags, RunFlags {}

export function addSync(program: Command, context: Context): void {
  const command = program
    .command("sync")
    .description("Put the values of a file into a user pool, and wait until all is applied or set aside.");
  cognitoOptions(planOptions(feedOptions(command)))
    .option("--detach", "put the changes and leave: workers deliver them (needs REDIS_URL)")
    .option("--stream", "read standard input once as it comes, without a first pass and without resuming")
    .option("--report <file>", "where rows that were not put are listed (default: here, under the name of the run)");
  engineOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync sync users.csv --user-pool-id eu-west-1_Example --verified mark
  $ zcat export.ndjson.gz | poolsync sync - --user-pool-id eu-west-1_Example
  $ poolsync sync --feed hr --json

The first Ctrl-C finishes the calls under way and leaves the rest queued; the
same command goes on. Exit codes: 0 all applied; 1 failed; 2 finished, with dead
letters or invalid input; 3 a guard stopped it, nothing written; 64 wrong usage
or configuration; 130 interrupted.`,
    )
    .action(context.act((files: string[], flags: SyncFlags) => sync(context.io, files, flags)));
}

async function sync(io: Io, files: readonly string[], flags: SyncFlags): Promise<number> {
  const opened = await openConfig(io, flags);
  if (files.length > 1 && flags.report !== undefined) {
    throw usage("--report", "Expected one file with --report: of several files each has a report of its own");
  }
  if (flags.detach === true && opened.config.redisUrl === undefined) {
    throw usage(
      "--detach",
      "Expected REDIS_URL: the embedded engine has no workers that could deliver after this command has ended",
    );
  }
  return withOwned(async (own) => {
    const feeds = await openFeeds(io, own, opened, files, flags);
    const { engine, pool, baseline } = feeds;
    const planned = baseline === undefined ? undefined : await planFeeds(io, own, opened, feeds, baseline);
    // All plans are looked at before the first is carried out.
    const stopped = planned?.filter(
      (feed) => !mayGoOn(feed, flags.approve ?? [], { pool: pool.profile.id, log: opened.log }),
    );
    if (planned && stopped && stopped.length > 0) return stop(io, planned, flags, pool.profile.id);
    // Not before: a sync that a guard stops writes nothing, not even what other runs left.
    const deliveries = flags.detach === true ? [] : [await pool.deliver()];
    own(deliveries, (all) => stopDeliveries(all, io.interrupts));
    const session: Session = { ...opened, io, flags, engine, pool, deliveries };
    const sources =
      planned?.map((feed) => plannedSource(feed, pool.profile.id)) ?? feeds.feeds.map((feed) => passingSource(feed));
    const summaries: RunSummary[] = [];
    const healedRuns: string[] = [];
    await inTurn(session, flags.feed, async (within) => {
      const healed = await heal(within, planned);
      healedRuns.push(...(healed?.runs ?? []));
      for (const [index, source] of sources.entries()) {
        const told = index === 0 && healed ? { healed: healed.letters } : {};
        summaries.push(await carryOut(within, { ...source, ...told }));
      }
    });
    await waitUntilHealed(session, healedRuns);
    if (flags.json === true) {
      const [only] = summaries;
      io.stdout.write(`${JSON.stringify(summaries.length === 1 ? only : { runs: summaries }, undefined, 2)}\n`);
    }
    return summaries.every(isWhole) ? EXIT.done : EXIT.partial;
  });
}

/** A feed that has a schedule runs in one process at a time, and in nobody's schedule while it runs here. */
async function inTurn(
  session: Session,
  feed: string | undefined,
  act: (session: Session) => Promise<void>,
): Promise<void> {
  const { io, config, engine } = session;
  const { drain } = io.interrupts;
  if (feed === undefined || config.feeds[feed]?.schedule === undefined) return act(session);
  let had: boolean;
  let turn = drain;
  try {
    had = await inFeedTurn(engine.store.reservations, feed, drain, (within) => {
      turn = within;
      return act({ ...session, io: { ...io, interrupts: { ...io.interrupts, drain: within } } });
    });
  } catch (cause) {
    // What it leads to looks like a signal, and nobody gave one.
    if (!drain.aborted && turn.aborted) throw turn.reason;
    if (!drain.aborted || cause instanceof CommandError) throw cause;
    throw interruptedEarly(cause);
  }
  if (had) return;
  throw new CommandError(
    "feed-busy",
    `Feed ${feed} is under way in another process, and nothing was put: let it finish, and look at it with \`poolsync runs list\`.`,
  );
}

/** Undefined where nothing may heal. */
async function heal({ engine, log, pool, io }: Session, planned: readonly PlannedFeed[] = []) {
  const [first] = planned;
  if (first?.plan.figures.scan?.healable === undefined) return undefined;
  const healed = await replayLetters(engine, first.healable, io.interrupts.drain);
  if (healed.letters > 0) log.info({ pool: pool.profile.id, letters: healed.letters }, "dead letters healed");
  return healed;
}

/** What was replayed belongs to other runs than this command's. */
async function waitUntilHealed({ engine, deliveries, pool, io }: Session, runs: readonly string[]): Promise<void> {
  if (deliveries.length === 0 || runs.length === 0) return;
  await waitUntilSettled({
    engine,
    deliveries,
    runs,
    pools: [pool.profile.id],
    allPut: () => true,
    onLook: () => {},
    onHeld: (sentence) => tell(io, sentence),
    signal: io.interrupts.drain,
  });
}

function stop(io: Io, planned: readonly PlannedFeed[], flags: SyncFlags, pool: string): number {
  const plans = planned.map(({ plan }) => plan);
  const code = stopAtGuards(io, plans, flags, pool);
  if (flags.json !== true) {
    tell(io, `Look at the whole of it with \`${commandLine(io, ["plan"], flags)}\` and the same file and options.`);
  }
  return code;
}

/** A feed that passes by once: nothing of it is known before. */
function passingSource({ input, mapping, guards }: OpenedFeed): RunSource {
  return {
    name: input.name,
    identity: "",
    asOfMs: input.asOfMs,
    rereadable: false,
    guards,
    records: (asOfMs) => recordsOf(input, mapping, asOfMs),
    ...(mapping.identifier === undefined ? {} : { identifier: mapping.identifier }),
  };
}
