/** Plans as a command makes them: with a line that tells how far it is. */
import type { OpenedFeeds } from "../app/feeds/open-feeds.ts";
import { planFeeds, type PlannedFeed } from "../app/plans/make-plans.ts";
import type { Scope } from "../lifecycle.ts";
import type { Baseline } from "../plan/baseline.ts";
import { tell, type Io } from "./io.ts";
import type { OpenedCommand } from "./opening.ts";
import { createPlanningLine } from "./planning-line.ts";

export async function planShown(
  io: Io,
  opened: OpenedCommand,
  scope: Scope,
  feeds: OpenedFeeds,
  baseline: Baseline,
): Promise<readonly PlannedFeed[]> {
  const { engine, pool } = feeds;
  const line = createPlanningLine(io, opened.interactive);
  const deps = { scope, engine, pool, observe: line.observe, signal: io.interrupts.drain };
  try {
    return await planFeeds(opened, deps, feeds, baseline);
  } finally {
    line.clear();
  }
}

/** Said once, when the feeds are opened. */
export function sayNotOwned(io: Io, { notOwned }: OpenedFeeds): void {
  if (notOwned.length === 0) return;
  const whose = notOwned.map(({ attribute, owner }) => `${attribute} (${owner})`).join(", ");
  tell(io, `Left to the feeds that own them, as poolsync.yaml says: ${whose}.`);
}
