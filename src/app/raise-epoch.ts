/** Makes a store that was restored another one for every process that had it open. */
import type { Engine } from "../queues/engine.ts";
import { AppError } from "./app-error.ts";

/** Throws an AppError `never-used` for a store that no pool was ever used with: it is not the one that was restored. */
export async function raiseEpoch({ store }: Pick<Engine, "store">): Promise<number> {
  const isUsed = (await store.targets()).length > 0 || (await store.runs.list(1)).length > 0;
  if (!isUsed) {
    throw new AppError(
      "never-used",
      "This store was never used with a user pool, so it is not one that was restored: name the right one with REDIS_URL and POOLSYNC_NAMESPACE, or with --data-dir.",
      { category: "usage" },
    );
  }
  await store.raiseEpoch();
  return store.epoch;
}
