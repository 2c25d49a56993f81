/** When an event says that it occurred. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readEvent } from "../../src/app/events/read-event.ts";
import type { Mapping } from "../../src/feeds/mapping.ts";

const SIGNED = 1_700_000_000_000;
const SAID = "2023-11-14T22:00:00Z";
const SAID_MS = Date.parse(SAID);

const name = { name: "given_name", column: "name", transforms: [], onBlank: "skip" } as const;
const mapping: Mapping = { usernameColumn: "id", attributes: [name], ignored: [], unknown: "ignore" };

function timeOf(body: unknown, { scheme = "standard-webhooks", version = "" } = {}): number | undefined {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const event = { feed: "hr", scheme, contentType: "application/x-www-form-urlencoded", body: Buffer.from(text) };
  const mapped = version === "" ? mapping : { ...mapping, versionColumn: version };
  const records = readEvent(event, { mapping: mapped }, SIGNED);
  const [record] = typeof records === "string" ? [] : records;
  return record?.is === "change" ? record.change.version?.timeMs : undefined;
}

const record = { id: "ana", name: "Ana" };

for (const [what, body, time] of [
  ["as text with a zone", { ...record, timestamp: SAID }, SAID_MS],
  [
    "with an offset and blanks",
    { ...record, timestamp: ` ${SAID.replace("22:00:00Z", "23:00:00.000+01:00")} ` },
    SAID_MS,
  ],
  ["in seconds", { ...record, timestamp: SAID_MS / 1000 }, SAID_MS],
  ["without a zone", { ...record, timestamp: SAID.slice(0, -1) }, SIGNED],
  ["as a year that nobody means", { ...record, timestamp: "0001-01-01T00:00:00Z" }, SIGNED],
  ["not at all", record, SIGNED],
  ["below the top alone", { ...record, data: { timestamp: SAID } }, SIGNED],
  ["in a list", [{ ...record, timestamp: SAID }], SIGNED],
  ["as an object", { ...record, timestamp: { at: SAID } }, SIGNED],
  ["in a form", `id=ana&name=Ana&timestamp=${SAID}`, SIGNED],
] as const) {
  test(`an event of Standard Webhooks that says its time ${what} has ${time === SIGNED ? "the time of its signature" : "that one"}`, () => {
    assert.equal(timeOf(body), time);
  });
}

test("a version that is mapped goes before the time of the event, and other schemes have no such time", () => {
  const body = { ...record, timestamp: SAID, at: "2023-01-01T00:00:00Z" };
  assert.equal(timeOf(body, { version: "at" }), Date.parse(body.at));
  assert.equal(timeOf(body, { scheme: "bamboohr" }), SIGNED);
  assert.equal(timeOf(body, { scheme: "hmac" }), SIGNED);
});

test("an event spells its keys as its sender does, and one that is spelled as it is mapped is the one that is meant", () => {
  const given = (body: unknown): unknown => {
    const event = {
      feed: "hr",
      scheme: "none",
      contentType: "application/json",
      body: Buffer.from(JSON.stringify(body)),
    };
    const [read] = readEvent(event, { mapping }, SIGNED);
    return typeof read === "object" && read.is === "change" ? [read.change.username, read.change.units] : read;
  };
  const units = [{ name: "given_name", value: { kind: "text", text: "Ana" } }];
  assert.deepEqual(given({ ID: "\u200Bana", "name\u200B": "Ana" }), ["ana", units]);
  assert.deepEqual(given({ Id: "eve", id: "ana", name: "Ana", NAME: "Eve" }), ["ana", units]);
});
