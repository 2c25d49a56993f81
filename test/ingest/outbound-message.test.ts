import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { acknowledgement, readOutboundMessage } from "../../src/ingest/outbound-message.ts";
import { ORGANIZATION, outboundMessage, SESSION } from "./outbound-sample.ts";

const ID = "04l5g00000AAAAAAA0";
const read = (xml: string) => readOutboundMessage(Buffer.from(xml));
const fieldsOf = (fields: string) => read(outboundMessage([{ id: ID, fields }]))?.notifications[0]?.fields;

describe("an outbound message", () => {
  test("has its organization, and each notification with its id and the fields of its object", () => {
    const fields = "<sf:Id>0035g00000AbCdEAAV</sf:Id><sf:Title>VP &amp; <![CDATA[<CTO>]]></sf:Title>";
    const message = read(
      outboundMessage([
        { id: ID, fields },
        { id: "04l5g00000AAAABAA0", fields: "<sf:Id>0035g00000AbCdFAAV</sf:Id>" },
      ]),
    );
    assert.deepEqual(message, {
      organization: ORGANIZATION.slice(0, 15),
      notifications: [
        { id: ID, fields: { Id: "0035g00000AbCdEAAV", Title: "VP & <CTO>" } },
        { id: "04l5g00000AAAABAA0", fields: { Id: "0035g00000AbCdFAAV" } },
      ],
    });
    assert.ok(!JSON.stringify(message).includes(SESSION));
  });

  test("has null for a field that is said to be empty, a blank for one that is, and none that is made of others", () => {
    assert.deepEqual(fieldsOf('<sf:A xsi:nil="true"/><sf:B/><sf:C xsi:nil="false"> x </sf:C>'), {
      A: null,
      B: "",
      C: " x ",
    });
    assert.deepEqual(fieldsOf("<sf:D><sf:City>Bonn</sf:City>x</sf:D><sf:E>e</sf:E>"), { E: "e" });
    assert.deepEqual(fieldsOf("<Title>of another namespace</Title><sf:__proto__>p</sf:__proto__>"), {
      ["__proto__"]: "p",
    });
  });

  const bomb = '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;">]>\n';
  const hundred = Array.from({ length: 101 }, () => ({ id: ID, fields: "" }));
  const none: [what: string, xml: string][] = [
    ["is none", ""],
    ["is JSON", "{}"],
    ["is cut off", outboundMessage().slice(0, -20)],
    ["has a DOCTYPE", outboundMessage(undefined, { before: bomb })],
    [
      "has a DOCTYPE of another address",
      outboundMessage(undefined, { before: '<!DOCTYPE a SYSTEM "file:///etc/passwd">' }),
    ],
    ["has an entity that nobody declared", outboundMessage([{ id: ID, fields: "<sf:A>&b;</sf:A>" }])],
    ["has a prefix that nobody declared", outboundMessage([{ id: ID, fields: "<so:A>a</so:A>" }])],
    ["has more than 100 notifications", outboundMessage(hundred)],
    ["has no notification", outboundMessage([])],
    ["has a notification without an id", outboundMessage([{ id: "", fields: "" }])],
    ["has no organization", outboundMessage(undefined, { organization: "" })],
    ["is of another namespace", outboundMessage().replace("2005/09/outbound", "2006/09/outbound")],
    ["is deeper than any", outboundMessage([{ id: ID, fields: `${"<sf:A>".repeat(20)}${"</sf:A>".repeat(20)}` }])],
  ];
  for (const [what, xml] of none) {
    test(`is not read where it ${what}`, () => assert.equal(read(xml), undefined));
  }

  test("is not read where it is no UTF-8", () => {
    assert.equal(readOutboundMessage(Buffer.from(outboundMessage().replace("VP", "\u00ff"), "latin1")), undefined);
  });

  test("is acknowledged in the words that Salesforce wants", () => {
    assert.equal(
      acknowledgement(true),
      '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse></soapenv:Body></soapenv:Envelope>',
    );
    assert.ok(acknowledgement(false).includes("<Ack>false</Ack>"));
  });
});
