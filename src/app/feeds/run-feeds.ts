/** The feeds of one `sync`, run one after the other, and before them the dead letters whose cause is gone. */
import { nextStep, sentence } from "../../core/sentence.ts";
import { replayLetters, type Replayed } from "../../delivery/replay.ts";
import type { PlannedFeed } from "../plans/make-plans.ts";
import { plannedSource } from "../plans/make-plans.ts";
import { AppError, interruptedEarly } from "../app-error.ts";
import { waitForOthers } from "../runs/own-deliveries.ts";
import type { RunContext } from "../runs/run-context.ts";
import { runFeed, type RunSource } from "../runs/run-feed.ts";
import type { RunSummary } from "../runs/run-summary.ts";
import { recordsOf, timesOf } from "./feed-input.ts";
import { withFeedLease } from "./feed-lease.ts";
import type { OpenedFeed } from "./open-feeds.ts";

export interface FeedsToRun {
  /** The feed of the configuration that was named. */
  readonly name?: string | undefined;
  readonly feeds: readonly OpenedFeed[];
  /** Absent where the feed passes by once, and nothing can be planned. */
  readonly planned: readonly PlannedFeed[] | undefined;
}

/** Answers a summary a feed. Throws an AppError `feed-busy` where another process runs the same feed, or as `runFeed`. */
export async function runFeeds(
  context: RunContext,
  { name, feeds, planned }: FeedsToRun,
): Promise<readonly RunSummary[]> {
  const pool = context.pool.profile.id;
  const sources = planned?.map((feed) => plannedSource(feed)) ?? feeds.map((feed) => passingSource(feed));
  const summaries: RunSummary[] = [];
  const healedRuns: string[] = [];
  await underLease(context, name, async (within) => {
    const healed = await replayHealed(within, planned);
    healedRuns.push(...(healed?.runs ?? []));
    for (const run of healedRuns) context.ownRuns?.add(run);
    if (healedRuns.length > 0 && context.ownRuns) {
      await Promise.all(context.deliveries.map((delivery) => delivery.wakeAll()));
    }
    for (const [index, source] of sources.entries()) {
      const facts = index === 0 && healed ? { healed: healed.letters } : {};
      summaries.push(await runFeed(within, { ...source, ...facts }));
    }
  });
  // What was replayed belongs to other runs than these.
  await waitForOthers(context, [pool], [...healedRuns, ...(context.leftRuns ?? [])]);
  return summaries;
}

/** A feed that has a schedule runs in one process at a time, and in nobody's schedule while it runs here. */
async function underLease(
  context: RunContext,
  feed: string | undefined,
  act: (context: RunContext) => Promise<void>,
): Promise<void> {
  const { interrupts, config, engine } = context;
  const { drain } = interrupts;
  if (feed === undefined || config.feeds[feed]?.schedule === undefined) return act(context);
  let had: boolean;
  let lease = drain;
  try {
    had = await withFeedLease(engine.store.reservations, feed, drain, (within) => {
      lease = within;
      return act({ ...context, interrupts: { ...interrupts, drain: within } });
    });
  } catch (cause) {
    // What it leads to looks like a signal, and nobody gave one.
    if (!drain.aborted && lease.aborted) throw lease.reason;
    if (!drain.aborted || cause instanceof AppError) throw cause;
    throw interruptedEarly(cause);
  }
  if (had) return;
  throw new AppError(
    "feed-busy",
    sentence`Feed ${feed} is under way in another process, and nothing was put: let it finish, and look at it with ${nextStep("runs", "list")}.`,
  );
}

/** Undefined where nothing may heal. */
async function replayHealed(
  { engine, log, pool, interrupts }: RunContext,
  planned: readonly PlannedFeed[] = [],
): Promise<Replayed | undefined> {
  const [first] = planned;
  if (first?.plan.figures.scan?.healable === undefined) return undefined;
  const healed = await replayLetters(engine, first.healable, interrupts.drain);
  if (healed.letters > 0) log.info({ pool: pool.profile.id, letters: healed.letters }, "dead letters healed");
  return healed;
}

/** A feed that passes by once: nothing of it is known before. */
function passingSource({ input, mapping, guards }: OpenedFeed): RunSource {
  return {
    name: input.name,
    identity: "",
    asOfMs: input.asOfMs,
    times: timesOf(input, mapping),
    rereadable: false,
    stop: () => input.source.close(),
    guards,
    records: (asOfMs) => recordsOf(input, mapping, asOfMs),
    ...(mapping.identifier === undefined ? {} : { identifier: mapping.identifier }),
  };
}
