/** What others changed in a pool, as a document for machines and as text for people. Values are masked. */
import { MOST_LISTED, type DriftFound } from "../app/plans/find-drift.ts";
import { count, counted } from "../core/amounts.ts";
import { printable, shownValue, valueText } from "../core/masking.ts";
import { timeOf } from "../core/version.ts";
import type { Drifted } from "../plan/drift.ts";
import { indent, table } from "./table.ts";

const MOST_SHOWN = 50;

export function driftDocument({ pool, sum, missing, listed }: DriftFound): object {
  return { pool, ...sum, missingColumns: missing, changed: listed.map(masked) };
}

function masked({ username, attribute, version, now, desired }: Drifted) {
  return {
    username: printable(username),
    attribute,
    version: new Date(timeOf(version)).toISOString(),
    now: now === undefined || now === "" ? null : shownValue(attribute, now),
    feed: valueText(desired, false),
  };
}

export function driftText({ sum, missing, listed }: DriftFound, width: number): string {
  const unknown = sum.unknown > 0 ? ` Of ${count(sum.unknown)} more it is not known what poolsync wrote last.` : "";
  const what =
    sum.drifted === 0
      ? "none was changed by others since poolsync wrote it."
      : `${count(sum.drifted)} ${sum.drifted === 1 ? "was" : "were"} changed by others since poolsync wrote ${sum.drifted === 1 ? "it" : "them"}.`;
  const parts = [
    indent("", `Of ${counted(sum.compared, "value")} ${what}${unknown}`, width),
    ...missing.map(({ attribute, column }) =>
      indent("", `\`${attribute}\` was not compared: the feed has no column \`${column}\`.`, width),
    ),
  ];
  if (listed.length === 0) return parts.join("");
  const rows = listed.slice(0, MOST_SHOWN).map((drifted) => {
    const { username, attribute, version, now, feed } = masked(drifted);
    return [username, attribute, version.slice(0, 16).replace("T", " "), now ?? "–", feed];
  });
  parts.push(
    "\n",
    table(
      [
        { title: "USERNAME", shrinks: true },
        { title: "ATTRIBUTE", shrinks: true },
        { title: "VERSION (UTC)" },
        { title: "NOW", shrinks: true },
        { title: "THE FEED SAYS", shrinks: true },
      ],
      rows,
      width,
    ),
  );
  if (sum.drifted > rows.length) {
    parts.push(indent("", `And ${count(sum.drifted - rows.length)} more; --json lists ${count(MOST_LISTED)}.`, width));
  }
  return parts.join("");
}
