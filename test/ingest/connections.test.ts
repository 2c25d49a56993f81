/** What clients do with connections, and are answered all the same. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { until } from "../support/condition.ts";
import { feed, startIngest } from "./ingest-stage.ts";

const open = () => feed("hr", { scheme: "none" });
const POST = (more: string) =>
  `POST /events/hr HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n${more}\r\n{}`;

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

const closed = (socket: Socket) => new Promise<void>((resolve) => socket.once("close", () => resolve()));

/** What it is answered until the connection ends. */
async function answerTo(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  await closed(socket);
  return text;
}

test("who ends its side after a whole request is answered", async (t) => {
  const stage = await startIngest(t, [open()]);
  const socket = await connected(stage.port);
  socket.end(POST(""));
  assert.match(await answerTo(socket), /^HTTP\/1\.1 200 OK\r\n[^]*accepted: /);
  assert.equal(stage.events.length, 1);
  const half = await connected(stage.port);
  half.end(POST("").slice(0, -1));
  assert.equal(await answerTo(half), "");
  assert.equal(stage.events.length, 1);
});

test("an expectation of another kind is passed over, and the request is answered as any other", async (t) => {
  const stage = await startIngest(t, [open()]);
  assert.match(await stage.raw(POST("expect: foo\r\nconnection: close\r\n")), /^HTTP\/1\.1 200 OK/);
  assert.deepEqual(
    stage.lines("request answered").map(({ status, reason }) => [status, reason]),
    [[200, "accepted"]],
  );
});

test("a balancer that speaks HTTP/1.0 and says no host is told whether the process is there", async (t) => {
  const stage = await startIngest(t, [open()]);
  assert.match(await stage.raw("GET /healthz HTTP/1.0\r\n\r\n"), /^HTTP\/1\.1 200 OK\r\n[^]*ok\n$/);
  assert.match(await stage.raw("OPTIONS /readyz HTTP/1.0\r\n\r\n"), /^HTTP\/1\.1 405 /);
  assert.match(await stage.raw("GET /readyz HTTP/1.0\r\n\r\n"), /^HTTP\/1\.1 200 OK\r\n[^]*ready\n$/);
});

test("connections that wait for nothing make room for who comes, those in hand do not, and the log counts them", async (t) => {
  const held = Promise.withResolvers<"accepted">();
  const stage = await startIngest(t, [open()], { limits: { connections: 3 }, accept: () => held.promise });
  const [first, second] = [await connected(stage.port), await connected(stage.port)];
  const inHand = await connected(stage.port);
  const firstEnded = closed(first);
  const answered = answerTo(inHand);
  inHand.write(POST("connection: close\r\n"));
  await until("it is in hand", () => stage.events.length === 1);
  assert.match(await stage.raw("GET /healthz HTTP/1.0\r\n\r\n"), /^HTTP\/1\.1 200 OK/);
  await firstEnded;
  assert.equal(second.destroyed, false);
  const more = [await connected(stage.port), await connected(stage.port)];
  const all = more.map(answerTo);
  for (const socket of more) socket.write(POST("connection: close\r\n"));
  await until("they are in hand", () => stage.events.length === 3);
  const refused = await connected(stage.port);
  await closed(refused);
  held.resolve("accepted");
  for (const text of await Promise.all([answered, ...all])) assert.match(text, /^HTTP\/1\.1 200 OK/);
  await stage.close();
  const [line] = stage.lines("connections cut");
  assert.equal(line?.["refused"], 1);
});
