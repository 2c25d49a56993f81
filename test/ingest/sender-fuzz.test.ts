import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readEvent } from "../../src/app/events/read-event.ts";
import { cloudEventsIn } from "../../src/ingest/cloud-event.ts";
import { readOutboundMessage } from "../../src/ingest/outbound-message.ts";
import { fuzzParameters } from "../support/fuzz.ts";
import { outboundMessage, SESSION } from "./outbound-sample.ts";

// Whatever senders with a form of their own send: nothing is thrown, and what is not to be kept is in nothing.

describe("an outbound message of any bytes", () => {
  const message = outboundMessage([1, 2].map((id) => ({ id: `04l5g00000AAAAA${id}A0`, fields: "<sf:Id>a</sf:Id>" })));
  const piece = fc.oneof(
    fc.constantFrom(
      "<",
      ">",
      "/>",
      "</",
      "&",
      ";",
      "&#0;",
      "&#x10FFFF;",
      "&lt;",
      "]]>",
      "<![CDATA[",
      "<!--",
      "-->",
      "<?x?>",
      "<!DOCTYPE a [",
      "<!ENTITY b 'c'>",
      "]>",
      "&b;",
      ' xmlns:sf="a"',
      ' xsi:nil="true"',
      "<sf:SessionId>",
      "</sf:SessionId>",
      "<SessionId>",
      "</SessionId>",
      "<sObject>",
      "</Notification><Notification>",
      "\u0000",
      SESSION,
    ),
    fc.string({ unit: "binary", maxLength: 10 }),
  );
  const change = fc.record({
    at: fc.nat(message.length),
    drops: fc.oneof(fc.nat(3), fc.nat(message.length)),
    inserts: piece,
  });

  test("is read as one or not at all, and never with what stands for its session", (t) => {
    const read = (text: string) => readOutboundMessage(Buffer.from(text));
    let count = 0;
    fc.assert(
      fc.property(fc.array(change, { maxLength: 4 }), (changes) => {
        const text = changes.reduce(
          (before, { at, drops, inserts }) => before.slice(0, at) + inserts + before.slice(at + drops),
          message,
        );
        const found = read(text);
        if (found === undefined) return;
        count += 1;
        assert.match(found.organization, /^[A-Za-z0-9]{15}$/);
        assert.ok(found.notifications.length > 0 && found.notifications.length <= 100);
        // Whoever writes a session into a field means it to be read.
        const isInserted = changes.some(({ inserts }) => inserts === SESSION) || text.split(SESSION).length > 2;
        const hasMoved = changes.some(({ inserts }) => /SessionId|sObject|Notification/.test(inserts));
        if (!isInserted && !hasMoved) assert.ok(!JSON.stringify(found).includes(SESSION));
      }),
      fuzzParameters(t, 500),
    );
    assert.ok(count > 0);
  });

  test("is told in no error", (t) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => assert.equal(readOutboundMessage(bytes), undefined)),
      fuzzParameters(t, 500),
    );
  });
});

describe("a CloudEvent of any form", () => {
  const header = (type: string, binary: boolean) => (name: string) =>
    name === "ce-specversion" && binary ? "1.0" : name === "content-type" ? type : undefined;

  test("is one of its batch, exactly as it is written there", (t) => {
    const type = "application/cloudevents-batch+json";
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { maxLength: 8 }), fc.nat(2), (values, indent) => {
        const body = Buffer.from(JSON.stringify(values, undefined, indent));
        const events = cloudEventsIn({ header: header(type, false), body }, type, true);
        assert.ok(events !== undefined && events !== "too-many");
        assert.deepEqual(
          events.map((event) => JSON.parse(event.body.toString()) as unknown),
          JSON.parse(body.toString()),
        );
      }),
      fuzzParameters(t, 500),
    );
  });

  test("is kept whatever it is, and its data comes out as it came in", (t) => {
    const types = ["application/cloudevents+json", "application/cloudevents-batch+json", "application/json", ""];
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.json().map((json) => Buffer.from(json)),
    );
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.boolean(), fc.boolean(), body, (type, isBinary, trusts, bytes) => {
        const events = cloudEventsIn({ header: header(type, isBinary), body: bytes }, type, trusts);
        if (!isBinary || type.includes("cloudevents")) return;
        assert.ok(events !== undefined && events !== "too-many");
        const said = JSON.parse(String(events[0]?.body)) as { data?: unknown; data_base64?: string };
        if (said.data_base64 === undefined) assert.deepEqual(said.data, JSON.parse(Buffer.from(bytes).toString()));
        else assert.deepEqual(Buffer.from(said.data_base64, "base64"), Buffer.from(bytes));
      }),
      fuzzParameters(t, 500),
    );
  });
});

describe("a record of any sender's form", () => {
  const name = { name: "given_name", column: "Title", transforms: [], onBlank: "clear" } as const;
  const deep = { ...name, name: "nickname", column: "Name.FirstName" } as const;
  const mapping = { usernameColumn: "Id", attributes: [name, deep], ignored: [], unknown: "ignore" } as const;
  const names = fc.array(fc.constantFrom("Title", "Name", "Name.FirstName", "__proto__", "", "0x40", "a.b.c"));
  const anything = fc.jsonValue({ maxDepth: 2 });
  const mostly = (value: fc.Arbitrary<unknown>) =>
    fc.oneof({ arbitrary: value, weight: 8 }, { arbitrary: anything, weight: 1 });
  const changeHeader = fc.record(
    {
      entityName: mostly(fc.constant("Contact")),
      recordIds: mostly(fc.array(fc.constantFrom("003A", "003*", "000000000000000AAA", "", "003B"))),
      changeType: mostly(fc.constantFrom("CREATE", "UPDATE", "DELETE", "UNDELETE", "GAP_UPDATE", "GAP_OVERFLOW")),
      changedFields: mostly(names),
      nulledFields: mostly(names),
      commitTimestamp: mostly(fc.constantFrom(1_564_113_600_000, "1564113600000", 1e300, -1, 0.5)),
      sequenceNumber: mostly(fc.nat()),
    },
    { requiredKeys: [] },
  );
  const fields = fc.dictionary(fc.constantFrom("Title", "Name", "Id", "__proto__", "payload"), anything);
  const change = fc
    .tuple(changeHeader, fields, fc.constantFrom("", "payload", "data", "detail"))
    .map(([ChangeEventHeader, others, place]) => {
      const inner = { ...others, ChangeEventHeader };
      return place === "" ? inner : { [place]: place === "payload" ? inner : { payload: inner } };
    });
  const property = fc.record(
    {
      objectId: mostly(fc.nat()),
      occurredAt: mostly(fc.constant(1_564_113_600_000)),
      subscriptionType: mostly(fc.constantFrom("contact.propertyChange", "company.creation", "object.merge")),
      propertyName: mostly(fc.constantFrom("Title", "Id", "objectId", "__proto__")),
      propertyValue: anything,
    },
    { requiredKeys: [] },
  );
  const event = fc.record({ specversion: fc.constant("1.0"), data: change, data_base64: anything, time: anything });
  const body = fc.oneof(change, fc.array(fc.oneof(change, property)), fc.array(property), event, anything);

  test("is a change or parked, each under a number of its own, and the same each time", (t) => {
    const setting = fc.record({
      scheme: fc.constantFrom("hubspot", "bearer", "salesforce-outbound"),
      contentType: fc.constantFrom("application/json", "application/cloudevents+json"),
      format: fc.constantFrom("cloudevents" as const, undefined),
      records: fc.constantFrom(undefined, "@", "data"),
    });
    fc.assert(
      fc.property(body, setting, (said, { scheme, contentType, format, records }) => {
        const came = { feed: "crm", scheme, contentType, body: Buffer.from(JSON.stringify(said)) };
        const found = readEvent(came, { mapping, format, records }, 1_700_000_000_000);
        if (typeof found === "string") return;
        const lines = found.map(({ line }) => line);
        assert.equal(new Set(lines).size, lines.length);
        assert.deepEqual(readEvent(came, { mapping, format, records }, 1_700_000_000_000), found);
      }),
      fuzzParameters(t, 500),
    );
  });
});
