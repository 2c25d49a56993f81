/**
 * One pass of a scheduled feed, in its turn: what was put before is waited for, what was approved goes next, then the
 * file is had, planned against the pool, and put. The fleet's workers deliver. A plan that breaks a guard waits.
 */
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { choosePool, type Config } from "../../config/config.ts";
import type { FeedSetting } from "../../config/config-file.ts";
import { nextStep, sentence } from "../../core/sentence.ts";
import type { CognitoClients } from "../../cognito/client.ts";
import { withScope, type Scope } from "../../lifecycle.ts";
import type { Log } from "../../log.ts";
import { openApprovedPlan, storePlan } from "../../plan/stored-plan.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Pool } from "../../delivery/pool.ts";
import { replayLetters } from "../../delivery/replay.ts";
import type { FeedOrder } from "../../queues/schedules.ts";
import { reportedReads } from "../../delivery/reported-reads.ts";
import { FETCHED } from "../../store/content-names.ts";
import { soundDocument } from "../../store/documents.ts";
import type { Run } from "../../store/runs.ts";
import { approvedRuns, expireWaiting, waitingIdentity } from "../runs/approvals.ts";
import { cancelledBefore } from "../runs/cancelled-content.ts";
import type { RunContext } from "../runs/run-context.ts";
import { runFeed } from "../runs/run-feed.ts";
import { freshRunId } from "../runs/run-id.ts";
import { logRun } from "../runs/run-log.ts";
import { AppError } from "../app-error.ts";
import { openFeedFile } from "./feed-file.ts";
import { identityOf, inputOf, mappingOf } from "./feed-input.ts";
import { openChosenPool } from "../opening.ts";
import { isApproved, latestFileRuns, planFeeds, plannedSource, type PlannedFeed } from "../plans/make-plans.ts";
import { replan } from "../plans/replan.ts";
import { waitUntilSettled } from "../runs/settling.ts";

export interface PassDeps {
  readonly config: Config;
  readonly log: Log;
  readonly engine: Engine;
  readonly clients: CognitoClients;
}

export interface ScheduledFeed {
  readonly name: string;
  readonly setting: FeedSetting;
}

/** Where the reports of scheduled runs are, in the data directory. */
export const REPORTS = "reports";

/** Sealed: some servers make the ETag of the content. */
const fetchedNote = z.object({ etag: z.string(), of: z.string() });

/** Everything of one pass. */
interface Pass extends PassDeps {
  readonly feed: ScheduledFeed;
  readonly file: string;
  readonly pool: Pool;
  readonly scope: Scope;
  readonly context: RunContext;
  readonly signal: AbortSignal;
}

/** Rejects where it could not be done; what it has begun goes on with the next pass. */
export async function passFeed(
  deps: PassDeps,
  feed: ScheduledFeed,
  order: FeedOrder,
  signal: AbortSignal,
): Promise<void> {
  const { config, log, engine } = deps;
  const { file, pool: poolName } = feed.setting;
  if (file === undefined || poolName === undefined) throw new Error("Expected a scheduled feed to have file and pool");
  await withScope(async (scope) => {
    await expireWaiting(engine, log);
    const reads = reportedReads(log, { patience: { spent: false } });
    const { concurrency } = config;
    const pool = await openChosenPool({ ...deps, concurrency, scope, reads, signal }, choosePool(config, poolName));
    const reports = join(config.dataDir, REPORTS);
    await mkdir(reports, { recursive: true, mode: 0o700 });
    const context: RunContext = {
      config,
      log,
      engine,
      pool,
      deliveries: [],
      detached: false,
      interrupts: { drain: signal, abort: signal },
      observe: logRun(log),
      reportPath: (run) => join(reports, `${run}.ndjson`),
    };
    const pass: Pass = { ...deps, feed, file, pool, scope, context, signal };
    const settled = await settleEarlier(pass);
    await runAllApproved(pass);
    if (order.run === undefined) await readAndPut(pass, settled);
  });
}

async function runAllApproved(pass: Pass): Promise<void> {
  const { engine, pool, feed } = pass;
  for (const run of await approvedRuns(engine, pool.profile.id, feed.name)) await runApproved(pass, run);
}

/** Exactly the plan that was shown, for those who are still as it found them. */
async function runApproved({ engine, scope, config, pool, context, log, signal }: Pass, run: Run): Promise<void> {
  const { plans } = engine.store;
  const directory = config.dataDir;
  const written = await openApprovedPlan({ plans, keyring: engine.keyring }, run, directory);
  if (written === undefined) return;
  scope.defer(written, (opened) => opened.close());
  const source = await replan({ scope, pool, engine, directory, signal }, written);
  try {
    const missed = written.summary?.figures.missed;
    await runFeed(context, { ...source, identity: run.identity, run: run.id, missed });
  } catch (error) {
    if (!(error instanceof AppError && error.kind === "cancelled")) throw error;
    log.info({ feed: run.feed, run: run.id, reason: error.message }, "feed cancelled");
  }
  await plans.drop(run.id);
}

/** Waits for what was put by a pass that did not come to its end. Answers the identities of those runs. */
async function settleEarlier({ engine, feed, log, pool, context, signal }: Pass): Promise<ReadonlySet<string>> {
  const { runs } = engine.store;
  const settled = new Set<string>();
  for (const run of await latestFileRuns(runs)) {
    if (run.feed !== feed.name || run.pool !== pool.profile.id || run.state !== "delivering") continue;
    await waitUntilSettled({
      engine,
      signal,
      runs: [run.id],
      pools: [run.pool],
      deliveries: context.deliveries,
      allPut: () => true,
      onLook: () => {},
      onHold: () => {},
      onStill: () => log.warn({ run: run.id, pool: run.pool }, "nothing is delivered"),
    });
    if (await runs.transition(run.id, ["delivering"], "finished")) settled.add(run.identity);
  }
  return settled;
}

async function readAndPut(pass: Pass, settled: ReadonlySet<string>): Promise<void> {
  const { config, log, engine, feed, file, pool, scope, context, signal } = pass;
  const { name, setting } = feed;
  const { store, keyring } = engine;
  const poolId = pool.profile.id;
  const place = [FETCHED, name] as const;
  const valueName = place.join(" ");
  // Another mapping makes other changes of the same content.
  const of = createHash("sha256")
    .update(JSON.stringify([setting, name, poolId]))
    .digest("base64url");
  const known = soundDocument(fetchedNote, keyring.open(place, (await store.getValue(valueName)) ?? "") ?? "null");
  // Unchanged or not, it has what events have missed since.
  const isPlannedAnyhow = setting.events !== undefined;
  const opened = await openFeedFile(file, {
    feed: name,
    fetch: setting.fetch,
    etag: known?.of === of && !isPlannedAnyhow ? known.etag : undefined,
    environment: undefined,
    spoolDir: config.dataDir,
    signal,
  });
  if (opened.is === "unchanged") return log.info({ feed: name, pool: poolId }, "feed unchanged");
  const source = scope.defer(opened.source, (opened) => opened.close());
  const flags = {};
  const input = await inputOf(source, basename(source.name), { flags, feed, now: Date.now, signal });
  const mapping = mappingOf(input, feed, flags, pool.profile);
  const identity = identityOf(input, pool.profile.id, mapping, keyring);
  const storeEtag = async (): Promise<void> => {
    if (opened.etag === undefined) return;
    await store.setValue(valueName, keyring.seal(place, JSON.stringify({ etag: opened.etag, of })));
  };
  // The pass that was cut had put all of it.
  if (settled.has(identity) && !isPlannedAnyhow) return storeEtag();
  const unfinished = await unfinishedRuns(pass);
  // To fetch and to check the file may have taken minutes: what was approved meanwhile goes first, and was not cut. Those
  // that are approved after this look are no longer in the state in which they were listed, and stay as they are.
  await runAllApproved(pass);
  const waiting = unfinished.find((run) => run.identity === waitingIdentity(identity));
  const kept = (await store.plans.list()).map(({ run }) => run);
  if (waiting && kept.includes(waiting.id))
    return log.info({ run: waiting.id, pool: poolId, feed: name }, "run waits for approval");
  for (const run of unfinished) {
    if (run.identity === identity || run === waiting) continue;
    const isWaiting = run.state === "needs-approval";
    // Newer content goes before: what the older says would be stale, or is stopped for the same reason again.
    if (!(await store.runs.transition(run.id, [run.state], isWaiting ? "cancelled" : "failed"))) continue;
    await store.plans.drop(run.id);
    log.warn({ run: run.id, pool: poolId, feed: name }, "run overtaken");
  }
  const latest = await latestFileRuns(store.runs);
  const cancelled = await cancelledBefore(engine, latest, { pool: poolId, feed: name, identity });
  // However little is left of it, and whatever the guards say of that.
  if (cancelled) return log.warn({ run: cancelled, pool: poolId, feed: name }, "feed unchanged since it was cancelled");
  const feeds = [{ input, mapping, guards: setting.guards }];
  const baseline = "live";
  const deps = { scope, engine, pool, signal, role: "directory worker" };
  const [planned] = await planFeeds({ config, log }, deps, { feeds, unlisted: "fault" }, baseline);
  if (!planned) throw new Error("Expected a plan of the feed");
  if (!isApproved(planned, [], { pool: pool.profile.id, log })) return park(pass, planned, identity);
  if (waiting) await store.runs.transition(waiting.id, [waiting.state], "cancelled");
  const healed = await replayLetters(engine, planned.healable, signal);
  if (healed.letters > 0) log.info({ pool: pool.profile.id, letters: healed.letters }, "dead letters healed");
  await runFeed(context, plannedSource(planned));
  await storeEtag();
}

/** Runs of the feed that another pass has begun, and not brought to their end. */
async function unfinishedRuns({ engine, feed, pool }: Pass): Promise<readonly Run[]> {
  const runs = await latestFileRuns(engine.store.runs);
  return runs.filter(
    (run) =>
      run.feed === feed.name &&
      run.pool === pool.profile.id &&
      (run.state === "reading" || run.state === "needs-approval"),
  );
}

/** The run waits with its plan. It is one that waits before it has a plan, so that nothing goes on without a look at it. */
async function park({ engine, feed, pool, log }: Pass, planned: PlannedFeed, identity: string): Promise<void> {
  const { store, keyring } = engine;
  const { plan, input, guards } = planned;
  const beginning = {
    id: freshRunId(),
    source: "file" as const,
    pool: pool.profile.id,
    feed: feed.name,
    asOf: input.asOfMs,
  };
  const { run } = await store.runs.begin({ ...beginning, identity: waitingIdentity(identity) });
  await store.runs.transition(run.id, ["reading"], "needs-approval");
  const facts = { run: run.id, asOfMs: run.asOf, guards, now: Date.now() };
  if (!(await storePlan(store.plans, plan, { target: pool.target, keyring }, facts))) {
    await store.runs.advance(run.id, "failed");
    throw new AppError(
      "guarded",
      sentence`The plan of ${feed.name} breaks guards and is too large to be kept for an approval: look at it with ${nextStep("plan", "--feed", feed.name)}, and go on with ${nextStep("sync", "--feed", feed.name, "--approve", plan.id)}.`,
    );
  }
  const broken = plan.broken.map(({ guard }) => guard);
  const { pool: poolId, id } = run;
  log.warn({ run: id, plan: plan.id, pool: poolId, feed: feed.name, guards: broken }, "run needs approval");
}
