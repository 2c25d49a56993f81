import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FailureKind } from "../../src/core/failure.ts";
import { culprits, halves, possibleCulprits } from "../../src/core/isolation.ts";

const SENT = ["name", "family_name", "custom:x", "custom:xy", "email", "email_verified", "phone_number"];

describe("an invalid value's unit", () => {
  const table: readonly (readonly [message: string, found: readonly string[] | undefined])[] = [
    ["user.email: Attribute cannot be updated.\n", ["email"]],
    ["user.email_verified: Attribute cannot be updated.\n", ["email"]],
    ["Invalid user attributes: user.custom:x: Attribute does not exist in the schema.\n", ["custom:x"]],
    [
      "Attributes did not conform to the schema: custom:xy: Attribute does not exist in the schema.\ncustom:x: Attribute does not exist in the schema.\n",
      ["custom:x", "custom:xy"],
    ],
    ["Attributes did not conform to the schema: Type for attribute {custom:x} could not be determined", ["custom:x"]],
    [
      "Attributes did not conform to the schema: name: The attribute is required family_name: The attribute is required ",
      ["name", "family_name"],
    ],
    ["Attribute value for family_name must not be null", ["family_name"]],
    ["Invalid phone number format.", ["phone_number"]],
    ["Invalid email address format", ["email"]],
    [
      "1 validation error detected: Value at 'userAttributes.3.member.value' failed to satisfy constraint: Member must have length less than or equal to 2048",
      ["custom:x"],
    ],
    [
      "2 validation errors detected: Value at 'userAttributes.1.member.value' failed to satisfy constraint: a; Value at 'userAttributes.6.member.value' failed to satisfy constraint: b",
      ["name", "email"],
    ],
    [
      "1 validation error detected: Value at 'userAttributes.99.member.value' failed to satisfy constraint: a",
      undefined,
    ],
    // A value that is echoed may hold a name and a colon.
    ["The value 'see name: Bob' is not allowed", undefined],
    ["user.address: Attribute does not exist in the schema.\n", undefined],
    ["something that nobody has seen", undefined],
    ["", undefined],
    // The user lacks a required attribute that was not sent: every part would fail alike.
    [
      "user.birthdate: The attribute is required\n",
      ["name", "family_name", "custom:x", "custom:xy", "email", "phone_number"],
    ],
  ];
  for (const [message, found] of table) {
    test(`is ${found?.join(", ") ?? "not known"} by "${message.trim()}"`, () => {
      assert.deepEqual(culprits("invalid-value", message, SENT), found);
    });
  }

  test("is the only one that was sent, whatever the message", () => {
    assert.deepEqual(culprits("invalid-value", "?", ["email", "email_verified"]), ["email"]);
    assert.deepEqual(culprits("invalid-value", "?", ["email_verified"]), ["email_verified"]);
  });
});

describe("the unit whose alias exists", () => {
  const sent = ["name", "email", "email_verified", "phone_number", "preferred_username"];
  const table: readonly (readonly [message: string, sent: readonly string[], found: readonly string[] | undefined])[] =
    [
      ["An account with the given email already exists.", sent, ["email"]],
      ["An account with the email already exists.", sent, ["email"]],
      ["An account with the given phone_number already exists.", sent, ["phone_number"]],
      ["An account with the phone number already exists.", sent, ["phone_number"]],
      ["Already found an entry for preferred_username", sent, ["preferred_username"]],
      ["Already found an entry for username", sent, undefined],
      ["whatever", ["name", "phone_number"], ["phone_number"]],
      ["An account with the given email already exists.", ["name", "phone_number", "preferred_username"], undefined],
      ["An account with the given email already exists.", ["email_verified", "phone_number"], ["email_verified"]],
    ];
  for (const [message, names, found] of table) {
    test(`is ${found?.join() ?? "not known"} of ${names.join()} by "${message}"`, () => {
      assert.deepEqual(culprits("alias-exists", message, names), found);
    });
  }
});

describe("the suspects", () => {
  const table: readonly (readonly [FailureKind, sent: readonly string[], found: readonly string[]])[] = [
    ["alias-exists", SENT, ["email", "phone_number"]],
    ["delivery-failed", SENT, ["email", "phone_number"]],
    ["delivery-failed", ["name", "locale"], ["name", "locale"]],
    ["invalid-value", ["email", "email_verified", "name"], ["email", "name"]],
  ];
  for (const [kind, sent, found] of table) {
    test(`of ${kind} among ${sent.join()} are ${found.join()}`, () =>
      assert.deepEqual(possibleCulprits(kind, sent), found));
  }

  test("of a message that could not be sent are told apart by the medium", () => {
    assert.deepEqual(culprits("delivery-failed", "Exceeded daily email limit for the operation", SENT), ["email"]);
    assert.deepEqual(culprits("delivery-failed", "SMS could not be sent", SENT), ["phone_number"]);
  });
});

describe("halves", () => {
  for (const [units, first, second] of [
    [["a", "b"], ["a"], ["b"]],
    [["a", "b", "c"], ["a", "b"], ["c"]],
    [
      ["a", "b", "c", "d"],
      ["a", "b"],
      ["c", "d"],
    ],
  ] as const) {
    test(`of ${units.join()} are ${first.join()} and ${second.join()}`, () => {
      assert.deepEqual(halves(units), [first, second]);
    });
  }
  test("of one unit do not exist", () => {
    assert.throws(() => halves(["a"]), RangeError);
  });
});
