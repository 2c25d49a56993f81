import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { requestOf } from "../chaos/raw-request.ts";
import { fuzzParameters } from "../support/fuzz.ts";
import { feed, genuine, signed, startIngest } from "./ingest-stage.ts";

// Whatever bytes come: the server lives on, keeps nothing that is not genuine, and says nothing of it in the log.

describe("the server for events", () => {
  const NEEDLE = "Qz7";
  const text = fc
    .string({
      unit: fc.oneof(
        fc.constantFrom(...Array.from(" \t:/?#%&=,;{}[]\"'\\\0\u00ff")),
        fc.string({ minLength: 1, maxLength: 1 }),
      ),
    })
    .map((some) => NEEDLE + some.replaceAll(/[\r\n]/g, ""));
  const header = fc.tuple(
    fc.oneof(
      fc.constantFrom(
        "content-type",
        "content-encoding",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
        "expect",
        "x",
        "host",
        "authorization",
      ),
      text,
    ),
    text,
  );
  const raw = fc
    .record({
      method: fc.constantFrom("POST", "GET", "HEAD", "PUT", "OPTIONS", "TRACE", "post"),
      path: fc.oneof(
        fc.constantFrom("/events/hr", "/events/hr?", "/events/", "/healthz"),
        text.map((some) => `/events/${some}`),
      ),
      headers: fc.array(header, { maxLength: 4 }),
      framing: fc.constantFrom(
        "content-length: 5",
        "content-length: -1",
        "transfer-encoding: chunked",
        "content-length: 5\r\ntransfer-encoding: chunked",
        "x: y",
      ),
      body: text,
    })
    .map(({ method, path, headers, framing, body }) =>
      [
        `${method} ${path} HTTP/1.1`,
        "host: a",
        "connection: close",
        framing,
        ...headers.map(([name, value]) => `${name}: ${value}`),
        "",
        body,
      ].join("\r\n"),
    );

  test("takes no bytes for an event that are none, and writes none of them to the log", async (t) => {
    const limits = { headersMs: 20, bodyMs: 20 };
    const stage = await startIngest(t, [feed("hr", { scheme: "standard-webhooks" })], { limits });
    const ask = async (bytes: string) => {
      const answer = await stage.raw(bytes);
      if (/^(post|put)/i.test(bytes)) assert.doesNotMatch(answer, /^HTTP\/1\.1 2/);
    };
    await fc.assert(fc.asyncProperty(raw, ask), fuzzParameters(t, 100));
    assert.deepEqual(stage.events, []);
    const body = "{}";
    assert.equal((await stage.send({ headers: genuine("standard-webhooks", body), body })).status, 200);
    assert.ok(!stage.log().includes(NEEDLE));
    assert.deepEqual(stage.lines("request failed"), []);
  });

  test("answers a genuine request of any bytes, however it is written, with 2xx only where it is kept as it came", async (t) => {
    const limits = { headersMs: 200, bodyMs: 200 };
    const stage = await startIngest(t, [feed("hr", { scheme: "standard-webhooks" })], { limits });
    const manner = fc.record({
      chunked: fc.boolean(),
      pieces: fc.integer({ min: 1, max: 4 }),
      times: fc.integer({ min: 1, max: 3 }),
      halfCloses: fc.boolean(),
    });
    const sent = fc.record({
      body: fc.uint8Array({ maxLength: 900 }).map((bytes) => Buffer.concat([Buffer.from(NEEDLE), bytes])),
      manner,
      cutAt: fc.option(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { nil: undefined, freq: 4 }),
    });
    let taken = 0;
    let count = 0;
    const property = fc.asyncProperty(sent, async ({ body, manner: written, cutAt }) => {
      const id = `msg_${(count += 1)}`;
      const request = { path: "/events/hr", headers: signed(body, { id }), body };
      const how = cutAt === undefined ? written : { ...written, times: 1, cutAt };
      const statuses = await requestOf(stage.port, request, how, 2_000);
      const kept = stage.events.filter(({ event }) => event.id === id);
      if (cutAt !== undefined) assert.deepEqual([statuses.filter((status) => status < 300), kept], [[], []]);
      else assert.ok(kept.length >= statuses.length);
      for (const status of statuses) if (cutAt === undefined) assert.equal(status, 200);
      for (const { event } of kept) assert.deepEqual(event.body, body);
      taken += statuses.length;
    });
    await fc.assert(property, fuzzParameters(t, 100));
    assert.ok(taken > 0);
    assert.ok(!stage.log().includes(NEEDLE));
    assert.deepEqual(stage.lines("request failed"), []);
  });
});
