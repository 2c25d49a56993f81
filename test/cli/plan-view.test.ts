import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Difference } from "../../src/core/difference.ts";
import { createTally } from "../../src/plan/figures.ts";
import type { PlanSummary } from "../../src/plan/plan-lines.ts";
import { planDocument, planText } from "../../src/views/plan-view.ts";
import { pageOf } from "../support/plan-pages.ts";
import { PROFILE } from "../support/pool-profile.ts";

const pace = { updatesPerSecond: 20, listsPerSecond: 25 };
const federated = { users: 0, overwritten: 0, unchecked: [] };

function summaryOf(facts: Partial<PlanSummary>, unlisted = 0): PlanSummary {
  const counted = createTally({ profile: PROFILE, baseline: "live", pace, nowMs: 0 }).figures({
    matched: 150,
    changed: 150,
    federated,
  });
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

  test("says of a few rows that guards of shares do not look at so few", () => {
    const few = summaryOf({ tooFew: 10 });
    assert.match(textOf(few), /Guards that go by shares look at 10 rows and more: here they did not\./);
    assert.doesNotMatch(pageOf(few), /class="holds"/);
    assert.equal(planDocument(few, "staff", false).tooFew, 10);
  });

  test("shows no value where nobody looked for one", () => {
    const example = { line: 2, username: "u1", attribute: "name", deed: "write", after: "New" } as const;
    const shown = (difference: Difference) =>
      planText(
        summaryOf({ examples: [{ ...example, difference }] }),
        { pool: "staff", noColor: true, showValues: true },
        200,
      );
    assert.match(shown("not compared"), /not compared +\? +New/);
    assert.match(shown("set where nothing was"), /set where nothing was +– +New/);
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
