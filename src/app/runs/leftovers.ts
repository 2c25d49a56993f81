/** What runs before this process left pending: told before anything of it is sent. */
import type { Log } from "../../log.ts";
import type { Store } from "../../store/store.ts";
import { LATEST_RUNS } from "../plans/make-plans.ts";
import type { Run } from "../../store/runs.ts";

export interface Leftover extends Pick<Run, "id" | "pool" | "feed" | "startedAt"> {
  readonly pending: number;
}

/** Runs of a pool with something pending, the newest first, but for those that are meant. */
export async function leftoversOf(
  { runs }: Pick<Store, "runs">,
  pool: string,
  meant: ReadonlySet<string> = new Set(),
): Promise<readonly Leftover[]> {
  const left: Leftover[] = [];
  for (const { id, feed, startedAt, state, pool: of } of await runs.list(LATEST_RUNS)) {
    // What a cancelled run has put is discarded by whoever meets it, and what waits for an approval is for nobody to deliver.
    if (of !== pool || meant.has(id) || state === "cancelled" || state === "needs-approval") continue;
    const { pending } = await runs.books(id);
    if (pending > 0) left.push({ id, pool, feed, startedAt, pending });
  }
  return left;
}

/** For processes that deliver everything. */
export async function logLeftovers(store: Pick<Store, "runs">, pool: string, log: Log): Promise<void> {
  for (const { id: run, feed, pending } of await leftoversOf(store, pool)) {
    log.info({ pool, run, feed, pending }, "left pending by an earlier run");
  }
}
