import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CloudEvent, HTTP, type CloudEventV1, type Message } from "cloudevents";
import { cloudEventsIn, handshakeOf } from "../../src/ingest/cloud-event.ts";

// The other side is npm's `cloudevents`.

const EVENT: CloudEventV1<object> = {
  specversion: "1.0",
  id: "e-1",
  source: "/hr/berlin",
  type: "person.changed",
  subject: "zoë 7",
  time: "2026-01-31T18:42:00.000Z",
  datacontenttype: "application/json",
  data: { user: "ana", first: "Zoë" },
};
const NAME = JSON.stringify([EVENT.source, EVENT.id]);

/** What a request of that package is taken for. */
function taken({ headers, body }: Message, trustsHeaders = true) {
  const given = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
  const request = { header: (name: string) => given.get(name), body: Buffer.from(String(body)) };
  return cloudEventsIn(request, given.get("content-type"), trustsHeaders);
}

function listed(events: ReturnType<typeof cloudEventsIn>) {
  assert.ok(events !== undefined && events !== "too-many");
  return events;
}

function only(events: ReturnType<typeof cloudEventsIn>) {
  const [event, ...others] = listed(events).map(({ id, body }) => ({
    id,
    said: JSON.parse(body.toString()) as unknown,
  }));
  assert.deepEqual(others, []);
  return event;
}

const request = (body: string, headers: Readonly<Record<string, string>> = {}) =>
  cloudEventsIn({ header: (name) => headers[name], body: Buffer.from(body) }, headers["content-type"], true);

describe("a CloudEvent", () => {
  test("that is structured is known by its source and id, and kept as it came", () => {
    const message = HTTP.structured(new CloudEvent(EVENT));
    const event = only(taken(message));
    assert.equal(event?.id, NAME);
    assert.deepEqual(event.said, JSON.parse(String(message.body)));
    assert.equal(only(request(String(message.body), { "content-type": "text/plain" }))?.id, NAME);
  });

  test("that is binary has its attributes from headers, and its data as it is written", () => {
    const message = HTTP.binary(new CloudEvent(EVENT));
    const { id, said } = only(taken(message)) ?? {};
    assert.equal(id, NAME);
    assert.deepEqual(said, EVENT);
    const headers = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "a%20b" };
    const events = listed(request('{"number":12345678901234567890}', headers));
    const text = String(events[0]?.body);
    assert.ok(text.endsWith('"data":{"number":12345678901234567890}}'), text);
    assert.ok(text.includes('"source":"a b"'));
  });

  test("that is binary has nothing from headers that anybody may have written", () => {
    const { id, said } = only(taken(HTTP.binary(new CloudEvent(EVENT)), false)) ?? {};
    assert.equal(id, undefined);
    assert.deepEqual(said, { datacontenttype: "application/json", data: EVENT.data });
  });

  test("that is binary keeps data that is no JSON byte by byte", () => {
    const bytes = Buffer.from([0xff, 0x00, 0x22]);
    const header = (name: string) => (name === "ce-specversion" ? "1.0" : undefined);
    assert.deepEqual(only(cloudEventsIn({ header, body: bytes }, "text/plain", true))?.said, {
      specversion: "1.0",
      datacontenttype: "text/plain",
      data_base64: bytes.toString("base64"),
    });
  });

  test("of a batch is one by itself, with its numbers as they are written", () => {
    const type = "application/cloudevents-batch+json; charset=utf-8";
    const texts = [
      '{"specversion":"1.0","id":"1","source":"s","data":{"n":12345678901234567890,"t":"],[{\\"\\\\"}}',
      '{ "specversion":"1.0", "id":"2", "source":"s", "data":[[],{}] }',
      '"no event"',
      "7",
    ];
    const events = listed(request(` [ ${texts.join(" ,\n")} ]`, { "content-type": type }));
    assert.deepEqual(
      events.map(({ body }) => body.toString()),
      texts,
    );
    assert.deepEqual(
      events.map(({ id }) => id),
      ['["s","1"]', '["s","2"]', undefined, undefined],
    );
    assert.deepEqual(request("[]", { "content-type": type }), []);
    const long = `{"specversion":"1.0","id":"3","source":"s","data":"${"\\\\\\n".repeat(2 ** 21)}"}`;
    assert.deepEqual(
      listed(request(`[${long},7]`, { "content-type": type })).map(({ body }) => body.length),
      [long.length, 1],
      "of millions of escapes",
    );
    const many = JSON.stringify(Array.from({ length: 1001 }, () => ({})));
    assert.equal(request(many, { "content-type": type }), "too-many");
    assert.equal(request("[1,", { "content-type": type }), undefined);
    assert.equal(request("{}", { "content-type": type }), undefined);
  });

  test("without an id or source is kept, and named by nobody", () => {
    const type = { "content-type": "application/cloudevents+json" };
    for (const body of ["{}", "{", '{"specversion":"1.0","id":"","source":"s"}', '{"specversion":"1.0","id":1}']) {
      assert.deepEqual(request(body, type), [{ id: undefined, body: Buffer.from(body) }], body);
    }
  });

  test("is none where nothing says so", () => {
    assert.equal(request('{"user":"ana"}', { "content-type": "application/json" }), undefined);
    assert.equal(request(""), undefined);
  });
});

describe("a sender of CloudEvents that asks whether it may send", () => {
  const asked = (origin: string) => handshakeOf((name) => (name === "webhook-request-origin" ? origin : undefined));

  test("may, as often as it likes", () => {
    assert.deepEqual(asked("eventgrid.azure.net"), {
      "webhook-allowed-origin": "eventgrid.azure.net",
      "webhook-allowed-rate": "*",
      allow: "GET, HEAD, OPTIONS, POST",
    });
  });

  test("is not heard where it does not say who it is", () => {
    assert.equal(
      handshakeOf(() => undefined),
      undefined,
    );
    for (const origin of ["", "a b", "a\r\nset-cookie: x", "a, b"]) assert.equal(asked(origin), undefined);
  });
});
