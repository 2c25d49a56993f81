import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compareAsked, compareUnit, mayAwait, providersOf, type Comparison } from "../../src/core/comparison.ts";
import type { PoolProfile } from "../../src/core/pool-schema.ts";
import type { UnitValue } from "../../src/core/unit.ts";
import { PROFILE } from "../support/pool-profile.ts";

const VERIFIES: PoolProfile = { ...PROFILE, autoVerified: ["email"] };
const HELD: PoolProfile = { ...VERIFIES, requireVerificationBeforeUpdate: ["email"] };

const text = (value: string, verified?: "mark" | "ask" | "keep"): UnitValue => ({
  kind: "text",
  text: value,
  ...(verified ? { verified } : {}),
});
const clear: UnitValue = { kind: "clear" };
const flag = (verified: boolean): UnitValue => ({ kind: "as-is", verified });
const quiet = (is: "set" | "change" | "clear"): Comparison => ({ is, message: false });
const messaged = (is: "set" | "change"): Comparison => ({ is, message: true });
const unchanged: Comparison = { is: "unchanged" };

interface Case {
  readonly title: string;
  readonly name: string;
  readonly value: UnitValue;
  readonly there: Readonly<Record<string, string>>;
  readonly profile?: PoolProfile;
  readonly lastSent?: boolean;
  readonly says: Comparison;
}

const ANA = { email: "ana@example.com", email_verified: "true" };
const UNVERIFIED = { email: "ana@example.com", email_verified: "false" };

const cases: readonly Case[] = [
  { title: "a value where there was none", name: "given_name", value: text("Ana"), there: {}, says: quiet("set") },
  {
    title: "a value where it was deleted",
    name: "given_name",
    value: text("Ana"),
    there: { given_name: "" },
    says: quiet("set"),
  },
  {
    title: "another value",
    name: "given_name",
    value: text("Ana"),
    there: { given_name: "An" },
    says: quiet("change"),
  },
  {
    title: "the same value with an accent of its own",
    name: "given_name",
    value: text("Zoe\u0308"),
    there: { given_name: "Zoë" },
    says: unchanged,
  },
  {
    title: "the same address with an accent of its own",
    name: "email",
    value: text("zoe\u0308@example.com", "mark"),
    there: { email: "ZOË@example.com", email_verified: "true" },
    says: unchanged,
  },
  { title: "the same value", name: "given_name", value: text("Ana"), there: { given_name: "Ana" }, says: unchanged },
  {
    title: "another case of letters",
    name: "given_name",
    value: text("ANA"),
    there: { given_name: "Ana" },
    says: quiet("change"),
  },
  { title: "a value taken away", name: "nickname", value: clear, there: { nickname: "A" }, says: quiet("clear") },
  { title: "nothing to take away", name: "nickname", value: clear, there: {}, says: unchanged },
  { title: "a new address, marked", name: "email", value: text("a@b.c", "mark"), there: ANA, says: quiet("change") },
  { title: "a first address, asked", name: "email", value: text("a@b.c", "ask"), there: {}, says: messaged("set") },
  { title: "a new address, asked", name: "email", value: text("a@b.c", "ask"), there: ANA, says: messaged("change") },
  {
    title: "a new address that stays verified",
    name: "email",
    value: text("a@b.c", "keep"),
    there: ANA,
    says: quiet("change"),
  },
  {
    title: "a new address that stays unverified",
    name: "email",
    value: text("a@b.c", "keep"),
    there: UNVERIFIED,
    says: messaged("change"),
  },
  {
    title: "the same address in other letters",
    name: "email",
    value: text("ANA@example.com", "mark"),
    there: ANA,
    says: unchanged,
  },
  {
    title: "the same address, to be marked",
    name: "email",
    value: text("ana@example.com", "mark"),
    there: UNVERIFIED,
    says: quiet("change"),
  },
  { title: "an address taken away", name: "email", value: clear, there: ANA, says: quiet("clear") },
  {
    title: "a number of a pool that verifies none",
    name: "phone_number",
    value: text("+14325551212", "ask"),
    there: {},
    says: quiet("set"),
  },
  { title: "a flag", name: "email_verified", value: flag(true), there: UNVERIFIED, says: quiet("change") },
  { title: "a flag that is so", name: "email_verified", value: flag(true), there: ANA, says: unchanged },
  {
    title: "a flag of no address",
    name: "email_verified",
    value: flag(true),
    there: {},
    says: { is: "invalid", reason: "no-value-to-verify" },
  },
  {
    title: "an address that was sent and waits for the person",
    name: "email",
    value: text("a@b.c", "ask"),
    there: ANA,
    profile: HELD,
    lastSent: true,
    says: { is: "awaiting" },
  },
  {
    title: "an address that the pool would hold back",
    name: "email",
    value: text("a@b.c", "ask"),
    there: ANA,
    profile: HELD,
    says: messaged("change"),
  },
  {
    title: "an address that was marked, and is there no more",
    name: "email",
    value: text("a@b.c", "mark"),
    there: ANA,
    profile: HELD,
    lastSent: true,
    says: quiet("change"),
  },
  {
    title: "a value that was sent, and is there no more",
    name: "given_name",
    value: text("Ana"),
    there: { given_name: "An" },
    lastSent: true,
    says: quiet("change"),
  },
];

describe("the comparison of a wanted value with the user", () => {
  for (const { title, name, value, there: current, profile = VERIFIES, lastSent = false, says } of cases) {
    test(`${title}: ${says.is}`, () => {
      const user = { attributes: new Map(Object.entries(current)) };
      assert.deepEqual(compareUnit(profile, { name, value }, user, lastSent), says);
    });
  }

  test("only an address that is not marked may await its confirmation, where the pool wants one", () => {
    assert.equal(mayAwait(HELD, { name: "email", value: text("a", "keep") }), true);
    assert.equal(mayAwait(HELD, { name: "email", value: text("a", "mark") }), false);
    assert.equal(mayAwait(HELD, { name: "email", value: clear }), false);
    assert.equal(mayAwait(HELD, { name: "phone_number", value: text("a", "ask") }), false);
  });
});

describe("the identity providers of a user", () => {
  for (const [title, identities, names] of [
    ["none", undefined, []],
    ["one", '[{"providerName":"Okta","userId":"1"}]', ["Okta"]],
    ["two, one of them twice", '[{"providerName":"A"},{"providerName":"B"},{"providerName":"A"}]', ["A", "B"]],
    ["what is no JSON", "Okta", []],
    ["what is no list", '{"providerName":"Okta"}', []],
    ["entries of no form", '[null,1,{"provider":"A"}]', []],
  ] as const) {
    test(`are read from the identities: ${title}`, () => {
      const attributes = new Map(identities === undefined ? [] : [["identities", identities]]);
      assert.deepEqual(providersOf({ attributes }), names);
    });
  }
});

describe("a call that a person asks for", () => {
  const asked: [title: string, name: string, value: UnitValue, says: ReturnType<typeof compareAsked>["is"]][] = [
    ["is made although an equal value is there", "given_name", text("Ana"), "rewrite"],
    ["is made where another is there", "given_name", text("Anna"), "change"],
    ["is not made for the address that is there, flag and all", "email", text(ANA.email, "mark"), "unchanged"],
    ["is made for an address in another spelling", "email", text("Ana@example.com", "mark"), "change"],
    ["is not made for a flag that is there", "email_verified", flag(true), "unchanged"],
  ];
  for (const [title, name, value, says] of asked) {
    test(title, () => {
      const attributes = new Map(Object.entries({ ...ANA, given_name: "Ana" }));
      const profile = { ...PROFILE, caseSensitive: false };
      assert.equal(compareAsked(profile, { name, value }, { attributes }).is, says);
    });
  }
});
