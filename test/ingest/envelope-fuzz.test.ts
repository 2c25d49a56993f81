import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { openEnvelopes } from "../../src/app/events/envelopes.ts";
import { messageEvent } from "../../src/app/events/queue-message.ts";
import { readEvent } from "../../src/app/events/read-event.ts";
import { fuzzParameters } from "../support/fuzz.ts";
import { feed, NOW, signed, startIngest } from "./ingest-stage.ts";
import { outboundMessage } from "./outbound-sample.ts";

// What services and senders really send, with changes that nobody makes on purpose: whatever it is, it is kept as it came.

const AT = "2026-01-31T18:42:00Z";
const person = { user: "ana", first: "Ana" };
const change = {
  ChangeEventHeader: {
    entityName: "Contact",
    recordIds: ["0035g00000AbCdEAAV"],
    changeType: "UPDATE",
    changedFields: ["first"],
    nulledFields: [],
    commitTimestamp: 1_769_884_000_123,
  },
  ...person,
};
const bridge = (source: string, detail: unknown) => {
  const about = { version: "0", id: "e-1", "detail-type": "Changed", account: "123456789012", region: "eu-west-1" };
  return JSON.stringify({ ...about, source, time: AT, resources: [], detail });
};
const cloud = JSON.stringify({ specversion: "1.0", type: "t", source: "/hr", id: "c-1", time: AT, data: person });
const notification = (Message: string) => {
  const TopicArn = "arn:aws:sns:eu-west-1:123456789012:crm";
  return JSON.stringify({ Type: "Notification", MessageId: "n-1", TopicArn, Message, Timestamp: AT });
};
const REAL: Readonly<Record<string, string>> = {
  plain: JSON.stringify(person),
  EventBridge: bridge("com.example.hr", person),
  SNS: notification(JSON.stringify(person)),
  "EventBridge in SNS": notification(bridge("com.example.hr", person)),
  "Event Relay": bridge("aws.partner/salesforce.com/00D/0YL", { payload: change, schemaId: "s" }),
  AppFlow: bridge("aws.partner/appflow/salesforce.com/123456789012/contacts", change),
  CloudEvents: cloud,
  "CloudEvents, a batch": `[${cloud},${cloud.replace("c-1", "c-2")}]`,
};

const piece = fc.oneof(
  fc.constantFrom('"', "\\", "{", "}", "[", "]", ",", ":", "null", "1e999", "-0", "\\ud800", '"__proto__":', "\u0000"),
  fc.constantFrom('"detail":', '"Message":', '"data":', '"data_base64":"', '"payload":', '"id":1,', '"time":"never",'),
  fc.constantFrom(...Object.values(REAL), ...Object.values(REAL).map((text) => JSON.stringify(text))),
  fc.string({ unit: "binary", maxLength: 8 }),
);
const places = fc.array(fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), drops: fc.nat(12), piece }), {
  maxLength: 3,
});
type Places = typeof places extends fc.Arbitrary<infer T> ? T : never;

function mutated(text: string, changes: Places): string {
  return changes.reduce((before, { at, drops, piece: inserted }) => {
    const from = Math.floor(at * before.length);
    return before.slice(0, from) + inserted + before.slice(from + drops);
  }, text);
}

const mapping = {
  usernameColumn: "user",
  attributes: [{ name: "given_name", column: "first", transforms: [], onBlank: "clear" }],
  ignored: [],
  unknown: "ignore",
} as const;

describe("a message of a queue that something has changed", () => {
  for (const [name, real] of Object.entries(REAL)) {
    test(`of ${name} is kept whole under one id, and is a change or parked, the same each time`, (t) => {
      let changes = 0;
      const property = fc.property(places, (made) => {
        const body = mutated(real, made);
        const message = { messageId: "m-1", body, sentAtMs: NOW };
        const event = messageEvent(message);
        assert.equal(event.body.toString(), Buffer.from(body).toString());
        assert.ok(event.id !== "" && event.id === messageEvent(message).id);
        const came = { ...event, feed: "crm", contentType: event.contentType ?? "", signedAt: event.signedAtMs };
        const found = readEvent(came, { mapping }, NOW);
        assert.deepEqual(readEvent(came, { mapping }, NOW), found);
        if (typeof found !== "string") changes += 1;
        // What is read as it was sent says what was sent.
        if (made.length === 0 && openEnvelopes(body).id !== undefined) assert.ok(typeof found !== "string");
      });
      fc.assert(property, { ...fuzzParameters(t, 150), examples: [[[]]] });
      assert.ok(changes > 0 || name.includes("batch"));
    });
  }
});

describe("an authentic request that something had changed before it was signed", () => {
  test("is answered with 2xx and kept as it came, whatever envelope it is in", async (t) => {
    const feeds = [
      feed("hr", { scheme: "standard-webhooks", maxBytes: 100_000 }),
      feed("clouds", { scheme: "standard-webhooks", format: "cloudevents", maxBytes: 100_000 }),
    ];
    const stage = await startIngest(t, feeds);
    const sent = fc.record({ real: fc.constantFrom(...Object.keys(REAL)), made: places, batch: fc.boolean() });
    let count = 0;
    const property = fc.asyncProperty(sent, async ({ real, made, batch }) => {
      const body = mutated(REAL[real] ?? "", made);
      const type = `application/cloudevents${batch ? "-batch" : ""}+json`;
      for (const [name, contentType] of [
        ["hr", "application/json"],
        ["clouds", type],
      ]) {
        const headers = { ...signed(body, { id: `msg_${(count += 1)}` }), "content-type": contentType ?? "" };
        const before = stage.events.length;
        const { status } = await stage.send({ path: `/events/${name}`, headers, body });
        assert.equal(status, 200);
        const kept = stage.events.slice(before).map(({ event }) => event.body.toString());
        if (name === "hr" || kept.length === 1) assert.ok(kept[0] === Buffer.from(body).toString() || batch);
        // An empty batch has nothing to be kept.
        if (kept.length === 0) assert.deepEqual(JSON.parse(body), []);
      }
    });
    await fc.assert(property, fuzzParameters(t, 80));
    assert.deepEqual(stage.lines("request failed"), []);
  });

  test("of SOAP is acknowledged with all of its notifications, or refused as no such message, and never fails", async (t) => {
    const stage = await startIngest(t, [feed("hr", { scheme: "salesforce-outbound", maxBytes: 100_000 })]);
    const message = outboundMessage(
      [1, 2].map((id) => ({ id: `04l5g00000AAAAA${id}A0`, fields: "<sf:Id>a</sf:Id><sf:Title>VP</sf:Title>" })),
    );
    const tag = fc.constantFrom(
      "<",
      ">",
      "</",
      "/>",
      "&",
      "&#0;",
      "]]>",
      "<!--",
      "<![CDATA[",
      "<?x?>",
      "<Notification>",
    );
    const marks = fc.array(
      fc.record({
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        drops: fc.nat(4),
        piece: fc.oneof(tag, fc.string({ unit: "binary", maxLength: 6 })),
      }),
      { maxLength: 2 },
    );
    let acknowledged = 0;
    const property = fc.asyncProperty(marks, async (made) => {
      const body = mutated(message, made);
      const before = stage.events.length;
      const headers = { "content-type": "text/xml; charset=UTF-8" };
      const { status, text } = await stage.send({ path: "/events/hr?token=s", headers, body });
      const kept = stage.events.length - before;
      // Of another organization, or not to be read.
      if (status !== 200) assert.ok(kept === 0 && [401, 413, 415].includes(status), String(status));
      else assert.ok(kept > 0 && text.includes("<Ack>true</Ack>"));
      if (made.length === 0) assert.deepEqual([status, kept], [200, 2]);
      if (status === 200) acknowledged += 1;
    });
    await fc.assert(property, { ...fuzzParameters(t, 80), examples: [[[]]] });
    assert.ok(acknowledged > 0);
    assert.deepEqual(stage.lines("request failed"), []);
  });
});
