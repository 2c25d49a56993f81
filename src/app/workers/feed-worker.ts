/** The process that runs feeds by their schedule, as one of a fleet. It plans and puts; workers deliver. */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../../config/config-error.ts";
import type { Config } from "../../config/config.ts";
import { withScope } from "../../lifecycle.ts";
import { placeSchedules, startFeedWorker, type FeedOrder, type Schedule } from "../../queues/schedules.ts";
import { expireWaiting } from "../runs/approvals.ts";
import { AppError, failureOf, messageOf } from "../app-error.ts";
import { scheduleOf } from "../gates/pause.ts";
import { passFeed, REPORTS, type PassDeps, type ScheduledFeed } from "../feeds/scheduled-feed.ts";
import { withFeedLease } from "../feeds/feed-lease.ts";
import { keepAlive } from "../../delivery/worker-lease.ts";
import { openClients, openEngineToPut } from "../opening.ts";
import { notesWithoutAof } from "../without-aof.ts";
import { demandRedis, drained, endWorkerInTime, openHealth, type WorkerDeps } from "./worker-process.ts";

/** A pass that is cut ends the page that it puts. */
const FEED_STOPS_WITHIN_SECONDS = 20;

/** Runs every feed that has a schedule until it is interrupted. */
export async function runFeedWorker({ config, log, interrupts }: WorkerDeps): Promise<void> {
  demandRedis(config);
  const feeds = scheduledFeeds(config);
  await withScope(async (scope) => {
    endWorkerInTime({ log, interrupts }, FEED_STOPS_WITHIN_SECONDS, scope);
    let isReady = (): boolean => false;
    let ofStore = (): readonly string[] => [];
    const ready = (): boolean => isReady() && !interrupts.drain.aborted;
    await openHealth(config, log, { ready, notes: () => ofStore() }, scope);
    const engine = await openEngineToPut(config, scope, { log });
    ofStore = () => notesWithoutAof(engine.store);
    const clients = await openClients(config, scope);
    const deps: PassDeps = { config, log, engine, clients };
    await expireWaiting(engine, log);
    await forgetReports(config);
    const schedules = new Map([...feeds].map(([name, { schedule }]) => [name, schedule]));
    const { placed, removed } = await placeSchedules(engine.queues, schedules);
    const worker = startFeedWorker(engine.queues, {
      // A feed that waits for its turn is not to hold up another.
      concurrency: feeds.size * 2,
      ending: engine.store.lost,
      handle: (order, signal) => handleOrder(deps, feeds, order, signal),
      onUnreadable: (job) => log.error({ order: job }, "feed order refused"),
    });
    scope.defer(worker, (started) => started.stop());
    scope.defer(keepAlive(engine.store, { does: "schedules" }), (lease) => lease.end());
    isReady = () => engine.connected;
    log.info({ feeds: [...feeds.keys()], placed, removed, namespace: config.namespace }, "directory worker started");
    await drained(engine, interrupts, log);
    log.info({}, "directory worker stopping");
  });
}

type Scheduled = ScheduledFeed & { readonly schedule: Schedule };

function scheduledFeeds({ feeds }: Config): ReadonlyMap<string, Scheduled> {
  const scheduled = Object.entries(feeds).flatMap(([name, setting]): [string, Scheduled][] =>
    setting.schedule === undefined ? [] : [[name, { name, setting, schedule: setting.schedule }]],
  );
  if (scheduled.length > 0) return new Map(scheduled);
  const message = "Expected a feed with a `schedule` such as `{ every: 6h }`: there is none to run";
  throw new ConfigError([{ path: "poolsync.yaml: feeds", message }]);
}

/** What the same content would meet again: a column that is missing, and what is too large to be kept. */
const FOR_GOOD: ReadonlySet<string> = new Set(["guarded", "renamed", "not-undoable"]);

async function handleOrder(
  deps: PassDeps,
  feeds: ReadonlyMap<string, Scheduled>,
  order: FeedOrder,
  signal: AbortSignal,
): Promise<void> {
  const { log, engine } = deps;
  const feed = feeds.get(order.feed);
  if (feed === undefined) return log.warn({ feed: order.feed }, "feed has no schedule any more");
  if (order.run === undefined && (await scheduleOf(engine.store, feed.name))) {
    return log.info({ feed: feed.name }, "feed left out, its schedule is paused");
  }
  let leaseSignal: AbortSignal = signal;
  let had: boolean;
  try {
    had = await withFeedLease(engine.store.reservations, feed.name, signal, (within) => {
      leaseSignal = within;
      return passFeed(deps, feed, order, within);
    });
  } catch (error) {
    if (signal.aborted) {
      log.info({ feed: feed.name }, "feed cut, to go on");
      throw error;
    }
    const failure = failureOf(leaseSignal.aborted ? leaseSignal.reason : error);
    const { kind } = failure;
    const reason = messageOf(failure);
    if (error instanceof AppError && error.kind === "cancelled") {
      return log.info({ feed: feed.name, reason }, "feed cancelled");
    }
    log.error({ feed: feed.name, kind, reason }, "feed failed");
    if (FOR_GOOD.has(kind)) return;
    throw error;
  }
  if (had) return;
  if (order.run === undefined) return log.info({ feed: feed.name }, "feed is under way already");
  // Somebody waits for it, and the feed's next time may be far: the order is tried again.
  log.info({ feed: feed.name, run: order.run }, "approved run waits for its feed's turn");
  throw new Error("Expected the feed's turn within the lease of one that died");
}

/** Reports are kept as long as runs. */
async function forgetReports({ dataDir, keepRunsMs }: Config): Promise<void> {
  const directory = join(dataDir, REPORTS);
  for (const name of await readdir(directory).catch(() => [])) {
    const path = join(directory, name);
    const stats = await stat(path).catch(() => undefined);
    if (stats && stats.mtimeMs < Date.now() - keepRunsMs) await rm(path, { force: true });
  }
}
