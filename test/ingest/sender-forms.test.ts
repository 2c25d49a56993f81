import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";
import { CloudEvent, HTTP } from "cloudevents";
import type { Acceptance } from "../../src/ingest/ingest-server.ts";
import { createEventReader } from "../../src/ingest/received-events.ts";
import { acknowledgement } from "../../src/ingest/outbound-message.ts";
import type { ReceivedEvent } from "../../src/ingest/received-events.ts";
import { createVerifier } from "../../src/ingest/verifier.ts";
import { feed, genuine, NOW, startIngest, type Stage } from "./ingest-stage.ts";
import { outboundMessage, SESSION } from "./outbound-sample.ts";

// The vectors of HubSpot's documentation.
const SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy";
const BODY =
  '[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]';
const URL = "https://www.example.com/webhook_uri";
const AT = 1_564_113_600_000;
const V1 = "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de";
const V3 = {
  "x-hubspot-signature-v3": "DxmVAjFNa2xfF3YgQjdZP6TNcok9k1oaH7UXombPtvw=",
  "x-hubspot-request-timestamp": String(AT),
};

type Headers = Readonly<Record<string, string>>;

function verify(signatureVersion: "v1" | "v2" | "v3", headers: Headers, { body = BODY, url = URL, now = AT } = {}) {
  const setting = { scheme: "hubspot", signatureVersion, publicUrl: url, toleranceMs: 300_000 } as const;
  const given = { header: (name: string) => headers[name], body: Buffer.from(body) };
  const verification = createVerifier(setting, [SECRET, undefined]).verify(given, now);
  return verification.kind === "authentic" ? verification : verification.reason;
}

describe("a request of hubspot", () => {
  test("is let in with the signature of its documentation, of v3 with its time", () => {
    const { "x-hubspot-signature-v3": id } = V3;
    const matched = { kind: "authentic", id: id.replace("=", ""), signedAtMs: AT, secret: 0 };
    assert.deepEqual(verify("v3", V3), matched);
    assert.deepEqual(verify("v1", { "x-hubspot-signature": V1, "x-hubspot-signature-version": "v1" }), {
      kind: "authentic",
      id: undefined,
      signedAtMs: undefined,
      secret: 0,
    });
    // Computed by @hubspot/api-client 14.0.1.
    const v2 = "276a2548f0a0181a076d456de09c0e7477ae101ccc16a11600488a77714e9b8d";
    assert.equal(typeof verify("v2", { "x-hubspot-signature": v2, "x-hubspot-signature-version": "v2" }), "object");
  });

  test("cannot choose an older signature, which has no time", () => {
    const old = { "x-hubspot-signature": V1, "x-hubspot-signature-version": "v1" };
    assert.equal(verify("v3", old), "unsigned");
    assert.equal(verify("v3", { ...old, ...V3 }, { now: AT + 300_001 }), "late");
    assert.equal(verify("v2", old), "malformed");
    assert.equal(verify("v1", V3), "unsigned");
  });

  test("is refused with another body, address or time, and a time in another form", () => {
    assert.equal(verify("v3", V3, { body: `${BODY} ` }), "forged");
    assert.equal(verify("v3", V3, { url: `${URL}/` }), "forged");
    assert.equal(verify("v3", { ...V3, "x-hubspot-request-timestamp": String(AT + 1) }), "forged");
    assert.equal(verify("v1", { "x-hubspot-signature": V1 }, { body: "[]" }), "forged");
    for (const time of ["NaN", "1564113600", `0${AT}`, `${AT}0`, ""]) {
      assert.equal(verify("v3", { ...V3, "x-hubspot-request-timestamp": time }), "malformed", time);
    }
  });

  test("is signed with an address whose escapes are undone, of v3", () => {
    const signed = createHmac("sha256", SECRET).update(`POST${URL}?a=b@c/ä`.replace("ä", "%C3%A4") + BODY + AT);
    const headers = { ...V3, "x-hubspot-signature-v3": signed.digest("base64") };
    assert.equal(typeof verify("v3", headers, { url: `${URL}?a=b%40c%2f%C3%A4` }), "object");
  });
});

const soap = { "content-type": "text/xml; charset=UTF-8" };
const salesforce = () => [feed("hr", { scheme: "salesforce-outbound", maxBytes: 10_000 })];
const reasons = (stage: Stage) => stage.lines("request answered").map(({ reason }) => reason);

describe("an outbound message of salesforce-outbound", () => {
  const path = "/events/hr?token=s";

  test("is acknowledged when each of its notifications is kept, without the session", async (t) => {
    const stage = await startIngest(t, salesforce());
    const ids = ["04l5g00000AAAAAAA0", "04l5g00000AAAABAA0"];
    const body = outboundMessage(ids.map((id) => ({ id, fields: `<sf:Id>${id}</sf:Id><sf:Title>VP</sf:Title>` })));
    const { status, text, headers } = await stage.send({ path, headers: soap, body });
    assert.deepEqual([status, text], [200, acknowledgement(true)]);
    assert.equal(headers["content-type"], "text/xml; charset=utf-8");
    assert.deepEqual(
      stage.events.map(({ event }) => [event.body.toString(), event.contentType, event.signedAtMs]),
      ids.map((id) => [`{"Id":"${id}","Title":"VP"}`, "application/json", undefined]),
    );
    assert.notEqual(stage.events[0]?.event.id, stage.events[1]?.event.id);
    assert.ok(!JSON.stringify(stage.events).includes(SESSION));
    assert.ok(!stage.log().includes(SESSION) && !stage.log().includes("token"));
  });

  test("of which one is not kept is not acknowledged", async (t) => {
    let room = 1;
    const accept = (_: string, { length }: readonly unknown[]): Promise<Acceptance> => {
      if (length > room) return Promise.resolve("full");
      room -= length;
      return Promise.resolve("accepted");
    };
    const stage = await startIngest(t, salesforce(), { accept });
    const id = "04l5g00000AAAAAAA0";
    const body = outboundMessage([1, 2, 3].map(() => ({ id, fields: "" })));
    const { status, text } = await stage.send({ path, headers: soap, body });
    assert.deepEqual([status, text, reasons(stage)], [503, acknowledgement(false), ["full"]]);
  });

  test("is refused without the token, with another, of another organization, and where it is none", async (t) => {
    const stage = await startIngest(t, salesforce());
    const body = outboundMessage();
    const send = (more: Partial<Parameters<Stage["send"]>[0]>) => stage.send({ path, headers: soap, body, ...more });
    const answers = [
      await send({ path: "/events/hr" }),
      await send({ path: "/events/hr?token=other" }),
      await send({ body: outboundMessage(undefined, { organization: "00D5g000009ZyxWEAW" }) }),
      await send({ body: body.replace("</soapenv:Envelope>", "") }),
      await send({ body: outboundMessage(undefined, { before: "<!DOCTYPE a>" }) }),
      await send({ headers: { "content-type": "application/json" } }),
    ];
    const soapReasons = ["unsigned", "forged", "foreign", "unreadable-message", "unreadable-message"];
    assert.deepEqual(reasons(stage), [...soapReasons, "unreadable-type"]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [401, 401, 401, 415, 415, 415],
    );
    for (const { text } of answers) assert.equal(text, acknowledgement(false));
    assert.deepEqual(stage.events, []);
    assert.ok(!stage.log().includes("other"));
  });

  test("is sent by nobody who asks whether there is anybody", async (t) => {
    const stage = await startIngest(t, salesforce());
    assert.equal((await stage.send({ method: "GET" })).text, "probe: events are taken here by POST\n");
  });
});

describe("a feed with cloudevents", () => {
  const events = [1, 2].map(
    (id) => new CloudEvent({ id: String(id), source: "s", type: "t", data: { user: `u${id}` } }),
  );
  const batch = JSON.stringify(events);
  const type = { "content-type": "application/cloudevents-batch+json" };

  test("keeps each of a batch by itself, under its own id, with any scheme", async (t) => {
    const stage = await startIngest(t, [feed("hr", { scheme: "standard-webhooks", format: "cloudevents" })]);
    const { status } = await stage.send({ headers: { ...genuine("standard-webhooks", batch), ...type }, body: batch });
    assert.equal(status, 200);
    assert.deepEqual(
      stage.events.map(({ event }) => [event.id, event.contentType, event.signedAtMs]),
      ['["s","1"]', '["s","2"]'].map((id) => [id, "application/cloudevents+json", NOW]),
    );
  });

  for (const most of [2, 1]) {
    test(`has a batch kept in its order, in one step where the inbox has room for it: ${most}`, async (t) => {
      const asked: unknown[][] = [];
      const accept = (_: string, all: readonly ReceivedEvent[]): Promise<Acceptance> => {
        asked.push(all.map(({ id }) => id));
        return Promise.resolve(all.length > most ? "full" : "accepted");
      };
      const stage = await startIngest(t, [feed("hr", { scheme: "none", format: "cloudevents" })], { accept });
      assert.equal((await stage.send({ headers: type, body: batch })).status, 200);
      const [one, other] = ['["s","1"]', '["s","2"]'];
      assert.deepEqual(asked, [[one, other], ...(most === 2 ? [] : [[one], [other]])]);
    });
  }

  test("trusts the headers of a binary event with a token, and not with a signature of the body", async (t) => {
    const schemes = ["bearer", "standard-webhooks"] as const;
    const feeds = schemes.map((scheme) => feed(scheme, { scheme, format: "cloudevents" }));
    const stage = await startIngest(t, feeds);
    const { headers, body } = HTTP.binary(new CloudEvent({ id: "1", source: "s", type: "t", data: { user: "ana" } }));
    for (const scheme of schemes) {
      const given = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
      const all = { ...given, ...genuine(scheme, String(body)) };
      const answer = await stage.send({ path: `/events/${scheme}`, headers: all, body: String(body) });
      assert.equal(answer.status, 200);
    }
    assert.deepEqual(
      stage.events.map(({ event }) => event.id),
      ['["s","1"]', "msg_1"],
    );
  });

  test("is known by a signed id where it says none in the body, and never by a type, which nobody signs", () => {
    const body = Buffer.from('{"user":"ana"}');
    const ids = (type: string, more: Headers, idHeader?: string) => {
      const setting = feed("hr", { scheme: "hmac", format: "cloudevents", idHeader }).events;
      const headers: Headers = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", ...more };
      const request = { header: (name: string) => headers[name], body };
      const found = createEventReader(setting)(request, type, { id: undefined, signedAtMs: undefined });
      assert.ok(typeof found !== "string");
      return found.map(({ id }) => id);
    };
    assert.deepEqual(ids("application/json", { "x-id": "e-1" }, "X-Id"), ["e-1"]);
    assert.deepEqual(ids("application/json", {}), [body]);
    assert.deepEqual(ids("text/plain", { "ce-id": "2" }), [body]);
  });

  test("answers an unknown format with 415, and too many events with 413", async (t) => {
    const stage = await startIngest(t, [feed("hr", { scheme: "bearer", format: "cloudevents", maxBytes: 10_000 })]);
    const send = async (contentType: string, body: string) =>
      (await stage.send({ headers: { ...genuine("bearer", body), "content-type": contentType }, body })).status;
    for (const other of ["avro", "xml", "protobuf"])
      assert.equal(await send(`application/cloudevents+${other}`, "a"), 415);
    assert.equal(await send(type["content-type"], `[${"1,".repeat(1000)}1]`), 413);
    assert.equal(await send(type["content-type"], "[]"), 200);
    assert.equal(await send(type["content-type"], "no list"), 200);
    assert.deepEqual(
      stage.events.map(({ event }) => [event.id, event.body.toString(), event.contentType]),
      [[undefined, "no list", type["content-type"]]],
    );
  });

  test("grants a sender that asks first, and others do not", async (t) => {
    const feeds = [feed("hr", { scheme: "bearer", format: "cloudevents" }), feed("crm", { scheme: "bearer" })];
    const stage = await startIngest(t, feeds);
    const headers = { "webhook-request-origin": "eventgrid.azure.net", "webhook-request-rate": "120" };
    const ask = (path: string, more = headers) => stage.send({ path, method: "OPTIONS", headers: more });
    const granted = await ask("/events/hr");
    assert.deepEqual(
      [granted.status, granted.headers["webhook-allowed-origin"], granted.headers["webhook-allowed-rate"]],
      [200, "eventgrid.azure.net", "*"],
    );
    const other = await ask("/events/crm");
    assert.deepEqual([other.status, other.headers["webhook-allowed-origin"]], [405, undefined]);
    assert.equal((await ask("/events/hr", { ...headers, "webhook-request-origin": "" })).status, 405);
    assert.deepEqual(stage.events, []);
  });
});
