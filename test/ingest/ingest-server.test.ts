import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { ConfigError } from "../../src/config/config-error.ts";
import { RETRY_AFTER, WHILE_FULL } from "../../src/ingest/answers.ts";
import { createIngestServer, type Acceptance } from "../../src/ingest/ingest-server.ts";
import { createLog } from "../../src/log.ts";
import { feed, genuineRequest, NOW, PLAIN_HMAC, responseTo, SECRET, signed, startIngest } from "./ingest-stage.ts";

const BODY = '{"user":"ana@example.com","first":"Ana"}';
const crm = () => feed("hr", { scheme: "standard-webhooks" });
const open = () => feed("hr", { scheme: "none" });

describe("a webhook", () => {
  test("is answered 200 when its event is kept, whole and as it came", async (t) => {
    const stage = await startIngest(t, [crm()]);
    const headers = { ...signed(BODY), "content-type": "application/json; charset=utf-8" };
    const { status, text } = await stage.send({ headers, body: BODY });
    assert.deepEqual([status, text], [200, "accepted: the event is kept\n"]);
    const wanted = {
      id: "msg_1",
      signedAtMs: NOW,
      scheme: "standard-webhooks",
      body: Buffer.from(BODY),
      contentType: "application/json; charset=utf-8",
    };
    assert.deepEqual(stage.events, [{ feed: "hr", event: wanted }]);
  });

  test("is not answered before its event is kept", async (t) => {
    const kept = Promise.withResolvers<Acceptance>();
    const asked = Promise.withResolvers<void>();
    const accept = () => (asked.resolve(), kept.promise);
    const stage = await startIngest(t, [open()], { accept });
    let answered = false;
    const answer = stage.send({ body: BODY }).finally(() => (answered = true));
    await asked.promise;
    // Another request makes the whole way meanwhile.
    assert.equal((await stage.send({ path: "/healthz", method: "GET" })).status, 200);
    assert.equal(answered, false);
    kept.resolve("accepted");
    assert.equal((await answer).status, 200);
  });

  const refused: [what: string, headers: Record<string, string>, reason: string][] = [
    ["has no signature", {}, "unsigned"],
    ["is forged", signed(`${BODY} `), "forged"],
    ["has half a signature", { ...signed(BODY), "webhook-timestamp": "x" }, "malformed"],
    ["is late", signed(BODY, { at: NOW - 301_000 }), "late"],
    ["is ahead", signed(BODY, { at: NOW + 301_000 }), "ahead"],
  ];
  for (const [what, headers, reason] of refused) {
    test(`is refused with 401, and handed to nobody, where it ${what}`, async (t) => {
      const stage = await startIngest(t, [crm()]);
      const { status, text } = await stage.send({ headers, body: BODY });
      assert.equal(status, 401);
      assert.match(text, new RegExp(`^${reason}: `));
      assert.deepEqual(stage.events, []);
    });
  }

  test("that is genuine and unreadable is kept", async (t) => {
    const stage = await startIngest(t, [crm()]);
    for (const body of ["", "no JSON", '{"half":']) {
      assert.equal((await stage.send({ headers: signed(body), body })).status, 200);
    }
    assert.equal(stage.events.length, 3);
  });

  test("of a page in a browser is refused where there is no secret", async (t) => {
    const stage = await startIngest(t, [open()]);
    assert.equal((await stage.send({ headers: { origin: "https://example.com" }, body: BODY })).status, 401);
  });

  test("has the id that the settings find in it", async (t) => {
    const stage = await startIngest(t, [feed("hr", { scheme: "bearer", id: "meta.id" })]);
    await stage.send({ headers: { authorization: "Bearer t" }, body: '{"meta":{"id":"e7"}}' });
    assert.equal(stage.events[0]?.event.id, "e7");
  });

  test("is told where there is none, and what methods there are", async (t) => {
    const stage = await startIngest(t, [open()]);
    const status = async (path: string, method: string) => (await stage.send({ path, method })).status;
    for (const path of [
      "/",
      "/events",
      "/events/",
      "/events/other",
      "/events/hr/",
      "/events/hr/x",
      "/EVENTS/hr",
      "/events/%zz",
    ]) {
      assert.equal(await status(path, "POST"), 404, path);
    }
    assert.equal(await status("/events/hr?from=crm", "GET"), 200);
    assert.equal(await status("/events/hr", "HEAD"), 200);
    const wrong = await stage.send({ method: "PUT", body: BODY });
    assert.deepEqual([wrong.status, wrong.headers["allow"]], [405, "GET, HEAD, POST"]);
    assert.equal(await status("/events/hr", "OPTIONS"), 405);
    assert.equal(await status("/healthz", "POST"), 405);
    assert.deepEqual(stage.events, []);
  });

  test("is refused with 415 where nothing could read it, and taken whatever else its type is", async (t) => {
    const stage = await startIngest(t, [open()]);
    const status = async (headers: Record<string, string>) => (await stage.send({ headers, body: BODY })).status;
    for (const type of [
      "multipart/form-data; boundary=x",
      "image/png",
      "text/xml",
      "application/soap+xml",
      "application/zip",
    ]) {
      assert.equal(await status({ "content-type": type }), 415, type);
    }
    assert.equal(await status({ "content-encoding": "gzip" }), 415);
    assert.equal(stage.events.length, 0);
    for (const type of [
      "application/json",
      "application/cloudevents+json",
      "text/plain",
      "application/x-www-form-urlencoded",
      "nonsense",
      "",
    ]) {
      assert.equal(await status({ "content-type": type }), 200, type);
    }
    assert.equal(await status({ "content-encoding": "identity" }), 200);
  });
});

describe("a fault of ours", () => {
  for (const [scheme, status] of Object.entries(WHILE_FULL) as [keyof typeof WHILE_FULL, number][]) {
    test(`is told as ${status} while the inbox is full to a sender of ${scheme}, with the time to wait`, async (t) => {
      const accept = () => Promise.resolve<Acceptance>("full");
      const stage = await startIngest(t, [feed("hr", { scheme, hmac: PLAIN_HMAC })], { accept });
      const answer = await stage.send(genuineRequest(scheme, BODY));
      assert.deepEqual([answer.status, answer.headers["retry-after"]], [status, String(RETRY_AFTER)]);
      assert.deepEqual(
        stage.lines("request answered").map(({ reason }) => reason),
        ["full"],
      );
    });
  }

  const faults: [reason: string, accept: () => Promise<Acceptance>, now: number | undefined][] = [
    ["store-away", () => Promise.resolve("unavailable"), NOW],
    ["store-away", () => Promise.reject(new Error("ana@example.com was not written")), NOW],
    ["store-away", () => new Promise(() => undefined), NOW],
    ["no-clock", () => Promise.resolve("accepted"), undefined],
  ];
  for (const [reason, accept, now] of faults) {
    test(`is never a 4xx: ${reason}`, async (t) => {
      const stage = await startIngest(t, [crm()], { accept, now: () => now, limits: { acceptMs: 30 } });
      const answer = await stage.send({ headers: signed(BODY), body: BODY });
      assert.deepEqual([answer.status, answer.text.split(":", 1)[0]], [503, reason]);
      assert.equal(answer.headers["retry-after"], String(RETRY_AFTER));
      assert.ok(!stage.log().includes("ana@"));
    });
  }

  test("is a secret that is not set: 503 for its feed, and not ready, while others take events", async (t) => {
    const other = { ...feed("other", { scheme: "bamboohr" }), secrets: [undefined, "old"] };
    const stage = await startIngest(t, [open(), other]);
    assert.equal((await stage.send({ path: "/events/other", body: BODY })).status, 503);
    assert.equal((await stage.send({ body: BODY })).status, 200);
    const ready = await stage.send({ path: "/readyz", method: "GET" });
    assert.deepEqual([ready.status, ready.text], [503, "not ready\nfeed other takes no events: S is not set\n"]);
    assert.equal((await stage.send({ path: "/healthz", method: "GET" })).status, 200);
    const line = { level: "error", feed: "other", variable: "S", fault: "not set", msg: "secret cannot be used" };
    assert.deepEqual(stage.lines("secret cannot be used"), [line]);
  });

  test("is said by what the process knows besides", async (t) => {
    const stage = await startIngest(t, [open()], { ready: () => false, notes: () => ["the store is away"] });
    const ready = await stage.send({ path: "/readyz", method: "GET" });
    assert.deepEqual([ready.status, ready.text], [503, "not ready\nthe store is away\n"]);
  });
});

describe("the body of a request", () => {
  const long = Buffer.alloc(100_000, "x");

  test("is refused with 413 before it is read, where it says how long it is", async (t) => {
    const stage = await startIngest(t, [open()]);
    const sent = request({
      port: stage.port,
      path: "/events/hr",
      method: "POST",
      headers: { "content-length": "1001" },
    });
    sent.flushHeaders();
    const response = await responseTo(sent);
    assert.equal(response.statusCode, 413);
    sent.destroy();
    assert.deepEqual(stage.events, []);
  });

  test("is refused with 413 as it is counted, and the sender reads the answer", async (t) => {
    const stage = await startIngest(t, [open()]);
    const sent = request({ port: stage.port, path: "/events/hr", method: "POST" });
    sent.write(long);
    sent.end(long);
    const response = await responseTo(sent);
    response.resume();
    assert.equal(response.statusCode, 413);
    const exact = await stage.send({ body: long.subarray(0, 1000) });
    assert.equal(exact.status, 200);
    assert.ok(stage.lines("request answered").every((line) => Number(line["bytes"] ?? 0) <= 1000));
  });

  test("is asked for only where it may come, if the sender waits to be asked", async (t) => {
    const stage = await startIngest(t, [open()]);
    const ask = async (length: number) => {
      const headers = { expect: "100-continue", "content-length": String(length) };
      const sent = request({ port: stage.port, path: "/events/hr", method: "POST", headers });
      let asked = false;
      sent.on("continue", () => {
        asked = true;
        sent.end(long.subarray(0, length));
      });
      sent.flushHeaders();
      const response = await responseTo(sent);
      response.resume();
      return [asked, response.statusCode];
    };
    assert.deepEqual(await ask(1000), [true, 200]);
    assert.deepEqual(await ask(1001), [false, 413]);
  });

  test("is cut where it is slow, and the sender asked to send again", async (t) => {
    const stage = await startIngest(t, [open()], { limits: { bodyMs: 30 } });
    const text = await stage.raw("POST /events/hr HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n12345");
    assert.match(text, /^HTTP\/1\.1 503 .*\r\n(.*\r\n)*retry-after: 30\r\n/i);
    assert.match(text, /slow: /);
    assert.deepEqual(stage.events, []);
  });

  test("is not read where those in hand fill the memory, until they are answered", async (t) => {
    const kept = Promise.withResolvers<Acceptance>();
    const asked = Promise.withResolvers<void>();
    let first = true;
    const accept = () => {
      if (!first) return Promise.resolve<Acceptance>("accepted");
      first = false;
      asked.resolve();
      return kept.promise;
    };
    const stage = await startIngest(t, [open()], { accept, limits: { bytesInHand: 1500 } });
    const body = long.subarray(0, 1000);
    const held = stage.send({ body });
    await asked.promise;
    const busy = await stage.send({ body });
    assert.deepEqual([busy.status, busy.text.split(":", 1)[0]], [503, "busy"]);
    assert.equal((await stage.send({ body, headers: { "transfer-encoding": "chunked" } })).status, 503);
    kept.resolve("accepted");
    assert.equal((await held).status, 200);
    assert.equal((await stage.send({ body })).status, 200);
  });

  test("fills the memory until the store answers for it, however small it is and whatever its sender was answered", async (t) => {
    const kept = Promise.withResolvers<Acceptance>();
    const limits = { acceptMs: 1, bytesInHand: 20_000 };
    const stage = await startIngest(t, [open()], { accept: () => kept.promise, limits });
    const reasons: (string | undefined)[] = [];
    for (let sent = 0; sent < 5; sent += 1) reasons.push((await stage.send({ body: "{}" })).text.split(":", 1)[0]);
    assert.deepEqual(reasons, ["store-away", "store-away", "store-away", "busy", "busy"]);
    kept.resolve("accepted");
    assert.equal((await stage.send({ body: "{}" })).status, 200);
  });

  test("that its sender gives up is no event", async (t) => {
    const stage = await startIngest(t, [open()]);
    const socket = connect(stage.port, "127.0.0.1");
    socket.end("POST /events/hr HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n12345");
    await once(socket.resume(), "close");
    await stage.close();
    assert.deepEqual(stage.events, []);
    const [line] = stage.lines("request answered");
    assert.deepEqual([line?.["reason"], line?.["status"]], ["cut", undefined]);
  });
});

describe("a connection", () => {
  test("is cut where its headers are slow, and told where they are too long or no HTTP", async (t) => {
    const stage = await startIngest(t, [open()], { limits: { headersMs: 30 } });
    assert.equal(await stage.raw("POST /events/hr HTTP/1.1\r\nhost: a\r\nx-a"), "");
    assert.match(await stage.raw(`GET /healthz HTTP/1.1\r\nx: ${"x".repeat(17_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
    assert.match(await stage.raw("what is this\r\n\r\n"), /^HTTP\/1\.1 400 /);
    assert.match(
      await stage.raw("POST /events/hr HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n"),
      /^HTTP\/1\.1 400 /,
    );
    const reasons = stage.lines("request answered").map(({ reason }) => reason);
    assert.deepEqual(reasons, ["long-headers", "bad-request", "bad-request"]);
  });

  test("takes one request after another", async (t) => {
    const stage = await startIngest(t, [open()]);
    const one = `POST /events/hr HTTP/1.1\r\nhost: a\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`;
    const last = one.replace("host", "connection: close\r\nhost");
    const answers = (await stage.raw(one + one + last)).match(/HTTP\/1\.1 200/g);
    assert.equal(answers?.length, 3);
    assert.equal(stage.events.length, 3);
  });

  test("of others than this machine is not listened for where a feed has no secret", async () => {
    const options = { accept: () => Promise.resolve<Acceptance>("accepted"), now: () => NOW, ready: () => true };
    const server = createIngestServer({
      ...options,
      log: createLog("silent"),
      feeds: [crm(), { ...open(), name: "x" }],
    });
    for (const host of ["0.0.0.0", "::", "192.0.2.1", "hr.example.com"]) {
      await assert.rejects(server.listen({ host, port: 0 }), (error) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, /^poolsync\.yaml: feeds\.x\.events\.scheme: Expected a scheme with a secret/);
        return true;
      });
    }
    await server.close(0);
  });

  test("in hand is answered when the server stops, and no other is taken", async (t) => {
    const kept = Promise.withResolvers<Acceptance>();
    const asked = Promise.withResolvers<void>();
    const stage = await startIngest(t, [open()], { accept: () => (asked.resolve(), kept.promise) });
    const idle = connect(stage.port, "127.0.0.1");
    await once(idle, "connect");
    const answer = stage.send({ body: BODY });
    await asked.promise;
    const closed = stage.close(60_000);
    await once(idle.resume(), "close");
    await assert.rejects(stage.send({ body: BODY }), { code: "ECONNREFUSED" });
    kept.resolve("accepted");
    const { status, headers } = await answer;
    assert.deepEqual([status, headers["connection"]], [200, "close"]);
    await closed;
  });

  test("is cut where its request outlasts the stop", async (t) => {
    const asked = Promise.withResolvers<void>();
    const accept = () => (asked.resolve(), new Promise<Acceptance>(() => undefined));
    const stage = await startIngest(t, [open()], { accept });
    const cut = assert.rejects(stage.send({ body: BODY }), { code: "ECONNRESET" });
    await asked.promise;
    await stage.close(10);
    await cut;
  });
});

describe("the log", () => {
  test("has one line a request: feed, status, reason, bytes, time and nothing that a stranger or a person wrote", async (t) => {
    const stage = await startIngest(t, [crm(), feed("jobs", { scheme: "bearer" })]);
    const signature = signed(BODY, { id: "ana@example" });
    await stage.send({ headers: signature, body: BODY, path: "/events/hr?user=ana@example.com" });
    await stage.send({ headers: { "user-agent": "ana@example.com" }, body: BODY });
    await stage.send({ headers: { authorization: "Bearer ana@example.com" }, path: "/events/jobs", body: BODY });
    await stage.send({ path: "/events/ana@example.com", body: BODY });
    await stage.raw("ana@example.com /events/hr HTTP/1.1\r\n\r\n");
    const lines = stage.lines("request answered").map(({ ms, ...line }) => {
      assert.equal(typeof ms === "number" || line["reason"] === "bad-request", true);
      return line;
    });
    const line = { level: "info", msg: "request answered" };
    const { length: bytes } = BODY;
    assert.deepEqual(lines, [
      { ...line, feed: "hr", status: 200, reason: "accepted", bytes, secret: 1 },
      { ...line, feed: "hr", status: 401, reason: "unsigned", bytes },
      { ...line, feed: "jobs", status: 401, reason: "forged", bytes },
      { ...line, status: 404, reason: "unknown-path", bytes: 0 },
      { ...line, status: 400, reason: "bad-request" },
    ]);
    assert.doesNotMatch(stage.log(), /ana|example\.com/i);
  });

  test("counts which of two secrets senders use, so that one knows when the old one may go", async (t) => {
    const old = "whsec_b2xkIHNlY3JldA==";
    const rotated = { ...crm(), secrets: [SECRET, old] };
    const stage = await startIngest(t, [rotated]);
    for (const secret of [SECRET, old, old]) await stage.send({ headers: signed(BODY, { secret }), body: BODY });
    await stage.send({ body: BODY });
    await stage.close();
    const counted = { feed: "hr", reasons: { accepted: 3, unsigned: 1 }, secrets: [1, 2] };
    assert.deepEqual(stage.lines("events counted"), [{ level: "info", ...counted, msg: "events counted" }]);
  });
});
