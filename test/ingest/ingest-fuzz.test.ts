import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fuzzParameters } from "../support/fuzz.ts";
import { feed, genuine, startIngest } from "./ingest-stage.ts";

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
});
