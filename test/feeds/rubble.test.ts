/** What spreadsheets and databases leave behind. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { mapRecord, type Mapping } from "../../src/feeds/mapping.ts";
import { readCell, SPREADSHEET_ERRORS, WORDS_FOR_NOTHING, type CellRules } from "../../src/feeds/rubble.ts";
import { readAll, recordOf } from "./feed-file.ts";

/** What a cell is read as, or the reason why it cannot be. */
function read(text: string, rules: CellRules = {}, mayBeName = false): string {
  const cell = readCell(text, rules, mayBeName);
  return cell.kind === "text" ? cell.text : cell.kind === "blank" ? "(none)" : cell.reason;
}

describe("a cell", () => {
  const cases: readonly (readonly [string, string])[] = [
    ['="00123"', "00123"],
    [' ="00123" ', "00123"],
    ['="say ""hi"""', 'say "hi"'],
    ['=""', "(none)"],
    ['="#N/A"', "spreadsheet-error"],
    ['="\u200B7"', "7"],
    ["=A1", "=A1"],
    ['="a"b"', '="a"b"'],
    ["'00123", "apostrophe-before-digits"],
    ["’+44 7700 900123", "apostrophe-before-digits"],
    ["'2020-01-31", "apostrophe-before-digits"],
    ["'90s kid", "'90s kid"],
    ["'t Hooft", "'t Hooft"],
    ["1.23457E+15", "powers-of-ten"],
    ["1,2E+03", "powers-of-ten"],
    ["-4E+10", "powers-of-ten"],
    ["4.4e+11", "powers-of-ten"],
    ["1e9", "1e9"],
    ["3E-12", "3E-12"],
    ["12E+3", "12E+3"],
    ["1E+", "1E+"],
    ["#ref!", "spreadsheet-error"],
    ["\u00A0#N/A ", "spreadsheet-error"],
    ["#########", "spreadsheet-error"],
    ["###", "###"],
    ["#1 fan", "#1 fan"],
    ["NULL", "word-for-nothing"],
    ["null ", "word-for-nothing"],
    ["Null", "word-for-nothing"],
    ["(NULL)", "word-for-nothing"],
    ["(Blank)", "word-for-nothing"],
    ["\\N", "word-for-nothing"],
    ["Nullmeier", "Nullmeier"],
    ["(Bob)", "(Bob)"],
    ["\\Node", "\\Node"],
    ["N/A", "N/A"],
    ["-", "-"],
    ["none", "none"],
  ];
  for (const [text, expected] of cases) {
    test(`of \`${text}\` is ${expected}`, () => assert.equal(read(text), expected));
  }

  test("is text as it stands where rubble is off", () => {
    for (const text of ['="00123"', "'00123", "1.2E+15", "#REF!", "NULL", "\\N"]) {
      assert.equal(read(text, { rubble: "off" }), text);
    }
  });

  test("is blank where the feed says so of its word, spelled as it is", () => {
    const rules = { blank: ["NULL", "N/A", "-", "#N/A", "Zoë"] };
    assert.deepEqual(
      [" NULL ", "N/A", "-\u200B", "#N/A", '="-"', "Zoe\u0308"].map((text) => read(text, rules)),
      Array.from({ length: 6 }, () => "(none)"),
    );
    assert.deepEqual(
      ["null", "n/a", "x"].map((text) => read(text, rules)),
      ["word-for-nothing", "n/a", "x"],
    );
    assert.equal(read("NULL", { ...rules, rubble: "off" }), "(none)");
  });

  test("may be somebody's name, spelled as one", () => {
    assert.deepEqual(
      ["Null", "NULL", "null", "(null)"].map((text) => read(text, {}, true)),
      ["Null", "word-for-nothing", "word-for-nothing", "word-for-nothing"],
    );
  });

  test("is known by words that the page on feeds lists, each of them", () => {
    const page = readFileSync(join(import.meta.dirname, "../../docs/feeds.md"), "utf8");
    for (const word of [...SPREADSHEET_ERRORS, ...WORDS_FOR_NOTHING]) {
      assert.ok(page.includes(`\`${word}\``), `Expected docs/feeds.md to list ${word}`);
      assert.notEqual(read(word), word);
    }
  });
});

describe("a record", () => {
  const mapping: Mapping = {
    usernameColumn: "id",
    attributes: [
      { name: "family_name", column: "last", transforms: [], onBlank: "clear" },
      { name: "name", template: "{first} {last}", transforms: [], onBlank: "skip" },
      { name: "custom:team", column: "team", transforms: [], onBlank: "skip" },
      { name: "email", column: "mail", verifiedColumn: "ok", verified: "keep", transforms: [], onBlank: "skip" },
    ],
    ignored: [],
    unknown: "refuse",
  };
  const mapped = (fields: Readonly<Record<string, string>>, rules: CellRules = {}, isOnly = false): unknown => {
    const record = recordOf({ id: "u", ...fields });
    const result = mapRecord({ ...mapping, ...rules }, record, { asOfMs: 1, row: 1, isOnlyNull: () => isOnly });
    if (result.kind === "fault") return result.reason;
    const { units } = result.change;
    return [
      ...units.map(({ name, value }) => `${name}=${value.kind === "text" ? value.text : value.kind}`),
      ...result.invalid.map(({ name, reason }) => `${name}: ${reason}`),
    ];
  };

  test("with rubble in a value keeps its other values", () => {
    assert.deepEqual(mapped({ first: "Ann", last: "#REF!", team: '="007"' }), [
      "custom:team=007",
      "family_name: spreadsheet-error",
      "name: spreadsheet-error",
    ]);
  });

  test("that names its user by rubble is a fault, or names nobody where the word means nothing", () => {
    assert.deepEqual([mapped({ id: "1.23457E+15" }), mapped({ id: "NULL" })], ["powers-of-ten", "word-for-nothing"]);
    assert.equal(mapped({ id: "NULL" }, { blank: ["NULL"] }), "no-username");
    assert.deepEqual(mapped({ id: "NULL" }, { rubble: "off" }), []);
  });

  test("has a blank where the word means nothing, flags of addresses included", () => {
    assert.deepEqual(mapped({ first: "Ann", last: "NULL", mail: "a@b.c", ok: "NULL" }, { blank: ["NULL"] }), [
      "family_name=clear",
      "name=Ann ",
      "email=a@b.c",
    ]);
  });

  test("of somebody called Null passes where no other row has the word, and the attribute is a name", () => {
    const fields = { first: "Ann", last: "Null", team: "Null" };
    assert.deepEqual(mapped(fields, {}, true), ["family_name=Null", "name=Ann Null", "custom:team: word-for-nothing"]);
    assert.deepEqual(mapped(fields), [
      "family_name: word-for-nothing",
      "name: word-for-nothing",
      "custom:team: word-for-nothing",
    ]);
  });
});

test("a file is counted through for the word null, in each column and in its depth", async () => {
  const csv = await readAll("id,last\n1,Null\n2,NULL\n3,x\n4,\n");
  assert.deepEqual([...csv.checked.nullWords], [["last", 2]]);
  const json = await readAll('[{"id":"1","name":{"last":"Null","all":["x","null"]},"n":null}]');
  assert.deepEqual(
    [...json.checked.nullWords],
    [
      ["name.last", 1],
      ["name.all[1]", 1],
    ],
  );
});
