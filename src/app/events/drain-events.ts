/**
 * Makes changes of the events in the inbox, until it is closed: takes them in order of arrival, finds out whom they mean,
 * and puts them into the day's run of their feed, in the step in which they leave the inbox. Whatever fails on the way
 * leaves them there: they are given back, or wait until their lease ends. A paused feed or pool is drained as any other,
 * and keeps in mailboxes what may not be delivered.
 *
 * Of each feed one batch is worked on at a time. While that takes long, because its users are looked up or the pool
 * throttles, what else comes of the feed is given back for about as long: so it keeps no others waiting, and no more of it
 * is in memory.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { TakenEntry } from "../../store/inbox.ts";
import type { Config } from "../../config/config.ts";
import { failureOf, messageOf, type Failure } from "../app-error.ts";
import { startAccountScans } from "./account-scans.ts";
import { createDayRuns, finishDayRuns } from "./day-run.ts";
import { drainFeed, type DrainDeps } from "./drain-feed.ts";
import { createFloodGate } from "./flood-gate.ts";
import { createParkedWatch } from "./parked-watch.ts";

export interface DrainerOptions extends Omit<DrainDeps, "dayRuns" | "accountScans" | "floods" | "signal"> {
  readonly config: Config;
  /** Told of a feed whose events wait, each time that they do, and why. */
  readonly onWait?: (feed: string, failure: Failure) => void;
  /** False where pools are scanned for those alone who wait for it. */
  readonly rescans?: boolean;
  /** How soon another drainer has what this one had in hand, where its process died. */
  readonly leaseMs?: number;
}

export interface Drainer {
  /** Something was added to the inbox. */
  wake(): void;
  /** Which events wait for an approval, a line for each feed; of a minute ago at most. */
  readonly notes: readonly string[];
  /** Ends what it does: what is not put is given back. */
  close(): Promise<void>;
}

/** Longer than a process that is well stands still. It is renewed for as long as there is something to do. */
const LEASE_MS = 10_000;
const RENEWALS_A_LEASE = 4;
/** More of them at a time would be put no sooner, and senders whose events come meanwhile would wait for longer. */
const TAKE = { limit: 25, maxBytes: 2 * 2 ** 20 };
/** How long a batch of a feed is waited for before those of others go on. */
const PATIENCE_MS = 500;
/** How long is given back what comes of a feed whose batch takes longer: as long as that has taken, within these. */
const SHORTEST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
/** How long it waits where nobody wakes it: for what other processes have added or given back. */
const LOOK_EVERY_MS = 5_000;
const UPKEEP_EVERY_MS = 60_000;
const FIRST_BACKOFF_MS = 1_000;
/** Shorter than the pool's answers are believed: so a retry begins where the try before it ended. */
const LONGEST_BACKOFF_MS = 30_000;

/** What was taken of one feed. */
interface Batch {
  readonly feed: string;
  readonly token: string;
  readonly entries: readonly TakenEntry[];
  /** Epoch ms by the store's clock: when it was taken. */
  readonly nowMs: number;
}

/** How a batch failed that will be taken again. */
interface Failed {
  /** How long its entries are given back for. */
  readonly backoffMs: number;
  /** When each was taken first, epoch ms by the store's clock. */
  readonly firstAt: ReadonlyMap<string, number>;
}

interface Hand {
  readonly done: Promise<void>;
  /** By the counting clock of this machine. */
  readonly since: number;
}

export function startDrainer(options: DrainerOptions): Drainer {
  const { engine, log, leaseMs = LEASE_MS } = options;
  const { inbox, runs } = engine.store;
  const closing = new AbortController();
  const ending = AbortSignal.any([closing.signal, engine.store.lost]);
  const dayRuns = createDayRuns(engine);
  const floods = createFloodGate(engine, log);
  const parkedWatch = createParkedWatch(engine.store, log, options.config.parkedKeepMs);
  /** By feed. */
  const hands = new Map<string, Hand>();
  /** Everything that was taken and is neither put nor given back. */
  const held = new Set<Batch>();
  /** By feed whose last batch could not be drained. */
  const failed = new Map<string, Failed>();
  let alarm = Promise.withResolvers<void>();
  const accountScans = startAccountScans({ ...options, wake: () => alarm.resolve(), signal: ending });

  const longer = (ms: number | undefined): number =>
    Math.min(ms === undefined ? FIRST_BACKOFF_MS : ms * 2, LONGEST_BACKOFF_MS);
  const refOf = ({ token, entries }: Batch) => ({ token, ids: entries.map(({ id }) => id) });

  /** Gives back what is this drainer's still, and answers that. Where the store does not answer, the lease ends. */
  async function giveBack(batch: Batch, notBefore: number): Promise<readonly string[]> {
    const given = await inbox.defer(refOf(batch), Math.ceil(notBefore)).catch((): readonly string[] => []);
    held.delete(batch);
    return given;
  }

  async function drain(batch: Batch): Promise<void> {
    const { feed, entries, nowMs } = batch;
    const before = failed.get(feed);
    const firstAt = (id: string): number => before?.firstAt.get(id) ?? nowMs;
    const begunAt = performance.now();
    try {
      await drainFeed({ ...options, dayRuns, accountScans, floods, signal: ending }, { ...batch, firstAt });
      failed.delete(feed);
    } catch (error) {
      if (ending.aborted) return void (await giveBack(batch, 0));
      const backoffMs = longer(before?.backoffMs);
      const failure = failureOf(error);
      const { kind } = failure;
      log.warn({ feed, kind, reason: messageOf(failure), events: entries.length, backoffMs }, "events wait");
      options.onWait?.(feed, failure);
      const given = await giveBack(batch, nowMs + (performance.now() - begunAt) + backoffMs);
      failed.set(feed, { backoffMs, firstAt: new Map(given.map((id) => [id, firstAt(id)])) });
    } finally {
      held.delete(batch);
    }
  }

  /** Has a batch worked on; once that of before is done, or for another time where this takes long. */
  async function hand(batch: Batch): Promise<void> {
    const { feed, nowMs } = batch;
    const before = hands.get(feed);
    if (before !== undefined) {
      await within(before.since + PATIENCE_MS - performance.now(), before.done);
      if (ending.aborted) return void (await giveBack(batch, 0));
      if (hands.get(feed) === before) {
        const forMs = Math.min(Math.max(performance.now() - before.since, SHORTEST_WAIT_MS), LONGEST_WAIT_MS);
        return void (await giveBack(batch, nowMs + forMs));
      }
    }
    const since = performance.now();
    const done = drain(batch).finally(() => {
      hands.delete(feed);
      // Something may have been given back meanwhile.
      if (performance.now() - since > PATIENCE_MS) alarm.resolve();
    });
    hands.set(feed, { done, since });
  }

  /** Takes entries and has them worked on. Answers in how many ms something more may be taken. */
  async function take(): Promise<number> {
    const token = randomUUID();
    const { entries, nextInMs = Infinity } = await inbox.take(token, { ...TAKE, leaseMs });
    if (entries.length === 0) return nextInMs;
    const nowMs = await engine.store.now();
    const batches = [...Map.groupBy(entries, ({ feed }) => feed)].map(([feed, theirs]): Batch => ({
      feed,
      token,
      entries: theirs,
      nowMs,
    }));
    for (const batch of batches) held.add(batch);
    await Promise.all(batches.map(hand));
    return nextInMs;
  }

  /** For so long at most, or until something is done, or this ends. */
  async function within(ms: number, done: Promise<void>): Promise<void> {
    if (ms <= 0) return;
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, ending]);
    // A sleep that was ended needs no word.
    const sleeping = sleep(ms, undefined, { signal }).catch(() => undefined);
    await Promise.race([sleeping, done]);
    over.abort();
  }

  /** Nobody waits for the last answer. */
  async function keepRenewing(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // A sleep that was ended needs no word.
      await sleep(leaseMs / RENEWALS_A_LEASE, undefined, { signal, ref: false }).catch(() => undefined);
      // Where the store does not answer, or another drainer has them, the put is refused.
      await Promise.all([...held].map((batch) => inbox.renew(refOf(batch), leaseMs).catch(() => undefined)));
    }
  }

  async function keepDraining(): Promise<void> {
    let faultMs: number | undefined;
    let upkeepAt = 0;
    while (!ending.aborted) {
      alarm = Promise.withResolvers();
      let restMs: number;
      try {
        restMs = await take();
        if (performance.now() >= upkeepAt) {
          upkeepAt = performance.now() + UPKEEP_EVERY_MS;
          const nowMs = await engine.store.now();
          await finishDayRuns(runs, log, nowMs);
          await floods.look();
          await parkedWatch.look(nowMs);
        }
        faultMs = undefined;
      } catch (error) {
        if (ending.aborted) break;
        const failure = failureOf(error);
        faultMs = longer(faultMs);
        log.warn({ kind: failure.kind, reason: messageOf(failure), backoffMs: faultMs }, "inbox cannot be drained");
        restMs = faultMs;
      }
      if (restMs > 0) await within(Math.min(restMs, LOOK_EVERY_MS), alarm.promise);
    }
    await Promise.all([...hands.values()].map(({ done }) => done));
  }

  const renewing = new AbortController();
  void keepRenewing(renewing.signal);
  const draining = keepDraining().finally(() => renewing.abort());
  return {
    wake: () => alarm.resolve(),
    get notes() {
      return floods.notes;
    },
    async close() {
      closing.abort();
      await draining;
      await accountScans.ended;
    },
  };
}
