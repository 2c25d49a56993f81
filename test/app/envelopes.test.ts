import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openEnvelopes } from "../../src/app/events/envelopes.ts";
import { messageEvent } from "../../src/app/events/queue-message.ts";
import { readEvent } from "../../src/app/events/read-event.ts";

const AT = "2026-01-31T18:42:00Z";
const LATER = "2026-01-31T19:00:00.123Z";
const PERSON = { user: "ana", first: "Ana", score: 1.5 };

const bridge = (detail: unknown, more: object = {}) => ({
  version: "0",
  id: "e-1",
  "detail-type": "Person changed",
  source: "com.example.hr",
  account: "123456789012",
  time: AT,
  region: "eu-west-1",
  resources: [],
  detail,
  ...more,
});
const notification = (message: unknown) => ({
  Type: "Notification",
  MessageId: "n-1",
  TopicArn: "arn:aws:sns:eu-west-1:123456789012:crm",
  Message: typeof message === "string" ? message : JSON.stringify(message),
  Timestamp: LATER,
  SignatureVersion: "1",
  Signature: "…",
});
const cloud = (content: object) => ({
  specversion: "1.0",
  type: "com.example.person",
  source: "/hr",
  id: "c-1",
  time: AT,
  ...content,
});
const header = { entityName: "Contact", recordIds: ["003A"], changeType: "UPDATE", commitTimestamp: 1_769_884_000_123 };
const contact = { ChangeEventHeader: header, ...PERSON };
const relay = { source: "aws.partner/salesforce.com/00D000000000001EAA/0YL000000000001GAA" };
const flow = { source: "aws.partner/appflow/salesforce.com/123456789012/contacts" };
const streamed = { schema: "s-1", payload: contact, event: { replayId: 42 } };

const ms = (text: string): number => Date.parse(text);
const cases: readonly (readonly [
  what: string,
  body: unknown,
  event: unknown,
  id: string | undefined,
  timeMs?: number,
])[] = [
  ["plain JSON", PERSON, PERSON, undefined],
  ["a plain list", [PERSON, PERSON], [PERSON, PERSON], undefined],
  ["EventBridge", bridge(PERSON), PERSON, '["eventbridge","e-1"]', ms(AT)],
  ["EventBridge with a text", bridge(JSON.stringify(PERSON)), PERSON, '["eventbridge","e-1"]', ms(AT)],
  ["SNS", notification(PERSON), PERSON, '["sns","n-1"]', ms(LATER)],
  ["SNS with a text that is no JSON", notification("hello"), undefined, '["sns","n-1"]', ms(LATER)],
  ["EventBridge in SNS", notification(bridge(PERSON)), PERSON, '["eventbridge","e-1"]', ms(AT)],
  ["CloudEvents", cloud({ data: PERSON }), PERSON, '["cloudevents","/hr","c-1"]', ms(AT)],
  [
    "CloudEvents with a packed text",
    cloud({ data_base64: Buffer.from(JSON.stringify(PERSON)).toString("base64") }),
    PERSON,
    '["cloudevents","/hr","c-1"]',
    ms(AT),
  ],
  ["CloudEvents without data", cloud({}), cloud({}), undefined],
  [
    "CloudEvents without a time, in SNS",
    notification(cloud({ data: PERSON, time: undefined })),
    PERSON,
    '["cloudevents","/hr","c-1"]',
    ms(LATER),
  ],
  [
    "Salesforce by Event Relay",
    bridge({ payload: contact, schemaId: "s-1", id: "r-1" }, relay),
    contact,
    '["eventbridge","e-1"]',
    header.commitTimestamp,
  ],
  [
    "a platform event of Salesforce by Event Relay",
    bridge({ payload: PERSON, schemaId: "s-1", id: "r-1" }, relay),
    PERSON,
    '["eventbridge","e-1"]',
    ms(AT),
  ],
  ["Salesforce by AppFlow", bridge(contact, flow), contact, '["eventbridge","e-1"]', header.commitTimestamp],
  ["a change as Salesforce streams it", streamed, contact, undefined, header.commitTimestamp],
  [
    "what only has some of the keys of EventBridge",
    { detail: PERSON, source: "x" },
    { detail: PERSON, source: "x" },
    undefined,
  ],
  ["a payload that is no change", { payload: PERSON, schema: "x" }, { payload: PERSON, schema: "x" }, undefined],
];

describe("the envelopes of a message", () => {
  for (const [what, body, event, id, timeMs] of cases) {
    test(`are taken off: ${what}`, () => {
      const opened = openEnvelopes(JSON.stringify(body));
      assert.deepEqual([opened.event, opened.id, opened.timeMs], [event, id, timeMs]);
    });
  }

  test("are bounded, and what is no JSON is no envelope", () => {
    let nested: unknown = PERSON;
    for (let layer = 0; layer < 8; layer += 1) nested = notification(nested);
    assert.equal(openEnvelopes(JSON.stringify(nested)).id, '["sns","n-1"]');
    for (const body of ["", "no JSON", "7", "null", "[".repeat(100_000)]) {
      const { within, id, timeMs, text } = openEnvelopes(body);
      assert.deepEqual([within, id, timeMs, text], [[], undefined, undefined, body]);
    }
  });
});

const mapping = {
  usernameColumn: "user",
  attributes: [{ name: "custom:score", column: "score", transforms: [], onBlank: "skip" }],
  ignored: [],
  unknown: "ignore",
} as const;
const SENT = 1_770_000_000_000;

/** What a message becomes where it is drained. */
function read(body: unknown, settings: { records?: string; version?: string } = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const event = messageEvent({ messageId: "m-1", body: text, sentAtMs: SENT });
  const came = { ...event, contentType: "application/json", feed: "crm" };
  const versioned = settings.version === undefined ? mapping : { ...mapping, versionColumn: settings.version };
  return readEvent(came, { records: settings.records, mapping: versioned }, SENT);
}

describe("a message of a queue", () => {
  test("has the version that is mapped, else its envelope's time, else when it was sent", () => {
    const versionOf = (...given: Parameters<typeof read>): unknown => {
      const records = read(...given);
      assert.ok(typeof records !== "string");
      return records.map((record) => record.is === "change" && record.change.version?.timeMs);
    };
    assert.deepEqual(versionOf({ ...PERSON, at: LATER }, { version: "at" }), [ms(LATER)]);
    assert.deepEqual(versionOf(bridge({ ...PERSON, at: LATER }), { version: "at" }), [ms(LATER)]);
    assert.deepEqual(versionOf(bridge(PERSON)), [ms(AT)]);
    assert.deepEqual(versionOf(PERSON), [SENT]);
    assert.deepEqual(versionOf(bridge({ people: [PERSON, PERSON] }), { records: "people[*]" }), [ms(AT), ms(AT)]);
  });

  test("has its numbers as they are written, within any envelope", () => {
    const number = "12345678901234567890.50";
    const body = JSON.stringify(PERSON).replace("1.5", number);
    const inBridge = JSON.stringify(bridge(PERSON)).replace("1.5", number);
    for (const text of [body, inBridge, JSON.stringify(notification(inBridge))]) {
      const records = read(text);
      assert.ok(JSON.stringify(records).includes(`"${number}"`), JSON.stringify(records));
    }
  });

  test("that cannot be read, or is of another kind, is parked for its reason", () => {
    assert.equal(read("no JSON"), "unreadable");
    assert.equal(read(notification("hello")), "unreadable");
    assert.equal(read(bridge(null)), "no-column");
    const records = read(bridge({ hello: "there" }));
    assert.ok(typeof records !== "string");
    assert.deepEqual(
      records.map((record) => record.is === "parked" && record.reason),
      ["no-column"],
    );
    assert.equal(read(`{"user":"${"x".repeat(2 ** 20)}"}`), "unreadable");
  });

  test("is known by the id that is mapped, else by its envelope's, else by its own", () => {
    const idOf = (body: unknown, expression?: string): string | undefined =>
      messageEvent({ messageId: "m-1", body: JSON.stringify(body), sentAtMs: SENT }, expression).id;
    assert.equal(idOf({ key: "k-1" }, "key"), '["own","k-1"]');
    assert.equal(idOf(bridge({ key: 7 }), "key"), '["own","7"]');
    assert.equal(idOf(bridge({ key: 2 ** 60 }), "key"), '["eventbridge","e-1"]');
    assert.equal(idOf(bridge(PERSON), "key"), '["eventbridge","e-1"]');
    assert.equal(idOf({ key: "" }, "key"), '["message","m-1"]');
    assert.equal(idOf(PERSON), '["message","m-1"]');
    assert.equal(idOf(PERSON, "length(user)"), '["own","3"]');
    assert.equal(idOf(PERSON, "length(score)"), '["message","m-1"]');
  });
});
