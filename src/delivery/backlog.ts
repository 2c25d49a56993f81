/** Back pressure: a producer waits while too much waits to be delivered. */
import { setTimeout as sleep } from "node:timers/promises";

export interface BacklogOptions {
  /** How much may wait beyond which a producer waits. */
  readonly limit?: number;
  /** Called once, after `stillMs` of waiting without a delivery: there may be no worker. */
  readonly onStill?: () => void;
  readonly stillMs?: number;
}

const LIMIT = 20_000;
const STILL_MS = 10_000;
const LOOK_MS = 200;

/**
 * Resolves once less than the limit waits: users who are due in the pool, or, where this process alone delivers what is
 * put and nothing else, changes of the run. The deliveries that lower the number may be in any process, so it has to be
 * looked up.
 */
export async function belowBacklog(
  countWaiting: () => Promise<number>,
  { limit = LIMIT, onStill, stillMs = STILL_MS }: BacklogOptions = {},
  signal?: AbortSignal,
): Promise<void> {
  let fewest = Infinity;
  let stillSince = performance.now();
  let isReported = false;
  for (;;) {
    const waiting = await countWaiting();
    if (waiting < limit) return;
    if (waiting < fewest) {
      fewest = waiting;
      stillSince = performance.now();
    } else if (!isReported && performance.now() - stillSince >= stillMs) {
      isReported = true;
      onStill?.();
    }
    await sleep(LOOK_MS, undefined, signal ? { signal } : {});
  }
}
