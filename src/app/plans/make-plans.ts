/** Plans of feeds: made with one scan of the pool, and held against their guards. */
import type { Log } from "../../log.ts";
import { chooseReading, type Reading } from "../../core/pool-reading.ts";
import type { Scope } from "../../lifecycle.ts";
import type { Healing } from "../../plan/healing.ts";
import type { Asking } from "../../plan/row-asking.ts";
import { buildPlans, type Plan, type PlanInput, type PlanDeps } from "../../plan/plan.ts";
import type { Baseline } from "../../plan/baseline.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Pool } from "../../delivery/pool.ts";
import { isEnded, type Run, type Runs } from "../../store/runs.ts";
import type { RunSource } from "../runs/run-feed.ts";
import { interruptedEarly } from "../app-error.ts";
import { lookAgainAfterScan } from "../events/parked-watch.ts";
import { identityOf, recordsOf, timesOf, type FeedInput } from "../feeds/feed-input.ts";
import { contentOf } from "../runs/approvals.ts";
import { healingOf } from "./auto-replay.ts";
import { keepsBeforeImages } from "./before-images.ts";
import { knownEvents } from "./known-events.ts";
import { originOf } from "./plan-origin.ts";
import type { OpenedFeed, OpenedFeeds } from "../feeds/open-feeds.ts";
import type { Opened } from "../opening.ts";

/** A feed with its plan, and the run of it that was cut, if there is one. */
export interface PlannedFeed extends OpenedFeed {
  readonly plan: Plan;
  /** See {@link Run.identity}. */
  readonly identity: string;
  readonly unfinished: Run | undefined;
  /** Earlier runs of the same content that have ended, and of which something waits again since another was cancelled. */
  readonly returned: readonly string[];
  /** Dead letters of the pool whose cause the scan found gone, by id: with the first feed of a scan. */
  readonly healable: readonly string[];
}

/** So many runs back an unfinished one, or the last good one, is looked for. */
export const LATEST_RUNS = 500;

/** Told as a plan is made. */
export type PlanObserver = (event: PlanEvent) => void;

export type PlanEvent =
  /** Rows of the feed, or users of the pool, that were read so far. */
  | { readonly is: "rows" | "users"; readonly read: number }
  /** How the pool is about to be read: so many users are named, and so many calls are made a second. */
  | { readonly is: "reading"; readonly reading: Reading; readonly named: number; readonly perSecond: number };

export interface PlanRequest extends Pick<OpenedFeeds, "feeds" | "unlisted"> {
  /** Everybody in the pool is read, whatever that costs. */
  readonly everybody?: boolean;
}

export interface PlanningDeps {
  readonly scope: Scope;
  readonly engine: Engine;
  readonly pool: Pool;
  /** Where scratch files are made. */
  readonly directory: string;
  readonly observe?: PlanObserver | undefined;
  readonly signal: AbortSignal;
}

/** Plans all feeds with one reading of the pool. `role`: see {@link originOf}. Throws an AppError where it was interrupted. */
export async function planFeeds(
  { config, log }: Pick<Opened, "config" | "log">,
  { role, ...deps }: Omit<PlanningDeps, "directory"> & { readonly role?: string },
  { feeds, unlisted, everybody }: PlanRequest,
  baseline: Baseline,
): Promise<readonly PlannedFeed[]> {
  const { engine, pool } = deps;
  const all = await engine.store.runs.list(LATEST_RUNS);
  const runs = all.filter(isOfFile);
  // The run of the day may have begun before so many others.
  const ofEvents = [...all, ...(await engine.store.runs.unfinished())].filter(({ source }) => source === "events");
  const inputs: (PlanInput & Pick<PlannedFeed, "identity" | "input" | "unfinished" | "returned">)[] = [];
  for (const { input: opened, mapping, guards } of feeds) {
    const poolId = pool.profile.id;
    const identity = identityOf(opened, poolId, mapping, engine.keyring);
    const unfinished = await unfinishedOf(engine.store.runs, runs, identity);
    const last = lastGood(runs, poolId, opened.name);
    const rowsBefore = last?.rows.read;
    // A run that goes on keeps the time that its values are of.
    const asOfMs = unfinished?.asOf ?? firstSeen(opened, runs, { pool: poolId, identity }) ?? opened.asOfMs;
    const input = { ...opened, asOfMs };
    inputs.push({
      feed: input.name,
      input,
      records: recordsOf(input, mapping, asOfMs),
      times: timesOf(input, mapping),
      events: knownEvents(engine.store, ofEvents, {
        pool: poolId,
        feed: input.name,
        byEvents: input.byEvents,
        lastAsOf: last?.asOf,
      }),
      origin: originOf(input, role),
      mapping,
      guards,
      identity,
      unfinished,
      returned: await returnedOf(engine.store.runs, runs, identity),
      ...(rowsBefore === undefined ? {} : { rowsBefore }),
    });
  }
  // A file of a few rows is no occasion to look at everybody who has a letter.
  const healing = baseline === "live" && unlisted === "fault" ? await healingOf(config, engine, pool) : undefined;
  const missesNobody = feeds.some(
    ({ input, mapping }) => mapping.match !== undefined || keepsBeforeImages(config, input.name),
  );
  const choice = { unlisted, everybody, missesNobody, healing };
  const plans = await planAll({ ...deps, directory: config.dataDir }, inputs, baseline, choice);
  const scan = plans[0]?.figures.scan;
  if (scan && scan.oneByOne !== true) await lookAgainAfterScan(engine.store, { config, log }, pool.profile.id);
  return plans.map((plan, index) => {
    const [feed, input] = [feeds[index], inputs[index]];
    if (!feed || !input) throw new Error("Expected a plan for each feed");
    const { changed, matched } = plan.figures.users;
    log.info({ plan: plan.id, pool: pool.profile.id, feed: plan.feed, baseline, changed, matched }, "plan made");
    const { input: opened, identity, unfinished, returned } = input;
    return {
      ...feed,
      input: opened,
      plan,
      identity,
      unfinished,
      returned,
      healable: (index === 0 && healing?.healable()) || [],
    };
  });
}

/** How the pool is read, and what is looked at besides. */
interface ReadingChoice {
  /** Nobody is skipped, whatever that costs. */
  readonly everybody?: boolean | undefined;
  /** Whom looks may miss is not left to the write. */
  readonly missesNobody?: boolean;
  readonly unlisted?: PlanDeps["unlisted"];
  readonly healing?: Healing | undefined;
}

/** Plans inputs whose identity and records are known. The plans are closed with what owns them. */
export async function planAll(
  { scope, pool, engine, directory, observe, signal }: PlanningDeps,
  inputs: readonly PlanInput[],
  baseline: Baseline,
  { everybody = false, missesNobody = true, unlisted = "fault", healing }: ReadingChoice = {},
): Promise<readonly Plan[]> {
  const { estimatedUsers } = pool.profile;
  const reading = async ({ users, looks, mayMiss }: Asking): Promise<Reading> => {
    const isFound = !everybody && !(mayMiss && missesNobody);
    const chosen = chooseReading({ estimatedUsers, looks: isFound ? looks : undefined, mayMiss });
    const { listsPerSecond } = await pool.pace();
    observe?.({ is: "reading", reading: chosen, named: users, perSecond: listsPerSecond });
    return chosen;
  };
  try {
    const deps: PlanDeps = {
      profile: pool.profile,
      keyring: engine.keyring,
      directory,
      ledgers: (users) => engine.store.mailboxes.ledgers(users),
      reading,
      scan: (until, names) => (names ? pool.look(until, names) : pool.scan(until)),
      seen: (user, lookedAt) => pool.seen.keep({ user, lookedAt }),
      now: () => engine.store.now(),
      unlisted,
      ...(healing ? { healing } : {}),
      pace: () => pool.pace(),
      providerAttributes: (provider, until) => pool.providerAttributes(provider, until),
    };
    const plans = await buildPlans(deps, inputs, baseline, signal, {
      rows: (read) => observe?.({ is: "rows", read }),
      scanned: (read) => observe?.({ is: "users", read }),
    });
    for (const plan of plans) scope.defer(plan, (opened) => opened.close());
    return plans;
  } catch (cause) {
    if (!signal.aborted) throw cause;
    throw interruptedEarly(cause);
  }
}

/**
 * The latest passes over files. A feed that ends, overtakes, goes on with or counts the rows of an earlier run means such
 * a one: of runs of events and of single requests there is no whole that another replaces.
 */
export async function latestFileRuns(runs: Runs): Promise<readonly Run[]> {
  return (await runs.list(LATEST_RUNS)).filter(isOfFile);
}

function isOfFile({ source }: Run): boolean {
  return source === "file";
}

/**
 * Of content of which nobody says when it was written, and that is what the feed's latest run had, the as-of of that run:
 * it is no newer for being fetched again, and events have gone over it since. Undefined of any other.
 */
function firstSeen(
  { name, source, asOfSaid, byEvents }: FeedInput,
  runs: readonly Run[],
  { pool, identity }: Pick<Run, "pool" | "identity">,
): number | undefined {
  if (byEvents === undefined || source.undated !== true || asOfSaid !== "") return undefined;
  const latest = runs.find((run) => run.pool === pool && run.feed === name);
  return latest !== undefined && contentOf(latest.identity) === identity ? latest.asOf : undefined;
}

/** The run of the same content that was cut. One that was put whole, and of which nothing is pending, is over. */
async function unfinishedOf(runs: Runs, latest: readonly Run[], identity: string): Promise<Run | undefined> {
  const run = latest.find((candidate) => candidate.identity === identity && !isEnded(candidate.state));
  if (run?.state !== "delivering") return run;
  return (await runs.books(run.id)).pending > 0 ? run : undefined;
}

async function returnedOf(runs: Runs, latest: readonly Run[], identity: string): Promise<readonly string[]> {
  const ended = latest.filter(
    (run) => run.identity === identity && (run.state === "finished" || run.state === "failed"),
  );
  const waiting = await Promise.all(ended.map(async ({ id }) => ((await runs.books(id)).pending > 0 ? [id] : [])));
  return waiting.flat();
}

/** The last run of the feed that came to its end. Runs are listed newest first. */
function lastGood(runs: readonly Run[], pool: string, feed: string): Run | undefined {
  return runs.find((run) => run.state === "finished" && run.pool === pool && run.feed === feed && run.rows.read > 0);
}

/**
 * True where the plan may be carried out: it breaks no guard, or just this plan was approved, or it is the rest of a
 * run whose plan passed before.
 */
export function isApproved(
  { plan, unfinished }: Pick<PlannedFeed, "plan" | "unfinished">,
  approved: readonly string[],
  { pool, log }: { readonly pool: string; readonly log: Log },
): boolean {
  if (plan.broken.length === 0 || unfinished !== undefined) return true;
  const guards = plan.broken.map(({ guard }) => guard);
  const isNamed = approved.includes(plan.id);
  if (isNamed) log.warn({ plan: plan.id, pool, feed: plan.feed, guards }, "guards overridden");
  else log.warn({ plan: plan.id, pool, feed: plan.feed, guards }, "guards broken");
  return isNamed;
}

/** A feed as it was planned, to be put. */
export function plannedSource({ input, mapping, guards, plan, identity, unfinished }: PlannedFeed): RunSource {
  const { checked, asOfMs } = input;
  const { missed } = plan.figures;
  return {
    name: input.name,
    ...(unfinished === undefined ? {} : { run: unfinished.id }),
    identity,
    asOfMs,
    times: timesOf(input, mapping),
    ...(missed === undefined ? {} : { missed }),
    rereadable: true,
    guards,
    records: () => plan.feedRows(),
    plannedRows: () => plan.rows(),
    ...(checked ? { totalRows: checked.records + checked.faults } : {}),
    ...(mapping.identifier === undefined ? {} : { identifier: mapping.identifier }),
  };
}
