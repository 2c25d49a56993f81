import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { shownValue } from "../../src/core/masking.ts";
import { eventGroupsText, eventLineText, eventText } from "../../src/views/parked-events.ts";

describe("a value of the pool as it is shown", () => {
  for (const [name, text, shown] of [
    ["given_name", "Somebody", "S***"],
    ["email", "other@example.com", "o***@e***.com"],
    ["email_verified", "false", "false"],
    ["phone_number_verified", "true", "true"],
    ["custom:home_verified", "7 Elm Row", "7***"],
    ["dev:custom:email_verified", "true", "t***"],
    ["email_verified", "tr\u001Bue", "tr<U+001B>ue"],
  ] as const) {
    test(`is \`${shown}\` for ${name}`, () => {
      assert.equal(shownValue(name, text), shown);
    });
  }
});

describe("a parked event as text", () => {
  const odd = "a\u001B]0;b\u0007\u202E";
  const at = "2026-01-31T18:42:00.000Z";
  const line = { id: "e-1", kind: "event", reason: odd, feed: odd, came: at, parked: at } as const;

  test("is printable, whatever came with it", () => {
    const texts = { pool: odd, scheme: odd, signed: odd, contentType: odd, why: [odd, "record 2"], advice: odd };
    const text = eventText({ ...line, ...texts, bytes: 2, left: [1, 2], body: "{\n}" }, 80);
    assert.doesNotMatch(text.replaceAll("\n", ""), /[\p{Cc}\p{Cf}]/u);
    assert.match(text, /^why +a<U\+001B>\]0;b<U\+0007><U\+202E>; record 2$/m);
    assert.match(text, /^body +\{\n +\}$/m);
  });

  test("of a list and of a group is as well", () => {
    const group = { feed: odd, reason: odd, events: 1, oldest: 0, newest: 0, example: "e-1", advice: "" };
    const command = (...words: readonly string[]) => words.join(" ");
    const text = eventGroupsText([group], { width: 80, now: 0, command }) + eventLineText(line, 80, () => "now");
    assert.match(text, /a<U\+001B>\]0;b/);
    assert.doesNotMatch(text.replaceAll("\n", ""), /[\p{Cc}\p{Cf}]/u);
  });
});
