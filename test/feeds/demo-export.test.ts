import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { hrExport, SEED_CUSTOM_ATTRIBUTES, seedUsers } from "../../demo/seed.ts";
import { checkPass } from "../../src/feeds/check-pass.ts";
import { readRecords } from "../../src/feeds/format.ts";
import { fitColumns } from "../../src/feeds/headers.ts";
import { mapRecord } from "../../src/feeds/mapping.ts";
import type { AttributeMapping, Mapping } from "../../src/feeds/mapping.ts";
import { openSource } from "../../src/feeds/source.ts";
import type { Transform } from "../../src/feeds/transform.ts";

const PATH = new URL("../../demo/hr-export.csv", import.meta.url);

function column(name: string, from: string, ...transforms: readonly Transform[]): AttributeMapping {
  return { name, column: from, transforms: [{ kind: "trim" }, ...transforms], onBlank: "skip" };
}

const MAPPING: Mapping = {
  usernameColumn: "Employee ID",
  attributes: [
    column("given_name", "First Name"),
    column("family_name", "Last Name"),
    { ...column("email", "Work Email", { kind: "lower" }), verified: "mark" },
    { ...column("phone_number", "Mobile Phone", { kind: "e164", region: "GB" }), verified: "mark" },
    column("custom:department", "Department"),
    column("custom:title", "Title"),
    column("custom:cost_center", "Cost Center"),
    column("custom:manager", "Manager"),
    column("custom:hire_date", "Hire Date", { kind: "date", pattern: "DD/MM/YYYY" }),
    column("custom:country", "Country"),
    column("custom:employee_number", "Corrected Number"),
  ],
  ignored: [],
  unknown: "refuse",
};

describe("the people of the demonstration", () => {
  test("are the same every time, and nobody shares an address", () => {
    const users = seedUsers();
    assert.deepEqual(users, seedUsers());
    assert.deepEqual([users.length, users[0]?.username, users.at(-1)?.username], [2000, "emp0001", "emp2000"]);
    assert.equal(new Set(users.map(({ attributes }) => attributes["email"])).size, 2000);
    const custom = Object.keys(users[0]?.attributes ?? {}).filter((name) => name.startsWith("custom:"));
    assert.deepEqual(
      custom,
      SEED_CUSTOM_ATTRIBUTES.map(({ name }) => `custom:${name}`),
    );
    for (const { attributes } of users) {
      assert.match(attributes["email"] ?? "", /^[a-z]+\.[a-z]+\d*@example\.com$/);
      assert.match(
        attributes["phone_number"] ?? "",
        /^\+(447700900\d{3}|493023125\d{3}|3363998\d{4}|1\d{3}55501\d\d)$/,
      );
    }
  });

  test("are in the export that ships, which is what the generator writes", async () => {
    const shipped = await readFile(PATH, "utf8");
    assert.equal(shipped === hrExport(), true, "demo/hr-export.csv is not what hrExport() gives: write it anew");
    assert.ok(Buffer.byteLength(shipped) < 150_000);
  });

  test("change in about 150 rows, and the rest is what every export has", async () => {
    const source = await openSource(PATH.pathname, { spoolDir: "." });
    const checked = await checkPass(source);
    assert.equal(fitColumns(MAPPING, checked.columns, { name: source.name, missing: "refuse" }), MAPPING);
    const users = new Map(seedUsers().map(({ username, attributes }) => [username, attributes]));
    const owners = new Map(seedUsers().map(({ username, attributes }) => [attributes["email"], username]));
    const count = {
      rows: 0,
      changed: 0,
      same: 0,
      unknown: 0,
      faults: 0,
      invalid: 0,
      long: 0,
      immutable: 0,
      owned: 0,
      blank: 0,
    };
    const seen = new Map<string, number>();
    let row = 0;
    for await (const record of readRecords(source)) {
      count.rows++;
      assert.equal(record.kind, "record");
      if (record.kind !== "record") continue;
      const mapped = mapRecord(MAPPING, record, { asOfMs: 0, row: row++ });
      if (mapped.kind === "fault") {
        assert.equal(mapped.reason, "no-username");
        count.faults++;
        continue;
      }
      const { username, units } = mapped.change;
      seen.set(username, (seen.get(username) ?? 0) + 1);
      for (const { reason } of mapped.invalid) {
        assert.equal(reason, "bad-phone-number");
        count.invalid++;
      }
      if (units.length + mapped.invalid.length < 10) count.blank++;
      const current = users.get(username);
      if (current === undefined) {
        count.unknown++;
        continue;
      }
      let changes = 0;
      for (const { name, value } of units) {
        if (value.kind !== "text" || value.text === current[name]) continue;
        changes++;
        if (value.text.length > 2048) count.long++;
        if (name === "custom:employee_number") count.immutable++;
        if (name === "email" && (owners.get(value.text) ?? username) !== username) count.owned++;
      }
      if (changes > 0) count.changed++;
      else count.same++;
    }
    await source.close();
    assert.equal(checked.records, count.rows);
    assert.deepEqual(
      { ...count, changed: Math.round(count.changed / 50) * 50, same: count.same > 80, blank: count.blank > 50 },
      {
        rows: 900,
        changed: 150,
        same: true,
        unknown: 8,
        faults: 1,
        invalid: 1,
        long: 1,
        immutable: 2,
        owned: 1,
        blank: true,
      },
    );
    assert.equal([...seen.values()].filter((times) => times > 1).length, 6);
  });
});
