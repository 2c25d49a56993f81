import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cellOf } from "../../src/feeds/cell.ts";
import { columnName, columnPath, EACH, MAX_STEPS, type Step } from "../../src/feeds/column-path.ts";
import { allNames, createColumnCollector, headerColumns, knownColumns } from "../../src/feeds/columns.ts";
import { fitColumns, mapHeaders } from "../../src/feeds/headers.ts";
import { createUnknownCheck, mapRecord, type Mapping } from "../../src/feeds/mapping.ts";
import { jsonRecord, textRecord, type FieldsRecord } from "../../src/feeds/record.ts";
import { feedError } from "./feed-file.ts";

function recordFrom(json: string): FieldsRecord {
  const record = jsonRecord(1, json);
  assert.ok(record.kind === "record");
  return record;
}

/** A cell in one word: its text in quotes, or what it is. */
function cell(column: string, json: string): string {
  const found = cellOf(column, recordFrom(json));
  if (found.kind === "text") return `"${found.text}"`;
  return found.kind === "unreadable" ? found.reason : found.kind;
}

function columnsOf(...records: readonly string[]) {
  const columns = createColumnCollector();
  for (const json of records) columns.add(recordFrom(json));
  return columns;
}

function mappingOf(columns: readonly string[], ignored: readonly string[] = []): Mapping {
  const attributes = columns.map((column, at) => ({
    name: `custom:${at}`,
    column,
    transforms: [],
    onBlank: "skip" as const,
  }));
  return { usernameColumn: "id", attributes, ignored, unknown: "refuse" };
}

describe("the name of a deep column", () => {
  const names: readonly (readonly [string, readonly Step[]])[] = [
    ["name.first", ["name", "first"]],
    ["emails[0].value", ["emails", 0, "value"]],
    ["emails[12]", ["emails", 12]],
    ["matrix[0][1]", ["matrix", 0, 1]],
    ["fields.Employee #.value", ["fields", "Employee #", "value"]],
    ['"first.name".value', ["first.name", "value"]],
    ['fields."a.b"', ["fields", "a.b"]],
    ['fields."say \\"hi\\""', ["fields", 'say "hi"']],
    ['fields."a[0]"', ["fields", "a[0]"]],
    ['fields.""', ["fields", ""]],
    ["fields.Prénom 🦉", ["fields", "Prénom 🦉"]],
    ["fields.__proto__.constructor", ["fields", "__proto__", "constructor"]],
    ["emails[*].value", ["emails", EACH, "value"]],
  ];
  for (const [name, path] of names) {
    test(`leads there and back: ${name}`, () => {
      assert.deepEqual(columnPath(name), path);
      assert.equal(columnName(path), name);
    });
  }

  test("may quote a key that needs no quotes", () => {
    assert.deepEqual(columnPath('"name"."first"'), ["name", "first"]);
    assert.deepEqual(columnPath('"n\\u0061me".first'), ["name", "first"]);
  });

  test("that says no way leads nowhere", () => {
    const wrong = [
      "",
      ".",
      "a.",
      ".a",
      "a..b",
      "a[",
      "a[]",
      "a[x]",
      "a[-1]",
      "[0]",
      "[0].a",
      'a"b"',
      '"a',
      '"a"b',
      "a]b",
      "a[0]b",
      '"\n"',
    ];
    for (const name of [...wrong, Array.from({ length: MAX_STEPS + 1 }, () => "a").join(".")]) {
      assert.equal(columnPath(name), undefined, name);
    }
  });
});

describe("a deep column", () => {
  const json =
    '{"name":{"first":"Zoë","last":null,"middle":""},"emails":[{"value":"a@example.com","primary":true},{"value":7}],' +
    '"id":{"long":12345678901234567890,"price":1.50,"small":-0.0},"manager":null,"team":"x","none":{},"list":[],' +
    '"a.b":{"c":"dotted"},"a":{"b":"way","b.c":"quoted"},"x.y":"flat","x":{"y":"deep"},"__proto__":{"polluted":"p"}}';
  const cells: readonly (readonly [string, string])[] = [
    ["name.first", '"Zoë"'],
    ["name.last", "blank"],
    ["name.middle", "blank"],
    ["name.nick", "absent"],
    ["name", "not-text"],
    ["name.first.deeper", "absent"],
    ["emails[0].value", '"a@example.com"'],
    ["emails[0].primary", '"true"'],
    ["emails[1].value", '"7"'],
    ["emails[2].value", "absent"],
    ["emails[*].value", "absent"],
    ["emails.length", "absent"],
    ["emails.0.value", "absent"],
    ["name[0]", "absent"],
    ["emails[0]", "not-text"],
    ["id.long", '"12345678901234567890"'],
    ["id.price", '"1.50"'],
    ["id.small", '"0"'],
    ["manager.email", "blank"],
    ["manager[0].email.value", "blank"],
    ["team.lead", "absent"],
    ["none", "not-text"],
    ["none.x", "absent"],
    ["list[0]", "absent"],
    ['"a.b".c', '"dotted"'],
    ["a.b", "not-text"],
    ['a."b.c"', '"quoted"'],
    ['"a".b', '"way"'],
    ["x.y", '"flat"'],
    ['"x.y"', '"flat"'],
    ['"x".y', '"deep"'],
    ["__proto__.polluted", '"p"'],
    ["name.constructor", "absent"],
    ["name.toString.name", "absent"],
    ["constructor.name", "absent"],
  ];
  for (const [column, expected] of cells)
    test(`${column} is ${expected}`, () => assert.equal(cell(column, json), expected));

  test("of a record of plain text is a name like any other", () => {
    const record = textRecord(2, ["name.first", "emails[0].value"], ["Zoë", ""]);
    assert.deepEqual(cellOf("name.first", record), { kind: "text", text: "Zoë" });
    assert.deepEqual(cellOf("emails[0].value", record), { kind: "blank" });
    assert.deepEqual(cellOf('"name.first"', record), { kind: "absent" });
  });

  test("has the last of two values of one key, as JSON.parse has it", () => {
    assert.equal(cell("n.a", '{"n":{"a":1.0},"n":{"a":2.0,"a":3.50}}'), '"3.50"');
  });

  test("is a fault where its number cannot be read as it is written, beside what is nested deeply", () => {
    const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
    const record = recordFrom(`{"id":{"n":12345678901234567890},"name":{"first":"Zoë"},"deep":${deep}}`);
    assert.deepEqual(cellOf("name.first", record), { kind: "text", text: "Zoë" });
    assert.partialDeepStrictEqual(cellOf("id.n", record), { reason: "nested-too-deep" });
    const mapped = mapRecord({ ...mappingOf([]), usernameColumn: "id.n" }, record, { asOfMs: 0, row: 1 });
    assert.equal(mapped.kind === "fault" && mapped.reason, "nested-too-deep");
  });

  test("names the user and the version as any other column does", () => {
    const mapping: Mapping = {
      ...mappingOf(["fields.First name.value"]),
      usernameColumn: "fields.Employee #.value",
      versionColumn: "meta.at",
    };
    const record = recordFrom(
      '{"fields":{"Employee #":{"value":300},"First name":{"value":"Tefi"}},"meta":{"at":"2026-01-31T18:42:00Z"}}',
    );
    assert.deepEqual(mapRecord(mapping, record, { asOfMs: 0, row: 1 }), {
      kind: "change",
      line: 1,
      change: {
        username: "300",
        units: [{ name: "custom:0", value: { kind: "text", text: "Tefi" } }],
        version: { timeMs: 1_769_884_920_000, sequence: 1 },
      },
      invalid: [],
    });
  });

  test("is part of a template", () => {
    const attribute = { name: "name", template: "{name.first} {name.last}", transforms: [], onBlank: "skip" as const };
    const mapping = { ...mappingOf([]), attributes: [attribute] };
    const mapped = mapRecord(mapping, recordFrom('{"id":"u","name":{"first":"A","last":"B"}}'), { asOfMs: 0, row: 1 });
    assert.deepEqual(mapped.kind === "change" && mapped.change.units, [
      { name: "name", value: { kind: "text", text: "A B" } },
    ]);
  });
});

describe("the columns of JSON", () => {
  const people = [
    '{"id":"1","name":{"first":"A","last":null},"emails":[{"value":"a"},{"value":"b","type":"work"}],"manager":null,"tags":[]}',
    '{"id":"2","manager":{"id":"1"},"emails":[],"flags":["x","y"],"none":{}}',
  ];

  test("are those of all records, elements of a list as one, and nothing where nothing is", () => {
    assert.deepEqual(allNames(columnsOf(...people)), [
      "id",
      "manager.id",
      "name.first",
      "name.last",
      "emails[*].value",
      "emails[*].type",
      "flags[*]",
    ]);
    assert.deepEqual(columnsOf(...people).names, ["id"]);
  });

  const presence: readonly (readonly [string, boolean])[] = [
    ["name.first", true],
    ["name.last", true],
    ['"name"."first"', true],
    ["name", false],
    ["emails[0].value", true],
    ["emails[7].type", true],
    ["emails.value", false],
    ["manager.id", true],
    ["manager", false],
    ["manager.name", false],
    ["tags[0]", false],
    ["flags[1]", true],
    ["none.x", false],
    ["constructor", false],
    ["name.constructor", false],
  ];
  for (const [column, expected] of presence) {
    test(`${expected ? "have" : "have not"} ${column}`, () => assert.equal(columnsOf(...people).has(column), expected));
  }

  test("may all be behind a null that every record has", () => {
    const columns = columnsOf('{"id":"1","manager":null}', '{"id":"2","manager":null}');
    assert.equal(columns.has("manager"), true);
    assert.equal(columns.has("manager.id"), true);
    assert.deepEqual(columns.unknown(knownColumns(["id", "manager.id"], [])), []);
    assert.deepEqual(columns.unknown(knownColumns(["id"], [])), ["manager"]);
  });

  test("are known where they are mapped, and all of a list with one element, and all beneath what is ignored", () => {
    const unknown = (mapped: string[], ignored: string[]) =>
      columnsOf(...people).unknown(knownColumns(mapped, ignored));
    assert.deepEqual(unknown(["id", "name.first", "emails[0].value", "manager.id"], []), [
      "name.last",
      "emails[*].type",
      "flags[*]",
    ]);
    assert.deepEqual(unknown(["id", "name.first"], ["name", "emails", "manager", "flags"]), []);
    assert.deepEqual(
      unknown(["id"], ["name.first", "name.last", "emails[*].type", "emails[0].value", "manager", "flags[3]"]),
      [],
    );
  });

  test("are not more than a thousand below one column, which is then open for any", () => {
    const data = Array.from({ length: 3 }, (_, at) =>
      JSON.stringify({
        id: at,
        notes: Object.fromEntries(Array.from({ length: 500 }, (_none, key) => [`k${at}-${key}`, key])),
      }),
    );
    const columns = columnsOf(...data);
    assert.deepEqual(allNames(columns), ["id", "notes.*"]);
    assert.deepEqual({ ...columns.size }, { names: 2, length: 7 });
    assert.equal(columns.has("notes.k0-1"), true);
    for (const ignored of ["notes", "notes.*"]) assert.deepEqual(columns.unknown(knownColumns(["id"], [ignored])), []);
    assert.deepEqual(columns.unknown(knownColumns(["id", "notes.k0-1"], [])), ["notes.*"]);
  });

  test("are not deeper than a column's name may be", () => {
    const depth = 200_000;
    const json = `{"id":1,"a":${'{"a":'.repeat(MAX_STEPS + 2)}1${"}".repeat(MAX_STEPS + 2)},"l":${"[".repeat(depth)}1${"]".repeat(depth)}}`;
    const [id, a, l] = allNames(columnsOf(json));
    assert.equal(id, "id");
    assert.match(a ?? "", /^a(\.a){31}\.\*$/);
    assert.match(l ?? "", /^l(\[\*\]){31}\.\*$/);
  });

  test("that no mapping names are refused by their dotted names, or left out by one word", () => {
    const columns = columnsOf(...people);
    const options = { name: "a.json", missing: "guard" } as const;
    assert.throws(
      () => fitColumns(mappingOf(["name.first"]), columns, options),
      feedError("columns", /5 columns are not in the mapping: `manager.id`, `name.last`, `emails\[\*\].value`/),
    );
    const lax = mappingOf(["name.first", "emails[0].value"], ["name", "emails", "manager", "flags"]);
    assert.equal(fitColumns(lax, columns, options), lax);
    assert.throws(
      () => fitColumns({ ...lax, usernameColumn: "first" }, columns, options),
      feedError("renamed", /did you mean `name.first`/),
    );
    assert.throws(
      () => fitColumns(mappingOf(["emails[*].value"], ["name", "emails", "manager", "flags"]), columns, options),
      feedError(
        "columns",
        /`emails\[\*\].value` is that of all elements of a list: name one element, as `emails\[0\].value`/,
      ),
    );
  });

  test("are missing from a file in which nobody has them", () => {
    const fitted = fitColumns(mappingOf(["id", "emails[0].value"]), columnsOf('{"id":1,"emails":[]}'), {
      name: "a.json",
      missing: "guard",
    });
    assert.deepEqual(fitted.missing, [{ attribute: "custom:1", column: "emails[0].value" }]);
  });

  test("are never taken for attributes or usernames without a mapping, and may be asked for", () => {
    const columns = columnsOf('{"username":"u","given_name":"A","user":{"name":"x"},"address":{"type":"home"}}');
    const options = { name: "a.json", attributes: ["given_name", "address", "custom:address_type"] };
    assert.throws(
      () => mapHeaders(columns, options),
      feedError("columns", /2 columns are no attribute of the pool: `user.name`.*, `address.type`/),
    );
    const mapping = mapHeaders(columns, { ...options, ignoreUnknown: true, usernameColumn: "user.name" });
    assert.equal(mapping.usernameColumn, "user.name");
    assert.deepEqual(
      mapping.attributes.map(({ name, column }) => [name, column]),
      [["given_name", "given_name"]],
    );
    assert.throws(
      () => mapHeaders(columnsOf('{"person":{"login":"u"}}'), options),
      feedError("columns", /--username-column \(there are: `person.login`/),
    );
    assert.throws(
      () => mapHeaders(columnsOf('{"page":1,"employees":[{"username":"u"}]}'), options),
      feedError(
        "columns",
        /or with --records where the list of records is, such as `employees\[\*\]` \(there are: `page`/,
      ),
    );
  });

  test("whose keys are somebody's data are told by the column that they are in", () => {
    const columns = columnsOf('{"id":1,"members":{"zoe@example.com":true,"+49 170 1234567":true},"x":{"y":1}}');
    assert.throws(
      () => fitColumns(mappingOf(["id"]), columns, { name: "a.json", missing: "refuse" }),
      feedError("columns", /: 2 columns are not in the mapping: `members\.\*`, `x\.y` /),
    );
  });
});

describe("a record that is read once", () => {
  const check = createUnknownCheck(mappingOf(["name.first", "emails[0].value"], ["meta"]));
  const records: readonly (readonly [string, string | undefined])[] = [
    ['{"id":1,"name":{"first":"A"},"emails":[{"value":1},{"value":2}],"meta":{"x":[1]}}', undefined],
    ['{"id":1,"name":null,"emails":[],"none":{}}', undefined],
    ['{"id":1,"name":{"last":"A"}}', "unknown-column"],
    ['{"id":1,"name":"A"}', "unknown-column"],
    ['{"id":1,"emails":[{"type":1}]}', "unknown-column"],
  ];
  for (const [json, reason] of records) {
    test(`${reason === undefined ? "has no" : "has an"} unknown column: ${json}`, () =>
      assert.equal(check(recordFrom(json))?.reason, reason));
  }

  test("of a header has the names of that header", () => {
    const columns = headerColumns(["id", "name.first", "a[*]"]);
    assert.equal(columns.has("name.first"), true);
    assert.equal(columns.has('"name.first"'), false);
    assert.deepEqual(columns.unknown(knownColumns(["id"], ["name"])), ["name.first", "a[*]"]);
    const mapping = mappingOf(["a[*]"], ["name.first"]);
    assert.equal(fitColumns(mapping, columns, { name: "a.csv", missing: "refuse" }), mapping);
  });
});
