/**
 * Whatever a record holds, mapping and checking it ends as units that can be sent or as reasons, and whatever the
 * columns are called, they are a mapping or one FeedError. None of these says a value.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { checkUnit, checkUsername } from "../../src/core/pool-schema.ts";
import type { AttributeSchema, PoolProfile } from "../../src/core/pool-schema.ts";
import { headerColumns } from "../../src/feeds/columns.ts";
import { fitColumns, mapHeaders } from "../../src/feeds/headers.ts";
import { createUnknownCheck, mapRecord } from "../../src/feeds/mapping.ts";
import type { AttributeMapping, Mapping } from "../../src/feeds/mapping.ts";
import { transformFault } from "../../src/feeds/transform.ts";
import type { Transform } from "../../src/feeds/transform.ts";
import { bodyOf, valueOf } from "../../src/store/keyring.ts";
import { fuzzParameters } from "../support/fuzz.ts";
import { PROFILE } from "../support/pool-profile.ts";
import { recordOf } from "./feed-file.ts";
import { assertFault, MARK, outcome } from "./outcome.ts";

const POOL_NAMES = [
  "given_name",
  "email",
  "email_verified",
  "phone_number",
  "birthdate",
  "updated_at",
  "custom:n",
  "custom:b",
];
const TYPES: Readonly<Record<string, AttributeSchema["type"]>> = {
  updated_at: "Number",
  "custom:n": "Number",
  "custom:b": "Boolean",
  "custom:t": "DateTime",
};
const profile: PoolProfile = {
  ...PROFILE,
  attributes: Object.fromEntries(
    [...POOL_NAMES, "custom:t", ...Array.from({ length: 1000 }, (_, at) => `custom:a${at}`)].map((name) => [
      name,
      { name, type: TYPES[name] ?? "String", mutable: true, required: false, developerOnly: false, maxLength: 2048 },
    ]),
  ),
  aliasAttributes: ["email"],
};

const COLUMNS = ["username", "a", "b", "c", "__proto__", "constructor", "flag"] as const;
const cell = fc.oneof(
  fc.string({ unit: "binary" }).map((text) => MARK + text),
  fc.constantFrom(null, "", " ", "true", "no", "0", "2026-11-21", "21/11/2026", "+49 30 123456", "1e9", `${MARK}@x.yz`),
  fc.constantFrom("NULL", "#REF!", "1.2E+15", `="${MARK}"`, "'00123", `\u200B${MARK}\u202E`, `${MARK}\u200D${MARK}`),
  fc.constantFrom("x".repeat(2049), "🦉".repeat(1024), "e\u0301".repeat(1025), "\ud800", "\0", "9".repeat(400)),
  fc.constantFrom("+".repeat(5000), "1".repeat(300_000), "a@".repeat(30_000), " ".repeat(50_000) + "x", "(".repeat(60)),
);
const transform: fc.Arbitrary<Transform> = fc
  .oneof(
    fc.constantFrom<Transform[]>({ kind: "trim" }, { kind: "lower" }, { kind: "upper" }, { kind: "epoch" }),
    fc.constantFrom<Transform[]>({ kind: "e164" }, { kind: "e164", region: "DE" }, { kind: "date" }),
    fc.constantFrom<Transform[]>(
      { kind: "boolean" },
      { kind: "number", decimal: "." },
      { kind: "number", decimal: "," },
    ),
    fc.dictionary(fc.string(), fc.string()).map((texts) => ({ kind: "map" as const, texts })),
    fc.record({ kind: fc.constant("split" as const), at: fc.string(), take: fc.integer({ min: -3, max: 3 }) }),
    fc.record({ kind: fc.constant("replace" as const), text: fc.string(), by: fc.string() }),
    fc.integer({ min: 0, max: 200 }).map((digits) => ({ kind: "pad" as const, digits })),
    fc
      .string({ unit: fc.constantFrom("Y", "M", "D", "/", "YYYY", "MM", "DD", "(", "[", "\\", "$") })
      .map((pattern) => ({
        kind: "date" as const,
        pattern,
      })),
  )
  .filter((one) => transformFault(one) === undefined);
const attribute: fc.Arbitrary<AttributeMapping> = fc
  .record({
    name: fc.constantFrom(...POOL_NAMES, "custom:t", "nobody", "__proto__", "constructor"),
    from: fc.oneof(
      fc.constantFrom(...COLUMNS).map((column) => ({ column })),
      fc.constantFrom("", `${MARK} x`, "y".repeat(3000)).map((constant) => ({ constant })),
      fc
        .constantFrom("{a} {b}", "{__proto__}$&", "{", "{}", "{constructor}", "{nobody}")
        .map((template) => ({ template })),
    ),
    transforms: fc.array(transform, { maxLength: 3 }),
    onBlank: fc.constantFrom("skip" as const, "clear" as const),
    verified: fc.constantFrom({}, { verified: "mark" as const }, { verifiedColumn: "flag" }),
  })
  .map(({ from, verified, ...rest }) => ({ ...rest, ...from, ...verified }));

describe("a record", () => {
  test("of any values under any mapping ends as units that can be sent, or as reasons", async (t) => {
    const record = fc.record({
      cells: fc.uniqueArray(fc.tuple(fc.constantFrom(...COLUMNS), cell), { selector: ([name]) => name }),
      nested: fc.subarray([...COLUMNS], { maxLength: 2 }),
      mapping: fc.record({
        attributes: fc.array(attribute, { maxLength: 6 }),
        versionColumn: fc.constantFrom(undefined, "a", "__proto__"),
        unknown: fc.constantFrom("refuse" as const, "ignore" as const),
        rules: fc.constantFrom(
          {},
          { normalize: "nfc" as const },
          { rubble: "off" as const },
          { blank: ["NULL", "no", "e\u0301"] },
          { rubble: "off" as const, blank: ["-"] },
        ),
      }),
    });
    const property = fc.property(record, ({ cells, nested, mapping: { versionColumn, rules, ...rest } }) => {
      const read = recordOf(Object.fromEntries(cells), nested);
      const mapping: Mapping = {
        usernameColumn: "username",
        ignored: [],
        ...rest,
        ...rules,
        ...(versionColumn === undefined ? {} : { versionColumn }),
      };
      const unknown = createUnknownCheck(mapping)(read);
      if (unknown) assertFault(unknown);
      const mapped = mapRecord(mapping, read, { asOfMs: 1, row: 1 });
      if (mapped.kind === "fault") return assertFault(mapped);
      for (const one of mapped.invalid) assertFault(one);
      const wrong = checkUsername(mapped.change.username);
      if (wrong) return assertFault(wrong);
      for (const unit of mapped.change.units) {
        const fault = checkUnit(profile, unit);
        if (fault) assertFault(fault);
        else if (unit.value.kind === "text") {
          assert.ok(
            unit.value.text.length <= 2048 && unit.value.text.isWellFormed() && !unit.value.text.includes("\0"),
          );
          assert.deepEqual(valueOf(bodyOf(unit.value)), unit.value);
        }
      }
    });
    fc.assert(property, fuzzParameters(t, 3000));
  });

  test("keeps to the limits of usernames and values, emoji and combining marks included", () => {
    const mapping: Mapping = {
      usernameColumn: "username",
      attributes: [{ name: "given_name", column: "a", transforms: [], onBlank: "skip" }],
      ignored: [],
      unknown: "ignore",
    };
    const verdict = (username: string, text: string) => {
      const mapped = mapRecord(mapping, recordOf({ username, a: text }), { asOfMs: 1, row: 1 });
      if (mapped.kind === "fault") return mapped.reason;
      const [unit] = mapped.change.units;
      return checkUsername(username)?.reason ?? (unit && checkUnit(profile, unit)?.reason) ?? "sent";
    };
    assert.equal(verdict("u".repeat(128), "x"), "sent");
    assert.equal(verdict("u".repeat(129), "x"), "bad-username");
    assert.equal(verdict("🦉".repeat(64), "x"), "sent");
    assert.equal(verdict("🦉".repeat(65), "x"), "username-length");
    assert.equal(verdict("🦉".repeat(129), "x"), "bad-username");
    assert.equal(verdict("e\u0301".repeat(64), "x"), "sent");
    assert.equal(verdict("e\u0301".repeat(65), "x"), "bad-username");
    assert.equal(verdict("__proto__", "x"), "sent");
    assert.equal(verdict("u", "x".repeat(2048)), "sent");
    assert.equal(verdict("u", "x".repeat(2049)), "too-long");
    assert.equal(verdict("u", "🦉".repeat(512)), "sent");
    assert.equal(verdict("u", "🦉".repeat(513)), "too-long");
    assert.equal(verdict("u", "e\u0301".repeat(682)), "sent");
    assert.equal(verdict("u", "e\u0301".repeat(683)), "too-long");
  });

  test("may have a thousand attributes", () => {
    const names = Array.from({ length: 1000 }, (_, at) => `custom:a${at}`);
    const mapping = mapHeaders(headerColumns(["username", ...names]), {
      name: "feed",
      attributes: Object.keys(profile.attributes),
    });
    const read = recordOf({ username: "u", ...Object.fromEntries(names.map((name) => [name, name])) });
    const mapped = mapRecord(mapping, read, { asOfMs: 1, row: 1 });
    assert.ok(mapped.kind === "change");
    assert.equal(mapped.change.units.length, 1000);
    assert.deepEqual(
      mapped.change.units.flatMap((unit) => checkUnit(profile, unit) ?? []),
      [],
    );
  });
});

describe("columns", () => {
  test("of any names are a mapping, or one FeedError of a bounded length", async (t) => {
    const header = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(
        "username",
        "Given Name",
        "E-Mail",
        "email_verified",
        "__proto__",
        "constructor",
        "sub",
        "custom:x",
      ),
      fc.constantFrom("x".repeat(500), "\ud800", "custom:__proto__", "a\nb", ""),
    );
    const property = fc.asyncProperty(
      fc.uniqueArray(header, { maxLength: 30 }),
      fc.boolean(),
      async (headers, known) => {
        await outcome(async () => {
          const options = { name: "feed", ignoreUnknown: known };
          const mapping = mapHeaders(
            headerColumns(headers),
            known ? { ...options, attributes: POOL_NAMES, verified: "mark" } : options,
          );
          fitColumns(mapping, headerColumns(headers), { ...options, missing: "guard" });
          return [];
        });
        const told: Mapping = {
          usernameColumn: "toString",
          attributes: [{ name: "x", column: "__proto__", transforms: [], onBlank: "skip" }],
          ignored: [],
          unknown: "refuse",
        };
        await outcome(async () => {
          fitColumns(told, headerColumns(headers), { name: "feed", missing: "refuse" });
          return [];
        });
      },
    );
    await fc.assert(property, fuzzParameters(t, 500));
  });

  test("ten thousand of which nobody knows are refused in one short message", async () => {
    const headers = ["username", ...Array.from({ length: 10_000 }, (_, at) => `unheard of ${at}`)];
    const read = await outcome(async () => {
      mapHeaders(headerColumns(headers), { name: "feed", attributes: POOL_NAMES });
      return [];
    });
    assert.ok("error" in read);
    assert.match(read.error.message, /and 9980 more/);
  });
});
