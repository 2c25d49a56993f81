/** Text that cannot be seen: in values, in usernames, in headers and in what poolsync.yaml calls them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { headerColumns } from "../../src/feeds/columns.ts";
import { fitColumns, mapHeaders } from "../../src/feeds/headers.ts";
import { mapRecord, type AttributeMapping, type Mapping } from "../../src/feeds/mapping.ts";
import type { FieldsRecord } from "../../src/feeds/record.ts";
import { jsonRecord } from "../../src/feeds/record.ts";
import { collectColumns, feedError, recordOf } from "./feed-file.ts";

const CONTEXT = { asOfMs: 1, row: 1 };
const TRIM = [{ kind: "trim" }] as const;

function mapped(over: Partial<AttributeMapping>, record: FieldsRecord, more: Partial<Mapping> = {}): unknown {
  const one = { name: "nickname", transforms: TRIM, onBlank: "skip" as const, column: "x", ...over };
  const result = mapRecord(
    { usernameColumn: "id", attributes: [one], ignored: [], unknown: "refuse", ...more },
    record,
    CONTEXT,
  );
  if (result.kind === "fault") return `${result.reason}: ${result.detail}`;
  const [bad] = result.invalid;
  if (bad) return `${bad.reason}: ${bad.detail}`;
  return [
    result.change.username,
    ...result.change.units.map(({ value }) => (value.kind === "text" ? value.text : value)),
  ];
}

describe("a value", () => {
  test("is written without marks that nobody sees at its ends", () => {
    for (const [written, sent] of [
      ["\u200Bann@example.com", "ann@example.com"],
      ["Bob\u200B", "Bob"],
      ["\u200E4711", "4711"],
      ["\u202ELee", "Lee"],
      ["\u0085Lee\u2800", "Lee"],
    ]) {
      assert.deepEqual(mapped({}, recordOf({ id: `\uFEFFu${"\u200B"}`, x: written ?? "" })), ["u", sent]);
    }
    const phone = { name: "nickname", transforms: [{ kind: "e164" }] as const };
    assert.deepEqual(mapped(phone, recordOf({ id: "u", x: "\u202A+447700900123\u202C" })), ["u", "+447700900123"]);
    assert.deepEqual(mapped({ onBlank: "clear" }, recordOf({ id: "u", x: "\u200B\u3164" })), ["u", { kind: "clear" }]);
  });

  test("keeps its white space where nothing trims it", () => {
    assert.deepEqual(mapped({ transforms: [] }, recordOf({ id: "u", x: " \u200Ba " })), ["u", " a "]);
  });

  test("with a control or a character that nobody sees in its middle is a fault that names it", () => {
    for (const [text, sign] of [
      ["Bo\u0007b", "<U+0007>"],
      ["Ann\u202ELee", "<U+202E>"],
      ["Bj\uFFFDrn", "<U+FFFD>"],
      ["Ann\u200BLee", "<U+200B>"],
    ] as const) {
      assert.match(
        String(mapped({}, recordOf({ id: "u", x: text }))),
        RegExp(`^hidden-character: .*got ${sign.replace("+", "\\+")}`),
      );
      assert.match(
        String(mapped({}, recordOf({ id: text, x: "x" }))),
        RegExp(`^hidden-character: .*got ${sign.replace("+", "\\+")}`),
      );
      const filled = mapRecordOfTemplate("{x} {y}", recordOf({ id: "u", x: "Ann", y: text }));
      assert.match(String(filled), RegExp(sign.replace("+", "\\+")));
    }
    assert.deepEqual(mapped({}, recordOf({ id: "u", x: "می\u200Cخواهم" })), ["u", "می\u200Cخواهم"]);
  });

  test("is written as the source has it, unless one form is asked for", () => {
    const record = recordOf({ id: "u", x: "Zoe\u0308" });
    assert.deepEqual(mapped({}, record), ["u", "Zoe\u0308"]);
    assert.deepEqual(mapped({}, record, { normalize: "nfc" }), ["u", "Zoë"]);
  });
});

function mapRecordOfTemplate(template: string, record: FieldsRecord): string | undefined {
  const attributes = [{ name: "name", template, transforms: TRIM, onBlank: "skip" as const }];
  const result = mapRecord({ usernameColumn: "id", attributes, ignored: [], unknown: "refuse" }, record, CONTEXT);
  return result.kind === "fault" ? result.detail : result.invalid[0]?.detail;
}

describe("a header", () => {
  const OPTIONS = { name: "a.csv", missing: "refuse" } as const;
  const mapping: Mapping = {
    usernameColumn: "Employee ID",
    versionColumn: "Changed",
    attributes: [
      { name: "name", template: "{First Name} {Last Näme}", transforms: [], onBlank: "skip" },
      { name: "email", column: "Mail", verifiedColumn: "Mail OK", transforms: [], onBlank: "skip" },
    ],
    ignored: ["Shoe Size"],
    unknown: "refuse",
  };

  test("is the column that poolsync.yaml means, whatever its case, spaces, form and what nobody sees", () => {
    const given = [
      "EMPLOYEE\u00A0ID",
      "changed",
      "First\nName",
      "Last  Na\u0308me\u200B",
      "\uFEFFmail",
      "Mail Ok",
      "shoe size",
    ];
    const fitted = fitColumns(mapping, headerColumns(given), OPTIONS);
    assert.deepEqual(fitted, {
      ...mapping,
      usernameColumn: "EMPLOYEE\u00A0ID",
      versionColumn: "changed",
      attributes: [
        { name: "name", template: "{First\nName} {Last  Na\u0308me\u200B}", transforms: [], onBlank: "skip" },
        { name: "email", column: "\uFEFFmail", verifiedColumn: "Mail Ok", transforms: [], onBlank: "skip" },
      ],
      ignored: ["shoe size"],
    });
  });

  test("that means the same as another is an error that shows both", () => {
    const given = ["Employee ID", "Changed", "First Name", "first\u00A0name", "Last Näme", "Mail", "Mail OK"];
    const both = feedError(
      "columns",
      /`First Name` of the mapping means each of `First Name` and `first<U\+00A0>name`/,
    );
    assert.throws(() => fitColumns(mapping, headerColumns(given), { ...OPTIONS, ignoreUnknown: true }), both);
    const ignored = { ...mapping, ignored: ["first\u00A0name"] };
    assert.equal(fitColumns(ignored, headerColumns(given), OPTIONS), ignored);
    assert.throws(
      () => mapHeaders(headerColumns(["ID", "id", "name"]), { name: "a.csv", usernameColumn: "Id" }),
      feedError("columns", /`Id` means each of `ID` and `id`/),
    );
  });

  test("of JSON is matched in its depth, too", () => {
    const given = collectColumns(jsonRecord(1, '{"ID":"u","Name":{"First":"A"},"Emails":[{"Value":"x"}]}'));
    const deep: Mapping = {
      usernameColumn: "id",
      attributes: [
        { name: "given_name", column: "name.first", transforms: [], onBlank: "skip" },
        { name: "nickname", column: "emails[0].value", transforms: [], onBlank: "skip" },
      ],
      ignored: [],
      unknown: "refuse",
    };
    const fitted = fitColumns(deep, given, OPTIONS);
    assert.deepEqual(
      [fitted.usernameColumn, ...fitted.attributes.map(({ column }) => column)],
      ["ID", "Name.First", "Emails[0].Value"],
    );
  });

  test("is known without poolsync.yaml, and is shown with what nobody sees", () => {
    const { usernameColumn, attributes } = mapHeaders(headerColumns(["\uFEFFUser\u00A0Name", "\u200Bgiven_name"]), {
      name: "a",
    });
    assert.deepEqual(
      [usernameColumn, attributes[0]?.name, attributes[0]?.column],
      ["\uFEFFUser\u00A0Name", "given_name", "\u200Bgiven_name"],
    );
    assert.throws(
      () => mapHeaders(headerColumns(["username", "shoe\u202Esize"]), { name: "a" }),
      feedError("columns", /`shoe<U\+202E>size`/),
    );
  });
});
