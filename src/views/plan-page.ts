/** A plan as one HTML page with nothing outside of it, to be sent to the person who approves it. */
import { guardSentence } from "../core/guards.ts";
import type { Action } from "../plan/planned-row.ts";
import { notPutCount, type Example } from "../plan/figures.ts";
import type { NotPut } from "../plan/not-put.ts";
import { count, duration } from "../core/amounts.ts";
import { printable } from "../core/masking.ts";
import type { PlanSummary } from "../plan/plan-lines.ts";
import { consequences, heldSentences, masked, percent } from "./plan-view.ts";

export interface PageFacts {
  readonly pool: string;
  readonly showValues: boolean;
  readonly madeAt: Date;
}

const STYLE = `
:root{color-scheme:light dark;--ink:#1c2024;--dim:#60646c;--paper:#fff;--rule:#e0e1e6;--soft:#f4f5f7;--bar:#3e63dd;--bad:#b3261e;--good:#1a7f45}
@media (prefers-color-scheme:dark){:root{--ink:#edeef0;--dim:#b0b4ba;--paper:#111113;--rule:#363a3f;--soft:#1b1d20;--bar:#849dff;--bad:#ff9592;--good:#5bd48a}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:62rem;padding:1.5rem 1rem 4rem;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:2rem 0 .5rem}
p{margin:.25rem 0}.dim{color:var(--dim)}code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.75rem;margin:1.25rem 0}
.tile{border:1px solid var(--rule);border-radius:.5rem;padding:.6rem .8rem}.tile b{display:block;font-size:1.4rem;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto;border:1px solid var(--rule);border-radius:.5rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.4rem .7rem;text-align:left;border-bottom:1px solid var(--rule);white-space:nowrap}tr:last-child td{border-bottom:0}
th{background:var(--soft);font-weight:600}.n{text-align:right}
.bar{display:block;width:8rem;height:.6rem;border-radius:.3rem;background:var(--rule);overflow:hidden}.bar i{display:block;height:100%;background:var(--bar)}
.broken{border-left:.25rem solid var(--bad);padding:.25rem 0 .25rem .8rem;margin:.75rem 0}.broken strong{color:var(--bad)}
.holds{color:var(--good);font-weight:600}ul{margin:.25rem 0;padding-left:1.2rem}`;

/** Values are masked unless `showValues`. */
export function planPage(plan: PlanSummary, facts: PageFacts): string {
  const { id, feed, figures, broken, examples, notPut } = plan;
  const { pool, showValues, madeAt } = facts;
  const { rows, users, attributes, faults, baseline, scan } = figures;
  const shown = (list: readonly Example[]) => list.map((example) => (showValues ? example : masked(example)));
  const most = Math.max(
    1,
    ...Object.values(attributes).map((counts) => counts.set + counts.change + counts.clear + counts.write),
  );
  const kinds = (
    ["set", "change", "clear", "write", "unchanged", "awaiting", "superseded", "stale", "invalid"] as const
  ).filter((kind) => Object.values(attributes).some((counts) => counts[kind] > 0));
  const share = users.matched === 0 ? 0 : users.changed / users.matched;
  const compared =
    baseline === "live" && scan
      ? `Compared with the pool itself: ${count(scan.users)} users, read in ${duration(scan.durationMs)}.`
      : baseline === "ledger"
        ? "Compared with what poolsync wrote last."
        : "Compared with nothing.";
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="referrer" content="no-referrer"><title>Plan ${text(id)}: ${text(feed)}</title><style>${STYLE}</style></head><body>
<h1>${text(feed)} → ${text(pool)}</h1>
<p class="dim">Plan <code>${text(id)}</code>, made ${madeAt.toISOString().slice(0, 16).replace("T", " ")} UTC. ${compared} Nothing has been written.</p>
<div class="tiles">
${tile("rows", count(rows.read), rows.faulty > 0 ? `${count(rows.faulty)} at fault` : "none at fault")}
${tile("users matched", count(users.matched), "")}
${tile("users to change", count(users.changed), percent(share))}
${tile("values that cannot be written", count(sum(figures.invalid)), "")}
</div>
<h2>Guards</h2>
${heldSentences(plan)
  .map((sentence) => `<p${plan.blind.length === 0 ? ' class="holds"' : ""}>${marked(sentence)}</p>`)
  .join("\n")}
${broken.map((guard) => `<div class="broken"><p><strong>${marked(guardSentence(guard))}</strong></p>${exampleTable(shown(guard.examples))}</div>`).join("\n")}
${broken.length === 0 ? "" : `<p>Nothing goes on unless somebody approves just this plan: <code>--approve ${text(id)}</code></p>`}
<h2>Attributes</h2>
<div class="wide" tabindex="0"><table><thead><tr><th>attribute</th>${kinds.map((kind) => `<th class="n">${kind}</th>`).join("")}<th>written</th></tr></thead><tbody>
${Object.entries(attributes)
  .map(([name, counts]) => {
    const written = counts.set + counts.change + counts.clear + counts.write;
    return `<tr><td><code>${text(name)}</code></td>${kinds.map((kind) => `<td class="n">${count(counts[kind])}</td>`).join("")}<td>${bar(written / most)}</td></tr>`;
  })
  .join("\n")}
</tbody></table></div>
<h2>What it means</h2>
<ul>${consequences(figures, madeAt.getTime())
    .map((sentence) => `<li>${text(sentence)}</li>`)
    .join("")}</ul>
${reasonTable("Rows at fault", faults)}
${reasonTable("Values that cannot be written", figures.invalid)}
${notPutTable(notPut, notPutCount(figures))}
<h2>Examples</h2>
${examples.length === 0 ? "<p>Nobody would change.</p>" : exampleTable(shown(examples))}
${showValues ? "" : '<p class="dim">Values are masked; the number says how many characters they have.</p>'}
</body></html>
`;
}

function tile(title: string, value: string, note: string): string {
  return `<div class="tile"><span class="dim">${title}</span><b>${value}</b><span class="dim">${note || "&nbsp;"}</span></div>`;
}

function bar(share: number): string {
  return `<span class="bar" role="img" aria-label="${percent(share)}"><i style="width:${(Math.min(1, share) * 100).toFixed(1)}%"></i></span>`;
}

function reasonTable(title: string, counts: Readonly<Record<string, number>>): string {
  const rows = Object.entries(counts).toSorted(([, a], [, b]) => b - a);
  if (rows.length === 0) return "";
  const body = rows.map(
    ([reason, amount]) => `<tr><td><code>${text(reason)}</code></td><td class="n">${count(amount)}</td></tr>`,
  );
  return `<h2>${title}</h2><div class="wide" tabindex="0"><table><thead><tr><th>reason</th><th class="n">how many</th></tr></thead><tbody>${body.join("")}</tbody></table></div>`;
}

function notPutTable(notPut: readonly NotPut[], all: number): string {
  if (notPut.length === 0) return "";
  const body = notPut.map(
    ({ line, username = "–", attribute = "the row", reason, detail }) =>
      `<tr><td class="n">${line}</td><td>${text(printable(username))}</td><td><code>${text(attribute)}</code></td><td><code>${text(reason)}</code></td><td>${text(detail)}</td></tr>`,
  );
  const cut =
    all > notPut.length
      ? `<p>These are the first ${count(notPut.length)} of ${count(all)}; <code>plan --report FILE</code> lists all.</p>`
      : "";
  return `<h2>Not put, line by line</h2>${cut}<div class="wide" tabindex="0"><table><thead><tr><th scope="col" class="n">line</th><th scope="col">username</th><th scope="col">attribute</th><th scope="col">reason</th><th scope="col">what is expected</th></tr></thead><tbody>${body.join("\n")}</tbody></table></div>`;
}

const ACTION_WORDS: Partial<Record<Action, string>> = { write: "is written" };

function exampleTable(
  examples: readonly (Omit<Example, "before" | "after"> & { before?: string; after?: string })[],
): string {
  if (examples.length === 0) return "";
  const body = examples.map(
    ({ line, username, attribute, deed: action, before = "–", after = "–" }) =>
      `<tr><td class="n">${line}</td><td>${text(username)}</td><td><code>${text(attribute)}</code></td><td>${ACTION_WORDS[action] ?? action}</td><td>${text(before)}</td><td>${text(after)}</td></tr>`,
  );
  return `<div class="wide" tabindex="0"><table><thead><tr><th class="n">line</th><th>username</th><th>attribute</th><th></th><th>before</th><th>after</th></tr></thead><tbody>${body.join("\n")}</tbody></table></div>`;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, amount) => total + amount, 0);
}

/** A sentence whose names stand in backticks. */
function marked(sentence: string): string {
  return text(sentence).replace(/`([^`]+)`/g, "<code>$1</code>");
}

/** Whatever comes from a feed or a pool is text, and never markup. */
function text(value: string): string {
  return value.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
