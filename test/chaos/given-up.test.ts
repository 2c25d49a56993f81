/** A chaos run that is given up half way leaves no process behind, and waits for none of its faults. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { openChildren } from "./children.ts";
import { freePort, openRedisProcesses, redisVersion } from "./redis-processes.ts";

const noServer = redisVersion() === "none" ? "there is no redis-server on the PATH" : false;

async function directoryOf(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-given-up-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test("a process is not started once the others were closed", async (t) => {
  const children = openChildren(await directoryOf(t));
  t.after(() => children.close());
  await children.close();
  const spec = { name: "late", file: "test/chaos/emulator.ts", args: [], env: {} };
  assert.throws(() => children.start(spec), /Expected late to be started before/);
  assert.equal(children.all.size, 0);
});

test("a Redis is not started again once the others were closed", { skip: noServer }, async (t) => {
  const processes = openRedisProcesses(await directoryOf(t));
  t.after(() => processes.close());
  const server = await processes.start("redis-0", await freePort(), []);
  await server.kill();
  await processes.close();
  await assert.rejects(server.startAgain(), /Expected redis-0 to be started before/);
  await assert.rejects(server.ask((client) => client.ping()));
});
