import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  applyTransform,
  applyTransforms,
  fillTemplate,
  templateColumns,
  transformFault,
} from "../../src/feeds/transform.ts";
import type { Transform } from "../../src/feeds/transform.ts";
import { parseInstant } from "../../src/feeds/date.ts";

const trim: Transform = { kind: "trim" };
const lower: Transform = { kind: "lower" };
const upper: Transform = { kind: "upper" };
const e164: Transform = { kind: "e164" };
const german: Transform = { kind: "e164", region: "DE" };
const date: Transform = { kind: "date" };
const epoch: Transform = { kind: "epoch" };
const flag: Transform = { kind: "boolean" };
const number: Transform = { kind: "number", decimal: "." };
const comma: Transform = { kind: "number", decimal: "," };
const codes: Transform = { kind: "map", texts: { A: "active", "": "never", L: "", constructor: "built", "*": "keep" } };
const strict: Transform = { kind: "map", texts: { A: "active" } };
const rest: Transform = { kind: "map", texts: { A: "active", "*": "other" } };
const first: Transform = { kind: "split", at: ";", take: 1 };
const second: Transform = { kind: "split", at: ", ", take: 2 };
const last: Transform = { kind: "split", at: ";", take: -1 };
const dashes: Transform = { kind: "replace", text: "-", by: "$&" };
const dots: Transform = { kind: "replace", text: ".", by: "" };
const pad: Transform = { kind: "pad", digits: 5 };
const american: Transform = { kind: "date", pattern: "MM/DD/YYYY" };

/** Transform, text, and what it becomes; a reason is written with a `!`. */
const TABLE: readonly (readonly [Transform, string, string])[] = [
  [trim, "  a b\t", "a b"],
  [trim, "\u00a0x\ufeff", "x"],
  [trim, "   ", ""],
  [lower, "ÅSA@Example.COM", "åsa@example.com"],
  [upper, "straße", "STRASSE"],

  [e164, "+1 (415) 555-0134", "+14155550134"],
  [e164, "+49 (0)30 23125804", "+493023125804"],
  [e164, " +44 7700 900123 ", "+447700900123"],
  [e164, "07700 900123", "!phone-without-country"],
  [{ kind: "e164", region: "GB" }, "07700 900123", "+447700900123"],
  [german, "030 23125804", "+493023125804"],
  [german, "+33 6 39 98 55 97", "+33639985597"],
  [german, "ask reception", "!bad-phone-number"],
  [german, "call 030 23125804", "!bad-phone-number"],
  [german, "030 23125804 ext. 12", "!phone-extension"],
  [german, "+1 415", "!bad-phone-number"],
  [german, "+999 1234567", "!bad-phone-number"],
  [german, "+49", "!bad-phone-number"],
  [german, "9".repeat(5000), "!bad-phone-number"],
  [german, " ", ""],

  [date, "2020-08-29", "2020-08-29"],
  [date, "2020-08-29T23:59:59Z", "2020-08-29"],
  [date, "2020-08-29 00:00:00.000", "2020-08-29"],
  [date, "2020-03-16-07:00", "2020-03-16"],
  [date, "2020/8/9", "2020-08-09"],
  [date, "20200829", "2020-08-29"],
  [date, "29.8.2020", "2020-08-29"],
  [date, "29 Aug 2020", "2020-08-29"],
  [date, "29-AUG-2020", "2020-08-29"],
  [date, "August 9, 2020", "2020-08-09"],
  [date, "Sept 9 2020", "2020-09-09"],
  [date, "08/29/2020", "2020-08-29"],
  [date, "29/08/2020", "2020-08-29"],
  [date, "08/08/2020", "2020-08-08"],
  [date, "08/09/2020", "!ambiguous-date"],
  [date, "1-2-2020", "!ambiguous-date"],
  [date, "31/11/2020", "!not-a-date"],
  [date, "2021-02-29", "!not-a-date"],
  [date, "2020-02-29", "2020-02-29"],
  [date, "0000-01-01", "!not-a-date"],
  [date, "08/29/20", "!not-a-date"],
  [date, "29 Augustus 2020", "!not-a-date"],
  [date, "43952", "!not-a-date"],
  [date, "tomorrow", "!not-a-date"],
  [american, "08/09/2020", "2020-08-09"],
  [american, "29/08/2020", "!not-a-date"],
  [american, "2020-08-29", "!not-a-date"],
  [{ kind: "date", pattern: "D.M.YYYY" }, "9.8.2020", "2020-08-09"],
  [{ kind: "date", pattern: "DD-MMM-YYYY" }, "09-aug-2020", "2020-08-09"],

  [epoch, "2026-01-31T18:42:00+0000", "1769884920"],
  [epoch, "2026-01-31T18:42:00.999Z", "1769884920"],
  [epoch, "2026-01-31 20:42:00+02:00", "1769884920"],
  [epoch, "1769884920", "1769884920"],
  [epoch, "1769884920123", "1769884920"],
  [epoch, "2026-01-31", "1769817600"],
  [epoch, "2026-02-01T18:42:00", "!not-a-time"],
  [epoch, "2026-02-30T18:42:00Z", "!not-a-time"],
  [epoch, "20260131", "!not-a-time"],
  [epoch, "-5", "!not-a-time"],

  ...["TRUE", "t", "Yes", " Y ", "on", "1"].map((word) => [flag, word, "true"] as const),
  ...["False", "F", "no", "N", "OFF", "0"].map((word) => [flag, word, "false"] as const),
  ...["ja", "2", "-1", "truly", "true false", "x"].map((word) => [flag, word, "!not-a-boolean"] as const),

  [comma, "3,5", "3.5"],
  [comma, " 1.234,50 ", "1234.50"],
  [comma, "1 234 567,8", "1234567.8"],
  [comma, "1\u202f234", "1234"],
  [comma, "-1'234,5", "-1234.5"],
  [comma, "3.5", "!not-a-number"],
  [comma, "1.234.56", "!not-a-number"],
  [comma, "1.234 567", "!not-a-number"],
  [comma, "1,234.5", "!not-a-number"],
  [comma, "1e3", "!not-a-number"],
  [comma, ",5", "!not-a-number"],
  [comma, "3,", "!not-a-number"],
  [number, "1,234.5", "1234.5"],
  [number, "+007", "7"],
  [number, "0.10", "0.10"],
  [number, "12345678901234567890.1", "12345678901234567890.1"],
  [number, "3,5", "!not-a-number"],
  [number, "NaN", "!not-a-number"],
  [number, "1".repeat(300_000), "!not-a-number"],

  [codes, "A", "active"],
  [codes, " A ", "active"],
  [codes, "a", "a"],
  [codes, "L", ""],
  [codes, "*", "*"],
  [codes, "constructor", "built"],
  [codes, "__proto__", "__proto__"],
  [strict, "constructor", "!not-in-map"],
  [strict, "B", "!not-in-map"],
  [rest, "B", "other"],
  [rest, "*", "other"],

  [first, "a; b;c", "a"],
  [first, "a", "a"],
  [last, "a; b; c ", "c"],
  [second, "Lovelace, Ada", "Ada"],
  [second, "Lovelace", "!no-such-part"],
  [{ kind: "split", at: ";", take: -2 }, "a", "!no-such-part"],
  [first, ";b", ""],

  [dashes, "a-b-", "a$&b$&"],
  [dots, "1.2.3", "123"],
  [dots, "...", ""],
  [dots, "a".repeat(10_001), "!too-long"],

  [pad, "42", "00042"],
  [pad, "123456", "123456"],
  [pad, "A42", "A42"],
  [pad, "-1", "-1"],
];

describe("a transform", () => {
  for (const [transform, text, expected] of TABLE) {
    const name = JSON.stringify(Object.values(transform));
    test(`${name}: ${JSON.stringify(text.slice(0, 40))} becomes ${expected}`, () => {
      const outcome = applyTransform(transform, text);
      assert.equal(outcome.ok ? outcome.text : `!${outcome.reason}`, expected);
      if (!outcome.ok)
        assert.ok(
          outcome.detail.startsWith("Expected ") && !(text.length > 2 && outcome.detail.includes(text)),
          outcome.detail,
        );
    });

    test(`${name} leaves "" alone`, () => assert.deepEqual(applyTransform(transform, ""), { ok: true, text: "" }));
  }

  test("is applied after the one before it, up to the first that refuses", () => {
    assert.deepEqual(applyTransforms([trim, lower], " A "), { ok: true, text: "a" });
    assert.deepEqual(applyTransforms([], " A "), { ok: true, text: " A " });
    const outcome = applyTransforms([german, upper], "nobody");
    assert.equal(outcome.ok, false);
  });

  test("that cannot work is known before a row is read", () => {
    for (const fine of [trim, lower, upper, e164, german, date, american, epoch])
      assert.equal(transformFault(fine), undefined);
    for (const fine of [flag, number, comma, codes, strict, first, second, last, dashes, pad])
      assert.equal(transformFault(fine), undefined);
    assert.match(transformFault({ kind: "map", texts: {} }) ?? "", /Expected `map`/);
    assert.match(transformFault({ kind: "split", at: "", take: 1 }) ?? "", /Expected `at`/);
    for (const take of [0, 1.5, NaN]) {
      assert.match(transformFault({ kind: "split", at: ",", take }) ?? "", /Expected `take`/);
    }
    assert.match(transformFault({ kind: "replace", text: "", by: "a" }) ?? "", /Expected `text`/);
    assert.match(transformFault({ kind: "replace", text: "a", by: "b".repeat(101) }) ?? "", /Expected `with`/);
    for (const digits of [0, -1, 1.5, 129, Infinity]) {
      assert.match(transformFault({ kind: "pad", digits }) ?? "", /Expected `pad`/);
    }
    for (const region of ["de", "XX", "", "__proto__", "constructor", "49"]) {
      assert.match(transformFault({ kind: "e164", region }) ?? "", /Expected `region`/, region);
    }
    for (const pattern of ["MM/DD", "YYYY", "YYYY-MM-MM", "DD/MM/YY", "", "hh:mm", "YYYY-MM-DD-DD"]) {
      assert.match(transformFault({ kind: "date", pattern }) ?? "", /Expected `pattern`/, pattern);
    }
  });
});

test("a template names its columns and is filled with them", () => {
  assert.deepEqual(templateColumns("{First Name} {Last} ({__proto__})"), ["First Name", "Last", "__proto__"]);
  assert.equal(
    fillTemplate("{a}-{b}{}", (column) => (column === "a" ? "$&" : "{a}")),
    "$&-{a}{}",
  );
});

describe("a time", () => {
  const table: readonly (readonly [string, number | undefined])[] = [
    ["2026-01-31T18:42:00Z", 1_769_884_920_000],
    ["2026-01-31T18:42:00.5+05:30", 1_769_865_120_500],
    ["2026-01-31T18:42-08", 1_769_913_720_000],
    ["2026-01-31T18:42:00,123456Z", 1_769_884_920_123],
    ["1769884920", 1_769_884_920_000],
    ["1769884920.25", 1_769_884_920_250],
    ["1769884920123", 1_769_884_920_123],
    ["1769884920123.75", 1_769_884_920_123],
    ["2026-01-31T18:42:00", undefined],
    ["2026-01-31", undefined],
    ["2026-01-31T24:00:00Z", undefined],
    ["202601311842", undefined],
    ["1769884920123456", undefined],
    ["1960-01-01T00:00:00Z", undefined],
    ["", undefined],
  ];
  for (const [text, expected] of table) {
    test(`${JSON.stringify(text)} is ${expected ?? "none"}`, () => assert.equal(parseInstant(text), expected));
  }
});
