/** `poolsync sync`: a file goes in, users in a pool change. */
import type { Command } from "commander";
import { openFeeds, usage } from "../../app/feeds/open-feeds.ts";
import { runFeeds } from "../../app/feeds/run-feeds.ts";
import { isApproved } from "../../app/plans/make-plans.ts";
import { demandNoPause, keptSentence, pauseOf } from "../../app/gates/pause.ts";
import { isComplete } from "../../app/runs/run-summary.ts";
import { blindSentence } from "../../core/guards.ts";
import { EXIT } from "../../exit-codes.ts";
import { withScope } from "../../lifecycle.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Context } from "../command.ts";
import { asTyped, commandLine } from "../command-line.ts";
import { feedOptions, planOptions, type FeedsFlags } from "../feed-options.ts";
import { stopAtGuards } from "../guard-stop.ts";
import { tell, type Io } from "../io.ts";
import { cognitoOptions, engineOptions, feedsDeps, openConfig } from "../opening.ts";
import { planShown } from "../planning.ts";
import { booksOf } from "../../app/runs/settling.ts";
import { leftoversOption, runContext, startDelivering, type RunFlags } from "../run-context.ts";

interface SyncFlags extends FeedsFlags, RunFlags {}

export function addSync(program: Command, context: Context): void {
  const command = program
    .command("sync")
    .description("Put the values of a file into a user pool, and wait until all is applied or set aside.");
  leftoversOption(cognitoOptions(planOptions(feedOptions(command))))
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
letters, invalid input or nothing but stale values; 3 a guard stopped it,
nothing written; 64 wrong usage or configuration; 130 interrupted.`,
    )
    .action(context.act((files: string[], flags: SyncFlags) => sync(context.io, files, flags)));
}

async function sync(io: Io, files: readonly string[], flags: SyncFlags): Promise<number> {
  const opened = await openConfig(io, flags);
  const { log } = opened;
  if (files.length > 1 && flags.report !== undefined) {
    throw usage("--report", "Expected one file with --report: of several files each has a report of its own");
  }
  if (flags.detach === true && opened.config.redisUrl === undefined) {
    throw usage(
      "--detach",
      "Expected REDIS_URL: the embedded engine has no workers that could deliver after this command has ended",
    );
  }
  return withScope(async (scope) => {
    const feeds = await openFeeds(feedsDeps(io, opened, scope), { ...flags, files });
    const { engine, pool, baseline } = feeds;
    const planned = baseline === undefined ? undefined : await planShown(io, opened, scope, feeds, baseline);
    const id = pool.profile.id;
    // All plans are looked at before the first is carried out.
    const stopped = planned?.filter((feed) => !isApproved(feed, flags.approve ?? [], { pool: id, log })) ?? [];
    if (planned !== undefined && stopped.length > 0) {
      const plans = planned.map(({ plan }) => plan);
      const code = stopAtGuards(io, plans, flags, id);
      const whole = commandLine(io, ["plan"], flags);
      if (flags.json !== true) tell(io, `Look at the whole of it with \`${whole}\` and the same file and options.`);
      return code;
    }
    const blind = planned?.find((feed) => feed.plan.blind.length > 0);
    if (blind) tell(io, blindSentence(blind.plan.blind));
    const detached = flags.detach === true;
    const unfinished = planned?.flatMap((feed) => feed.unfinished ?? []) ?? [];
    // A run that goes on may have begun under another file's name.
    const names = [...new Set([...feeds.feeds.map(({ input }) => input.name), ...unfinished.map(({ feed }) => feed)])];
    if (detached) await tellPauses(io, engine, { pool: id, names }, flags);
    else for (const feed of names) await demandNoPause(engine.store, { pool: id, feed });
    // Not before: a sync that a guard stops writes nothing, not even what other runs left.
    const returned = planned?.flatMap((feed) => feed.returned) ?? [];
    const runs = [...unfinished.map((run) => run.id), ...returned];
    const started = detached
      ? { deliveries: [], ownRuns: undefined, leftRuns: [] }
      : await startDelivering(io, opened, scope, { engine, pools: [pool], runs }, flags);
    const leftRuns = [...returned, ...started.leftRuns];
    const context = runContext(io, opened, { engine, pool, ...started, leftRuns }, flags);
    const summaries = await runFeeds(context, { name: flags.feed, feeds: feeds.feeds, planned });
    if (flags.json === true) {
      const [only] = summaries;
      io.stdout.write(`${JSON.stringify(summaries.length === 1 ? only : { runs: summaries }, undefined, 2)}\n`);
    }
    const { dead } = await booksOf(engine.store.runs, returned);
    return dead === 0 && summaries.every(isComplete) ? EXIT.done : EXIT.partial;
  });
}

/** Nobody waits for what is kept, so it is taken all the same. */
async function tellPauses(
  io: Io,
  { store }: Engine,
  { pool, names }: { readonly pool: string; readonly names: readonly string[] },
  flags: SyncFlags,
): Promise<void> {
  const reported = new Set<string>();
  for (const feed of names) {
    const paused = await pauseOf(store, { pool, feed });
    if (paused === undefined || reported.has(paused.gate)) continue;
    reported.add(paused.gate);
    tell(io, asTyped(io, keptSentence(paused), flags));
  }
}
