import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  canonicalUsername,
  checkUnit,
  checkUsername,
  closestName,
  INVALID_REASONS,
} from "../../src/core/pool-schema.ts";
import type { AttributeSchema, InvalidReason, PoolProfile } from "../../src/core/pool-schema.ts";
import type { Unit, UnitValue, Verified } from "../../src/core/unit.ts";
import { PROFILE } from "../support/pool-profile.ts";

const attribute = (name: string, more: Partial<AttributeSchema> = {}): AttributeSchema => ({
  name,
  type: "String",
  mutable: true,
  required: false,
  developerOnly: false,
  minLength: 0,
  maxLength: 2048,
  ...more,
});

const attributes = [
  attribute("sub", { mutable: false, required: true }),
  attribute("identities"),
  attribute("name", { required: true }),
  attribute("given_name"),
  attribute("family_name"),
  attribute("email"),
  attribute("email_verified", { type: "Boolean" }),
  attribute("phone_number"),
  attribute("phone_number_verified", { type: "Boolean" }),
  attribute("birthdate", { minLength: 10, maxLength: 10 }),
  attribute("updated_at", { type: "Number", minValue: 0 }),
  attribute("custom:cost_center", { minLength: 2, maxLength: 4 }),
  attribute("custom:badge", { mutable: false }),
  attribute("custom:floor", { type: "Number", minValue: -2, maxValue: 40 }),
  attribute("custom:below", { type: "Number", maxValue: 0 }),
  attribute("custom:any", { type: "Number" }),
  attribute("custom:remote", { type: "Boolean" }),
  attribute("custom:since", { type: "DateTime" }),
  attribute("custom:free", { minLength: undefined, maxLength: undefined }),
  attribute("dev:x", { developerOnly: true }),
];

const profile: PoolProfile = {
  ...PROFILE,
  attributes: Object.fromEntries(attributes.map((schema) => [schema.name, schema])),
  caseSensitive: true,
  aliasAttributes: ["email"],
  autoVerified: ["email"],
};

const text = (value: string, verified?: Verified): UnitValue =>
  verified === undefined ? { kind: "text", text: value } : { kind: "text", text: value, verified };

describe("a unit", () => {
  const clear: UnitValue = { kind: "clear" };
  const asIs: UnitValue = { kind: "as-is", verified: true };
  const emoji = "\u{1F600}";
  const table: readonly (readonly [name: string, value: UnitValue, reason: InvalidReason | undefined])[] = [
    ["given_name", text("Zoë"), undefined],
    ["given_name", clear, undefined],
    ["dev:x", text("1"), undefined],
    ["sub", text("x"), "reserved-name"],
    ["identities", text("x"), "reserved-name"],
    ["cognito:user_status", text("x"), "reserved-name"],
    ["cost_center", text("x"), "custom-prefix-missing"],
    ["givenname", text("x"), "attribute-unknown"],
    ["constructor", text("x"), "attribute-unknown"],
    ["custom:badge", text("x"), "immutable"],
    ["custom:badge", clear, "immutable"],
    ["name", clear, "required"],
    ["given_name", text(""), "blank-text"],
    ["given_name", text("a\0b"), "holds-nul"],
    ["given_name", text("a\ud800b"), "holds-lone-surrogate"],
    ["given_name", text("x".repeat(2048)), undefined],
    ["given_name", text("x".repeat(2049)), "too-long"],
    ["given_name", text("é".repeat(1024)), undefined],
    ["given_name", text("é".repeat(1025)), "too-long"],
    ["custom:free", text("x".repeat(2049)), "too-long"],
    ["custom:free", text("x"), undefined],
    ["custom:cost_center", text("12345"), "too-long"],
    ["custom:cost_center", text("1"), "too-short"],
    ["custom:cost_center", text("12"), undefined],
    ["custom:cost_center", text(emoji), "too-short"],
    ["custom:cost_center", text(emoji + emoji), undefined],
    ["custom:cost_center", text(emoji + emoji + emoji), "too-long"],
    ["custom:floor", text("-2"), undefined],
    ["custom:floor", text("3.5"), undefined],
    ["custom:floor", text("41"), "out-of-range"],
    ["custom:floor", text("-3"), "out-of-range"],
    ["custom:below", text("1"), "out-of-range"],
    ["custom:any", text("1e3"), "not-a-number"],
    ["custom:any", text("0x10"), "not-a-number"],
    ["custom:any", text(" 1"), "not-a-number"],
    ["custom:any", text("99999999999999999999"), undefined],
    ["custom:remote", text("true"), undefined],
    ["custom:remote", text("yes"), "not-a-boolean"],
    ["custom:since", text("2026-11-21T09:30:00Z"), undefined],
    ["custom:since", text("1795478400"), undefined],
    ["custom:since", text("yesterday"), "not-a-date-time"],
    ["birthdate", text("1990-12-31"), undefined],
    ["birthdate", text("2000-02-29"), undefined],
    ["birthdate", text("0000-02-29"), undefined],
    ["birthdate", text("1900-02-29"), "birthdate-format"],
    ["birthdate", text("1990-13-01"), "birthdate-format"],
    ["birthdate", text("1990-04-31"), "birthdate-format"],
    ["birthdate", text("12/31/1990"), "birthdate-format"],
    ["birthdate", text("1990-1-1"), "too-short"],
    ["updated_at", text("1795478400"), undefined],
    ["updated_at", text("-1"), "updated-at-format"],
    ["updated_at", text("2026-11-21"), "updated-at-format"],
    ["phone_number", text("+14325551212", "keep"), undefined],
    ["phone_number", text("+1234567890123456", "keep"), "phone-number-format"],
    ["phone_number", text("4325551212", "keep"), "phone-number-format"],
    ["phone_number", text("+1 432 555", "keep"), "phone-number-format"],
    ["phone_number", text("+14325551212"), "verified-missing"],
    ["email", text("a@example.com", "mark"), undefined],
    ["email", text('"a b"@example.com', "mark"), undefined],
    ["email", text("a.b+c@localhost", "mark"), undefined],
    ["email", text("a@b@example.com", "mark"), "email-format"],
    ["email", text("a b@example.com", "mark"), "email-format"],
    ["email", text("a@example..com", "mark"), "email-format"],
    ["email", text("example.com", "mark"), "email-format"],
    ["email", text("a@example.com"), "verified-missing"],
    ["email", clear, undefined],
    ["given_name", text("x", "mark"), "verified-misplaced"],
    ["given_name", asIs, "verified-misplaced"],
    ["email", asIs, "verified-misplaced"],
    ["email_verified", asIs, undefined],
    ["phone_number_verified", asIs, undefined],
    ["email_verified", text("true"), "flag-as-value"],
    ["email_verified", clear, "flag-as-value"],
  ];
  for (const [name, value, reason] of table) {
    const shown = value.kind === "text" ? JSON.stringify(value.text.slice(0, 24)) : value.kind;
    test(`${name} ${shown} is ${reason ?? "accepted"}`, () => {
      const found = checkUnit(profile, { name, value });
      assert.equal(found?.reason, reason);
      if (found) assert.equal(found.name, name);
    });
  }

  test("is refused with a sentence that does not hold its value", () => {
    const marked: readonly Unit[] = [
      { name: "custom:cost_center", value: text("MARKER-too-long") },
      { name: "birthdate", value: text("MARKER--10") },
      { name: "phone_number", value: text("MARKER", "mark") },
      { name: "email", value: text("MARKER", "mark") },
      { name: "custom:any", value: text("MARKER") },
      { name: "email_verified", value: text("MARKER") },
    ];
    for (const unit of marked) {
      const found = checkUnit(profile, unit);
      assert.ok(found && INVALID_REASONS.some((reason) => reason === found.reason));
      assert.doesNotMatch(found.detail, /MARKER/);
    }
  });

  test("is told the name that was meant", () => {
    assert.match(checkUnit(profile, { name: "cost_center", value: text("x") })?.detail ?? "", /`custom:cost_center`/);
    assert.match(
      checkUnit(profile, { name: "givenName", value: text("x") })?.detail ?? "",
      /did you mean `given_name`/,
    );
    assert.match(checkUnit(profile, { name: "zzzzzz", value: text("x") })?.detail ?? "", /add it to the pool/);
  });
});

describe("the closest name", () => {
  for (const [name, closest] of [
    ["costcenter", "custom:cost_center"],
    ["Family-Name", "family_name"],
    ["emial", "email"],
    ["phone", undefined],
    ["", undefined],
  ] as const) {
    test(`to "${name}" is ${closest ?? "none"}`, () => assert.equal(closestName(profile, name), closest));
  }
});

describe("a username", () => {
  for (const [username, reason] of [
    ["ada", undefined],
    ["ada@example.com", undefined],
    ["Łukasz+1", undefined],
    ["x".repeat(128), undefined],
    ["", "username-length"],
    ["x".repeat(129), "username-length"],
    ["ada lovelace", "username-characters"],
    ["ada\n", "username-characters"],
    ["ada\0", "username-characters"],
    ["a\udc00", "username-characters"],
  ] as const) {
    test(`${JSON.stringify(username.slice(0, 20))} is ${reason ?? "accepted"}`, () => {
      assert.equal(checkUsername(username)?.reason, reason);
    });
  }

  test("is folded only where the pool ignores case", () => {
    assert.equal(canonicalUsername(profile, "Ada"), "Ada");
    assert.equal(canonicalUsername({ ...profile, caseSensitive: false }, "Ada"), "ada");
  });
});
