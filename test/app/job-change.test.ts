import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { jobEvent, readJobChange } from "../../src/app/events/job-change.ts";

const STAFF = "eu-west-1_Staff";
const CONFIG = {
  pools: ["eu-west-1_Named"],
  poolSettings: { staff: { id: STAFF } },
  feeds: {
    hr: { pool: "staff", notOwned: [] },
    crm: { pool: "us-east-1_Crm", notOwned: [{ attribute: "email", owner: "hr" }] },
    files: { notOwned: [] },
  },
};
const ANA = { username: "ana", attributes: { given_name: "Ana" } };
const read = (data: unknown) => readJobChange(CONFIG, Buffer.from(JSON.stringify(data)));
const unit = { name: "given_name", value: { kind: "text", text: "Ana" } };

describe("a job of the queue `changes`", () => {
  test("is for a feed and its pool, or for a pool by name or id", () => {
    const change = { username: "ana", units: [unit] };
    assert.deepEqual(read({ feed: "hr", ...ANA }), { is: "change", target: { feed: "hr", pool: STAFF }, change });
    for (const pool of ["staff", STAFF])
      assert.deepEqual(read({ pool, ...ANA }), { is: "change", target: { pool: STAFF }, change });
    for (const pool of ["us-east-1_Crm", "eu-west-1_Named"]) {
      assert.deepEqual(read({ pool, ...ANA }), { is: "change", target: { pool }, change });
    }
  });

  test("says its version as text with a zone, or as a number of epoch seconds or milliseconds", () => {
    for (const version of [
      "2026-01-31T18:42:00Z",
      1_769_884_920,
      1_769_884_920_000,
      1_769_884_920_000.25,
      "1769884920",
    ]) {
      const job = read({ feed: "hr", ...ANA, version });
      assert.ok(job.is === "change");
      assert.deepEqual(job.change.version, { timeMs: 1_769_884_920_000, sequence: 0 });
    }
  });

  test("clears with null, and says what becomes of an address's flag", () => {
    const job = read({ feed: "hr", username: "ana", attributes: { name: null, email: "a@b.c" }, verified: "mark" });
    assert.ok(job.is === "change");
    assert.deepEqual(job.change.units, [
      { name: "name", value: { kind: "clear" } },
      { name: "email", value: { kind: "text", text: "a@b.c", verified: "mark" } },
    ]);
  });

  test("leaves what another feed owns to that one, also its flag; one for a pool has all that it says", () => {
    const attributes = { given_name: "Ana", email_verified: "true" };
    const units = (target: object) => {
      const job = read({ ...target, username: "ana", attributes });
      return job.is === "change" ? job.change.units.map(({ name }) => name) : [];
    };
    assert.deepEqual(units({ feed: "crm" }), ["given_name"]);
    assert.deepEqual(units({ pool: "us-east-1_Crm" }), ["given_name", "email_verified"]);
  });

  const unreadable: [what: string, data: unknown][] = [
    ["nothing", null],
    ["text", "ana"],
    ["neither pool nor feed", ANA],
    ["both", { pool: STAFF, feed: "hr", ...ANA }],
    ["a feed that is not there", { feed: "toString", ...ANA }],
    ["a feed without a pool", { feed: "files", ...ANA }],
    ["a pool that is not there", { pool: "eu-west-1_Other", ...ANA }],
    ["no username", { feed: "hr", attributes: ANA.attributes }],
    ["a number as a value", { feed: "hr", username: "ana", attributes: { given_name: 1 } }],
    ["a blank value", { feed: "hr", username: "ana", attributes: { given_name: "" } }],
    ["an address without `verified`", { feed: "hr", username: "ana", attributes: { email: "a@b.c" } }],
    ["a field that is not known", { feed: "hr", ...ANA, verify: "mark" }],
    ["a version without a zone", { feed: "hr", ...ANA, version: "2026-01-31 18:42" }],
    ["a version that is no time", { feed: "hr", ...ANA, version: -1 }],
  ];
  for (const [what, data] of unreadable) {
    test(`that says ${what} cannot be read`, () => assert.equal(read(data).is, "unreadable"));
  }

  test("that is no JSON cannot be read", () => {
    assert.equal(readJobChange(CONFIG, Buffer.from([0x7b, 0xff])).is, "unreadable");
  });

  test("is kept whole, and counted to what the configuration has", () => {
    const feedOf = (data: unknown) => jobEvent(CONFIG, { id: "1@5", data, addedAtMs: 5 }).feed;
    assert.deepEqual(
      [{ feed: "hr" }, { pool: "staff" }, { pool: STAFF }, { feed: "ana@example.com" }, { pool: {} }, undefined].map(
        feedOf,
      ),
      ["hr", STAFF, STAFF, "changes", "changes", "changes"],
    );
    const { event } = jobEvent(CONFIG, { id: "1@5", data: { feed: "hr", more: 1 }, addedAtMs: 5 });
    const { body, ...rest } = event;
    assert.deepEqual(rest, { id: "1@5", signedAtMs: 5, scheme: "job", contentType: "application/json" });
    assert.deepEqual(JSON.parse(body.toString()), { feed: "hr", more: 1 });
  });

  test("is kept without its text where that is longer than any change or cannot be written, so that it never waits for room that never comes", () => {
    const nested: unknown = JSON.parse("[".repeat(100_000) + "]".repeat(100_000));
    for (const more of ["ä".repeat(600_000), nested]) {
      const { feed, event } = jobEvent(CONFIG, { id: "1@5", data: { feed: "hr", more }, addedAtMs: 5 });
      assert.equal(feed, "hr");
      assert.equal(readJobChange(CONFIG, event.body).is, "unreadable");
      assert.ok(event.body.length < 10);
    }
  });
});
