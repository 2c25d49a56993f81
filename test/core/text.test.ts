import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { columnKey, composed, spellings, tidy, unseenIn, visible, withoutMarks } from "../../src/core/text.ts";

const FAMILY = "\u{1F468}\u200D\u{1F469}\u200D\u{1F467}";
const ENGLAND = "\u{1F3F4}\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}";

describe("a text", () => {
  const ends: readonly (readonly [string, string])[] = [
    ["ann", "ann"],
    [" \t ann\r\n", "ann"],
    ["\u200Bann@example.com", "ann@example.com"],
    ["Bob\u200B", "Bob"],
    ["\u200E4711", "4711"],
    ["\u202ELee", "Lee"],
    ["\u202A+447700900123\u202C", "+447700900123"],
    ["\uFEFF\u00A0\u3000\u2009Ann\u2060\u00AD\u0085", "Ann"],
    [" \u200B Ann \u2066 ", "Ann"],
    ["\u3164\u2800", ""],
    ["\u200B", ""],
    ["Bob\uFE0F", "Bob"],
    ["علی\u200C", "علی"],
    ["Ann\u200D", "Ann"],
    ["क्\u200D", "क्\u200D"],
    ["\u2764\uFE0F", "\u2764\uFE0F"],
    [ENGLAND, ENGLAND],
    ["葛\u{E0100}", "葛\u{E0100}"],
    ["\u0000ann", "\u0000ann"],
  ];
  for (const [text, expected] of ends) {
    test(`has nothing at its ends that nobody sees: ${visible(text)}`, () => assert.equal(tidy(text), expected));
  }

  test("keeps its white space where only marks are taken away", () => {
    assert.deepEqual([" \u200B ann\u200B ", " ", "a\u200B"].map(withoutMarks), ["  ann ", " ", "a"]);
  });

  const middles: readonly (readonly [string, string | undefined])[] = [
    ["Ann Lee", undefined],
    ["Zoë O’Neil", undefined],
    ["1 High Street\r\nLeeds\tLS1", undefined],
    ["Ann\u00A0Lee", undefined],
    ["Ann\u0007Lee", "<U+0007>"],
    ["Ann\u0000Lee", "<U+0000>"],
    ["Ann\u0085Lee", "<U+0085>"],
    ["Ann\u202ELee", "<U+202E>"],
    ["Ann\u2068Lee\u2069", "<U+2068>"],
    ["Ann\u200FLee", "<U+200F>"],
    ["Ann\u200BLee", "<U+200B>"],
    ["Ann\u00ADLee", "<U+00AD>"],
    ["Ann\uFEFFLee", "<U+FEFF>"],
    ["Bj\uFFFDrn", "<U+FFFD>"],
    ["Ann\u3164Lee", "<U+3164>"],
    ["Bob\uFE0Fby", "<U+FE0F>"],
    ["a\u{E0041}b", "<U+E0041>"],
    // Hindi, Bengali, Sinhala: beside a virama.
    ["क्\u200Dष", undefined],
    ["क्\u200Cष", undefined],
    ["क\u200Dष", "<U+200D>"],
    ["র\u200D্য", undefined],
    ["ක්\u200Dෂ", undefined],
    // Persian and Arabic: between letters that join.
    ["می\u200Cخواهم", undefined],
    ["مِ\u200Cی", undefined],
    ["ه\u200Dه", undefined],
    ["می\u200C 5", "<U+200C>"],
    ["علی\u200Freza", "<U+200F>"],
    ["Ann\u200CLee", "<U+200C>"],
    ["Ann\u200DLee", "<U+200D>"],
    // Emoji.
    [FAMILY, undefined],
    ["\u2764\uFE0F\u200D\u{1F525}", undefined],
    ["\u{1F3C3}\u{1F3FD}\u200D\u2640\uFE0F", undefined],
    ["1\uFE0F\u20E3", undefined],
    ["1\uFE0F2", "<U+FE0F>"],
    [ENGLAND, undefined],
    ["\u{1F468}\u200DAnn", "<U+200D>"],
    // Thai: where a line may be broken between words.
    ["สม\u200Bชาย", undefined],
  ];
  for (const [text, expected] of middles) {
    test(`names what nobody sees in its middle: ${visible(text)}`, () => assert.equal(unseenIn(text), expected));
  }

  test("is shown with what nobody would see of it by name", () => {
    assert.equal(visible("\u202EAnn\u00A0Lee\u001B[2K"), "<U+202E>Ann<U+00A0>Lee<U+001B>[2K");
    assert.equal(visible("a\nb\u{E0041}"), "a<U+000A>b<U+E0041>");
    assert.equal(visible(`Ann ${FAMILY} می\u200Cخواهم`), `Ann ${FAMILY} می\u200Cخواهم`);
  });

  test("is compared in one form, and is looked for in every one", () => {
    assert.equal(composed("Zoe\u0308"), "Zoë");
    assert.equal(composed("Zoe"), "Zoe");
    assert.deepEqual(spellings("Zoë"), ["Zoë", "Zoe\u0308"]);
    assert.deepEqual(spellings("Zoe\u0308"), ["Zoe\u0308", "Zoë"]);
    assert.deepEqual(spellings("zoe"), ["zoe"]);
  });

  test("of a million signs is looked at in the time of its length", () => {
    for (const text of [" ".repeat(1e6), `a${" ".repeat(1e6)}b`, "\u200B".repeat(1e6), FAMILY.repeat(1e5)]) {
      assert.ok(tidy(text).length <= text.length);
      assert.equal(unseenIn(`${tidy(text)}\u202Ex`), "<U+202E>");
    }
  });
});

test("a column's name is one without regard to case, kinds of space, form and what nobody sees", () => {
  const names = ["First Näme", " first\u00A0näme\uFEFF", "FIRST\nNA\u0308ME", "\u200BFirst  \tNä\u200Bme"];
  assert.deepEqual([...new Set(names.map(columnKey))], ["first näme"]);
  assert.notEqual(columnKey("first_näme"), columnKey("first näme"));
});
