/**
 * The turns in which a process reads pools' descriptions. Cognito gives a whole account 15 of these calls a second, and a
 * worker with fifty pools would ask for all of them in the first. This is a limit of one process, in memory: it keeps a
 * start from throttling itself, and what a fleet that starts at once is still throttled of is tried again.
 */
import Bottleneck from "bottleneck";
import { SlotTooLate, type SlotRequest } from "./slot.ts";
import type { ReadTurns } from "./read-retry.ts";

/** So many at once and then 10 a second: with those of the tick before and after it, never more than the quota. */
const RESERVOIR = 5;
const REFILL_MS = 500;
const CALLS_IN_FLIGHT = 4;
/** The longest that a timer takes: 24 days. */
const LONGEST_MS = 2 ** 31 - 1;

export interface ControlPlane extends ReadTurns {
  close(): void;
}

export function createControlPlane(): ControlPlane {
  const limiter = new Bottleneck({
    maxConcurrent: CALLS_IN_FLIGHT,
    reservoir: RESERVOIR,
    reservoirIncreaseAmount: RESERVOIR,
    reservoirIncreaseInterval: REFILL_MS,
    reservoirIncreaseMaximum: RESERVOIR,
  });
  return {
    async acquire({ priority, deadlineMs = LONGEST_MS, signal }: SlotRequest) {
      signal?.throwIfAborted();
      const turn = Promise.withResolvers<void>();
      const call = Promise.withResolvers<void>();
      // Who no longer waits when the turn comes ends it at once.
      const leave = (reason: unknown): void => {
        turn.reject(reason);
        call.resolve();
      };
      const onAbort = (): void => leave(signal?.reason);
      // It also keeps the process alive, which the limiter's own timer does not.
      const timer = setTimeout(() => leave(new SlotTooLate()), Math.min(deadlineMs, LONGEST_MS));
      signal?.addEventListener("abort", onAbort, { once: true });
      limiter
        .schedule({ priority }, () => {
          turn.resolve();
          return call.promise;
        })
        .catch(turn.reject);
      try {
        await turn.promise;
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      }
      // The limit is not the quota's: a throttle says nothing that it does not keep to already.
      return { done: call.resolve, throttled: () => Promise.resolve() };
    },
    close() {
      void limiter.disconnect();
    },
  };
}
