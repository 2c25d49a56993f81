/** Plans as a command makes them: with a line that tells how far it is. */
import type { OpenedFeeds } from "../app/feeds/open-feeds.ts";
import { planFeeds, type PlannedFeed, type PlanRequest } from "../app/plans/make-plans.ts";
import type { Scope } from "../lifecycle.ts";
import type { Baseline } from "../plan/baseline.ts";
import type { Io } from "./io.ts";
import type { OpenedCommand } from "./opening.ts";
import { createPlanningLine } from "./planning-line.ts";

export async function planShown(
  io: Io,
  opened: OpenedCommand,
  scope: Scope,
  feeds: OpenedFeeds & Pick<PlanRequest, "everybody">,
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
