import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createTally } from "../../src/plan/figures.ts";
import type { PlanSummary } from "../../src/plan/plan-lines.ts";
import { planDocument, planText } from "../../src/views/plan-view.ts";
import { pageOf } from "../support/plan-pages.ts";

const pace = { updatesPerSecond: 20, listsPerSecond: 25 };
const federated = { users: 0, overwritten: 0, unchecked: [] };

function summaryOf(facts: Partial<PlanSummary>, unlisted = 0): PlanSummary {
  const counted = createTally().figures({ baseline: "live", matched: 150, changed: 150, pace, federated });
  return {
    id: "p-1",
    feed: "hr",
    figures: { ...counted, unlisted },
    broken: [],
    blind: [],
    kinds: [],
    notPut: [],
    examples: [],
    ...facts,
  };
}

const textOf = (summary: PlanSummary): string =>
  planText(summary, { pool: "staff", noColor: true }, 80).replaceAll(/\s+/g, " ");

describe("a plan, as it is shown", () => {
  test("says that all guards hold only where all could look", () => {
    assert.match(textOf(summaryOf({})), /All guards hold\./);
    const blind = summaryOf({ blind: ["cleared", "sameValue", "unmatched"] });
    const said = /All guards that could look hold\. 3 guards could not look \(`cleared`, `sameValue`, `unmatched`\)/;
    assert.match(textOf(blind), said);
    const page = pageOf(blind);
    assert.match(
      page,
      /<p>All guards that could look hold\.<\/p>\s*<p>3 guards could not look \(<code>cleared<\/code>/,
    );
    assert.doesNotMatch(page, /class="holds"/);
    assert.match(JSON.stringify(planDocument(blind, "staff", false)), /"blind":\["cleared","sameValue","unmatched"\]/);
  });

  test("says once that guards could not look where that stops it", () => {
    const guards = ["cleared", "sameValue", "unmatched"] as const;
    const broken = [{ guard: "blind", guards, limit: 0, found: 1, count: 150, of: 150, examples: [] }] as const;
    const text = textOf(summaryOf({ blind: guards, broken }));
    assert.equal(text.split("could not look").length, 2);
    assert.doesNotMatch(text, /hold/);
  });

  test("counts users whom the pool does not list apart from those who match", () => {
    assert.match(textOf(summaryOf({})), /150 users matched 150 change/);
    assert.match(textOf(summaryOf({}, 149)), /1 user matched, and 149 whom the pool does not list/);
  });
});
