/**
 * Processes that have a store open while another version brings it to another format: each ends with the sentence, and
 * nothing is written to Cognito from then on.
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test, type TestContext } from "node:test";
import { PGlite } from "@electric-sql/pglite";
import { Redis } from "ioredis";
import { z } from "zod";
import { openPoolsync } from "../../src/index.ts";
import { createKeys } from "../../src/store/redis/keys.ts";
import { until } from "../support/condition.ts";
import type { TestProcess } from "../support/process.ts";
import { dumpRedis } from "../support/redis-dump.ts";
import { POOL, runCommand, type RunOptions, type Said } from "./command-run.ts";
import { setDirectoryStage, type DirectoryStage } from "./directory-stage.ts";

const USERS = 200;
const OTHER_POOL = "eu-west-1_Other";
/** So slow that none of the processes here comes to its end. */
const SLOW = { POOLSYNC_RATE: "20" };
const SENTENCE = /format 4, this one reads 3\): run that version, or choose another namespace/;
const line = z.object({ msg: z.string(), time: z.union([z.number(), z.string()]), kind: z.string().optional() });

/** A command that may go on for ever: it is interrupted with the test. */
function begin(t: TestContext, words: readonly string[], options: RunOptions = {}) {
  const drain = new AbortController();
  let said: Said | undefined;
  void runCommand(words, { ...options, drain: drain.signal }).then((all) => (said = all));
  t.after(async () => {
    drain.abort();
    await until("the command has ended", () => said !== undefined);
  });
  return {
    async ended(): Promise<Said> {
      await until("the command ends by itself", () => said !== undefined);
      return said ?? assert.fail();
    },
  };
}

describe("where another version brings the namespace to another format", () => {
  let stage: DirectoryStage;
  let redis: Redis;

  beforeEach(async () => {
    stage = await setDirectoryStage(USERS);
    redis = new Redis(stage.environment.REDIS_URL);
    await stage.exported((nth) => `u${nth},New${nth}`);
  });
  afterEach(async () => {
    redis.disconnect();
    await stage.clear();
  });

  const setFormat = (format: string): Promise<unknown> =>
    redis.hset(createKeys(stage.environment.POOLSYNC_NAMESPACE).memory, "format", format);

  /** Without BullMQ's, whose jobs are put back. */
  async function dump(): Promise<object> {
    const { REDIS_URL, POOLSYNC_NAMESPACE } = stage.environment;
    const all = await dumpRedis(REDIS_URL, POOLSYNC_NAMESPACE);
    // Leases of sweeps end by themselves.
    return Object.fromEntries([...all].filter(([key]) => !/\}:(?:bull|2:sweep):/.test(key)));
  }

  const linesOf = (worker: TestProcess) =>
    worker
      .stderr()
      .split("\n")
      .filter((text) => text.startsWith("{"))
      .map((text) => line.parse(JSON.parse(text)));

  test("a worker and a directory worker that have work, and a replay worker, end with the sentence", async () => {
    const { at, configure, start, updates, emulator } = stage;
    await configure(`file: ${at("hr.csv")}, schedule: { every: 6h }, guards: { changed: off }`);
    const files = ["workers/deliver.ts", "workers/replay.ts", "workers/directory.ts"];
    const workers = files.map((file) => start(file, SLOW));
    await until("all have started", () => workers.every((worker) => worker.stderr().includes('worker started"')));
    await stage.timeComes();
    await until("some users are written", () => updates() >= 10);

    await setFormat("4");
    const kept = await dump();
    await until("all have ended", () => workers.every(({ child }) => child.exitCode !== null));
    for (const worker of workers) {
      assert.equal(await worker.ended(), 1);
      assert.match(worker.stderr(), SENTENCE);
      assert.equal(linesOf(worker).at(-1)?.kind, "foreign-format");
    }
    const lines = workers.flatMap(linesOf);
    const ended = lines.find(({ msg }) => msg === "deliveries ended");
    const endedAt = new Date(ended?.time ?? 0).getTime();
    assert.ok(emulator.log.writes.every(({ at: writtenAt }) => writtenAt <= endedAt));
    assert.ok(updates() < USERS);
    assert.ok(lines.some(({ msg }) => msg === "feed cut, to go on"));
    assert.deepEqual(await dump(), kept);

    // It is as after a kill: whoever knows the format goes on.
    await setFormat("3");
    for (const file of ["workers/deliver.ts", "workers/directory.ts"]) start(file, { POOLSYNC_RATE: "1000" });
    await until("the run is finished", async () => (await stage.stateOf()) === "finished");
    for (let nth = 0; nth < USERS; nth += 1) assert.equal(stage.nameOf(`u${nth}`), `New${nth}`);
  });

  test("a sync that is delivering ends with the sentence", async (t) => {
    const { at, configure, environment, updates } = stage;
    await configure(`file: ${at("hr.csv")}, guards: { changed: off }`);
    const sync = begin(t, ["sync", "--feed", "hr", "--config", at("poolsync.yaml"), "--rate", "20", "--json"], {
      environment,
    });
    await until("some users are written", () => updates() >= 10);
    await setFormat("4");
    const { code, stdout } = await sync.ended();
    assert.equal(code, 1, stdout);
    assert.match(stdout, /"kind": "foreign-format"/);
    assert.match(stdout, SENTENCE);
    assert.ok(updates() < USERS);
  });

  test("one-user changes from standard input end with it at the line that meets it", async (t) => {
    const { environment, updates } = stage;
    const line = (nth: number) =>
      JSON.stringify({ Username: `u${nth}`, UserAttributes: [{ Name: "given_name", Value: "Zoe" }] });
    const stdin = Array.from({ length: USERS }, (_, nth) => line(nth)).join("\n");
    const words = ["admin-update-user-attributes", "--user-pool-id", POOL, "--rate", "20", "-"];
    const changes = begin(t, words, { environment, stdin });
    await until("some users are written", () => updates() >= 10);
    await setFormat("4");
    const { code, stderr } = await changes.ended();
    assert.equal(code, 1, stderr);
    assert.match(stderr, SENTENCE);
    assert.ok(!stderr.includes("Line "), stderr);
    assert.ok(updates() < USERS);
  });

  test("calls of the library reject with it, and write nothing", async (t) => {
    const { emulator, environment, updates } = stage;
    const poolsync = await openPoolsync({
      redisUrl: environment.REDIS_URL,
      namespace: environment.POOLSYNC_NAMESPACE,
      endpoint: emulator.url,
      region: "eu-west-1",
      logLevel: "silent",
    });
    t.after(() => poolsync.close());
    const change = { pool: POOL, username: "u0", attributes: { given_name: "Zoe" } };
    await poolsync.deliver(POOL);
    await poolsync.update(change);
    assert.equal(updates(), 1);
    emulator.pools.add({ id: OTHER_POOL });
    await setFormat("4");
    const kept = await dump();
    const refusal = { name: "StoreError", kind: "foreign-format", message: SENTENCE };
    const other = { ...change, attributes: { given_name: "Other" } };
    await assert.rejects(poolsync.enqueue(other), refusal);
    await assert.rejects(poolsync.update(other), refusal);
    await assert.rejects(poolsync.deliver(OTHER_POOL), refusal);
    assert.equal(updates(), 1);
    assert.deepEqual(await dump(), kept);
  });
});

test("an embedded sync that is delivering ends with the sentence where its directory gets another format", async (t) => {
  const stage = await setDirectoryStage(USERS);
  t.after(() => stage.clear());
  const { at, updates } = stage;
  await stage.exported((nth) => `u${nth},New${nth}`);
  await stage.configure(`file: ${at("hr.csv")}, guards: { changed: off }`);
  const transactions = t.mock.method(PGlite.prototype, "transaction");
  const words = [
    "sync",
    "--feed",
    "hr",
    "--config",
    at("poolsync.yaml"),
    "--rate",
    "20",
    "--data-dir",
    at("data"),
    "--json",
  ];
  const sync = begin(t, words);
  await until("some users are written", () => updates() >= 10);
  // One process has a directory: nobody else could do it but by hand, with its own database.
  const database = transactions.mock.calls[0]?.this;
  assert.ok(database instanceof PGlite);
  await database.query("UPDATE poolsync.format SET steps = 1000");
  const { code, stdout } = await sync.ended();
  assert.equal(code, 1, stdout);
  assert.match(stdout, /"foreign-format".*holds format 1000.*use the newer version that wrote it/s);
  assert.ok(updates() < USERS);
});
