/** What a replay came to, as text for people. */
import type { LetterGroup } from "../app/letters/letter-groups.ts";
import { adviceOf } from "../core/advice.ts";
import { count, counted } from "../core/amounts.ts";
import { TERMS, type Books } from "../core/books.ts";
import { table } from "./table.ts";

/** Of letters that cannot be replayed, a line each; blank for none. */
export function leftOut(own: number, altered: number): string {
  const are = counted(own, "letter is of a user's own change", "letters are of users' own changes");
  const were = counted(altered, "letter was", "letters were");
  return [
    own > 0 &&
      `${are}, whose token is gone, and cannot be replayed: make the change again with update-user-attributes and a new token.\n`,
    altered > 0 && `${were} altered in the store, and cannot be replayed. ${adviceOf("altered")}\n`,
  ]
    .filter((line) => line !== false)
    .join("");
}

/** How many letters of each kind. */
export function byKind(groups: readonly LetterGroup[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind, letters } of groups) counts[kind] = (counts[kind] ?? 0) + letters;
  return counts;
}

export function groupsText(groups: readonly LetterGroup[]): string {
  return Object.entries(byKind(groups))
    .map(([kind, letters]) => `  ${kind}: ${count(letters)}\n`)
    .join("");
}

/** The books of the letters' runs, before and after. */
export function movement(before: Books, after: Books, width: number): string {
  return table(
    [
      { title: "BOOKS" },
      { title: "BEFORE", align: "right" },
      { title: "AFTER", align: "right" },
      { title: "", align: "right" },
    ],
    TERMS.map((term) => {
      const by = after[term] - before[term];
      return [
        term,
        count(before[term]),
        count(after[term]),
        by === 0 ? "" : `${by > 0 ? "+" : "−"}${count(Math.abs(by))}`,
      ];
    }),
    width,
  );
}
