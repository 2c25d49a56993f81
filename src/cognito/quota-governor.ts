/**
 * Paces the calls of one quota bucket in this process. The rate itself belongs to the fleet (store/pace.ts); here slots
 * are reserved for whoever waits, slept for, and handed to the most urgent waiter *at the moment when they are due*, so
 * that a single change overtakes a bulk run, and a process that dies wastes little.
 *
 * A trip to the store reserves one slot where slots are far apart, and those of the next 20 ms where they are not; the
 * next trip is made shortly before the last of them is due, so that the way to the store costs no slot. While the pace
 * is closed there is one timer, and no trip. For urgent waiters there are trips of their own, whose slots overtake those
 * that this and other processes hold.
 *
 * Where the caller has to prepare its call in the slot, as many again are prepared while all calls that may be are in
 * flight. A slot that grows old meanwhile lapses, so that nobody holds anything behind calls that hang.
 */
import type { Pace } from "../store/pace.ts";

/**
 * One call may be made. Exactly one of the last three ends it; `done` after another does nothing, so it fits a `finally`.
 */
export interface Slot {
  /** By the store's clock, epoch ms. */
  readonly slotAt: number;
  /**
   * The call is prepared: resolves to true as soon as fewer than `concurrency` are in flight, and to false where the slot
   * is no longer fresh by then. Only where the governor has `preparing`. Does nothing once it has answered true.
   */
  begin(): Promise<boolean>;
  /** The call was made. */
  done(): void;
  /** No call was made: the next waiter has the slot, while it is fresh. */
  giveBack(): void;
  /** The call was made, and throttled: slows the fleet down. */
  throttled(): Promise<void>;
}

export interface SlotWish {
  /** 0 (first) to 9 (last); what lies outside is moved to the nearer end. 0 and 1 are urgent. */
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
  /** Calls in flight, at most. */
  readonly concurrency: number;
  /** Slots that are out beside for calls that are only prepared, at most. Absent: every slot counts as a call. */
  readonly preparing?: number;
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
  readonly urgent: boolean;
}

interface Waiter {
  readonly urgent: boolean;
  readonly deadlineAt: number;
  /** Leaves the line. */
  resolve(slot: Slot): void;
  reject(reason: unknown): void;
}

const PRIORITIES = 10;
const URGENT = 1;
/** How late a slot may be used. Later ones lapse, so that spared slots never add up to a burst. */
const FRESH_MS = 250;
/** No timer is more exact than this. */
const TICK_MS = 1;
/** How long before the last reserved slot is due the next are asked for: longer than the store takes. */
const LEAD_MS = 10;
const EPISODE_QUIET_MS = 10_000;

export function createQuotaGovernor(options: GovernorOptions): QuotaGovernor {
  const { pace, bucket, ceilingPerSecond, concurrency, preparing = 0 } = options;
  const episodes = watchEpisodes(bucket, options.onEpisode);
  /** Who waits, by priority; in each the first came first. */
  const lines = Array.from({ length: PRIORITIES }, () => new Set<Waiter>());
  /** Reserved, the soonest first. */
  let slots: Due[] = [];
  /** Slots that the store was asked for, and has not answered yet. */
  const asked = { urgent: 0, any: 0 };
  /** The store promised no slot, because the next is too far ahead: it is not asked again before. */
  const askAgainAt = { urgent: 0, any: 0 };
  /** Slots that were handed out and have not ended. */
  let out = 0;
  /** Those of them whose call has begun, */
  let begun = 0;
  /** and those whose call is ready to, the first came first: of urgent waiters, and of the others. */
  const ready = { urgent: new Set<() => void>(), other: new Set<() => void>() };
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  const waiters = (): Waiter[] => lines.flatMap((line) => [...line]);
  const first = (): Waiter | undefined =>
    lines
      .find((line) => line.size > 0)
      ?.values()
      .next().value;
  const waiting = (from: readonly Set<Waiter>[]): number => from.reduce((sum, { size }) => sum + size, 0);

  /** How many slots may be handed out: none while as many calls are in flight as may be. */
  const places = (): number => (begun < concurrency ? concurrency + preparing - out : 0);

  /** Lets the next call begin that is ready; but an urgent waiter who has no slot yet goes before those of the others. */
  function beginNext(): void {
    if (begun >= concurrency) return;
    const [next] = ready.urgent.size > 0 || first()?.urgent ? ready.urgent : ready.other;
    next?.();
  }

  function hand(waiter: Waiter, due: Due): void {
    let isOut = true;
    let hasBegun = false;
    const begin = (): void => {
      hasBegun = true;
      begun += 1;
    };
    out += 1;
    /** True the first time. */
    const end = (): boolean => {
      if (!isOut) return false;
      isOut = false;
      out -= 1;
      if (hasBegun) begun -= 1;
      beginNext();
      return true;
    };
    waiter.resolve({
      slotAt: due.slotAt,
      async begin() {
        if (!hasBegun && begun < concurrency) begin();
        if (hasBegun) return true;
        const line = waiter.urgent ? ready.urgent : ready.other;
        const { promise, resolve } = Promise.withResolvers<boolean>();
        const leave = (mayBegin: boolean): void => {
          clearTimeout(lapse);
          line.delete(next);
          if (mayBegin) begin();
          resolve(mayBegin);
        };
        const next = (): void => leave(true);
        const lapse = setTimeout(leave, FRESH_MS, false);
        line.add(next);
        return promise;
      },
      done() {
        if (end()) pump();
      },
      giveBack() {
        if (!end()) return;
        slots.unshift(due);
        pump();
      },
      async throttled() {
        // Told before the next slot is asked for.
        const told = pace.throttled(bucket, ceilingPerSecond, due.slotAt);
        if (end()) pump();
        await told;
        if (episodes.count()) episodes.begin((await pace.view(bucket, ceilingPerSecond)).ratePerSecond);
      },
    });
  }

  /** Asks the store for slots. Whoever waits learns of its fault, and tries again in its own time. */
  function ask(most: number, urgent: boolean): void {
    const kind = urgent ? "urgent" : "any";
    asked[kind] = most;
    void pace
      .reserve(bucket, ceilingPerSecond, { most, urgent })
      .then(
        (reserved) => {
          const now = performance.now();
          slots.push(...reserved.slots.map(({ slotAt, waitMs }) => ({ slotAt, dueAt: now + waitMs, urgent })));
          slots.sort((a, b) => a.dueAt - b.dueAt);
          askAgainAt[kind] = now + reserved.askAgainMs;
          const soonest = slots[0]?.dueAt ?? askAgainAt[kind];
          for (const waiter of waiters()) if (waiter.deadlineAt < soonest) waiter.reject(new SlotTooLate());
        },
        (error: unknown) => {
          for (const waiter of waiters()) if (waiter.urgent || !urgent) waiter.reject(error);
        },
      )
      .finally(() => {
        asked[kind] = 0;
        pump();
      });
  }

  /** Hands out what is due, asks for what is wanted, and sleeps until there is something to do. */
  function pump(): void {
    clearTimeout(timer);
    if (closed) return;
    const now = performance.now();
    slots = slots.filter(({ dueAt }) => now - dueAt <= FRESH_MS);
    for (let waiter = first(); waiter && places() > 0; waiter = first()) {
      const [due] = slots;
      if (!due || due.dueAt >= now + TICK_MS) break;
      slots.shift();
      hand(waiter, due);
    }

    const urgent = Math.min(waiting(lines.slice(0, URGENT + 1)), places()) - slots.filter((slot) => slot.urgent).length;
    if (urgent > 0 && asked.urgent === 0 && askAgainAt.urgent <= now) ask(urgent, true);
    const any = Math.min(waiting(lines), places()) - slots.length - asked.urgent;
    const askAt = Math.max((slots.at(-1)?.dueAt ?? now) - LEAD_MS, askAgainAt.any);
    if (any > 0 && asked.any === 0 && askAt <= now) ask(any, false);

    const wakeAt = Math.min(
      slots[0]?.dueAt ?? Infinity,
      urgent > 0 && asked.urgent === 0 ? askAgainAt.urgent : Infinity,
      any > 0 && asked.any === 0 ? askAt : Infinity,
    );
    if (first() && wakeAt < Infinity && places() > 0) timer = setTimeout(pump, wakeAt - now);
  }

  return {
    async acquire({ priority, deadlineMs = Infinity, signal }) {
      if (closed) throw new GovernorClosed();
      signal?.throwIfAborted();
      if (deadlineMs <= 0) throw new SlotTooLate();
      const { promise, resolve, reject } = Promise.withResolvers<Slot>();
      const level = Math.min(PRIORITIES - 1, Math.max(0, Math.trunc(priority)));
      const leave = (): void => {
        lines[level]?.delete(waiter);
        clearTimeout(deadline);
        signal?.removeEventListener("abort", onAbort);
      };
      const waiter: Waiter = {
        urgent: level <= URGENT,
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
      const deadline = Number.isFinite(deadlineMs)
        ? setTimeout(() => waiter.reject(new SlotTooLate()), deadlineMs)
        : undefined;
      signal?.addEventListener("abort", onAbort, { once: true });
      lines[level]?.add(waiter);
      pump();
      return promise;
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      for (const waiter of waiters()) waiter.reject(new GovernorClosed());
      episodes.close();
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
