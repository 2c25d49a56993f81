/**
 * Paces the calls of one quota bucket in this process. The rate itself belongs to the fleet (store/pace.ts); here a
 * process reserves slots for its waiting callers, sleeps until a slot is due, and hands it *only then* to the most
 * urgent caller, so that a single change overtakes a bulk run, and a process that dies wastes little.
 *
 * A trip to the store reserves one slot where slots are far apart, and those of the next 20 ms where they are not; the
 * next trip is made shortly before the last of them is due, so that the way to the store costs no slot. While the pace
 * is closed there is one timer, and no trip. For urgent waiters there are trips of their own, whose slots overtake those
 * that this and other processes hold.
 *
 * Where the caller has to prepare its call in the slot, as many again are prepared while all calls that may be are in
 * flight. A slot that grows old meanwhile lapses, so that no caller keeps a slot behind calls that hang.
 *
 * | a slot is  | which means                           | and becomes                                            |
 * | ---------- | ------------------------------------- | ------------------------------------------------------ |
 * | asked for  | a trip to the store is under way      | reserved; or nothing, where the pace is closed         |
 * | reserved   | it is ours, and due at its time       | out, when it is due and there is a place; else lapsed  |
 * | out        | a waiter has it, and prepares a call  | begun; or, given back, reserved while it is fresh      |
 * | begun      | the call is in flight                 | ended, by `done` or `throttled`                        |
 *
 * A waiter waits in its line (waiting-line.ts) until it is handed a slot, or leaves: at its deadline, by its signal, for a
 * fault of the store, or at the close. slot-stock.ts has what is asked for and reserved, call-places.ts what is out and
 * begun. Whatever changes one of the three pumps: what is due is handed out, and what is missing is asked for.
 */
import type { Pace } from "../store/pace.ts";
import { createCallPlaces } from "./call-places.ts";
import type { Slot, SlotRequest } from "./slot.ts";
import { createSlotStock, type DueSlot } from "./slot-stock.ts";
import { type Episode, watchEpisodes } from "./throttle-episodes.ts";
import { createWaitingLine, type Waiter } from "./waiting-line.ts";

export interface GovernorOptions {
  readonly pace: Pace;
  /** (account, Region, category), as one text. */
  readonly bucket: string;
  readonly ceilingPerSecond: number;
  /** Calls in flight, at most. */
  readonly concurrency: number;
  /** How many more slots may be out for calls that are only being prepared. Absent: every slot counts as a call. */
  readonly preparing?: number;
  readonly onEpisode?: (episode: Episode) => void;
}

export interface QuotaGovernor {
  /**
   * Rejects with a SlotTooLate where the deadline cannot be met, as soon as that is known; with the signal's reason
   * when it aborts; with a GovernorClosed; with the store's error where the pace cannot be asked.
   */
  acquire(request: SlotRequest): Promise<Slot>;
  /** Rejects the callers that wait. Slots that are out may still be ended. */
  close(): Promise<void>;
}

export class GovernorClosed extends Error {
  override readonly name = "GovernorClosed";

  constructor() {
    super("The quota governor is closed");
  }
}

export function createQuotaGovernor(options: GovernorOptions): QuotaGovernor {
  const { pace, bucket, ceilingPerSecond, concurrency, preparing = 0 } = options;
  const episodes = watchEpisodes(bucket, options.onEpisode);
  const line = createWaitingLine();
  const places = createCallPlaces({ concurrency, preparing, isUrgentNext: () => line.first()?.urgent === true });
  const stock = createSlotStock({
    reserve: (request) => pace.reserve(bucket, ceilingPerSecond, request),
    // Whoever waits learns of the store's fault, and tries again in its own time.
    failed: (error, urgent) => line.reject(error, urgent),
    reserved: (soonestAt) => line.rejectLate(soonestAt),
    answered: pump,
  });
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  function hand(waiter: Waiter, due: DueSlot): void {
    const place = places.take(waiter.urgent);
    waiter.resolve({
      slotAt: due.slotAt,
      begin: () => place.begin(),
      done() {
        if (place.end()) pump();
      },
      giveBack() {
        if (!place.end()) return;
        stock.giveBack(due);
        pump();
      },
      async throttled() {
        // The store learns of the throttle before the next slot is asked for.
        const report = pace.throttled(bucket, ceilingPerSecond, due.slotAt);
        if (place.end()) pump();
        await report;
        if (episodes.count()) episodes.begin((await pace.view(bucket, ceilingPerSecond)).ratePerSecond);
      },
    });
  }

  /** Hands out what is due, asks for what is wanted, and sleeps until there is something to do. */
  function pump(): void {
    clearTimeout(timer);
    if (closed) return;
    const now = performance.now();
    stock.dropStale(now);
    for (let waiter = line.first(); waiter && places.free() > 0; waiter = line.first()) {
      const due = stock.takeDue(now);
      if (!due) break;
      hand(waiter, due);
    }
    const free = places.free();
    const wakeAt = stock.order({ urgent: Math.min(line.urgent, free), any: Math.min(line.size, free) }, now);
    if (line.size > 0 && wakeAt < Infinity && free > 0) timer = setTimeout(pump, wakeAt - now);
  }

  return {
    async acquire(request) {
      if (closed) throw new GovernorClosed();
      const given = line.join(request);
      pump();
      return given;
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      line.reject(new GovernorClosed());
      episodes.close();
    },
  };
}
