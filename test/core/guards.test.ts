import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  blindGuards,
  brokenGuards,
  DEFAULT_GUARDS,
  GUARDS,
  guardSentence,
  type GuardFigures,
  type GuardName,
  type GuardSettings,
} from "../../src/core/guards.ts";

type Users = NonNullable<GuardFigures["users"]>;
const QUIET = { matched: 1000, changed: 0, cleared: {}, same: [] } satisfies Users;

interface Case {
  readonly title: string;
  readonly settings?: Partial<GuardSettings>;
  readonly figures: Partial<Omit<GuardFigures, "users">> & { readonly users?: Partial<Users> };
  readonly says: readonly string[];
}

/** One value for so many, who had so many different ones. */
const same = (users: number, values: number) => [{ attribute: "custom:manager", value: "digest", users, values }];
const placeholders = (users: number) => [{ attribute: "custom:department", word: "UNASSIGNED", users }];

const cases: readonly Case[] = [
  { title: "nothing changes", figures: { users: {} }, says: [] },
  { title: "just the share that may change", figures: { users: { changed: 200 } }, says: [] },
  {
    title: "one more",
    figures: { users: { changed: 201 } },
    says: ["201 of 1,000 matched users would change: 20.1 %, and the guard allows 20 %."],
  },
  { title: "everybody of a few", figures: { users: { matched: 49, changed: 49 } }, says: [] },
  {
    title: "everybody of a few more",
    figures: { users: { matched: 50, changed: 50 } },
    says: ["50 of 50 matched users would change: 100 %, and the guard allows 20 %."],
  },
  {
    title: "everybody of a few, where a few are enough",
    settings: { least: 10 },
    figures: { users: { matched: 10, changed: 10 } },
    says: ["10 of 10 matched users would change: 100 %, and the guard allows 20 %."],
  },
  {
    title: "everybody of fewer than a guard looks at",
    settings: { least: 1 },
    figures: { users: { matched: 9, changed: 9, cleared: { profile: 9 } }, rows: 9, emptyColumns: ["profile"] },
    says: [],
  },
  {
    title: "everybody, where that is allowed",
    settings: { changed: undefined },
    figures: { users: { changed: 1000 } },
    says: [],
  },
  {
    title: "an attribute lost by too many, another by few",
    figures: { users: { cleared: { nickname: 51, profile: 50 } } },
    says: ["`nickname` would be cleared for 51 of 1,000 matched users: 5.1 %, and the guard allows 5 %."],
  },
  {
    title: "an attribute lost by four of ten",
    figures: { users: { matched: 10, cleared: { nickname: 4 } } },
    says: [],
  },
  {
    title: "an attribute lost by five of ten",
    figures: { users: { matched: 10, cleared: { nickname: 5 } } },
    says: ["`nickname` would be cleared for 5 of 10 matched users: 50 %, and the guard allows 5 %."],
  },
  {
    title: "the same manager for everyone",
    figures: { users: { changed: 100, same: same(31, 3) } },
    says: [
      "31 of 100 changed users would be given the same `custom:manager`, where they had 3 different ones: 31 %, and the guard allows 30 %.",
    ],
  },
  {
    title: "the same manager for ten",
    figures: { users: { changed: 10, same: same(10, 5) } },
    says: [
      "10 of 10 changed users would be given the same `custom:manager`, where they had 5 different ones: 100 %, and the guard allows 30 %.",
    ],
  },
  { title: "one of two values for all", figures: { users: { changed: 150, same: same(150, 2) } }, says: [] },
  { title: "the same manager for nine", figures: { users: { changed: 10, same: same(9, 9) } }, says: [] },
  {
    title: "a placeholder for too many",
    figures: { asked: { users: 1000, written: 30 }, placeholders: placeholders(21) },
    says: [
      "`custom:department` would become a placeholder such as `UNASSIGNED` for 21 of 1,000 users: 2.1 %, and the guard allows 2 %.",
    ],
  },
  { title: "a placeholder for newcomers", figures: { placeholders: placeholders(20) }, says: [] },
  {
    title: "a placeholder for four of ten",
    figures: { asked: { users: 10, written: 4 }, placeholders: placeholders(4) },
    says: [],
  },
  {
    title: "a placeholder for everyone, where that is allowed",
    settings: { shape: undefined },
    figures: { placeholders: placeholders(1000) },
    says: [],
  },
  { title: "as many rows of nobody as may be", figures: { named: { rows: 1000, unmatched: 300 } }, says: [] },
  {
    title: "one more row of nobody",
    figures: { named: { rows: 1000, unmatched: 301 } },
    says: [
      "301 of 1,000 rows match nobody in the pool: 30.1 %, and the guard allows 30 %. Look whether it is the right pool, and the right column that names its users.",
    ],
  },
  { title: "rows of a few newcomers", figures: { named: { rows: 10, unmatched: 9 } }, says: [] },
  {
    title: "rows of nobody, where that is allowed",
    settings: { unmatched: undefined },
    figures: { named: { rows: 1000, unmatched: 1000 } },
    says: [],
  },
  { title: "as many rows as must be", figures: { rows: 800, rowsBefore: 1000 }, says: [] },
  {
    title: "one row fewer",
    figures: { rows: 799, rowsBefore: 1000 },
    says: ["The feed has 799 rows, and the last good run had 1,000: 79.9 %, and the guard wants 80 %."],
  },
  { title: "a list of a few that is shorter", figures: { rows: 11, rowsBefore: 30 }, says: [] },
  {
    title: "a list of a few that is empty",
    figures: { rows: 0, rowsBefore: 20 },
    says: ["The feed has 0 rows, and the last good run had 20: 0 %, and the guard wants 80 %."],
  },
  {
    title: "fewer rows, where that is allowed",
    settings: { rows: undefined },
    figures: { rows: 1, rowsBefore: 1000 },
    says: [],
  },
  {
    title: "a column that is not there, however few the rows",
    figures: { rows: 3, missingColumns: [{ attribute: "given_name", column: "First" }] },
    says: [
      "The feed has no column `First`, which `given_name` is mapped from: map the one that took its place. Approved, `given_name` is left as it is for everyone.",
    ],
  },
  {
    title: "a column that is not there, and one like it",
    figures: { missingColumns: [{ attribute: "given_name", column: "First name", likely: "Firstname" }] },
    says: [
      "The feed has no column `First name`, which `given_name` is mapped from (did you mean `Firstname`?): map the one that took its place. Approved, `given_name` is left as it is for everyone.",
    ],
  },
  {
    title: "a column that is not there, where that is allowed",
    settings: { emptyColumn: false },
    figures: { missingColumns: [{ attribute: "given_name", column: "First" }] },
    says: [],
  },
  {
    title: "a column that says nothing",
    figures: { rows: 50, emptyColumns: ["profile"] },
    says: ["The column of `profile` is blank in all 50 rows."],
  },
  { title: "a column that says nothing in a few rows", figures: { rows: 49, emptyColumns: ["profile"] }, says: [] },
  {
    title: "a column that says nothing, where that is allowed",
    settings: { emptyColumn: false },
    figures: { emptyColumns: ["profile"] },
    says: [],
  },
];

/** What is compared with nothing: who would be written is all that is known. */
const blindCases: readonly {
  readonly title: string;
  readonly settings?: Partial<GuardSettings>;
  readonly figures: Partial<GuardFigures>;
  readonly blind: readonly GuardName[];
  readonly says: readonly string[];
}[] = [
  {
    title: "many users compared with nothing",
    figures: { asked: { users: 100, written: 100 } },
    blind: ["changed", "cleared", "sameValue", "unmatched"],
    says: [
      "100 users would be written, and 4 guards could not look (`changed`, `cleared`, `sameValue`, `unmatched`): what is in the pool is not known. With `--baseline live` they look.",
    ],
  },
  {
    title: "some users compared with nothing",
    figures: { asked: { users: 99, written: 99 } },
    blind: ["changed", "cleared", "sameValue", "unmatched"],
    says: [],
  },
  {
    title: "many users compared with what was written last",
    figures: { users: { matched: 900, changed: 110 }, asked: { users: 900, written: 110 } },
    blind: ["cleared", "sameValue", "unmatched"],
    says: [
      "110 users would be written, and 3 guards could not look (`cleared`, `sameValue`, `unmatched`): what is in the pool is not known. With `--baseline live` they look.",
    ],
  },
  {
    title: "one guard, where the others are off",
    settings: { changed: undefined, cleared: undefined, sameValue: undefined },
    figures: { asked: { users: 100, written: 100 } },
    blind: ["unmatched"],
    says: [
      "100 users would be written, and 1 guard could not look (`unmatched`): what is in the pool is not known. With `--baseline live` it looks.",
    ],
  },
  {
    title: "no guard, where those are off",
    settings: { changed: undefined, cleared: undefined, sameValue: undefined, unmatched: undefined },
    figures: { asked: { users: 100, written: 100 } },
    blind: [],
    says: [],
  },
];

const FIGURES = {
  rows: 1000,
  asked: { users: 1000, written: 0 },
  placeholders: [],
  emptyColumns: [],
  missingColumns: [],
} satisfies GuardFigures;

describe("the guards", () => {
  for (const { title, settings, figures, says } of cases) {
    test(`${title}: ${says.length === 0 ? "pass" : "break"}`, () => {
      const { users, ...rest } = figures;
      const known = { named: { rows: 1000, unmatched: 0 }, users: { ...QUIET, ...users } };
      const broken = brokenGuards({ ...DEFAULT_GUARDS, ...settings }, { ...FIGURES, ...known, ...rest });
      assert.deepEqual(broken.map(guardSentence), says);
      for (const { guard } of broken) assert.ok(GUARDS.includes(guard));
    });
  }

  for (const { title, settings, figures, blind, says } of blindCases) {
    test(`that could not look, ${title}: ${says.length === 0 ? "pass" : "break"}`, () => {
      const [given, seen] = [
        { ...DEFAULT_GUARDS, ...settings },
        { ...FIGURES, ...figures },
      ];
      assert.deepEqual(blindGuards(given, seen), blind);
      assert.deepEqual(brokenGuards(given, seen).map(guardSentence), says);
    });
  }
});
