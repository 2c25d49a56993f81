import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { collect, brief, feedError, madeSource, readAll } from "./feed-file.ts";
import { openFeed } from "../../src/feeds/format.ts";

const PEOPLE = [
  { id: "1", name: "A" },
  { id: "2", name: "B" },
];
const READ = ["id=1|name=A", "id=2|name=B"];

const rowsOf = async (content: string): Promise<string[]> =>
  brief((await readAll(content)).records).map((row) => row.replace(/^\d+: /, ""));

describe("a document of JSON", () => {
  const known: Readonly<Record<string, unknown>> = {
    Workday: { Report_Entry: PEOPLE },
    "Workday, with a count": { Total: 2, Report_Entry: PEOPLE },
    "Workday, with a count behind": { Report_Entry: PEOPLE, Total: 2, Next: null },
    "OData 2, of SAP SuccessFactors": { d: { results: PEOPLE, __next: "https://host/x?$skiptoken=1" } },
    "OData 2, without paging": { d: PEOPLE },
    "OData 4, of Microsoft Graph": { "@odata.context": "https://host/$metadata#users", value: PEOPLE },
    SCIM: { schemas: ["urn:x"], totalResults: 2, itemsPerPage: 2, startIndex: 1, Resources: PEOPLE },
    BambooHR: { employees: PEOPLE },
    "BambooHR's directory": { fields: [{ id: "displayName", type: "text", name: "Name" }], employees: PEOPLE },
    ADP: { workers: PEOPLE, meta: { totalNumber: 2 } },
    Personio: { success: true, data: PEOPLE },
    "JSON:API": { data: PEOPLE, included: [{ type: "x" }], links: { next: null } },
    HubSpot: { results: PEOPLE, paging: { next: { after: "1" } } },
    Salesforce: { totalSize: 2, done: true, records: PEOPLE },
  };
  for (const [name, document] of Object.entries(known)) {
    test(`is recognised without \`records\`: ${name}`, async () => {
      for (const indent of [undefined, 2]) {
        const text = JSON.stringify(document, undefined, indent);
        assert.deepEqual(await rowsOf(text), READ);
        for (const size of [1, 7]) {
          const bytes = Buffer.from(text);
          const feed = await openFeed(
            madeSource(function* () {
              for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
            }),
          );
          assert.equal((await collect(feed.records)).length, 2);
        }
      }
    });
  }

  test("of any length is recognised by its beginning", async () => {
    const many = Array.from({ length: 5000 }, (_, index) => ({ id: String(index), name: "A".repeat(20) }));
    assert.equal((await rowsOf(JSON.stringify({ Total: 5000, Report_Entry: many }))).length, 5000);
    assert.equal((await rowsOf(JSON.stringify({ employees: many, page: 1 }, undefined, 1))).length, 5000);
  });

  test("with one object alone is one record, in a line or in several", async () => {
    for (const indent of [undefined, 2]) {
      const person = { username: "u1", employees: [{ id: 1 }], data: [{ a: 1 }] };
      assert.deepEqual(await rowsOf(JSON.stringify(person, undefined, indent)), ["username=u1"]);
      const other = { "Employee #": "1", emails: [{ value: "a" }], phones: [{ value: "b" }] };
      assert.deepEqual(await rowsOf(JSON.stringify(other, undefined, indent)), ["Employee #=1"]);
    }
  });

  test("is none where an object stands in each line, whatever lists they have", async () => {
    const lines = PEOPLE.map((person) => JSON.stringify({ ...person, data: [{ a: 1 }], value: [{ b: 1 }] }));
    assert.deepEqual(await rowsOf(lines.join("\n")), READ);
  });

  test("with several lists is refused, and the message names the setting and what it may say", async () => {
    const many = Array.from({ length: 5000 }, (_, index) => ({ id: String(index), name: "A".repeat(20) }));
    const several: readonly (readonly [unknown, RegExp])[] = [
      [{ employees: PEOPLE, departments: [{ id: "x" }] }, /`employees\[\*\]`, `departments\[\*\]`; say with `records`/],
      [{ people: PEOPLE, "Cost Centres": [{ id: "x" }] }, /`people\[\*\]`, `"Cost Centres"\[\*\]`; .*`--records`/],
      [{ employees: many, departments: [{ id: "x" }] }, /`employees\[\*\]`, `departments\[\*\]`/],
      [{ people: many }, /a list of objects, `people\[\*\]`; say with `records`/],
    ];
    for (const [document, message] of several) {
      await assert.rejects(readAll(JSON.stringify(document)), feedError("format", message));
    }
    const { records } = await readAll(JSON.stringify({ employees: PEOPLE, departments: [{ id: "x" }] }), undefined, {
      records: "employees[*]",
    });
    assert.equal(records.length, 2);
  });

  test("that is cut, or goes on behind its end, is refused", async () => {
    const text = JSON.stringify({ Total: 2, Report_Entry: PEOPLE }, undefined, 1);
    await assert.rejects(readAll(text.slice(0, -1)), feedError("truncated"));
    await assert.rejects(readAll(text.slice(0, 40)), feedError("truncated"));
    await assert.rejects(readAll(`${text}\n${text}`), feedError("format", /one object a line/));
  });

  test("with an empty list has no records", () => assert.rejects(readAll('{"value":[]}'), feedError("empty")));
});
