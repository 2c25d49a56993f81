import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { readRecords } from "../../src/feeds/format.ts";
import { fuzzParameters } from "../support/fuzz.ts";
import { collect, madeSource } from "./feed-file.ts";
import { MARK, outcome } from "./outcome.ts";

describe("any table", () => {
  const cell = fc.oneof(fc.string({ maxLength: 4 }), fc.constantFrom("", " ", '"', ",", "\n", "\r", "\r\n", "Zoë 🦉"));

  test("of quoted cells is read as csv-parse reads it, in pieces of any size", async (t) => {
    const rows = fc.array(fc.array(cell, { minLength: 2, maxLength: 2 }), { minLength: 1, maxLength: 5 });
    const property = fc.asyncProperty(rows, fc.integer({ min: 1, max: 9 }), async (some, size) => {
      const written = [["a", "b"], ...some.filter((row) => row.some((one) => one !== ""))];
      const text = written.map((row) => row.map((one) => `"${one.replaceAll('"', '""')}"`).join()).join("\n");
      const bytes = Buffer.from(text.toWellFormed());
      const source = madeSource(function* () {
        for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
      });
      const records = await collect(readRecords(source, { table: { headerLine: 1, delimiter: "," } }));
      const read = records.map((record) => (record.kind === "record" ? [...record.fields.values()] : [record.reason]));
      assert.deepEqual(
        read,
        parse(bytes, { from_line: 2 }).filter((row: string[]) => row.some((one) => one !== "")),
      );
    });
    await fc.assert(property, fuzzParameters(t, 300));
  });

  test("under any settings is read or refused, however it comes in, and no message has a value", async (t) => {
    const table = fc.record(
      {
        delimiter: fc.constantFrom(",", "|", "\t", " ", "^"),
        headerLine: fc.nat(5).map((line) => line + 1),
        after: fc.constantFrom("a", ",", "Report"),
        comment: fc.constantFrom("#", "a", '"'),
        footer: fc.constantFrom("Total", "a", "1"),
      },
      { requiredKeys: [] },
    );
    const piece = fc.constantFrom(
      "a",
      "b",
      MARK,
      ",",
      "|",
      "^",
      '"',
      "\n",
      "\r\n",
      "\r",
      "#",
      "Total",
      "Report",
      " ",
      "1",
      "a,b\n",
    );
    const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(""));
    const property = fc.asyncProperty(text, table, fc.integer({ min: 1, max: 9 }), async (all, setting, size) => {
      const bytes = Buffer.from(all);
      const read = (step: number) =>
        outcome(() => {
          const source = madeSource(function* () {
            for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
          });
          return collect(readRecords(source, { table: setting, maxRecordLength: 60 }));
        });
      const [whole, parts] = [await read(10_000), await read(size)];
      if ("error" in whole) assert.equal("error" in parts && parts.error.message, whole.error.message);
      else assert.deepEqual(parts, whole);
    });
    await fc.assert(property, fuzzParameters(t, 1500));
  });
});
