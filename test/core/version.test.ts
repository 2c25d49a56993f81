import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  MAX_LEAD_MS,
  isTime,
  isTooFarAhead,
  isVersion,
  ordinalOf,
  ordinalText,
  timeOf,
  versionText,
} from "../../src/core/version.ts";
import type { Ordinal } from "../../src/core/version.ts";

const NOW = 1_795_478_400_000;

describe("a version", () => {
  test("is time, sequence and arrival in digits of fixed width", () => {
    const ordinal = ordinalText({ timeMs: NOW, sequence: 42 });
    assert.equal(ordinal, "001795478400000.0000000000000042");
    assert.equal(versionText(ordinal, 1337), "001795478400000.0000000000000042.0000000000001337");
  });

  test("has text order where its parts have number order", () => {
    const parts: readonly (readonly [timeMs: number, sequence: number, arrival: number])[] = [
      [0, 0, 0],
      [0, 0, 9],
      [0, 0, 10],
      [0, 2, 1],
      [0, 10, 0],
      [9, 0, 0],
      [10, 0, 0],
      [NOW, 0, Number.MAX_SAFE_INTEGER],
      [NOW, Number.MAX_SAFE_INTEGER, 0],
      [999_999_999_999_999, 0, 0],
    ];
    const texts = parts.map(([timeMs, sequence, arrival]) => versionText(ordinalText({ timeMs, sequence }), arrival));
    assert.deepEqual(texts.toSorted(), texts);
    assert.equal(new Set(texts.map(({ length }) => length)).size, 1);
  });

  test("gives back its ordinal and its time", () => {
    const ordinal = ordinalText({ timeMs: NOW, sequence: 7 });
    const version = versionText(ordinal, 3);
    assert.equal(ordinalOf(version), ordinal);
    assert.equal(ordinalOf(ordinal), ordinal);
    assert.equal(timeOf(version), NOW);
    assert.equal(timeOf(ordinal), NOW);
  });

  test("is told from any other text", () => {
    const version = versionText(ordinalText({ timeMs: NOW, sequence: 7 }), 3);
    assert.ok(isVersion(version));
    for (const text of ["", "later", version.slice(1), `${version}0`, `${version}\n`, version.replace(".", ",")]) {
      assert.equal(isVersion(text), false, text);
    }
  });

  const refused: readonly (readonly [Ordinal, RegExp])[] = [
    [{ timeMs: -1, sequence: 0 }, /^Expected `timeMs` to be a whole number from 0, got `-1`$/],
    [{ timeMs: 1.5, sequence: 0 }, /`timeMs` to be a whole number from 0, got `1.5`/],
    [{ timeMs: Number.NaN, sequence: 0 }, /`timeMs` to be a whole number/],
    [{ timeMs: 1_000_000_000_000_000, sequence: 0 }, /`timeMs` to have at most 15 digits/],
    [{ timeMs: 0, sequence: -1 }, /`sequence` to be a whole number from 0/],
    [{ timeMs: 0, sequence: Number.MAX_SAFE_INTEGER + 1 }, /`sequence` to be a whole number from 0/],
  ];
  for (const [ordinal, message] of refused) {
    test(`is refused for ${JSON.stringify(ordinal)}`, () => {
      assert.throws(() => ordinalText(ordinal), { name: "RangeError", message });
    });
  }

  test("is refused for an arrival that is no count", () => {
    assert.throws(() => versionText(ordinalText({ timeMs: 0, sequence: 0 }), 0.5), {
      name: "RangeError",
      message: /`arrival` to be a whole number/,
    });
  });

  test("is too far ahead beyond five minutes, and not at them", () => {
    const at = (timeMs: number) => ordinalText({ timeMs, sequence: 0 });
    assert.equal(MAX_LEAD_MS, 5 * 60_000);
    assert.equal(isTooFarAhead(at(NOW - 1), NOW), false);
    assert.equal(isTooFarAhead(at(NOW + MAX_LEAD_MS), NOW), false);
    assert.equal(isTooFarAhead(at(NOW + MAX_LEAD_MS + 1), NOW), true);
  });
});

test("a time of a version is a whole number of milliseconds since 1970, in 15 digits", () => {
  for (const timeMs of [0, NOW, 999_999_999_999_999]) assert.equal(isTime(timeMs), true, String(timeMs));
  for (const timeMs of [-1, 1.5, Number.NaN, Infinity, 10 ** 15]) assert.equal(isTime(timeMs), false, String(timeMs));
});
