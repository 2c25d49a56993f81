/**
 * Whatever bytes a feed is, reading it ends as records, as faults of single rows, or as one FeedError. None of these
 * says a value: every value here is marked, and the mark is looked for in all that is said.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { checkPass } from "../../src/feeds/check-pass.ts";
import { FeedError } from "../../src/feeds/feed-error.ts";
import { readRecords } from "../../src/feeds/format.ts";
import { fuzzParameters } from "../support/fuzz.ts";
import { collect, madeSource, withFile } from "./feed-file.ts";
import { MARK, outcome } from "./outcome.ts";

const readBytes = (bytes: Buffer, size: number, encoding?: string, maxRecordLength = 2000) =>
  outcome(() => {
    const source = madeSource(function* () {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    });
    return collect(readRecords({ ...source, encoding }, { maxRecordLength }));
  });

/** From a real file: unpacked, with the first pass before the second. */
const readFile = (bytes: Buffer, encoding?: string) =>
  withFile(
    bytes,
    async (source) => {
      const read = await outcome(() => collect(readRecords(source)));
      const checked = await checkPass(source).catch((error: unknown) => error);
      if ("error" in read) assert.ok(checked instanceof FeedError);
      else if (!(checked instanceof FeedError)) {
        assert.ok(!(checked instanceof Error));
        assert.equal(
          Reflect.get(Object(checked), "records"),
          read.records.filter(({ kind }) => kind === "record").length,
        );
      }
      return read;
    },
    encoding,
  );

/** The same feed in every form that is read. */
const ROWS = [
  ["username", "given_name", "email"],
  ["u1", `${MARK} Zoë 🦉`, `${MARK}@example.com`],
  ["u2", `${MARK}, "Ann"`, ""],
  ["u3", `${MARK}\nof two lines`, "x"],
] as const;
const OBJECTS = ROWS.slice(1).map((row) => ({ username: row[0], given_name: row[1], email: row[2] }));
const CSV = ROWS.map((row) => row.map((cell) => `"${cell.replaceAll('"', '""')}"`).join()).join("\r\n");
const FORMS: Readonly<Record<string, Buffer>> = {
  csv: Buffer.from(CSV),
  ndjson: Buffer.from(OBJECTS.map((object) => JSON.stringify(object)).join("\n")),
  array: Buffer.from(JSON.stringify(OBJECTS, undefined, 1)),
  workday: Buffer.from(JSON.stringify({ Report_Entry: OBJECTS })),
  "utf-16le": Buffer.from(`\ufeff${CSV}`, "utf16le"),
  "utf-16be": Buffer.from(`\ufeff${CSV}`, "utf16le").swap16(),
  gzip: gzipSync(Buffer.from(CSV)),
};
const form = fc.constantFrom(...Object.keys(FORMS)).map((name) => FORMS[name] ?? Buffer.alloc(0));

describe("a feed", () => {
  for (const [name, bytes] of Object.entries(FORMS)) {
    test(`of the form ${name} that is cut at any byte is refused, or gives no row that is not in it`, async () => {
      const read = name === "gzip" ? readFile : (part: Buffer) => readBytes(part, 7);
      const whole = await read(bytes);
      assert.ok("records" in whole);
      assert.equal(whole.records.length, 3);
      for (let length = 0; length < bytes.length; length += 1) {
        const cut = await read(bytes.subarray(0, length));
        if ("error" in cut) continue;
        // Of a CSV nobody can tell that the last row was longer, unless the cut is within quotes.
        assert.deepEqual(cut.records.slice(0, -1), whole.records.slice(0, Math.max(0, cut.records.length - 1)));
        assert.ok(cut.records.length <= 3);
      }
    });
  }

  test("of any bytes is read or refused, however they come in", async (t) => {
    const encoding = fc.constantFrom(undefined, "utf-8", "utf-16", "utf-16le", "utf-16be", "windows-1252", "shift_jis");
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
      fc.string({ unit: "binary", maxLength: 20 }).map((text) => Buffer.from(text)),
      fc
        .constantFrom("\n", "\r\n", "\r", '"', ",", ";", "\t", "{", "}", "[", "]", ":", "sep=,\n", "\0", "\ufeff", "a")
        .map((text) => Buffer.from(text)),
      fc
        .constantFrom('{"username":"u"}', '{"Report_Entry":[', "username,x\n", "u1,y\n")
        .map((text) => Buffer.from(text)),
    );
    const bytes = fc.array(piece, { maxLength: 20 }).map((pieces) => Buffer.concat(pieces));
    const property = fc.asyncProperty(bytes, encoding, fc.integer({ min: 1, max: 50 }), async (all, said, size) => {
      const [whole, parts] = [await readBytes(all, 10_000, said), await readBytes(all, size, said)];
      if ("error" in whole) return assert.ok("error" in parts);
      assert.deepEqual(parts, whole);
    });
    await fc.assert(property, fuzzParameters(t, 2000));
  });

  test("that was damaged in places is read or refused, and says no value", async (t) => {
    const damage = fc.record({
      at: fc.nat(400),
      cut: fc.nat(3),
      put: fc.oneof(
        fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
        fc
          .constantFrom('"', "\0", "\xff", "\ud800", "\n", '"x', ",,", "{}", "[[", "nul")
          .map((text) => Buffer.from(text)),
      ),
    });
    const property = fc.asyncProperty(
      form,
      fc.array(damage, { minLength: 1, maxLength: 4 }),
      async (bytes, damages) => {
        let all = bytes;
        for (const { at, cut, put } of damages) {
          all = Buffer.concat([all.subarray(0, at), put, all.subarray(at + cut)]);
        }
        await readFile(all);
        await readFile(gzipSync(all));
      },
    );
    await fc.assert(property, fuzzParameters(t, 150));
  });

  test("of JSON gives text, null or what is nested, under the very names, numbers as they are written", async (t) => {
    const name = fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "toString", "username", ""));
    const json = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(null, true, false, "12345678901234567890123", "1e400", "-0.10"),
      fc.array(fc.jsonValue(), { maxLength: 3 }),
      fc.dictionary(name, fc.jsonValue(), { maxKeys: 3 }),
    );
    const cells = fc.uniqueArray(fc.tuple(name, json), { selector: ([key]) => key, maxLength: 6 });
    const property = fc.asyncProperty(fc.array(cells, { minLength: 2, maxLength: 4 }), async (rows) => {
      const digits = (value: unknown) =>
        typeof value === "string" && /^(1e400|-0\.10|\d{23})$/.test(value) ? value : JSON.stringify(value);
      const lines = rows.map(
        (row) => `{${row.map(([key, value]) => `${JSON.stringify(key)}:${digits(value)}`).join()}}`,
      );
      for (const text of [lines.join("\n"), `[${lines.join()}]`, `{"Report_Entry":[${lines.join()}]}`]) {
        const read = await readBytes(Buffer.from(text), 10, undefined, 1_000_000);
        assert.ok("records" in read);
        for (const [at, record] of read.records.entries()) {
          assert.ok(record.kind === "record");
          const row = rows[at] ?? [];
          assert.deepEqual(
            new Set([...record.fields.keys(), ...(record.nested?.keys() ?? [])]),
            new Set(row.map(([key]) => key)),
          );
          for (const [key, value] of row) {
            const field = record.fields.get(key);
            if (typeof value === "object" && value !== null) assert.ok(record.nested?.has(key));
            else if (typeof value === "number") assert.ok(Object.is(Number(field), value + 0));
            else assert.equal(field, value === null ? null : String(value));
          }
        }
      }
    });
    await fc.assert(property, fuzzParameters(t, 300));
  });

  test("gives a number beside what is nested deeply with every digit, or not at all", async () => {
    for (const depth of [10, 1000, 100_000]) {
      const deep = "[".repeat(depth) + "]".repeat(depth);
      const source = madeSource(() => [Buffer.from(`{"username":"u1","deep":${deep},"id":12345678901234567890}`)]);
      const [record] = await collect(readRecords(source));
      if (record?.kind === "fault") assert.equal(record.reason, "nested-too-deep");
      else assert.equal(record?.fields.get("id"), "12345678901234567890");
    }
  });
});
