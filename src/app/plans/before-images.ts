/** What was there before a run, kept so that `poolsync undo` can put it there again. */
import type { Config } from "../../config/config.ts";
import type { PlannedRow } from "../../plan/planned-row.ts";
import { keepBeforeImages, MAX_IMAGE_ROWS } from "../../plan/way-back.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Run } from "../../store/runs.ts";
import { AppError } from "../app-error.ts";
import { count } from "../../core/amounts.ts";

/** True where what was there before the runs of a feed, or of a file that is no feed, is kept. */
export function keepsBeforeImages(
  { feeds, keepBefore: common }: Pick<Config, "feeds" | "keepBefore">,
  feed: string,
): boolean {
  return (Object.hasOwn(feeds, feed) ? feeds[feed]?.keepBefore : undefined) ?? common;
}

/** Keeps it before the first row is put. Throws an AppError where the run is to change too many. */
export async function keepBeforeImagesOfRun(
  { store, keyring }: Engine,
  run: Run,
  rows: Iterable<PlannedRow>,
): Promise<void> {
  if (await keepBeforeImages(store.beforeImages, { keyring, pool: run.pool }, run.id, rows)) return;
  throw new AppError(
    "not-undoable",
    `The run would write more than ${count(MAX_IMAGE_ROWS)} rows of its feed, and of so many what was there before is not kept; nothing was written. Split the file, or set keepBefore: false for it.`,
    { category: "usage" },
  );
}
