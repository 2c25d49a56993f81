import assert from "node:assert/strict";
import { test } from "node:test";
import { eventId, keptBytes, openEvent, resealEvent, sealEvent } from "../../src/store/sealed-event.ts";
import { testKeyring } from "../support/keyring.ts";

const body = Buffer.from([0, 10, 255, 123, 10]);
const event = { feed: "hr", scheme: "hmac", signedAt: 5, contentType: "application/json", body };

test("an event opens as it came, at its entry and for its feed alone", () => {
  const keyring = testKeyring();
  const sealed = sealEvent(keyring, "id", event);
  const opened = openEvent(keyring, { id: "id", feed: "hr", body: sealed });
  assert.deepEqual(opened && { ...opened, body: Buffer.from(opened.body) }, event);
  assert.equal(openEvent(keyring, { id: "other", feed: "hr", body: sealed }), undefined);
  assert.equal(openEvent(keyring, { id: "id", feed: "crm", body: sealed }), undefined);
  assert.equal(openEvent(testKeyring(), { id: "id", feed: "hr", body: sealed }), undefined);
  for (const text of ["", "no line", '{"feed":"hr"}\n', "{\n"]) {
    const other = keyring.seal(["event", "id"], text);
    assert.equal(openEvent(keyring, { id: "id", feed: "hr", body: other }), undefined);
  }
});

test("an event is named by its own id or its body, within its feed and the way in which it came", () => {
  const keyring = testKeyring();
  const [hr, crm, job] = [
    { feed: "hr", scheme: "hmac" },
    { feed: "crm", scheme: "hmac" },
    { feed: "hr", scheme: "job" },
  ];
  const ids = [
    eventId(keyring, hr, "1"),
    eventId(keyring, crm, "1"),
    eventId(keyring, job, "1"),
    eventId(keyring, hr, Buffer.from("1")),
    eventId(testKeyring(), hr, "1"),
  ];
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
  assert.equal(eventId(keyring, hr, "1"), ids[0]);
  assert.equal(eventId(keyring, hr, new Uint8Array([49])), ids[3]);
});

test("an event takes no more as it is kept than is said of the length of its body", () => {
  for (const length of [0, 1_000_000]) {
    const long = { ...event, contentType: "x".repeat(16_000), body: Buffer.alloc(length, 255) };
    assert.ok(sealEvent(testKeyring(), "id", long).length <= keptBytes(length));
  }
});

test("an event is sealed anew under other keys and another id", () => {
  const [from, to] = [testKeyring(), testKeyring()];
  const sealed = { id: "id", body: sealEvent(from, "id", event) };
  const anew = resealEvent({ from, to }, sealed, "new") ?? "";
  assert.equal(openEvent(to, { id: "new", feed: "hr", body: anew })?.scheme, "hmac");
  assert.equal(resealEvent({ from: to, to: from }, sealed, "new"), undefined);
});
