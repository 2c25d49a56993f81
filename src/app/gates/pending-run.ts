/** What to cancel of what is paused. */
import { DIRECT, type RunState } from "../../store/runs.ts";
import type { Store } from "../../store/store.ts";
import { LATEST_RUNS } from "../plans/make-plans.ts";
import type { PauseTarget } from "./pause.ts";

/** The newest run of what is paused of which something is pending: where its file is wrong, it is to be cancelled. */
export async function pendingRunOf(
  { runs }: Pick<Store, "runs">,
  { pool, feed }: PauseTarget,
): Promise<string | undefined> {
  for (const run of await runs.list(LATEST_RUNS)) {
    // Changes of applications and of single commands have no end.
    if (run.feed === DIRECT || isEndedForGood(run.state)) continue;
    if ((pool !== undefined && run.pool !== pool) || (feed !== undefined && run.feed !== feed)) continue;
    if ((await runs.books(run.id)).pending > 0) return run.id;
  }
  return undefined;
}

const isEndedForGood = (state: RunState): boolean => state === "cancelled" || state === "expired";
