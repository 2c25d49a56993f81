import assert from "node:assert/strict";
import { test } from "node:test";
import { identifierOf, questionsOf, type Identifier, type Question } from "../../src/core/identifier.ts";

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
  ["a sub that the feed calls so is one there too: a provider's user has another username", EMAIL, SUB, "sub", "sub"],
  ["a sub is one elsewhere, where the feed says so", PLAIN, SUB, "sub", "sub"],
  ["a sub may be a username elsewhere, where it does not", PLAIN, SUB, undefined, "username"],
  ["what the feed says holds", PLAIN, "jane@example.com", "email", "email"],
  [
    "an address is one where it is an alias, whatever the feed calls it",
    ALIAS,
    "jane@example.com",
    "username",
    "email",
  ],
];

for (const [fact, profile, text, said, expected] of cases) {
  test(fact, () => assert.equal(identifierOf(profile, text, said), expected));
}

const PREFERRED = { usernameAttributes: [], aliasAttributes: ["preferred_username"] };

const questions: readonly (readonly [
  string,
  Parameters<typeof questionsOf>[0],
  string,
  Identifier | undefined,
  readonly Question[],
])[] = [
  ["a name can only be a username", PLAIN, "jane", undefined, ["username"]],
  [
    "a name is a username before it is a preferred one",
    PREFERRED,
    "jane",
    undefined,
    ["username", "preferred_username"],
  ],
  ["what looks like a sub may be one, or a username", PLAIN, SUB, undefined, ["sub", "username"]],
  ["a sub that the feed calls so is nothing else", PLAIN, SUB, "sub", ["sub"]],
  [
    "an address may be the end of a provider's username",
    ALIAS,
    "AzureAD_jane@example.com",
    undefined,
    ["email", "username"],
  ],
  ["which comes first where the feed says so", ALIAS, "AzureAD_jane@example.com", "username", ["username", "email"]],
  ["an address that the feed calls so is nothing else", ALIAS, "jane@example.com", "email", ["email"]],
  ["a number is a number", ALIAS, "+14255550123", undefined, ["phone_number"]],
];

for (const [fact, profile, text, said, expected] of questions) {
  test(fact, () => assert.deepEqual(questionsOf(profile, text, said), expected));
}
