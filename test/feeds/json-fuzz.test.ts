/**
 * Whatever JSON says, its columns lead to its values and back, and `records` finds the same in pieces as in the whole,
 * or refuses it with one error. None of these says a value.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { withoutMarks } from "../../src/core/text.ts";
import { cellOf } from "../../src/feeds/cell.ts";
import { columnName, columnPath, MAX_STEPS, type Step } from "../../src/feeds/column-path.ts";
import { createColumnCollector, knownColumns } from "../../src/feeds/columns.ts";
import { readRecords } from "../../src/feeds/format.ts";
import { jsonRecords, readWholeJson } from "../../src/feeds/json-records.ts";
import { jsonRecord, type FeedRecord } from "../../src/feeds/record.ts";
import { recordsFault } from "../../src/feeds/records-expression.ts";
import { fuzzParameters } from "../support/fuzz.ts";
import { collect, madeSource } from "./feed-file.ts";
import { MARK, outcome } from "./outcome.ts";

const key = fc.oneof(
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.constantFrom("a", "b", "a.b", "a[0]", "[*]", "*", '"', '"a"', "", "0", "__proto__", "constructor", "Employee #"),
);
const scalar = fc.oneof(
  fc.string({ unit: "binary", maxLength: 5 }).map((text) => MARK + text),
  fc.constantFrom(null, true, "", 7, -0.5),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(key, tie("value"), { maxKeys: 3 }),
  ),
}));
const person = fc.dictionary(key, value, { maxKeys: 4 });

/** Every way to a value that is no object or list. */
function* ways(holder: unknown, path: readonly Step[] = []): Generator<readonly [readonly Step[], unknown]> {
  if (typeof holder !== "object" || holder === null) yield [path, holder];
  else if (Array.isArray(holder)) for (const [at, inner] of holder.entries()) yield* ways(inner, [...path, at]);
  else for (const [name, inner] of Object.entries(holder)) yield* ways(inner, [...path, name]);
}

/** Quoted all over, so that no key at the top is taken for a way. */
function quotedName(path: readonly Step[]): string {
  return path
    .map((step, at) => (typeof step === "number" ? `[${step}]` : `${at === 0 ? "" : "."}${JSON.stringify(step)}`))
    .join("");
}

describe("any JSON", () => {
  test("has a column for each of its values, which leads to it, and is known by it", (t) => {
    const property = fc.property(person, (object) => {
      const record = jsonRecord(1, JSON.stringify(object));
      assert.ok(record.kind === "record");
      const columns = createColumnCollector();
      columns.add(record);
      const names: string[] = [];
      for (const [path, expected] of ways(object)) {
        if (path.length > MAX_STEPS) continue;
        if (path.length > 1) assert.deepEqual(columnPath(columnName(path)), path);
        const name = quotedName(path);
        assert.deepEqual(columnPath(name), path);
        // A key at the top may be spelled like a way.
        const literal = Object.hasOwn(object, name);
        const cell = cellOf(name, record);
        // Marks that nobody sees are no part of a text at its ends.
        const written = typeof expected === "string" ? expected : JSON.stringify(expected);
        const text = expected === null ? "" : withoutMarks(written);
        if (!literal) assert.deepEqual(cell, text === "" ? { kind: "blank" } : { kind: "text", text });
        // A null where other elements have an object is no column of its own.
        assert.ok(expected === null || columns.has(name));
        names.push(name);
      }
      assert.deepEqual(columns.unknown(knownColumns(names, [])), []);
      assert.deepEqual(columns.unknown(knownColumns([], columns.unknown(knownColumns([], [])))), []);
    });
    fc.assert(property, fuzzParameters(t, 400));
  });

  test("has the same records under a plain path in pieces as in the whole", async (t) => {
    const beside = fc.dictionary(key, value, { maxKeys: 3 });
    const property = fc.asyncProperty(
      fc.array(fc.oneof(person, value), { maxLength: 3 }),
      beside,
      beside,
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(undefined, 1),
      async (list, outer, inner, size, indent) => {
        const document = { ...outer, data: { ...inner, people: list, z: 1 }, y: [{ data: 1 }] };
        const json = JSON.stringify(document, undefined, indent);
        const pieces = await readPieces(json, size, "data.people[*]");
        const whole = jsonRecords(json, "data.people[*]");
        assert.ok(whole.is === "found");
        assert.deepEqual(pieces.map(brief), [...whole.records].map(brief));
        const filtered = jsonRecords(json, "data.people[?@ != `null`]");
        const known = list.flatMap((one, at) => (one === null ? [] : pieces.slice(at, at + 1)));
        assert.ok(filtered.is === "found");
        assert.deepEqual([...filtered.records].map(brief), known.map(brief));
      },
    );
    await fc.assert(property, fuzzParameters(t, 150));
  });

  test("damaged in places is read or refused by any expression, and says no value", async (t) => {
    const word = fc.constantFrom(
      "a",
      "b",
      "data",
      "people",
      "@",
      "*",
      "[*]",
      "[]",
      "[?",
      "]",
      "0",
      ".",
      "|",
      "||",
      "&",
      "(",
      ")",
      "{",
      "}",
      ":",
      ",",
      "'x'",
      "`1`",
      '"a b"',
      "length",
      "keys",
      "sort_by",
      "to_string",
      "==",
      "🦉",
      " ",
    );
    const expression = fc.oneof(
      fc.array(word, { minLength: 1, maxLength: 6 }).map((words) => words.join("")),
      fc.constantFrom(
        "data.people[*]",
        "data.people[?a]",
        "data.people[*].{a: a}",
        "keys(@)",
        "values(data)",
        "sort_by(data.people, &a)",
      ),
    );
    const property = fc.asyncProperty(
      fc.array(person, { maxLength: 2 }),
      expression,
      fc.nat(60),
      fc.constantFrom("", "{", "]", '"', ",", "\\", "\n", '"data":', "[[["),
      async (people, records, at, put) => {
        const fault = recordsFault(records);
        if (fault !== undefined) {
          assert.ok(fault.length < 400);
          return;
        }
        const sound = JSON.stringify({ data: { people } });
        const json = sound.slice(0, at) + put + sound.slice(at);
        await outcome(() => readPieces(json, 7, records));
        await outcome(() => collect(readWholeJson(piece(json), "made", records)));
      },
    );
    await fc.assert(property, fuzzParameters(t, 600));
  });
});

async function* piece(text: string): AsyncGenerator<string> {
  yield text;
}

function readPieces(json: string, size: number, records: string): Promise<FeedRecord[]> {
  const bytes = Buffer.from(json);
  const source = madeSource(function* () {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  });
  return collect(readRecords(source, { records }));
}

function brief(record: FeedRecord): unknown {
  if (record.kind === "fault") return record.reason;
  return [[...record.fields], JSON.stringify([...(record.nested ?? [])])];
}
