import assert from "node:assert/strict";
import { test } from "node:test";
import { contactOf, flagOf, isContact } from "../../src/core/unit.ts";

const table: readonly (readonly [name: string, flag: string | undefined, contact: string | undefined])[] = [
  ["email", "email_verified", undefined],
  ["phone_number", "phone_number_verified", undefined],
  ["email_verified", undefined, "email"],
  ["phone_number_verified", undefined, "phone_number"],
  ["given_name", undefined, undefined],
  ["custom:email", undefined, undefined],
  ["Email", undefined, undefined],
  // Names come from outside: those that every object has must find nothing.
  ["constructor", undefined, undefined],
  ["__proto__", undefined, undefined],
  ["toString", undefined, undefined],
];

for (const [name, flag, contact] of table) {
  test(`${name} has ${flag ?? "no flag"} and speaks of ${contact ?? "nothing else"}`, () => {
    assert.equal(flagOf(name), flag);
    assert.equal(contactOf(name), contact);
    assert.equal(isContact(name), flag !== undefined);
  });
}
