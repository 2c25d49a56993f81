import type { Plan } from "../../src/plan/plan.ts";
import type { PlanSummary } from "../../src/plan/plan-lines.ts";

/** What is left of a plan once it is closed. */
export function summaryOf({ id, feed, figures, broken, blind, examples, kinds, notPut, origin }: Plan): PlanSummary {
  return { id, feed, figures, broken, blind, examples, kinds, notPut, origin };
}
