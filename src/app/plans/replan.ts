/** A plan that was made before, held against the pool once more: who was changed since is left out and reported. */
import { DEFAULT_GUARDS } from "../../core/guards.ts";
import type { OpenedPlan } from "../../plan/plan-lines.ts";
import type { FeedRow } from "../../delivery/feed-run.ts";
import type { RunSource } from "../runs/run-feed.ts";
import { AppError } from "../app-error.ts";
import { planAll, type PlanningDeps } from "./make-plans.ts";

/** Nothing but what was planned is in it, and the guards have looked at that. */
const NO_GUARDS = {
  ...DEFAULT_GUARDS,
  changed: undefined,
  cleared: undefined,
  sameValue: undefined,
  shape: undefined,
  unmatched: undefined,
  rows: undefined,
  emptyColumn: false,
};

/** Throws an AppError `plan-file` for a plan of another target. */
export async function replan(deps: PlanningDeps, written: OpenedPlan): Promise<Omit<RunSource, "identity">> {
  const { pool } = deps;
  const { header } = written;
  if (pool.target.arn !== header.target.arn || pool.target.endpoint !== header.target.endpoint) {
    throw new AppError(
      "plan-file",
      `The plan is for ${header.target.arn} at ${header.target.endpoint}, and this process would write to ${pool.target.arn} at ${pool.target.endpoint}: correct the Region or the endpoint.`,
      { category: "usage" },
    );
  }
  const { protectUsers, protectAttributes } = header;
  const guards = { ...NO_GUARDS, protectUsers, protectAttributes };
  const mapping = { identifier: "username", attributes: [] } as const;
  const input = { feed: header.feed, records: written.records(), mapping, guards };
  // Whom the pool did not list is written all the same, as the plan says. Before format 2 it did not say whom it had found.
  const unlisted = header.format === 1 ? "fault" : "write";
  const [plan] = await planAll(deps, [input], "live", { unlisted });
  if (!plan) throw new Error("Expected a plan of what was planned before");
  const { read } = plan.figures.rows;
  async function* records(): AsyncGenerator<FeedRow> {
    if (plan) yield* plan.feedRows();
    // Rows that change nothing are not in it, and were read all the same.
    yield {
      kind: "rest",
      read: Math.max(0, header.rows.read - read),
      faulty: header.rows.faulty,
      invalid: header.rows.invalid ?? 0,
      issues: written.notPut,
    };
  }
  return {
    name: header.feed,
    asOfMs: header.asOf,
    totalRows: header.rows.read,
    rereadable: true,
    guards,
    records,
    plannedRows: () => plan.rows(),
  };
}
