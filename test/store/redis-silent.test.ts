import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { closeRedis, redisClient, redisConnection } from "../../src/store/redis/connection.ts";
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import { connectRedis } from "../../src/store/redis/server-check.ts";
import { freePort, openRedisProcesses, redisVersion } from "../chaos/redis-processes.ts";

const skip = redisVersion() === "none" ? "there is no redis-server on the PATH" : false;

/** Takes every connection and says nothing. */
async function startSilent(t: TestContext): Promise<{ readonly server: Server; readonly port: number }> {
  const port = await freePort();
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    t.after(() => socket.destroy());
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return { server, port };
}

test("a connection on which an answer is due for 30 seconds is given up for a new one", async (t) => {
  const { server, port } = await startSilent(t);
  const redis = redisClient(redisConnection(`redis://127.0.0.1:${port}`), () => true);
  redis.on("error", () => undefined);
  t.after(() => redis.disconnect());
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const first = once(server, "connection");
  redis.connect().catch(() => undefined);
  await first;
  await once(redis, "connect");
  t.mock.timers.tick(29_000);
  assert.equal(redis.status, "connect");
  const again = new Promise((resolve) => redis.once("reconnecting", resolve));
  t.mock.timers.tick(1_000);
  await again;
  const second = once(server, "connection");
  t.mock.timers.tick(2_000);
  await second;
});

test("a Sentinel that hangs is passed over for the next one", { skip }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-silent-"));
  const processes = openRedisProcesses(directory);
  t.after(async () => {
    await processes.close();
    await rm(directory, { recursive: true, force: true });
  });
  const [port, guard] = [await freePort(), await freePort()];
  await processes.start("redis", port, ["maxmemory-policy noeviction"]);
  await processes.start("sentinel", guard, [`sentinel monitor main 127.0.0.1 ${port} 1`], "sentinel");
  const { port: hanging } = await startSilent(t);
  const url = `redis+sentinel://127.0.0.1:${hanging},127.0.0.1:${guard}/main`;
  const store = await openRedisStore({ url, namespace: "silent" });
  await store.close();
});

test("what a lost Redis has not answered is rejected once its connection is closed", { skip }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-lost-"));
  const processes = openRedisProcesses(directory);
  t.after(async () => {
    await processes.close();
    await rm(directory, { recursive: true, force: true });
  });
  const port = await freePort();
  const server = await processes.start("redis", port, ["maxmemory-policy noeviction"]);
  const redis = await connectRedis(redisConnection(`redis://127.0.0.1:${port}`));
  t.after(() => redis.disconnect());
  server.suspend();
  const sent = assert.rejects(redis.get("a"), /^Error: Connection is closed\.$/);
  const lost = new Promise((resolve) => redis.once("reconnecting", resolve));
  await server.kill();
  await lost;
  const waiting = assert.rejects(redis.get("b"), /^Error: Connection is closed\.$/);
  await closeRedis(redis);
  await Promise.all([sent, waiting]);
});
