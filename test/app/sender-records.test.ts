/** What events of senders with a form of their own say. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readEvent } from "../../src/app/events/read-event.ts";
import type { EventsSetting } from "../../src/config/events.ts";
import type { Mapping } from "../../src/feeds/mapping.ts";

const CAME = 1_700_000_000_000;
const AT = 1_564_113_600_000;

interface Read {
  readonly scheme?: string;
  readonly contentType?: string;
  readonly records?: string;
  readonly format?: EventsSetting["format"];
  readonly portal?: number;
  readonly columns: Readonly<Record<string, string>>;
  readonly username?: string;
  readonly version?: string;
}

/** Each record in a line: whom it names, what of whom, and when; or why it is parked. */
function read(body: unknown, { columns, username = "Id", version, ...given }: Read) {
  const attributes = Object.entries(columns).map(
    ([name, column]) => ({ name, column, transforms: [], onBlank: "clear" }) as const,
  );
  const mapping: Mapping = { usernameColumn: username, attributes, ignored: [], unknown: "ignore" };
  const { scheme = "bearer", contentType = "application/json", records, format, portal } = given;
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const event = { feed: "crm", scheme, contentType, body: Buffer.from(text) };
  const setting = {
    records,
    format,
    portal,
    mapping: version === undefined ? mapping : { ...mapping, versionColumn: version },
  };
  const found = readEvent(event, setting, CAME);
  if (typeof found === "string") return found;
  return found.map((record) => {
    if (record.is === "parked") return `${record.line} ${record.reason}: ${record.why}`;
    const { username: who, units, version: of } = record.change;
    const said = units.map(({ name, value }) => `${name}=${value.kind === "text" ? value.text : value.kind}`);
    const sequence = of?.sequence === 0 ? "" : `.${of?.sequence}`;
    return [record.line, who, ...said, `@${(of?.timeMs ?? 0) - AT}${sequence}`].join(" ");
  });
}

const HUBSPOT = { scheme: "hubspot", username: "objectId", version: "occurredAt" } as const;
const NAMES = { given_name: "firstname", family_name: "lastname" };
const changed = (objectId: number, propertyName: string, propertyValue: unknown, after = 0) => ({
  eventId: 1,
  subscriptionType: "contact.propertyChange",
  objectId,
  propertyName,
  propertyValue,
  occurredAt: AT + after,
});

describe("events of HubSpot", () => {
  test("are a record a person and moment, with properties as columns", () => {
    const events = [
      changed(1, "firstname", "Ana"),
      changed(2, "firstname", "Bo"),
      changed(1, "lastname", "Roe"),
      changed(1, "firstname", "Anna", 5),
      { ...changed(3, "firstname", "Cy"), subscriptionType: "object.propertyChange", objectTypeId: "0-1" },
    ];
    assert.deepEqual(read(events, { ...HUBSPOT, columns: NAMES }), [
      "1 1 given_name=Ana family_name=Roe @0",
      "2 2 given_name=Bo @0",
      "4 1 given_name=Anna @5",
      "5 3 given_name=Cy @0",
    ]);
  });

  test("clear what is blank, and say nothing where the value is kept back", () => {
    const kept = { ...changed(2, "firstname", ""), propertyValue: undefined };
    assert.deepEqual(read([changed(1, "firstname", ""), kept], { ...HUBSPOT, columns: NAMES }), [
      "1 1 given_name=clear @0",
      "2 no-column: it has none of `firstname`, `lastname`",
    ]);
  });

  test("are parked where they are of companies, which may have the id of a contact, or of no property that is mapped", () => {
    const events = [
      { ...changed(1, "name", "Acme"), subscriptionType: "company.propertyChange" },
      { ...changed(1, "name", "Acme"), subscriptionType: "object.propertyChange", objectTypeId: "0-2" },
      { subscriptionType: "contact.creation", objectId: 4, occurredAt: AT },
      7,
      changed(5, "objectId", "6"),
    ];
    assert.deepEqual(read(events, { ...HUBSPOT, columns: NAMES }), [
      "4 unreadable: undefined",
      "3 no-column: it has none of `firstname`, `lastname`",
      "5 no-column: it has none of `firstname`, `lastname`",
      "1 no-column: it is of no contact",
      "2 no-column: it is of no contact",
    ]);
  });

  test("of two accounts are two records, and of one alone where the feed names it", () => {
    const events = [
      { ...changed(1, "firstname", "Ana"), portalId: 62515 },
      { ...changed(1, "lastname", "Roe"), portalId: 7 },
      changed(1, "lastname", "Poe"),
    ];
    assert.deepEqual(read(events, { ...HUBSPOT, columns: NAMES }), [
      "1 1 given_name=Ana @0",
      "2 1 family_name=Roe @0",
      "3 1 family_name=Poe @0",
    ]);
    assert.deepEqual(read(events, { ...HUBSPOT, columns: NAMES, portal: 62515 }), [
      "1 1 given_name=Ana @0",
      "2 no-column: it is of another portal than the feed's",
      "3 no-column: it is of another portal than the feed's",
    ]);
  });

  test("keep an id of more digits than a double has", () => {
    const body = JSON.stringify([changed(1, "firstname", "Ana")]).replace(
      '"objectId":1',
      '"objectId":90071992547409931',
    );
    assert.deepEqual(read(body, { ...HUBSPOT, columns: NAMES }), ["1 90071992547409931 given_name=Ana @0"]);
  });
});

const TITLE = { nickname: "Title", given_name: "Name.FirstName" };

function change(header: Readonly<Record<string, unknown>>, fields: Readonly<Record<string, unknown>> = {}) {
  return {
    ChangeEventHeader: {
      entityName: "Contact",
      recordIds: ["003A"],
      changeType: "UPDATE",
      changedFields: Object.keys(fields),
      nulledFields: [],
      commitTimestamp: AT,
      commitNumber: 123,
      sequenceNumber: 2,
      ...header,
    },
    ...fields,
  };
}

describe("a change event of Salesforce", () => {
  const title = change({}, { Title: "VP", LastModifiedDate: "2019-07-26T04:00:00Z" });
  const cases: [what: string, body: unknown, said: readonly string[]][] = [
    ["says what changed, and when by its commit", title, ["1 003A nickname=VP @0.2"]],
    [
      "is found within CometD's message",
      { schema: "s", payload: title, event: { replayId: 4 } },
      ["1 003A nickname=VP @0.2"],
    ],
    ["is found within CometD's channel", { channel: "c", data: { payload: title } }, ["1 003A nickname=VP @0.2"]],
    ["is found within an event of EventBridge", { detail: { payload: title } }, ["1 003A nickname=VP @0.2"]],
    ["is found within an event of AppFlow", { detail: title }, ["1 003A nickname=VP @0.2"]],
    ["is found within data", { data: title }, ["1 003A nickname=VP @0.2"]],
    [
      "is of each of its records",
      change({ recordIds: ["003A", "003B"] }, { Title: "VP" }),
      ["1 003A nickname=VP @0.2", "2 003B nickname=VP @0.2"],
    ],
    [
      "says what was cleared, whether it stands there or not",
      change({ nulledFields: ["Title", "Name.FirstName"] }, { Title: null }),
      ["1 003A nickname=clear given_name=clear @0.2"],
    ],
    [
      "says nothing of what is null and was not cleared",
      change({ nulledFields: ["Phone"] }, { Title: null, Name: { FirstName: "Ana", LastName: null } }),
      ["1 003A given_name=Ana @0.2"],
    ],
    [
      "says by what changed that a null was cleared, where it does not say that itself",
      change({ nulledFields: undefined }, { Title: null }),
      ["1 003A nickname=clear @0.2"],
    ],
    [
      "says nothing of what changed and is not there",
      change({ changedFields: ["Title"], nulledFields: undefined }),
      [],
    ],
    ["is done with where nothing that is mapped changed", change({}, { Phone: "1" }), []],
    ["is done with where the record was deleted", change({ changeType: "DELETE" }), []],
    [
      "of a new record says what is there, and what is empty",
      change({ changeType: "CREATE" }, { Title: null, Name: { FirstName: "Ana" } }),
      ["1 003A nickname=clear given_name=Ana @0.2"],
    ],
    [
      "of a new record without anything that is mapped is parked",
      change({ changeType: "UNDELETE" }, { Phone: "1" }),
      ["1 no-column: it has none of `Title`, `Name.FirstName`"],
    ],
    [
      "with numbers as text is read",
      change({ commitTimestamp: String(AT), sequenceNumber: "1" }, { Title: "VP" }),
      ["1 003A nickname=VP @0.1"],
    ],
    ...["GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE"].map(
      (changeType): [string, unknown, readonly string[]] => [
        `is a gap as ${changeType}`,
        change({ changeType }),
        [`1 gap: it is a \`${changeType}\`, which has no values`],
      ],
    ),
    [
      "is a gap of a kind that nobody knows, without its words",
      change({ changeType: "GAP_\u001B]0;owned\u0007" }),
      ["1 gap: it is a gap of another kind, which has no values"],
    ],
    [
      "is a gap where there were too many",
      change({ changeType: "GAP_OVERFLOW", recordIds: ["000000000000000AAA"] }),
      ["1 gap: it is a `GAP_OVERFLOW`, which has no values"],
    ],
    [
      "is a gap where it is of all records",
      change({ recordIds: ["003*"] }, { Title: null }),
      ["1 gap: it is of records that it does not name"],
    ],
    [
      "cannot be read where what was cleared is a bitmap",
      change({ nulledFields: ["0x400000"] }, { Title: "VP" }),
      ["1 unreadable: its `nulledFields` are a bitmap: have the sender decode it"],
    ],
    [
      "cannot be read where its header is of another form",
      change({ recordIds: "003A" }, { Title: "VP" }),
      ["1 unreadable: its `ChangeEventHeader` has not the form of Salesforce's"],
    ],
  ];
  for (const [what, body, said] of cases) {
    test(what, () => assert.deepEqual(read(body, { columns: TITLE }), said));
  }

  const named = (count: number, prefix = "F") => Array.from({ length: count }, (_, index) => `${prefix}${index}`);
  const tooMany = ["1 unreadable: it names more records or fields than Salesforce does"];

  test("cannot be read where it names more records or fields than there can be", () => {
    const columns = TITLE;
    assert.deepEqual(read(change({ nulledFields: named(5_000, "Name.F") }), { columns }), tooMany);
    assert.deepEqual(read(change({ changedFields: named(2_001) }, { Title: "VP" }), { columns }), tooMany);
    assert.deepEqual(read(change({ recordIds: named(10_001) }, { Title: "VP" }), { columns }), tooMany);
    const nulls = Object.fromEntries(named(16_000).map((name) => [name, null]));
    assert.deepEqual(read(change({}, nulls), { columns }), tooMany);
    assert.deepEqual(read(change({ nulledFields: named(16_000).map(() => null) }), { columns }), [
      "1 unreadable: its `ChangeEventHeader` has not the form of Salesforce's",
    ]);
  });

  test("of many fields and records is read with each, also in an envelope with columns", () => {
    const fields = Object.fromEntries(named(1_999).map((name) => [name, "1"]));
    const body = change({ recordIds: named(2_000, "003") }, { ...fields, Title: "VP" });
    const said = named(2_000, "003").map((id, index) => `${index + 1} ${id} nickname=VP @0.2`);
    assert.deepEqual(read(body, { columns: TITLE }), said);
    const cloud = { specversion: "1.0", id: "1", source: "s", type: "t", data: body };
    const contentType = "application/cloudevents+json";
    assert.deepEqual(read(cloud, { columns: TITLE, contentType, format: "cloudevents" }), said);
    const cleared = { changedFields: undefined, nulledFields: [...named(1_998, "Name.F"), "Name.FirstName", "Title"] };
    assert.deepEqual(read(change(cleared, { Name: { F1: "1" } }), { columns: TITLE }), [
      "1 003A nickname=clear given_name=clear @0.2",
    ]);
    const inner = Object.fromEntries(named(20_000).map((name) => [name, null]));
    assert.deepEqual(read(change({}, { ["N".repeat(300_000)]: inner, Title: "VP" }), { columns: TITLE }), [
      "1 003A nickname=VP @0.2",
    ]);
  });

  test("has its record's id as `Id`, whatever field of that name it has", () => {
    for (const Id of ["003B", null, { a: "003B" }]) {
      assert.deepEqual(read(change({}, { Id, Title: "VP" }), { columns: TITLE }), ["1 003A nickname=VP @0.2"]);
    }
  });

  test("is one of several in a body, each with a number of its own", () => {
    const bodies = [
      change({ recordIds: ["003A", "003B"] }, { Title: "VP" }),
      change({ changeType: "GAP_UPDATE" }),
      title,
    ];
    assert.deepEqual(read(bodies, { columns: TITLE }), [
      "1 003A nickname=VP @0.2",
      "2 003B nickname=VP @0.2",
      "3 gap: it is a `GAP_UPDATE`, which has no values",
      "4 003A nickname=VP @0.2",
    ]);
  });

  test("has the version that is mapped, where it has that column", () => {
    const version = "LastModifiedDate";
    assert.deepEqual(read({ payload: title }, { columns: TITLE, version }), ["1 003A nickname=VP @0.2"]);
    const later = change({}, { Title: "VP", LastModifiedDate: "2019-07-26T04:00:01Z" });
    assert.deepEqual(read({ payload: later }, { columns: TITLE, version }), ["1 003A nickname=VP @1000.2"]);
    assert.deepEqual(read({ payload: change({}, { Title: "VP" }) }, { columns: TITLE, version }), [
      "1 003A nickname=VP @0.2",
    ]);
  });

  test("may name its person by a field that goes with it, and keeps numbers as they are written", () => {
    const body = JSON.stringify({ payload: change({}, { Number__c: 1, Title: "VP" }) });
    const exact = body.replace('"Number__c":1', '"Number__c":90071992547409931');
    assert.deepEqual(read(exact, { columns: TITLE, username: "Number__c" }), ["1 90071992547409931 nickname=VP @0.2"]);
  });

  test("is any record where somebody says himself where the records are", () => {
    const said = read({ payload: title }, { columns: { nickname: "Title" }, records: "payload", username: "Title" });
    assert.deepEqual(said, [`1 VP nickname=VP @${CAME - AT}`]);
  });
});

describe("a CloudEvent", () => {
  const given = { contentType: "application/cloudevents+json", format: "cloudevents", username: "user" } as const;
  const event = {
    specversion: "1.0",
    id: "1",
    source: "s",
    type: "t",
    subject: "ana",
    time: new Date(AT).toISOString(),
  };
  const columns = { given_name: "first" };

  test("has its records in its data, is of its time, and has its attributes as columns", () => {
    const body = { ...event, data: { user: "ana", first: "Ana" } };
    assert.deepEqual(read(body, { ...given, columns }), ["1 ana given_name=Ana @0"]);
    assert.deepEqual(read(body, { ...given, columns, username: "ce-subject" }), ["1 ana given_name=Ana @0"]);
    assert.deepEqual(read(body, { ...given, columns, version: "ce-time" }), ["1 ana given_name=Ana @0"]);
    const { time: _time, ...timeless } = body;
    assert.deepEqual(read(timeless, { ...given, columns }), [`1 ana given_name=Ana @${CAME - AT}`]);
  });

  test("has them where `records` finds them in its data, and keeps numbers as they are written", () => {
    const people = [
      { user: "ana", first: "Ana" },
      { user: "bo", first: "Bo", gone: true },
      { user: "X", first: "Cy" },
    ];
    const body = JSON.stringify({ ...event, data: { people } }).replace('"X"', "90071992547409931");
    assert.deepEqual(read(body, { ...given, columns, records: "people[?!gone]" }), [
      "1 ana given_name=Ana @0",
      "2 90071992547409931 given_name=Cy @0",
    ]);
  });

  test("may have its data as bytes", () => {
    const data_base64 = Buffer.from('{"user":"ana","first":"Ana"}').toString("base64");
    assert.deepEqual(read({ ...event, data_base64 }, { ...given, columns }), ["1 ana given_name=Ana @0"]);
    const form = Buffer.from("user=ana&first=Ana").toString("base64");
    const datacontenttype = "application/x-www-form-urlencoded";
    assert.deepEqual(read({ ...event, datacontenttype, data_base64: form }, { ...given, columns }), [
      "1 ana given_name=Ana @0",
    ]);
  });

  test("may bring a change event of Salesforce", () => {
    const body = { ...event, data: { payload: change({}, { Title: "VP" }) } };
    assert.deepEqual(read(body, { ...given, columns: TITLE, username: "Id" }), ["1 003A nickname=VP @0.2"]);
  });

  test("is parked where it has no data or cannot be read, and is plain JSON where its type says so", () => {
    assert.equal(read(event, { ...given, columns }), "no-column");
    assert.equal(read("{", { ...given, columns }), "unreadable");
    const plain = { ...given, scheme: "standard-webhooks", contentType: "application/json", columns };
    const body = { data: { user: "ana" }, first: "Ana" };
    assert.deepEqual(read(body, { ...plain, username: "data.user" }), [`1 ana given_name=Ana @${CAME - AT}`]);
  });

  test("that came with a token is parked where nothing tells it from one that came before", () => {
    const { id: _id, time, ...nameless } = event;
    const said = { ...nameless, data: { user: "ana", first: "Ana", at: time } };
    const parked = [
      "1 unreadable: it has no `source` and `id` of a CloudEvent, and no `time`, and the feed maps no `version`",
    ];
    assert.deepEqual(read(said, { ...given, columns }), parked);
    assert.deepEqual(read({ ...said, id: "" }, { ...given, columns }), parked);
    assert.deepEqual(read(said.data, { ...given, contentType: "application/json", columns }), parked);
    const known = ["1 ana given_name=Ana @0"];
    assert.deepEqual(read({ ...said, time }, { ...given, columns }), known);
    assert.deepEqual(read(said, { ...given, columns, version: "at" }), known);
    assert.deepEqual(read(said, { ...given, columns, scheme: "hmac" }), [`1 ana given_name=Ana @${CAME - AT}`]);
    const ofSalesforce = { payload: change({}, { Title: "VP" }) };
    const plain = { ...given, contentType: "application/json", columns: TITLE, username: "Id" };
    assert.deepEqual(read(ofSalesforce, plain), ["1 003A nickname=VP @0.2"]);
  });
});
