import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { InvalidUnit } from "../../src/core/change.ts";
import type { Unit } from "../../src/core/unit.ts";
import { createUnknownCheck, mapRecord, mappedColumns } from "../../src/feeds/mapping.ts";
import type { AttributeMapping, Mapping } from "../../src/feeds/mapping.ts";
import type { FieldsRecord } from "../../src/feeds/record.ts";
import { recordOf } from "./feed-file.ts";

const CONTEXT = { asOfMs: 1_700_000_000_000, row: 42 };

function attribute(over: Partial<AttributeMapping> & { readonly name: string }): AttributeMapping {
  return { transforms: [], onBlank: "skip", ...over };
}

function mappingOf(attributes: readonly AttributeMapping[], over: Partial<Mapping> = {}): Mapping {
  return { usernameColumn: "id", attributes, ignored: [], unknown: "refuse", ...over };
}

/** The units of one attribute's mapping, or the reason why there are none. */
function mapOne(one: AttributeMapping, record: FieldsRecord): readonly Unit[] | string {
  const mapped = mapRecord(mappingOf([one]), record, CONTEXT);
  assert.equal(mapped.kind, "change");
  const [bad]: readonly InvalidUnit[] = mapped.kind === "change" ? mapped.invalid : [];
  if (bad !== undefined) {
    assert.equal(bad.name, one.name);
    return bad.reason;
  }
  return mapped.kind === "change" ? mapped.change.units : [];
}

describe("a record", () => {
  test("becomes a change with its user, its version and its line", () => {
    const mapping = mappingOf([attribute({ name: "given_name", column: "First" })]);
    assert.deepEqual(mapRecord(mapping, recordOf({ id: " u1 ", First: "Zoë" }), CONTEXT), {
      kind: "change",
      line: 7,
      change: {
        username: "u1",
        units: [{ name: "given_name", value: { kind: "text", text: "Zoë" } }],
        version: { timeMs: 1_700_000_000_000, sequence: 42 },
      },
      invalid: [],
    });
  });

  const users: readonly (readonly [FieldsRecord, string])[] = [
    [recordOf({ a: "1" }), "no-username"],
    [recordOf({ id: null }), "no-username"],
    [recordOf({ id: " \u00a0" }), "no-username"],
    [recordOf({ id: "two words" }), "bad-username"],
    [recordOf({ id: "x".repeat(129) }), "bad-username"],
    [recordOf({}, ["id"]), "bad-username"],
  ];
  for (const [record, reason] of users) {
    test(`without a usable username is a fault: ${reason} ${JSON.stringify([...record.fields]).slice(0, 30)}`, () => {
      const mapped = mapRecord(mappingOf([]), record, CONTEXT);
      assert.deepEqual(mapped.kind === "fault" && [mapped.line, mapped.reason], [7, reason]);
    });
  }

  test("of a feed with a clock has the version that it says, or is a fault", () => {
    const mapping = mappingOf([], { versionColumn: "at" });
    const version = (at: string | null): unknown => {
      const mapped = mapRecord(mapping, recordOf({ id: "u", at }), CONTEXT);
      return mapped.kind === "change" ? mapped.change.version : mapped.reason;
    };
    assert.deepEqual(version("2026-01-31T18:42:00+0000"), { timeMs: 1_769_884_920_000, sequence: 42 });
    assert.deepEqual(version(" 1769884920 "), { timeMs: 1_769_884_920_000, sequence: 42 });
    for (const at of ["", null, "yesterday", "2026-01-31T18:42:00"]) assert.equal(version(at), "bad-version");
    assert.equal(mapRecord(mapping, recordOf({ id: "u" }), CONTEXT).kind, "fault");
  });

  test("with a column that the mapping does not know is a fault, where it wants to know them all", () => {
    const one = [
      attribute({ name: "name", template: "{a} {b}" }),
      attribute({ name: "email", column: "c", verifiedColumn: "d" }),
    ];
    const over = { versionColumn: "v", ignored: ["i"] };
    assert.deepEqual([...mappedColumns(mappingOf(one, over))].toSorted(), ["a", "b", "c", "d", "id", "v"]);
    const check = createUnknownCheck(mappingOf(one, over));
    assert.equal(check(recordOf({ id: "", a: "", b: "", c: "", d: "", v: "", i: "" })), undefined);
    assert.equal(check(recordOf({ id: "", constructor: "" }))?.reason, "unknown-column");
    assert.equal(check(recordOf({ id: "" }, ["x"]))?.reason, "unknown-column");
    assert.equal(createUnknownCheck(mappingOf(one, { unknown: "ignore" }))(recordOf({ x: "" })), undefined);
  });
});

describe("absent, null, empty and nested", () => {
  const column = { name: "custom:x", column: "x" };
  const text = (value: string): Unit[] => [{ name: "custom:x", value: { kind: "text", text: value } }];
  const clear: Unit[] = [{ name: "custom:x", value: { kind: "clear" } }];
  const cases: readonly (readonly [string, Partial<AttributeMapping>, FieldsRecord, readonly Unit[] | string])[] = [
    ["absent is nothing", {}, recordOf({ id: "u" }), []],
    ["absent is nothing, even where blank clears", { onBlank: "clear" }, recordOf({ id: "u" }), []],
    ["null is skipped", {}, recordOf({ id: "u", x: null }), []],
    ["null clears where told", { onBlank: "clear" }, recordOf({ id: "u", x: null }), clear],
    ["empty is skipped", {}, recordOf({ id: "u", x: "" }), []],
    ["empty clears where told", { onBlank: "clear" }, recordOf({ id: "u", x: "" }), clear],
    ["white space is text", {}, recordOf({ id: "u", x: " " }), text(" ")],
    [
      "white space is blank once trimmed",
      { onBlank: "clear", transforms: [{ kind: "trim" }] },
      recordOf({ id: "u", x: " " }),
      clear,
    ],
    [
      "blank passes the other transforms",
      { onBlank: "clear", transforms: [{ kind: "date" }] },
      recordOf({ id: "u", x: "" }),
      clear,
    ],
    [
      "a refusing transform is a reason",
      { transforms: [{ kind: "date" }] },
      recordOf({ id: "u", x: "soon" }),
      "not-a-date",
    ],
    ["an object is a reason", {}, recordOf({ id: "u" }, ["x"]), "not-text"],
  ];
  for (const [name, over, record, expected] of cases) {
    test(name, () => assert.deepEqual(mapOne(attribute({ ...column, ...over }), record), expected));
  }
});

describe("a constant or a template", () => {
  const constant = attribute({ name: "locale", constant: "en" });
  const template = attribute({ name: "name", template: "{First} {Last}", transforms: [{ kind: "trim" }] });
  test("constant is the same in every record", () => {
    assert.deepEqual(mapOne(constant, recordOf({ id: "u" })), [
      { name: "locale", value: { kind: "text", text: "en" } },
    ]);
  });

  const names: readonly (readonly [FieldsRecord, readonly Unit[] | string])[] = [
    [
      recordOf({ id: "u", First: "Zoë", Last: "{First}" }),
      [{ name: "name", value: { kind: "text", text: "Zoë {First}" } }],
    ],
    [recordOf({ id: "u", First: "Zoë", Last: "" }), [{ name: "name", value: { kind: "text", text: "Zoë" } }]],
    [recordOf({ id: "u", First: "Zoë" }), []],
    [recordOf({ id: "u", First: null, Last: "" }), []],
    [recordOf({ id: "u", First: "Zoë" }, ["Last"]), "not-text"],
  ];
  for (const [record, expected] of names) {
    test(`template of ${JSON.stringify(Object.fromEntries(record.fields))}`, () =>
      assert.deepEqual(mapOne(template, record), expected));
  }
});

describe("e-mail, phone and their flags", () => {
  const email = attribute({ name: "email", column: "e", verifiedColumn: "v" });
  const unit = (verified: "mark" | "ask" | "keep"): Unit[] => [
    { name: "email", value: { kind: "text", text: "a@example.com", verified } },
  ];
  const cases: readonly (readonly [
    string,
    AttributeMapping,
    Record<string, string | null>,
    readonly Unit[] | string,
  ])[] = [
    ["true in the flag's column marks", email, { e: "a@example.com", v: "TRUE" }, unit("mark")],
    ["false asks", email, { e: "a@example.com", v: "false" }, unit("ask")],
    [
      "false asks, whatever the mapping says",
      { ...email, verified: "mark" },
      { e: "a@example.com", v: "0" },
      unit("ask"),
    ],
    [
      "a blank flag leaves it to the mapping",
      { ...email, verified: "keep" },
      { e: "a@example.com", v: "" },
      unit("keep"),
    ],
    ["an absent flag leaves it to the mapping", { ...email, verified: "mark" }, { e: "a@example.com" }, unit("mark")],
    ["a blank flag without a mapping's word is invalid", email, { e: "a@example.com", v: null }, "verified-not-said"],
    [
      "another word is invalid",
      { ...email, verified: "mark" },
      { e: "a@example.com", v: "maybe" },
      "not-true-or-false",
    ],
    ["a flag without a value says nothing", email, { e: "", v: "true" }, []],
    [
      "a cleared value has no flag",
      { ...email, onBlank: "clear" },
      { e: "", v: "true" },
      [{ name: "email", value: { kind: "clear" } }],
    ],
  ];
  for (const [name, one, fields, expected] of cases) {
    test(name, () => assert.deepEqual(mapOne(one, recordOf({ id: "u", ...fields })), expected));
  }

  test("a flag alone speaks of the value that is there", () => {
    const flag = attribute({
      name: "phone_number_verified",
      column: "v",
      onBlank: "clear",
      transforms: [{ kind: "trim" }],
    });
    const said = (v: string | null): unknown => mapOne(flag, recordOf({ id: "u", v }));
    for (const [text, verified] of [
      ["true", true],
      [" Yes ", true],
      ["1", true],
      ["N", false],
    ] as const) {
      assert.deepEqual(said(text), [{ name: "phone_number_verified", value: { kind: "as-is", verified } }]);
    }
    assert.deepEqual([said(""), said(null), said("2")], [[], [], "not-true-or-false"]);
  });

  test("no other attribute has a flag", () => {
    const one = attribute({ name: "name", column: "e", verifiedColumn: "v", verified: "mark" });
    assert.deepEqual(mapOne(one, recordOf({ id: "u", e: "x", v: "true" })), [
      { name: "name", value: { kind: "text", text: "x" } },
    ]);
  });
});
