import assert from "node:assert/strict";
import { test } from "node:test";
import { identifierOf, type Identifier } from "../../src/core/identifier.ts";

const PLAIN = { usernameAttributes: [], aliasAttributes: [] };
const ALIAS = { usernameAttributes: [], aliasAttributes: ["email", "phone_number"] };
const EMAIL = { usernameAttributes: ["email"], aliasAttributes: [] };
const SUB = "2f1c8a54-0b7e-4f6a-9c3d-5e8f7a6b1c2d";

const cases: readonly (readonly [
  string,
  typeof PLAIN | typeof ALIAS | typeof EMAIL,
  string,
  Identifier | undefined,
  Identifier,
])[] = [
  ["a name is a username", PLAIN, "jane", undefined, "username"],
  ["an address is a username where it signs nobody in", PLAIN, "jane@example.com", undefined, "username"],
  ["an address is one where it is an alias", ALIAS, "jane@example.com", undefined, "email"],
  ["a number is one where it is an alias", ALIAS, "+14255550123", undefined, "phone_number"],
  ["a name stays a username beside aliases", ALIAS, "jane", undefined, "username"],
  ["an address is one where people sign in with it", EMAIL, "jane@example.com", undefined, "email"],
  ["a sub is the username where people sign in with an address", EMAIL, SUB, undefined, "username"],
  ["a sub that the feed calls so is the username there too", EMAIL, SUB, "sub", "username"],
  ["a sub is one elsewhere, where the feed says so", PLAIN, SUB, "sub", "sub"],
  ["a sub may be a username elsewhere, where it does not", PLAIN, SUB, undefined, "username"],
  ["what the feed says holds", PLAIN, "jane@example.com", "email", "email"],
  ["what the feed says holds against an alias", ALIAS, "jane@example.com", "username", "username"],
];

for (const [fact, profile, text, said, expected] of cases) {
  test(fact, () => assert.equal(identifierOf(profile, text, said), expected));
}
