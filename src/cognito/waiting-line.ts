/** Who waits for a slot of a governor: the most urgent goes first, and of equals who came first. */
import { SlotTooLate, type Slot, type SlotRequest } from "./slot.ts";

export interface Waiter {
  readonly urgent: boolean;
  readonly deadlineAt: number;
  /** Leaves the line. */
  resolve(slot: Slot): void;
  reject(reason: unknown): void;
}

export interface WaitingLine {
  /** Throws the signal's reason, or SlotTooLate, where there is nothing to wait for. */
  join(wish: SlotRequest): Promise<Slot>;
  first(): Waiter | undefined;
  /** How many wait, */
  readonly size: number;
  /** and how many of them are urgent. */
  readonly urgent: number;
  /** Rejects all, or the urgent ones. */
  reject(reason: unknown, onlyUrgent?: boolean): void;
  /** Rejects those whose deadline is before the next slot can be had. */
  rejectLate(soonestAt: number): void;
}

const PRIORITIES = 10;
const URGENT = 1;

export function createWaitingLine(): WaitingLine {
  /** By priority; in each the first came first. */
  const lines = Array.from({ length: PRIORITIES }, () => new Set<Waiter>());
  const urgentLines = lines.slice(0, URGENT + 1);
  const all = (): Waiter[] => lines.flatMap((line) => [...line]);
  const count = (sets: readonly Set<Waiter>[]): number => sets.reduce((sum, { size }) => sum + size, 0);

  return {
    join({ priority, deadlineMs = Infinity, signal }) {
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
        ? setTimeout(() => waiter.reject(new SlotTooLate()), Math.max(0, deadlineMs))
        : undefined;
      signal?.addEventListener("abort", onAbort, { once: true });
      lines[level]?.add(waiter);
      return promise;
    },
    first: () =>
      lines
        .find((line) => line.size > 0)
        ?.values()
        .next().value,
    get size() {
      return count(lines);
    },
    get urgent() {
      return count(urgentLines);
    },
    reject(reason, onlyUrgent = false) {
      for (const waiter of all()) if (waiter.urgent || !onlyUrgent) waiter.reject(reason);
    },
    rejectLate(soonestAt) {
      for (const waiter of all()) if (waiter.deadlineAt < soonestAt) waiter.reject(new SlotTooLate());
    },
  };
}
