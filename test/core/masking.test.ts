import assert from "node:assert/strict";
import { test } from "node:test";
import { mask, printable, shownValue, valueText } from "../../src/core/masking.ts";

test("values are shown masked, and as they are where that is asked for", () => {
  assert.equal(valueText({ kind: "text", text: "jane@example.com" }, false), "j***@e***.com");
  assert.equal(valueText({ kind: "text", text: "Jane" }, true), "Jane");
  assert.equal(valueText({ kind: "clear" }, false), "(cleared)");
  assert.equal(valueText({ kind: "as-is", verified: true }, false), "(verified, as it is)");
  assert.equal(valueText({ kind: "as-is", verified: false }, true), "(not verified, as it is)");
  assert.equal(mask("Jo"), "***");
  assert.equal(mask("Johanna"), "J***");
});

test("a flag says of nobody who they are, and no text moves the cursor", () => {
  assert.equal(shownValue("email_verified", "true"), "true");
  assert.equal(shownValue("email", "jane@example.com"), "j***@e***.com");
  assert.equal(printable("a\u001b[2Kb"), "a<U+001B>[2Kb");
});
