import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { createAttributeWriter } from "../../src/cognito/attribute-writer.ts";
import { createCognitoClient, createCognitoClients } from "../../src/cognito/client.ts";
import { until } from "../support/condition.ts";
import { exampleAws } from "../support/aws-environment.ts";

const POOL = "eu-west-1_Example";

describe("the client", () => {
  let restore: () => void;
  before(() => {
    restore = exampleAws();
  });
  after(() => restore());

  test("makes one request of a call, whatever the answer, and says who it is", async () => {
    const requests: IncomingMessage[] = [];
    const server = createServer((request, response) => {
      requests.push(request);
      response.writeHead(500).end();
    }).listen(0, "127.0.0.1");
    const { port } = await new Promise<AddressInfo>((resolve) =>
      server.once("listening", () => resolve(server.address() as AddressInfo)),
    );
    const client = createCognitoClient({ endpoint: `http://127.0.0.1:${port}`, concurrency: 2 });
    const signal = new AbortController().signal;
    const said = await createAttributeWriter(client).write(POOL, "ada", [{ Name: "name", Value: "Ada" }], {
      signal,
      notAfter: Infinity,
    });
    client.close();
    server.close();
    server.closeAllConnections();
    assert.equal(said.ok, false);
    assert.equal(requests.length, 1);
    assert.match(String(requests[0]?.headers["user-agent"]), /app\/poolsync/);
    assert.equal(requests[0]?.headers["x-amz-target"], "AWSCognitoIdentityProviderService.AdminUpdateUserAttributes");
  });

  test("learns from the service how far its clock is wrong", async () => {
    const HOUR_MS = 3_600_000;
    const signedAt: number[] = [];
    const server = createServer((request, response) => {
      const [, date, time] = /^(\d{8})T(\d{6})Z$/.exec(String(request.headers["x-amz-date"])) ?? [];
      signedAt.push(Date.parse(`${date?.replace(/(..)(..)$/, "-$1-$2")}T${time?.replace(/(..)(..)$/, ":$1:$2")}Z`));
      const headers = { "content-type": "application/x-amz-json-1.1" };
      response.writeHead(200, { ...headers, date: new Date(Date.now() + HOUR_MS).toUTCString() }).end("{}");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const client = createCognitoClient({ endpoint: `http://127.0.0.1:${port}`, concurrency: 1 });
    for (const text of ["Ada", "Ida"]) {
      const within = { signal: new AbortController().signal, notAfter: Infinity };
      const said = await createAttributeWriter(client).write(POOL, "ada", [{ Name: "name", Value: text }], within);
      assert.deepEqual(said, { ok: true });
    }
    client.close();
    server.close();
    server.closeAllConnections();
    const [first = Number.NaN, second = Number.NaN] = signedAt;
    assert.ok(Math.abs(second - first - HOUR_MS) < HOUR_MS / 2, `Expected an hour between ${signedAt.join(" and ")}`);
  });

  for (const [title, answer, kind] of [
    ["closes the connection", (socket: Socket) => socket.end(), "network"],
    ["speaks no HTTP", (socket: Socket) => socket.write("220 mail.example.com\r\n"), "network"],
    ["breaks off", (socket: Socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}"), "network"],
    ["never ends", (socket: Socket) => socket.write("HTTP/1.1 200 OK\r\n\r\n{"), "timed-out"],
    [
      "says too much",
      (socket: Socket) => socket.end(`HTTP/1.1 200 OK\r\n\r\n${" ".repeat(16 * 1024 * 1024 + 1)}`),
      "unknown",
    ],
  ] as const) {
    test(`does not know the fate of a call to a server that ${title}`, async () => {
      const server = createTcpServer((socket) => {
        socket.on("error", () => undefined).once("data", () => answer(socket));
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const endpoint = `http://127.0.0.1:${port}`;
      const client = createCognitoClient({ endpoint, concurrency: 1, requestTimeoutMs: 400 });
      const said = await createAttributeWriter(client).write(POOL, "ada", [{ Name: "name", Value: "Ada" }], {
        signal: new AbortController().signal,
        notAfter: Infinity,
      });
      client.close();
      server.close();
      assert.ok(!said.ok);
      const { kind: found, fateUnknown, answered } = said.failure;
      assert.deepEqual({ found, fateUnknown, answered }, { found: kind, fateUnknown: true, answered: false });
    });
  }

  test("waits for a connection no longer than it is set", async () => {
    const sockets: Socket[] = [];
    // What takes the connection and never answers the TLS greeting.
    const server = createTcpServer((socket) => void sockets.push(socket.on("error", () => undefined)));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const endpoint = `https://127.0.0.1:${port}`;
    const client = createCognitoClient({ endpoint, concurrency: 1, connectTimeoutMs: 200, requestTimeoutMs: 600_000 });
    const within = { signal: new AbortController().signal, notAfter: Infinity };
    const said = await createAttributeWriter(client).write(POOL, "ada", [{ Name: "name", Value: "Ada" }], within);
    client.close();
    for (const socket of sockets) socket.destroy();
    server.close();
    assert.ok(!said.ok);
    const { kind, fateUnknown } = said.failure;
    assert.deepEqual({ kind, fateUnknown }, { kind: "timed-out", fateUnknown: false });
  });

  test("has no more sockets than calls may be in flight, and none when it is closed", async () => {
    const requests: ServerResponse[] = [];
    let [opened, open, most] = [0, 0, 0];
    const server = createServer((_request, response) => {
      requests.push(response);
      // Nobody is answered before there is nobody left who could ask.
      if (requests.length >= 2) setImmediate(() => requests.splice(0).forEach((each) => each.end("{}")));
    })
      .on("connection", (socket) => {
        opened += 1;
        most = Math.max(most, (open += 1));
        socket.once("close", () => (open -= 1));
      })
      .listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const client = createCognitoClient({ endpoint: `http://127.0.0.1:${port}`, concurrency: 2 });
    const writer = createAttributeWriter(client);
    const within = { signal: new AbortController().signal, notAfter: Infinity };
    const write = () => writer.write(POOL, "ada", [{ Name: "name", Value: "Ada" }], within);
    const all = await Promise.all(Array.from({ length: 8 }, write));
    assert.ok(all.every(({ ok }) => ok));
    assert.equal(most, 2);
    client.close();
    await until("the sockets are closed", () => open === 0, 10_000);
    const before = opened;
    const late = await write();
    server.close();
    server.closeAllConnections();
    assert.ok(!late.ok);
    assert.equal(late.failure.answered, false);
    assert.equal(opened, before);
  });

  for (const [title, environment, options, host] of [
    ["AWS's own", {}, {}, "cognito-idp.eu-west-1.amazonaws.com"],
    ["that of the Region it is given", {}, { region: "us-east-2" }, "cognito-idp.us-east-2.amazonaws.com"],
    [
      "the one it is given, whatever the environment says",
      { AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: "http://127.0.0.1:9229" },
      { endpoint: "http://127.0.0.1:9231" },
      "127.0.0.1:9231",
    ],
  ] as const) {
    test(`goes to ${title}`, async () => {
      const undo = exampleAws(environment);
      const client = createCognitoClient({ ...options, concurrency: 1 });
      try {
        assert.equal(await client.endpointHost(), host);
      } finally {
        client.close();
        undo();
      }
    });
  }

  test("is one for all pools of a Region, endpoint and profile", () => {
    const clients = createCognitoClients({ concurrency: 1, connectTimeoutMs: 100, requestTimeoutMs: 200 });
    const ireland = clients.of({ region: "eu-west-1" });
    assert.equal(clients.of({ region: "eu-west-1" }), ireland);
    assert.notEqual(clients.of({ region: "eu-west-2" }), ireland);
    assert.equal(ireland.callMs, 300);
    clients.close();
  });
});
