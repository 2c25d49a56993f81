import type { PlanSummary } from "../../src/plan/plan-lines.ts";
import { planPage, type PageFacts } from "../../src/views/plan-page.ts";

const TARGET = {
  pool: "eu-west-1_Example",
  endpoint: "cognito-idp.eu-west-1.amazonaws.com",
  region: "eu-west-1",
  arn: "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_Example",
};

/** The page of a plan that is kept nowhere. */
export function pageOf(plan: PlanSummary, facts: Partial<PageFacts> = {}): string {
  const page = planPage(plan, {
    target: TARGET,
    showValues: false,
    now: Date.UTC(2026, 0, 2),
    changes: plan.examples,
    holds: "It is kept nowhere.",
    approval: `--approve ${plan.id}`,
    ...facts,
  });
  return [...page].join("");
}
