/** The page that an approver reads: what is on it, in which form, and that nothing of a feed is markup. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { changesOf, createKindTally, shownChanges } from "../../src/plan/change-kinds.ts";
import { createTally } from "../../src/plan/figures.ts";
import type { PlanSummary } from "../../src/plan/plan-lines.ts";
import type { PlannedRow } from "../../src/plan/planned-row.ts";
import { planDocument } from "../../src/views/plan-view.ts";
import { pageOf } from "../support/plan-pages.ts";

const MADE_AT = Date.UTC(2026, 10, 30, 8, 12);
const ORIGIN = {
  madeBy: "jane@build-7",
  madeAt: MADE_AT,
  version: "1.2.3",
  asOf: MADE_AT,
  file: { name: "people.csv", sha256: "9f86d081", bytes: 1234, modifiedAt: MADE_AT },
};

/** A row whose user has `before` as name and is given `after`. */
function rowOf(line: number, before: string, after: string, username = `u${line}`): PlannedRow {
  const unit = { name: "given_name", value: { kind: "text", text: after } } as const;
  return {
    kind: "user",
    line,
    user: `${line}`,
    username,
    found: true,
    version: { timeMs: 0, sequence: 0 },
    units: [{ unit, action: "change", message: false, before }],
    invalid: [],
    federated: [],
  };
}

function planOf(rows: readonly PlannedRow[], facts: Partial<PlanSummary> = {}): PlanSummary {
  const [tally, kinds] = [createTally(), createKindTally()];
  for (const row of rows) {
    tally.add(row);
    for (const change of changesOf(row)) kinds.add(change);
  }
  const figures = tally.figures({
    baseline: "live",
    matched: rows.length,
    changed: rows.length,
    pace: { updatesPerSecond: 20, listsPerSecond: 25 },
    federated: { users: 0, overwritten: 0, unchecked: [] },
    scan: { users: 9, pages: 1, begunAgain: false, durationMs: 1000 },
  });
  return {
    id: "p-1",
    feed: "hr",
    figures,
    broken: [],
    blind: [],
    examples: rows.flatMap((row) => [...changesOf(row)]).slice(0, 50),
    kinds: kinds.kinds(),
    notPut: [{ line: 2, username: "nobody", reason: "user-unknown", detail: "There is no such user." }],
    origin: ORIGIN,
    ...facts,
  };
}

const whole = (rows: readonly PlannedRow[], showValues: boolean, facts: Partial<PlanSummary> = {}): string => {
  const plan = planOf(rows, facts);
  return pageOf(plan, { showValues, changes: shownChanges(rows, plan.kinds) });
};
const FEW = [rowOf(2, "José", "Jose"), rowOf(3, "Ann", "TBD"), rowOf(4, "Ann", "Bob")];
const many = (length: number) => Array.from({ length }, (_, index) => rowOf(index + 2, "Ann", "Bob"));
const BROKEN = { guard: "changed", limit: 0.2, found: 1, count: 3, of: 3 } as const;

/** The names of the tags, each opened one closed in its turn: the parts of a page that a feed cannot have a hand in. */
function tagsOf(page: string): string[] {
  const open: string[] = [];
  const names: string[] = [];
  for (const [, end, name = ""] of page.matchAll(/<(\/?)([a-z0-9]+)\b[^<>]*>/g)) {
    if (end === "/") assert.equal(open.pop(), name);
    else {
      names.push(name);
      if (!["meta", "br", "wbr"].includes(name)) open.push(name);
    }
  }
  assert.deepEqual(open, []);
  return names;
}

describe("the page of a plan", () => {
  test("says who made it, of which file, against which pool and until when it holds", () => {
    const page = whole(many(10), false);
    for (const [title, fact] of [
      ["made by", "<bdi>jane@build-7</bdi>, with poolsync 1.2.3"],
      ["made at", '<time datetime="2026-11-30T08:12:00.000Z">2026-11-30 08:12 UTC</time>'],
      ["from the file", "<bdi>people.csv</bdi>, 1,234 bytes, modified <time"],
      ["SHA-256 of the file", "<code>9f86d081</code>"],
      ["compared", "With the pool itself: 9 users, read in 1s."],
      ["pool", "<bdi>eu-west-1_Example</bdi> in eu-west-1, account 123456789012"],
      ["holds", "It is kept nowhere."],
    ]) {
      assert.ok(page.includes(`<dt>${title}</dt><dd>${fact}`), title);
    }
  });

  test("has no digest of a file that is so short that it could be guessed by it, where values are masked", () => {
    assert.ok(!whole(FEW, false).includes("9f86d081"));
    assert.ok(whole(FEW, true).includes("9f86d081"));
    for (const [rows, showValues, isThere] of [
      [FEW, false, false],
      [FEW, true, true],
      [many(10), false, true],
    ] as const) {
      const document = JSON.stringify(planDocument(planOf(rows), "staff", showValues));
      assert.equal(document.includes('"sha256":"9f86d081"'), isThere);
      assert.ok(document.includes('"madeBy":"jane@build-7","madeAt":"2026-11-30T08:12:00.000Z","version":"1.2.3"'));
    }
  });

  test("has a table a kind of change, each with what it is, and shows values where they are asked for", () => {
    const masked = whole(FEW, false);
    assert.doesNotMatch(masked, /Jos|Ann|Bob|TBD/);
    for (const kind of ["accents lost", "becomes a placeholder", "other value"]) {
      assert.match(masked, new RegExp(`<h3 id="k\\d"><code>given_<wbr>name</code>: ${kind}</h3> +1 change</caption>`));
      assert.match(masked, new RegExp(`<td><a href="#k\\d">${kind}</a></td><td class="n">1</td>`));
    }
    assert.ok(whole(FEW, true).includes("<td><bdi>u2</bdi></td><td><bdi>José</bdi></td><td><bdi>Jose</bdi></td></tr>"));
  });

  test("says the same kinds as the JSON, whose examples have no values either", () => {
    const document = planDocument(planOf(FEW), "staff", false);
    assert.deepEqual(document.kinds, planOf(FEW).kinds);
    const [example] = document.examples;
    assert.deepEqual(example, {
      line: 2,
      username: "u2",
      attribute: "given_name",
      deed: "change",
      difference: "accents lost",
    });
  });

  test("has all changes up to 5,000, and else the first of each kind, and says how many it leaves out", () => {
    assert.equal(whole(many(5000), false).match(/<td><bdi>u\d+<\/bdi><\/td><\/tr>/g)?.length, 5000);
    const page = whole([...many(6000), rowOf(9000, "José", "Jose")], false);
    assert.equal(page.match(/<td><bdi>u\d+<\/bdi><\/td><\/tr>/g)?.length, 5000);
    assert.match(page, /These are 5,000 of 6,001 changes, the first of each kind: 1,001 are left out/);
    assert.match(page, /the first 4,999 of 6,000 changes/);
    assert.match(page, /accents lost<\/h3> +1 change</);
    assert.match(page, /<bdi>u9000<\/bdi>/);
  });

  test("shows the first changes of a plan that was kept before kinds were counted", () => {
    const examples = planOf(FEW).examples.map(({ difference: _difference, ...example }) => example);
    const page = pageOf(planOf(FEW, { kinds: [], examples, origin: undefined }));
    assert.match(page, /These are the first 3\./);
    assert.match(page, /given_<wbr>name<\/code>: change<\/h3>/);
    assert.doesNotMatch(page, /made by/);
  });

  test("has what a reader needs who hears it, moves through it by keyboard or prints it", () => {
    const broken = [{ ...BROKEN, examples: planOf(FEW).examples }];
    const page = whole(FEW, true, { broken });
    assert.match(page, /^<!doctype html>\n<html lang="en">/);
    const tags = tagsOf(page);
    const times = (name: string) => tags.filter((tag) => tag === name).length;
    assert.equal(times("table"), 4 + 3, "kinds, attributes, a guard, what is not put, and each kind");
    assert.equal(times("caption"), times("table"));
    assert.equal(times("thead"), times("table"));
    for (const [, attributes, content] of page.matchAll(/<th\b([^>]*)>([^]*?)<\/th>/g)) {
      assert.match(attributes ?? "", /scope="(?:col|row)"/);
      assert.notEqual(content?.trim(), "");
    }
    // Headings go down by one level at a time.
    const levels = tags.flatMap((tag) => (/^h\d$/.test(tag) ? [Number(tag.slice(1))] : []));
    assert.equal(levels[0], 1);
    for (const [index, level] of levels.entries()) assert.ok(level <= (levels[index - 1] ?? 0) + 1);
    assert.deepEqual([times("h1"), times("header"), times("main")], [1, 1, 1]);
    for (const [region = ""] of page.matchAll(/<div class="wide"[^>]*>/g)) {
      assert.match(region, /role="region" aria-label="[^"]+" tabindex="0"/);
    }
    assert.match(page, /@media print\{@page\{margin:15mm\}/);
    assert.match(page, /@media screen and \(prefers-color-scheme:dark\)/, "paper is white");
  });

  test("fetches and runs nothing", () => {
    const page = whole(FEW, true);
    assert.match(page, /content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"/);
    assert.deepEqual(
      tagsOf(page).filter((tag) => ["script", "img", "link", "iframe", "form", "object"].includes(tag)),
      [],
    );
    assert.doesNotMatch(page, /\bon[a-z]+=|https?:\/\/|url\(|@import/);
  });

  test("has whatever a feed says as text, apart from what stands around it, and names what nobody would see", () => {
    const hostile = `</td><script>alert(1)</script>"' onload=x &amp; \u202Egnp.exe\u2066\u200B\u00A0\u0007\n\uD800`;
    const row = rowOf(2, hostile, `${hostile}${"x".repeat(2048)}`, hostile);
    const page = whole([row], true, { feed: hostile, notPut: [] });
    const known = new Set(tagsOf(whole(FEW, true)));
    assert.deepEqual(
      tagsOf(page).filter((tag) => !known.has(tag)),
      [],
    );
    assert.doesNotMatch(page, /<script|[\u202A-\u202E\u2066-\u2069\u200B]/);
    const shown =
      "&#60;/td&#62;&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39; onload=x &#38;amp; <i>U+202E</i>gnp.exe<i>U+2066</i><i>U+200B</i><i>U+00A0</i><i>U+0007</i><i>U+000A</i><i>U+D800</i>";
    assert.ok(page.includes(`<td><bdi>${shown}</bdi></td><td><bdi>${shown}</bdi></td>`));
    assert.ok(page.includes("x".repeat(2048)), "whole");
  });
});
