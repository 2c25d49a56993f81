/** Back pressure: a producer waits while too many users of its pool are due. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Mailboxes } from "../store/mailboxes.ts";

export interface BacklogOptions {
  /** Users due in a pool beyond which a producer waits. */
  readonly limit?: number;
  /** Called once, after `stillMs` of waiting without a delivery: there may be no worker. */
  readonly onStill?: () => void;
  readonly stillMs?: number;
}

const LIMIT = 20_000;
const STILL_MS = 10_000;
const LOOK_MS = 200;

/**
 * Resolves once fewer than the limit of users are due in the pool. The deliveries that lower the number may be in any
 * process, so it has to be looked up.
 */
export async function belowBacklog(
  mailboxes: Pick<Mailboxes, "dueCount">,
  pool: string,
  { limit = LIMIT, onStill, stillMs = STILL_MS }: BacklogOptions = {},
  signal?: AbortSignal,
): Promise<void> {
  let fewest = Infinity;
  let stillSince = performance.now();
  let isReported = false;
  for (;;) {
    const due = await mailboxes.dueCount(pool);
    if (due < limit) return;
    if (due < fewest) {
      fewest = due;
      stillSince = performance.now();
    } else if (!isReported && performance.now() - stillSince >= stillMs) {
      isReported = true;
      onStill?.();
    }
    await sleep(LOOK_MS, undefined, signal ? { signal } : {});
  }
}
