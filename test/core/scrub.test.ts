import assert from "node:assert/strict";
import { test } from "node:test";
import { scrub } from "../../src/core/scrub.ts";

const cases: [title: string, message: string, values: string[], left: string][] = [
  ["a value", "Value 'jane.doe' is bad", ["jane.doe"], "Value '***' is bad"],
  ["a value within a word", "xjane.doex", ["jane.doe"], "x***x"],
  ["the longer of two first", "jane.doe@e.com", ["jane.doe", "jane.doe@e.com"], "***"],
  ["a short value that stands alone", "Value 'a' at 'a.b'", ["a"], "Value '***' at '***.b'"],
  ["no short value within a word", "User does not exist.", ["oes", "x", ""], "User does not exist."],
  ["any token", "token eyJhIn0.eyJiIn0.c-d is bad", [], "token *** is bad"],
  ["signs as they are", "(a+b)? not [x]", ["(a+b)?"], "*** not [x]"],
];
for (const [title, message, values, left] of cases) {
  test(`a message loses ${title}`, () => assert.equal(scrub(message, values), left));
}
