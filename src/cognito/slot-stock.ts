/**
 * The slots that a governor has reserved and not handed out, the soonest first, and the trips to the store for more: one
 * at a time for urgent waiters, whose slots overtake, and one for all.
 */
import type { Pace } from "../store/pace.ts";

export interface DueSlot {
  readonly slotAt: number;
  /** By this process's monotonic clock, ms. */
  readonly dueAt: number;
  readonly urgent: boolean;
}

export interface SlotStock {
  /** Forgets slots that are too old to be used. */
  dropStale(now: number): void;
  /** The next slot, where it is due. */
  takeDue(now: number): DueSlot | undefined;
  giveBack(slot: DueSlot): void;
  /** Asks the store for what is missing of so many slots. Answers when to look again, by performance.now(). */
  order(wanted: { readonly urgent: number; readonly any: number }, now: number): number;
}

export interface StockOptions {
  readonly reserve: (request: { readonly maxSlots: number; readonly urgent: boolean }) => ReturnType<Pace["reserve"]>;
  /** Slots came; or none, and then none can be had before. */
  readonly reserved: (soonestAt: number) => void;
  readonly failed: (error: unknown, urgent: boolean) => void;
  /** Either has been told. */
  readonly answered: () => void;
}

/** How late a slot may be used. Later ones lapse, so that spared slots never add up to a burst. */
export const FRESH_MS = 250;
/** No timer is more exact than this. */
const TICK_MS = 1;
/** How long before the last reserved slot is due the next are asked for: longer than the store takes. */
const LEAD_MS = 10;

export function createSlotStock({ reserve, reserved, failed, answered }: StockOptions): SlotStock {
  let slots: DueSlot[] = [];
  /** Slots that the store was asked for, and has not answered yet. */
  const asked = { urgent: 0, any: 0 };
  /** The store promised no slot, because the next is too far ahead: it is not asked again before. */
  const askAgainAt = { urgent: 0, any: 0 };

  function ask(maxSlots: number, urgent: boolean): void {
    const kind = urgent ? "urgent" : "any";
    asked[kind] = maxSlots;
    void reserve({ maxSlots, urgent })
      .then(
        (answer) => {
          const now = performance.now();
          slots.push(...answer.slots.map(({ slotAt, waitMs }) => ({ slotAt, dueAt: now + waitMs, urgent })));
          slots.sort((a, b) => a.dueAt - b.dueAt);
          askAgainAt[kind] = now + answer.askAgainMs;
          reserved(slots[0]?.dueAt ?? askAgainAt[kind]);
        },
        (error: unknown) => failed(error, urgent),
      )
      .finally(() => {
        asked[kind] = 0;
        answered();
      });
  }

  return {
    dropStale(now) {
      slots = slots.filter(({ dueAt }) => now - dueAt <= FRESH_MS);
    },
    takeDue(now) {
      const [next] = slots;
      return next && next.dueAt < now + TICK_MS ? slots.shift() : undefined;
    },
    giveBack: (slot) => void slots.unshift(slot),
    order(wanted, now) {
      const urgent = wanted.urgent - slots.filter((slot) => slot.urgent).length;
      if (urgent > 0 && asked.urgent === 0 && askAgainAt.urgent <= now) ask(urgent, true);
      const any = wanted.any - slots.length - asked.urgent;
      const askAt = Math.max((slots.at(-1)?.dueAt ?? now) - LEAD_MS, askAgainAt.any);
      if (any > 0 && asked.any === 0 && askAt <= now) ask(any, false);
      return Math.min(
        slots[0]?.dueAt ?? Infinity,
        urgent > 0 && asked.urgent === 0 ? askAgainAt.urgent : Infinity,
        any > 0 && asked.any === 0 ? askAt : Infinity,
      );
    },
  };
}
