/**
 * Ends runs that nobody waits for, in a worker: one that was put with `--detach`, or whose command was stopped, is over
 * when nothing of it is pending any more.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { latestFileRuns } from "../plans/make-plans.ts";
import type { Log } from "../../log.ts";
import type { Store } from "../../store/store.ts";

const LOOK_EVERY_MS = 10_000;

/**
 * Answers the runs of these pools that are over, and ends those of them that were over at the last look (`before`): who
 * waits for a run ends it sooner. Of several workers one does, and its log is told.
 */
export async function finishRuns(
  { runs }: Pick<Store, "runs">,
  log: Log,
  pools: readonly string[],
  before: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  const over = new Set<string>();
  for (const { id, pool, state, startedAt } of await latestFileRuns(runs)) {
    if (state !== "delivering" || !pools.includes(pool)) continue;
    const books = await runs.books(id);
    if (books.pending > 0) continue;
    over.add(id);
    if (!before.has(id) || !(await runs.transition(id, ["delivering"], "finished"))) continue;
    const ended = await runs.get(id);
    const durationMs = (ended?.finishedAt ?? startedAt) - startedAt;
    log.info({ run: id, pool, rows: ended?.rows, books, durationMs }, "run finished");
  }
  return over;
}

/** Looks until the signal; what the store does not answer is asked again. */
export async function keepFinishingRuns(
  store: Pick<Store, "runs">,
  log: Log,
  pools: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  let over: ReadonlySet<string> = new Set();
  while (!signal.aborted) {
    // The deliveries of the process tell of a store that cannot be asked.
    over = await finishRuns(store, log, pools, over).catch(() => over);
    // A sleep that was ended needs no word.
    await sleep(LOOK_EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
