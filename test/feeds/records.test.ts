import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cellOf } from "../../src/feeds/cell.ts";
import { jsonRecords, readWholeJson } from "../../src/feeds/json-records.ts";
import { plainPath, recordsFault } from "../../src/feeds/records-expression.ts";
import { openFeed } from "../../src/feeds/format.ts";
import { brief, collect, feedError, madeSource, readAll } from "./feed-file.ts";

const read = async (content: string, records: string) =>
  brief((await readAll(content, undefined, { records })).records);

describe("an expression of `records`", () => {
  const plain: readonly (readonly [string, readonly string[] | undefined])[] = [
    ["employees[*]", ["employees"]],
    ["employees", ["employees"]],
    [" data.employees[*] ", ["data", "employees"]],
    ['"Report Data".Report_Entry', ["Report Data", "Report_Entry"]],
    ['"a.b"."c\\"d"[*]', ["a.b", 'c"d']],
    ["[*]", []],
    ["@", []],
    ["constructor", ["constructor"]],
    ["employees[]", undefined],
    ["employees[?active]", undefined],
    ["[0].employees", undefined],
    ["a[*].b", undefined],
    ["a | b", undefined],
    ['"\\x"', undefined],
    ["", undefined],
  ];
  for (const [text, keys] of plain) {
    test(`is ${keys === undefined ? "more than" : ""} a plain path: ${text}`, () =>
      assert.deepEqual(plainPath(text), keys));
  }

  for (const text of [
    "a[*]",
    "employees[?status == 'active'].{id: id}",
    "length(@)",
    "values(people)",
    "a[]",
    "a || b",
  ]) {
    test(`may be ${text}`, () => assert.equal(recordsFault(text), undefined));
  }

  const wrong: readonly (readonly [string, RegExp])[] = [
    ["employees[", /such as employees\[\*\]: .*column 10/],
    ["employees[*", /column 11/],
    ["First Name", /column 6/],
    ["a..b", /column 2/],
    ["#", /column 0/],
    ["'open", /column 0/],
    ['"\\x"', /JMESPath/],
    ["toString.", /column 9/],
    ["nothing(@)", /Unknown function: nothing\(\)/],
    ["length()", /length/],
    ["   ", /got nothing/],
    ["[::0]", /step/],
  ];
  for (const [text, message] of wrong) {
    test(`is refused with the place: ${text}`, () => {
      const fault = recordsFault(text);
      assert.match(fault ?? "", message);
      assert.doesNotMatch(fault ?? "", /in expression/);
    });
  }
});

/** `number: name=value` of each record, or what it is not. */
function found(json: string, records?: string): readonly string[] | string {
  const answer = jsonRecords(json, records);
  return answer.is === "found" ? brief([...answer.records]) : `${answer.is}: ${answer.detail}`;
}

describe("the records of a body", () => {
  const body =
    '{"type":"x","data":{"people":[{"id":1,"on":true},{"id":2,"on":false}],"one":{"id":3}},"n":7,"none":null}';
  const cases: readonly (readonly [string, string | undefined, readonly string[] | RegExp])[] = [
    [body, "data.people[*]", ["1: id=1|on=true", "2: id=2|on=false"]],
    [body, "data.people", ["1: id=1|on=true", "2: id=2|on=false"]],
    [body, "data.people[?on]", ["1: id=1|on=true"]],
    [body, "data.people[-1:]", ["1: id=2|on=false"]],
    [body, "data.one", ["1: id=3"]],
    [
      body,
      "data.people[*].{user: id, word: join('-', ['a', type(on)])}",
      ["1: user=1|word=a-boolean", "2: user=2|word=a-boolean"],
    ],
    [body, "[data.people, [data.one]][]", ["1: id=1|on=true", "2: id=2|on=false", "3: id=3"]],
    [body, undefined, ["1: type=x|n=7|none=null"]],
    ['[{"id":1},{"id":2}]', undefined, ["1: id=1", "2: id=2"]],
    ['[{"id":1},{"id":2}]', "[*]", ["1: id=1", "2: id=2"]],
    ['[{"id":1},7,null,[]]', "@", ["1: id=1", "2: not-an-object", "3: not-an-object", "4: not-an-object"]],
    ["[]", undefined, []],
    [body, "employees[*]", /^nothing: .*at its top are `type`, `data`, `n`, `none`$/],
    [body, "employees[?x]", /^nothing: .*at its top are `type`/],
    [body, "none", /^nothing: /],
    [body, "constructor", /^nothing: /],
    [body, "data.people.id", /^nothing: /],
    [body, "n", /^no-list: /],
    [body, "type", /^no-list: /],
    [body, "length(n)", /^failed: .*Invalid argument type for function length/],
    [body, "data.people[?foo(@)]", /^failed: .*Unknown function: foo/],
    ["7", undefined, /^no-list: /],
    ["null", undefined, /^nothing: .*it is text, a number or null/],
    ["[1]", "a", /^nothing: .*at its top is a list/],
    ["{}", "a", /there are no keys at its top/],
    ['{"zoe@example.com":1,"+49 170 1234567":2}', "a", /at its top are 2 keys$/],
    ['{"a":1,"zoe@example.com":1}', "b", /at its top are `a` and 1 more$/],
    ["{", undefined, /^not-json: /],
    ["", undefined, /^not-json: /],
    ['{"a":1}\n{"a":2}', "a", /^not-json: /],
  ];
  for (const [json, records, expected] of cases) {
    test(`by ${records ?? "its form"} of ${json.slice(0, 40)}`, () => {
      const answer = found(json, records);
      if (expected instanceof RegExp) assert.match(String(answer), expected);
      else assert.deepEqual(answer, expected);
    });
  }

  const exact = '{"a":[{"id":12345678901234567890,"pay":{"sum":1.50,"all":[9007199254740993]},"e":1e400}]}';
  for (const records of ["a[*]", "a[?pay]", "a[0]", "(a)[*]", "sort_by(a, &e)"]) {
    test(`have numbers as they are written by ${records}`, () => {
      const answer = jsonRecords(exact, records);
      assert.ok(answer.is === "found");
      const [record] = [...answer.records];
      assert.ok(record?.kind === "record");
      assert.deepEqual(Object.fromEntries(record.fields), { id: "12345678901234567890", e: "1e400" });
      assert.deepEqual(cellOf("pay.sum", record), { kind: "text", text: "1.50" });
      assert.deepEqual(cellOf("pay.all[0]", record), { kind: "text", text: "9007199254740993" });
    });
  }

  test("that the expression makes itself have no number that it rounded", () => {
    assert.deepEqual(found(exact, "a[*].{id: id}"), ["1: rounded-number"]);
    assert.deepEqual(found(exact, "a[*].{sum: pay.sum, n: length(@)}"), ["1: sum=1.5|n=3"]);
    const answer = jsonRecords(exact, "a[*].{x: {id: id}}");
    assert.ok(answer.is === "found");
    const [record] = [...answer.records];
    assert.ok(record?.kind === "record");
    assert.partialDeepStrictEqual(cellOf("x.id", record), { reason: "rounded-number" });
  });

  test("of a body that is thousands of levels deep are found, or it is refused", () => {
    const deep = "[".repeat(200_000) + "]".repeat(200_000);
    assert.deepEqual(found(`{"a":[{"id":1,"x":${deep}}]}`, "a[*]"), ["1: id=1"]);
    assert.match(String(found(`{"a":[{"id":1.5,"x":${deep}}]}`, "a[*]")), /^not-json: .*thousands of levels/);
    assert.match(String(found(`{"a":${deep}}`, "a == a")), /^(failed|no-list)/);
  });
});

describe("a file with `records`", () => {
  const people = '[\n{"id":"1"},\n{"id":"2","x":[{}]}\n]';
  const documents: readonly (readonly [string, string, readonly string[]])[] = [
    [`{"data":{"employees":${people}}}`, "data.employees[*]", ["2: id=1", "3: id=2"]],
    [
      `{\n"total":2,\n"data":{"next":null,"employees":${people},"page":{"a":[1]}}, "z":"}]"}\n`,
      "data.employees",
      ["4: id=1", "5: id=2"],
    ],
    [
      `{"employees":[{"id":"9"}],"data":{"other":{"employees":[{"id":"8"}]},"employees":${people}}}`,
      "data.employees[*]",
      ["2: id=1", "3: id=2"],
    ],
    [
      `{"a":"employees","b\\n":"\\"employees\\":[","e\\u006dployees":${people}}`,
      "employees[*]",
      ["2: id=1", "3: id=2"],
    ],
    [people, "[*]", ["2: id=1", "3: id=2"]],
    ['{"Total":1,"Report_Entry":[{"id":"1"}]}', "Report_Entry", ["1: id=1"]],
    ['{"n": -1.5e3 ,"t":true,"employees":[{"id":"1"}],"f":false\n}', "employees[*]", ["1: id=1"]],
    ['\n\n{"person":{"id":"1","name":{"first":"A"}},"rest":[]}', "person", ["3: id=1"]],
    ['{"id":"1"}', "@", ["1: id=1"]],
    ['{"a":{"employees":7},"b":[{"employees":[{"id":"1"}]}],"employees":[{"id":"2"}]}', "employees[*]", ["1: id=2"]],
  ];
  for (const [content, records, expected] of documents) {
    test(`by ${records} is read piece by piece: ${content.slice(0, 30).replaceAll("\n", "")}`, async () => {
      assert.deepEqual(await read(content, records), expected);
      const bytes = Buffer.from(content);
      for (const size of [1, 3, 7]) {
        const source = madeSource(function* () {
          for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
        });
        assert.deepEqual(brief(await collect((await openFeed(source, { records })).records)), expected);
      }
      const whole = brief(await collect(readWholeJson(readText(content), "whole", records)));
      assert.deepEqual(
        whole,
        expected.map((text, at) => text.replace(/^\d+/, String(at + 1))),
      );
    });
  }

  test("that is more than a plain path is read as a whole", async () => {
    const content = `{"employees":[{"id":12345678901234567890,"on":true},{"id":2,"on":false}],"more":[{"id":3}]}`;
    assert.deepEqual(await read(content, "employees[?on]"), ["1: id=12345678901234567890|on=true"]);
    assert.deepEqual(await read(content, "[employees, more][]"), [
      "1: id=12345678901234567890|on=true",
      "2: id=2|on=false",
      "3: id=3",
    ]);
  });

  const refused: readonly (readonly [string, string, RegExp])[] = [
    ["id,name\n1,a\n", "a[*]", /is no JSON/],
    ['{"id":1}\n{"id":2}\n', "id[*]", /line 2 .*one object a line/],
    ['{"id":1}\n{"id":2}\n', "id[?x]", /no|one whole document of JSON.*one object a line/],
    [
      '{"people":[],"next":null}',
      "employees[*]",
      /`records` finds nothing in `.*feed`: at its top are `people`, `next`; say where/,
    ],
    ['{"people":[],"next":null}', "employees[?x]", /finds nothing: at its top are `people`, `next`; say where/],
    ['{"employees":"none"}', "employees[*]", /finds text or a number in the place of a list/],
    ['{"employees":7}', "employees", /finds text or a number/],
    ['{"employees":null}', "employees", /finds nothing/],
    ["[[]]", "a", /no keys at its top/],
    ['{"a":[],"a":[]}', "a", /twice/],
    ['{"a":[{"id":1}]} x', "a", /line 1/],
    ['{"a":[{"id":1}],}x', "a", /line 1/],
    ['{"a" 1}', "a", /line 1/],
    ['{"a":}', "a", /line 1/],
    ['{"b":1],"a":[]}', "a", /line 1/],
    ['{"\\x":1}', "a", /line 1/],
    ['{"a":[]}', "a", /has no records/],
    ['{"a":[{"id":1}]}', "length(a[0].id)", /cannot be read: .*function length/],
  ];
  for (const [content, records, message] of refused) {
    test(`by ${records} is refused: ${JSON.stringify(content)}`, () =>
      assert.rejects(
        readAll(content, undefined, { records }),
        (error) =>
          error instanceof Error &&
          message.test(error.message) &&
          feedError(message.source.includes("no records") ? "empty" : "format")(error),
      ));
  }

  test("that is cut at any byte is refused", async () => {
    const bytes = Buffer.from('{"b":{"x":[1,"]"]},"a":{"people":[{"id":"Zoe"},{"id":"2"}]},"n":7}');
    for (let length = 1; length < bytes.length; length++) {
      await assert.rejects(
        readAll(bytes.subarray(0, length), undefined, { records: "a.people[*]" }),
        feedError("truncated"),
      );
      await assert.rejects(
        readAll(bytes.subarray(0, length), undefined, { records: "a.people[?id]" }),
        feedError("format"),
      );
    }
  });

  test("is read as a whole up to a length only, which names the way without", async () => {
    const pieces = ['{"a":[', '{"id":1}', "]}"];
    const wanted = feedError("too-long", /longer than 10 characters.*data\.employees\[\*\]/);
    await assert.rejects(collect(readWholeJson(readText(...pieces), "a.json", "a[?id]", 10)), wanted);
  });

  test("has no key or record that is longer than a record may be", async () => {
    const options = { records: "a", maxRecordLength: 2000 };
    const long = "x".repeat(3000);
    await assert.rejects(
      readAll(`{"b":[{"${long}":1}],"a":[{"id":"${long}"}]}`, undefined, options),
      feedError("too-long"),
    );
    await assert.rejects(readAll(`{"b":1,"${long}":1}`, undefined, options), feedError("too-long"));
    const { records } = await readAll(`{"b":"${long}","a":[{"id":1}]}`, undefined, options);
    assert.deepEqual(brief(records), ["1: id=1"]);
  });
});

async function* readText(...pieces: string[]): AsyncGenerator<string> {
  yield* pieces;
}
