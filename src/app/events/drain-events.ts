/**
 * Makes changes of the events in the inbox, until it is closed: takes them in order of arrival, finds out whom they mean,
 * and puts them into the day's run of their feed, in the step in which they leave the inbox. Whatever fails on the way
 * leaves them there: they are given back, or wait until their lease ends. A paused feed or pool is drained as any other,
 * and keeps in mailboxes what may not be delivered.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { TakenEntry } from "../../store/inbox.ts";
import type { Config } from "../../config/config.ts";
import { failureOf, messageOf } from "../app-error.ts";
import { createDayRuns, finishDayRuns } from "./day-run.ts";
import { drainFeed, type DrainDeps } from "./drain-feed.ts";
import { createParkedWatch } from "./parked-watch.ts";

export interface DrainerOptions extends Omit<DrainDeps, "dayRuns" | "signal"> {
  readonly config: DrainDeps["config"] & Pick<Config, "parkedKeepMs">;
}

export interface Drainer {
  /** Something was added to the inbox. */
  wake(): void;
  /** Ends what it does: what is not put is given back. */
  close(): Promise<void>;
}

/** Longer than anything takes that is done with entries, but for waiting at a pool that throttles. */
const LEASE_MS = 120_000;
const TAKE = { leaseMs: LEASE_MS, limit: 100, maxBytes: 2 * 2 ** 20 };
/** How many takes are worked on at a time: where the users of one feed are looked up for long, others go on. */
const HANDS = 4;
/** How long it waits where nobody wakes it: for what other processes have added or given back. */
const LOOK_EVERY_MS = 5_000;
const UPKEEP_EVERY_MS = 60_000;
const FIRST_BACKOFF_MS = 1_000;
const LONGEST_BACKOFF_MS = 60_000;

export function startDrainer(options: DrainerOptions): Drainer {
  const { engine, log } = options;
  const { inbox, runs } = engine.store;
  const closing = new AbortController();
  const ending = AbortSignal.any([closing.signal, engine.store.lost]);
  const dayRuns = createDayRuns(engine);
  const parkedWatch = createParkedWatch(engine.store, log, options.config.parkedKeepMs);
  const hands = new Set<Promise<void>>();
  /** By feed: how long its events are given back for, where they cannot be drained. */
  const backoffs = new Map<string, number>();
  let alarm = Promise.withResolvers<void>();

  const longer = (ms: number | undefined): number =>
    Math.min(ms === undefined ? FIRST_BACKOFF_MS : ms * 2, LONGEST_BACKOFF_MS);

  /** Gives back what is this drainer's still. Where the store does not answer, the lease ends. */
  async function giveBack(token: string, entries: readonly TakenEntry[], notBefore: number): Promise<void> {
    const ids = entries.map(({ id }) => id);
    await inbox.defer({ token, ids }, notBefore).catch(() => undefined);
  }

  async function drain(token: string, feed: string, entries: readonly TakenEntry[], nowMs: number): Promise<void> {
    try {
      await drainFeed({ ...options, dayRuns, signal: ending }, { feed, token, entries, nowMs });
      backoffs.delete(feed);
    } catch (error) {
      if (ending.aborted) return giveBack(token, entries, 0);
      const backoffMs = longer(backoffs.get(feed));
      backoffs.set(feed, backoffMs);
      const failure = failureOf(error);
      const { kind } = failure;
      log.warn({ feed, kind, reason: messageOf(failure), events: entries.length, backoffMs }, "events wait");
      await giveBack(token, entries, nowMs + backoffMs);
    }
  }

  /** Takes entries and has hands work on them. Answers in how many ms something more may be taken. */
  async function take(): Promise<number> {
    const token = randomUUID();
    const { entries, nextInMs = Infinity } = await inbox.take(token, TAKE);
    if (entries.length === 0) return nextInMs;
    const nowMs = await engine.store.now();
    const feeds = Map.groupBy(entries, ({ feed }) => feed);
    for (const [feed, theirs] of feeds) {
      const hand = drain(token, feed, theirs, nowMs).finally(() => hands.delete(hand));
      hands.add(hand);
    }
    return nextInMs;
  }

  /** Until it is woken, or for so long. */
  async function rest(ms: number): Promise<void> {
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, ending]);
    // A sleep that was ended needs no word.
    const sleeping = sleep(Math.min(ms, LOOK_EVERY_MS), undefined, { signal }).catch(() => undefined);
    await Promise.race([sleeping, alarm.promise]);
    over.abort();
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
      if (hands.size >= HANDS) await Promise.race(hands);
      else if (restMs > 0) await rest(restMs);
    }
    await Promise.all(hands);
  }

  const draining = keepDraining();
  return {
    wake: () => alarm.resolve(),
    async close() {
      closing.abort();
      await draining;
    },
  };
}
