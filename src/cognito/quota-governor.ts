/**
 * Paces the calls of one quota bucket in this process. The rate itself belongs to the fleet (store/pace.ts); here one
 * slot at a time is reserved for whoever waits, slept for, and handed to the most urgent waiter *at that moment*, so
 * that a single change overtakes a bulk run and a process that dies wastes one slot.
 *
 * Bottleneck holds the queue: its reservoir is the slots that are due, its priorities say who is next, its
 * `maxConcurrent` is the calls in flight, and its `expiration` takes back the place of a caller that never says
 * `done()`. Its own rate limits are not used. Each of its jobs takes about two timer ticks, some hundred a second,
 * which is far above Cognito's 25.
 */
import { setTimeout as sleep } from "node:timers/promises";
import Bottleneck from "bottleneck";
import type { Pace } from "../store/pace.ts";

/** One call may be made. Exactly one of the three ends it; `done` after another does nothing, so it fits a `finally`. */
export interface Slot {
  /** By the store's clock, epoch ms. */
  readonly slotAt: number;
  /** The call was made. */
  done(): void;
  /** No call was made: the next waiter has the slot, while it is fresh. */
  giveBack(): void;
  /** The call was made, and throttled: slows the fleet down. */
  throttled(): Promise<void>;
}

export interface SlotWish {
  /** 0 (first) to 9 (last); what lies outside is moved to the nearer end. */
  readonly priority: number;
  /** How long the caller can wait, in ms. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

/** Throttles with less than ten seconds between them. Worth a log line each time, unlike a throttle. */
export type Episode =
  | { readonly is: "began"; readonly bucket: string; readonly ratePerSecond: number }
  | { readonly is: "ended"; readonly bucket: string; readonly throttled: number; readonly lastedMs: number };

export interface GovernorOptions {
  readonly pace: Pace;
  /** (account, Region, category), as one text. */
  readonly bucket: string;
  readonly ceilingPerSecond: number;
  /** Slots that are out at a time, at most. */
  readonly concurrency: number;
  /** After this a slot that nobody ended is taken for ended: longer than any call takes. */
  readonly callLimitMs?: number;
  readonly onEpisode?: (episode: Episode) => void;
}

export interface QuotaGovernor {
  /**
   * Rejects with a SlotTooLate where the deadline cannot be met, as soon as that is known; with the signal's reason
   * when it aborts; with a GovernorClosed; with the store's error where the pace cannot be asked.
   */
  acquire(wish: SlotWish): Promise<Slot>;
  /** Rejects who waits. Slots that are out may still be ended. */
  close(): Promise<void>;
}

/** No slot can be had in time: the caller puts its work off. */
export class SlotTooLate extends Error {
  override readonly name = "SlotTooLate";

  constructor() {
    super("No slot of the pace could be had in time");
  }
}

export class GovernorClosed extends Error {
  override readonly name = "GovernorClosed";

  constructor() {
    super("The quota governor is closed");
  }
}

interface Due {
  readonly slotAt: number;
  /** By this process's monotonic clock, ms. */
  readonly dueAt: number;
}

interface Waiter {
  readonly deadlineAt: number;
  resolve(slot: Slot): void;
  reject(reason: unknown): void;
  /** Ends the slot that it was given. */
  end?: () => boolean;
}

const CALL_LIMIT_MS = 120_000;
/** How late a slot may be used. Later ones lapse, so that spared slots never add up to a burst. */
const FRESH_MS = 250;
const EPISODE_QUIET_MS = 10_000;

export function createQuotaGovernor(options: GovernorOptions): QuotaGovernor {
  const { pace, bucket, ceilingPerSecond, concurrency, callLimitMs = CALL_LIMIT_MS } = options;
  const limiter = new Bottleneck({ maxConcurrent: concurrency, reservoir: 0 });
  const episodes = watchEpisodes(bucket, options.onEpisode);
  const closing = new AbortController();
  const waiting = new Set<Waiter>();
  /** Offered to Bottleneck's queue: as many as its reservoir says. */
  const offered: Due[] = [];
  /** Due, but nobody wanted them. */
  let spare: Due[] = [];
  const out = new Set<() => boolean>();
  let pumping: Promise<void> | undefined;

  function pass(due: Due): void {
    if (performance.now() - due.dueAt > FRESH_MS || closing.signal.aborted) return;
    if (waiting.size <= offered.length) {
      spare.push(due);
      return;
    }
    offered.push(due);
    void limiter.incrementReservoir(1);
  }

  function nextSpare(): Due | undefined {
    const now = performance.now();
    spare = spare.filter(({ dueAt }) => now - dueAt <= FRESH_MS);
    return spare.shift();
  }

  /** Bottleneck runs this when a slot is due and it is this waiter's turn; until its promise ends the slot is out. */
  async function serve(waiter: Waiter): Promise<void> {
    const due = offered.shift();
    if (!due) return;
    if (!waiting.has(waiter)) return pass(due);
    const { promise, resolve } = Promise.withResolvers<void>();
    /** True the first time. */
    const end = (): boolean => {
      resolve();
      return out.delete(end);
    };
    out.add(end);
    waiter.end = end;
    waiter.resolve({
      slotAt: due.slotAt,
      done: () => void end(),
      giveBack() {
        if (end()) pass(due);
      },
      async throttled() {
        end();
        await pace.throttled(bucket, ceilingPerSecond, due.slotAt);
        if (episodes.count()) episodes.begin((await pace.view(bucket, ceilingPerSecond)).ratePerSecond);
      },
    });
    await promise;
  }

  /** Somebody waits for whom no slot is on its way, and who could use one. */
  function isWanted(): boolean {
    return !closing.signal.aborted && waiting.size > offered.length && out.size + offered.length < concurrency;
  }

  /** Reserves slots, one after the other, while they are wanted. */
  async function reserve(): Promise<void> {
    while (isWanted()) {
      const due = nextSpare();
      if (due) {
        pass(due);
        continue;
      }
      const { waitMs, slotAt } = await pace.reserve(bucket, ceilingPerSecond);
      const dueAt = performance.now() + waitMs;
      for (const waiter of waiting) if (waiter.deadlineAt < dueAt) waiter.reject(new SlotTooLate());
      if (waitMs > 0) await sleep(waitMs, undefined, { signal: closing.signal });
      // A process that was busy wakes late: the slot is as good as new, and the next is not reserved before.
      pass({ slotAt, dueAt: Math.max(dueAt, performance.now()) });
    }
  }

  function pump(): void {
    pumping ??= reserve()
      // Whoever waits learns of the store's fault, and tries again in its own time. After a close nobody waits.
      .catch((error: unknown) => {
        for (const waiter of waiting) waiter.reject(error);
      })
      .finally(() => {
        pumping = undefined;
        // Who came between the last look and this line found it still pumping.
        if (isWanted()) pump();
      });
  }

  return {
    async acquire({ priority, deadlineMs = Infinity, signal }) {
      if (closing.signal.aborted) throw new GovernorClosed();
      signal?.throwIfAborted();
      if (deadlineMs <= 0) throw new SlotTooLate();
      const { promise, resolve, reject } = Promise.withResolvers<Slot>();
      const leave = (): void => {
        waiting.delete(waiter);
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      };
      const waiter: Waiter = {
        deadlineAt: performance.now() + deadlineMs,
        resolve(slot) {
          leave();
          resolve(slot);
        },
        reject(reason) {
          leave();
          reject(reason);
        },
      };
      const onAbort = (): void => waiter.reject(signal?.reason);
      const timer = Number.isFinite(deadlineMs)
        ? setTimeout(() => waiter.reject(new SlotTooLate()), deadlineMs)
        : undefined;
      signal?.addEventListener("abort", onAbort, { once: true });
      waiting.add(waiter);
      const job = { priority: Math.min(9, Math.max(0, Math.trunc(priority))), expiration: callLimitMs };
      limiter
        .schedule(job, () => serve(waiter))
        // It rejects for one reason: the slot was out for longer than the limit. Its place is free again.
        .catch(() => waiter.end?.())
        .finally(pump);
      pump();
      return promise;
    },
    async close() {
      closing.abort();
      for (const waiter of waiting) waiter.reject(new GovernorClosed());
      for (const end of out) end();
      episodes.close();
      await limiter.disconnect();
    },
  };
}

function watchEpisodes(bucket: string, tell: (episode: Episode) => void = () => undefined) {
  let current: { since: number; last: number; throttled: number; timer: NodeJS.Timeout } | undefined;
  const end = (): void => {
    if (!current) return;
    const { since, last, throttled, timer } = current;
    clearTimeout(timer);
    current = undefined;
    tell({ is: "ended", bucket, throttled, lastedMs: Math.round(last - since) });
  };
  return {
    /** Counts a throttle; true where it is the first of an episode. */
    count(): boolean {
      const now = performance.now();
      if (current) {
        current.last = now;
        current.throttled += 1;
        current.timer.refresh();
        return false;
      }
      current = { since: now, last: now, throttled: 1, timer: setTimeout(end, EPISODE_QUIET_MS).unref() };
      return true;
    },
    begin: (ratePerSecond: number): void => tell({ is: "began", bucket, ratePerSecond }),
    close: end,
  };
}
