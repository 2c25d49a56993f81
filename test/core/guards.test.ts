import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  brokenGuards,
  DEFAULT_GUARDS,
  GUARDS,
  guardSentence,
  type GuardFigures,
  type GuardSettings,
} from "../../src/core/guards.ts";

const QUIET = { matched: 1000, changed: 0, cleared: {}, same: [] };

interface Case {
  readonly title: string;
  readonly settings?: Partial<GuardSettings>;
  readonly figures: Partial<Omit<GuardFigures, "users">> & {
    readonly users?: Partial<NonNullable<GuardFigures["users"]>>;
  };
  readonly says: readonly string[];
}

const cases: readonly Case[] = [
  { title: "nothing changes", figures: { users: {} }, says: [] },
  { title: "just the share that may change", figures: { users: { changed: 200 } }, says: [] },
  {
    title: "one more",
    figures: { users: { changed: 201 } },
    says: ["201 of 1,000 matched users would change: 20.1 %, and the guard allows 20 %."],
  },
  { title: "everybody of a few", figures: { users: { matched: 99, changed: 99 } }, says: [] },
  {
    title: "everybody of a few, where a few are enough",
    settings: { from: 10 },
    figures: { users: { matched: 10, changed: 10 } },
    says: ["10 of 10 matched users would change: 100 %, and the guard allows 20 %."],
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
    title: "the same manager for everyone",
    figures: { users: { changed: 100, same: [{ attribute: "custom:manager", value: "digest", users: 31 }] } },
    says: [
      "31 of 100 changed users would be given the same `custom:manager`, where they differed before: 31 %, and the guard allows 30 %.",
    ],
  },
  {
    title: "the same value for a few changed users",
    figures: { users: { changed: 99, same: [{ attribute: "custom:manager", value: "digest", users: 99 }] } },
    says: [],
  },
  { title: "as many rows as must be", figures: { rows: 800, rowsBefore: 1000 }, says: [] },
  {
    title: "one row fewer",
    figures: { rows: 799, rowsBefore: 1000 },
    says: ["The feed has 799 rows, and the last good run had 1,000: 79.9 %, and the guard wants 80 %."],
  },
  { title: "fewer rows than a few", figures: { rows: 1, rowsBefore: 99 }, says: [] },
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
    figures: { rows: 100, emptyColumns: ["profile"] },
    says: ["The column of `profile` is blank in all 100 rows."],
  },
  { title: "a column that says nothing in a few rows", figures: { rows: 99, emptyColumns: ["profile"] }, says: [] },
  {
    title: "a column that says nothing, where that is allowed",
    settings: { emptyColumn: false },
    figures: { emptyColumns: ["profile"] },
    says: [],
  },
];

describe("the guards", () => {
  for (const { title, settings, figures, says } of cases) {
    test(`${title}: ${says.length === 0 ? "pass" : "break"}`, () => {
      const { users, ...rest } = figures;
      const broken = brokenGuards(
        { ...DEFAULT_GUARDS, ...settings },
        {
          rows: 1000,
          emptyColumns: [],
          missingColumns: [],
          ...rest,
          ...(users ? { users: { ...QUIET, ...users } } : {}),
        },
      );
      assert.deepEqual(broken.map(guardSentence), says);
      for (const { guard } of broken) assert.ok(GUARDS.includes(guard));
    });
  }
});
