/** A plan as one HTML page with nothing outside of it, to be sent to the person who approves it. */
import { guardSentence } from "../core/guards.ts";
import type { ChangeKind } from "../plan/change-kinds.ts";
import { notPutCount, type Example } from "../plan/figures.ts";
import type { NotPut } from "../plan/not-put.ts";
import type { PlanHeader, PlanSummary } from "../plan/plan-lines.ts";
import { count, counted, duration } from "../core/amounts.ts";
import { caption, cell, marked, name, region, text, value } from "./page-parts.ts";
import { STYLE } from "./page-style.ts";
import { consequences, heldSentences, percent, shownDigest } from "./plan-view.ts";

export interface PageFacts {
  readonly target: PlanHeader["target"];
  /** Else they are masked. */
  readonly showValues: boolean;
  /** Epoch ms: the times that are told begin then. */
  readonly now: number;
  /** Those that are shown, each once. */
  readonly changes: Iterable<Example>;
  /** Until when it can be carried out, and what ends that: a sentence, with commands in backticks. */
  readonly holds: string;
  /** What somebody gives who approves it. */
  readonly approval: string;
}

type Shown = Pick<PageFacts, "showValues">;

/** In pieces, so that it never is in memory as a whole. */
export function* planPage(plan: PlanSummary, facts: PageFacts): Generator<string> {
  const { id, feed, figures, broken, notPut } = plan;
  const { target, now, approval } = facts;
  const { rows, users, faults } = figures;
  const share = users.matched === 0 ? 0 : users.changed / users.matched;
  yield `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer"><title>Plan ${text(id)}: ${text(feed)}</title><style>${STYLE}</style></head><body>
<header><h1>${value(feed)} → ${value(target.pool)}</h1>
<p>Plan <code>${text(id)}</code>. Nothing of it has been written.</p>
${origin(plan, facts)}</header>
<main>
<div class="tiles">
${tile("rows", count(rows.read), rows.faulty > 0 ? `${count(rows.faulty)} at fault` : "none at fault")}
${tile("users matched", count(users.matched), "")}
${tile("users to change", count(users.changed), percent(share))}
${tile("values that cannot be written", count(sum(figures.invalid)), "")}
</div>
<section><h2>Guards</h2>
${heldSentences(plan)
  .map((sentence) => `<p${plan.blind.length === 0 ? ' class="holds"' : ""}>${marked(sentence)}</p>`)
  .join("\n")}
${broken.map((guard) => `<div class="broken"><p><strong>${marked(guardSentence(guard))}</strong></p>${guardTable(guard.examples, facts)}</div>`).join("\n")}
${broken.length === 0 ? "" : `<p>Nothing goes on unless somebody approves just this plan: <code>${text(approval)}</code></p>`}
</section>
${kindTable(plan.kinds)}
${attributeTable(plan)}
<section><h2>What it means</h2>
<ul>${consequences(figures, now)
    .map((sentence) => `<li>${text(sentence)}</li>`)
    .join("")}</ul></section>
${reasonTable("Rows at fault", faults)}
${reasonTable("Values that cannot be written", figures.invalid)}
${notPutTable(notPut, notPutCount(figures))}
`;
  yield* changeTables(plan, facts);
  yield "</main></body></html>\n";
}

/** Who made it, of what, compared with what, and for how long it holds. */
function origin({ figures, origin: from }: PlanSummary, { target, showValues, holds }: PageFacts): string {
  const { baseline, scan } = figures;
  const compared =
    baseline === "live" && scan
      ? `With the pool itself: ${counted(scan.users, "user")}, read in ${duration(scan.durationMs)}.`
      : baseline === "ledger"
        ? "With what poolsync wrote last."
        : "With nothing.";
  const account = target.arn.split(":")[4] ?? "";
  const endpoint = /^cognito-idp\.[^/]+\.amazonaws\.com/.test(target.endpoint) ? "" : `, at ${value(target.endpoint)}`;
  const facts: (readonly [string, string])[] = [];
  if (from) {
    const { file } = from;
    const digest = shownDigest(from, figures, showValues);
    facts.push(
      ["made by", `${value(from.madeBy)}, with poolsync ${text(from.version)}`],
      ["made at", time(from.madeAt)],
      ["from the file", `${value(file.name)}, ${counted(file.bytes, "byte")}, modified ${time(file.modifiedAt)}`],
      [
        "SHA-256 of the file",
        digest === undefined
          ? "not shown: a file of so few rows could be guessed by it"
          : `<code>${text(digest)}</code>`,
      ],
      ["values as of", time(from.asOf)],
    );
  }
  facts.push(
    ["compared", compared],
    ["pool", `${value(target.pool)} in ${text(target.region)}, account ${text(account)}${endpoint}`],
    ["holds", marked(holds)],
  );
  return `<dl>${facts.map(([title, fact]) => `<dt>${title}</dt><dd>${fact}</dd>`).join("\n")}</dl>`;
}

function time(ms: number): string {
  const iso = new Date(ms).toISOString();
  return `<time datetime="${iso}">${iso.slice(0, 16).replace("T", " ")} UTC</time>`;
}

function tile(title: string, amount: string, note: string): string {
  return `<p class="tile"><span class="dim">${title}</span> <b>${amount}</b> <span class="dim">${note}</span></p>`;
}

function kindTable(kinds: readonly ChangeKind[]): string {
  if (kinds.length === 0) return "";
  const body = kinds.map(
    ({ attribute, difference, count: amount }, index) =>
      `<tr><th scope="row">${name(attribute)}</th><td><a href="#k${index}">${text(difference)}</a></td>${cell(count(amount))}</tr>`,
  );
  return `<section><h2>Kinds of changes</h2>${region(
    "Kinds of changes",
    `<table>${caption("Changes by attribute and difference")}<thead><tr><th scope="col">attribute</th><th scope="col">difference</th><th scope="col" class="n">changes</th></tr></thead><tbody>${body.join("\n")}</tbody></table>`,
  )}</section>`;
}

const ACTIONS = ["set", "change", "clear", "write", "unchanged", "awaiting", "superseded", "stale", "invalid"] as const;

function attributeTable({ figures: { attributes } }: PlanSummary): string {
  const all = Object.entries(attributes).map(([attribute, counts]) => {
    return { attribute, counts, written: counts.set + counts.change + counts.clear + counts.write };
  });
  const most = Math.max(1, ...all.map(({ written }) => written));
  const actions = ACTIONS.filter((action) => all.some(({ counts }) => counts[action] > 0));
  const head = actions.map((action) => `<th scope="col" class="n">${action}</th>`).join("");
  const body = all.map(
    ({ attribute, counts, written }) =>
      `<tr><th scope="row">${name(attribute)}</th>${actions.map((action) => cell(count(counts[action]))).join("")}<td class="b">${bar(written / most)}</td></tr>`,
  );
  return `<section><h2>Attributes</h2>${region(
    "Attributes",
    `<table class="wrapless">${caption("What becomes of the values, by attribute")}<thead><tr><th scope="col">attribute</th>${head}<th scope="col" class="b">written</th></tr></thead><tbody>${body.join("\n")}</tbody></table>`,
  )}</section>`;
}

function bar(share: number): string {
  return `<span class="bar" role="img" aria-label="${percent(share)} of the most"><i style="width:${(Math.min(1, share) * 100).toFixed(1)}%"></i></span>`;
}

function reasonTable(title: string, counts: Readonly<Record<string, number>>): string {
  const rows = Object.entries(counts).toSorted(([, a], [, b]) => b - a);
  if (rows.length === 0) return "";
  const body = rows.map(
    ([reason, amount]) => `<tr><th scope="row"><code>${text(reason)}</code></th>${cell(count(amount))}</tr>`,
  );
  return `<section><h2>${title}</h2>${region(
    title,
    `<table>${caption(`${title}, by reason`)}<thead><tr><th scope="col">reason</th><th scope="col" class="n">how many</th></tr></thead><tbody>${body.join("")}</tbody></table>`,
  )}</section>`;
}

function notPutTable(notPut: readonly NotPut[], all: number): string {
  if (notPut.length === 0) return "";
  const title = "Not put, line by line";
  const body = notPut.map(
    ({ line, username = "–", attribute = "the row", reason, detail }) =>
      `<tr>${cell(String(line))}<td>${value(username)}</td><td>${name(attribute)}</td><td><code>${text(reason)}</code></td><td>${text(detail)}</td></tr>`,
  );
  const cut =
    all > notPut.length
      ? `<p>These are the first ${count(notPut.length)} of ${count(all)}; <code>plan --report FILE</code> lists all.</p>`
      : "";
  return `<section><h2>${title}</h2>${cut}${region(
    title,
    `<table class="faults">${caption("Rows and values that are not put")}<thead><tr><th scope="col" class="n">line</th><th scope="col">username</th><th scope="col">attribute</th><th scope="col">reason</th><th scope="col">what is expected</th></tr></thead><tbody>${body.join("\n")}</tbody></table>`,
  )}</section>`;
}

function guardTable(examples: readonly Example[], { showValues }: Shown): string {
  if (examples.length === 0) return "";
  const body = examples.map(
    ({ line, username, attribute, deed, difference = deed, before, after }) =>
      `<tr>${cell(String(line))}<td>${value(username)}<br>${kindTitle(attribute, difference)}</td>${showValues ? valueCells(before, after) : ""}</tr>`,
  );
  return region(
    "What the guard is about",
    `<table class="${showValues ? "values" : ""}">${caption(`The first ${examples.length} that it is about`)}<thead><tr><th scope="col" class="n">line</th><th scope="col">username and change</th>${showValues ? VALUES_HEAD : ""}</tr></thead><tbody>${body.join("\n")}</tbody></table>`,
  );
}

const VALUES_HEAD = '<th scope="col">before</th><th scope="col">after</th>';

/** A table a kind: all changes, or the first of each kind. */
function* changeTables(plan: PlanSummary, { changes, showValues }: PageFacts): Generator<string> {
  const tables = new Map<string, { readonly title: string; readonly all: number | undefined; readonly rows: string[] }>(
    plan.kinds.map(({ attribute, difference, count: all }) => [
      `${attribute}\0${difference}`,
      { title: kindTitle(attribute, difference), all, rows: [] },
    ]),
  );
  let shown = 0;
  for (const { line, username, attribute, deed, difference = deed, before, after } of changes) {
    shown += 1;
    const key = `${attribute}\0${difference}`;
    // What was kept before kinds were counted has none.
    const table = tables.get(key) ?? { title: kindTitle(attribute, difference), all: undefined, rows: [] };
    tables.set(key, table);
    const values = showValues ? valueCells(before, after) : "";
    table.rows.push(`<tr>${cell(String(line))}<td>${value(username)}</td>${values}</tr>\n`);
  }
  const all = plan.kinds.reduce((total, { count: amount }) => total + amount, 0);
  yield "<section><h2>Changes</h2>\n";
  if (shown === 0) yield "<p>Nobody would change.</p>\n";
  if (shown > 0 && shown < all) {
    yield `<p>These are ${count(shown)} of ${count(all)} changes, the first of each kind: ${count(all - shown)} are left out. To see others, give <code>plan --html</code> a file with their rows alone.</p>\n`;
  }
  if (shown > 0 && plan.kinds.length === 0) yield `<p>These are the first ${count(shown)}.</p>\n`;
  if (shown > 0 && !showValues) {
    yield "<p>Values are not shown, but how they differ. <code>--show-values</code> shows them.</p>\n";
  }
  for (const [index, { title, all: amount, rows }] of [...tables.values()].entries()) {
    const part = amount === undefined || amount === rows.length ? "" : `the first ${count(rows.length)} of `;
    yield `<table class="${showValues ? "values" : ""}"><caption><h3 id="k${index}">${title}</h3> ${part}${counted(amount ?? rows.length, "change")}</caption><thead><tr><th scope="col" class="n">line</th><th scope="col">username</th>${showValues ? VALUES_HEAD : ""}</tr></thead><tbody>\n`;
    yield* rows;
    yield "</tbody></table>\n";
  }
  yield "</section>";
}

function valueCells(...values: readonly (string | undefined)[]): string {
  return values.map((content) => `<td>${content === undefined ? "–" : value(content)}</td>`).join("");
}

function kindTitle(attribute: string, difference: string): string {
  return `${name(attribute)}: ${text(difference)}`;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, amount) => total + amount, 0);
}
