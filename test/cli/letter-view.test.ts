import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { shownValue } from "../../src/core/masking.ts";

describe("a value of the pool as it is shown", () => {
  for (const [name, text, shown] of [
    ["given_name", "Somebody", "S***"],
    ["email", "other@example.com", "o***@e***.com"],
    ["email_verified", "false", "false"],
    ["phone_number_verified", "true", "true"],
    ["custom:home_verified", "7 Elm Row", "7***"],
    ["dev:custom:email_verified", "true", "t***"],
    ["email_verified", "tr\u001Bue", "tr\uFFFDue"],
  ] as const) {
    test(`is \`${shown}\` for ${name}`, () => {
      assert.equal(shownValue(name, text), shown);
    });
  }
});
