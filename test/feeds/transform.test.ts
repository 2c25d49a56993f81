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
];

describe("a transform", () => {
  for (const [transform, text, expected] of TABLE) {
    const name = Object.values(transform).join(" ");
    test(`${name}: ${JSON.stringify(text.slice(0, 40))} becomes ${expected}`, () => {
      const outcome = applyTransform(transform, text);
      assert.equal(outcome.ok ? outcome.text : `!${outcome.reason}`, expected);
      if (!outcome.ok)
        assert.ok(outcome.detail.startsWith("Expected ") && !outcome.detail.includes(text), outcome.detail);
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
