/** An application that lives on while its store is emptied or replaced goes on in the one that is there. */
import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { Redis } from "ioredis";
import { openPoolsync, type Poolsync, type PoolsyncOptions } from "../src/index.ts";
import { StoreError } from "../src/store/store-error.ts";
import { emulatorWith, POOL } from "./support/pool-stage.ts";
import { exampleAws } from "./support/aws-environment.ts";
import { until } from "./support/condition.ts";
import { putMadeDirectory } from "./support/made-directory.ts";
import { testRedis } from "./support/redis.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";

/** A time of day. */
const at = (time: string) => Date.parse(`2026-01-31T${time}:00Z`);
const named = (name: string, time: string) => ({
  pool: POOL,
  username: "u0",
  attributes: { given_name: name },
  version: { timeMs: at(time), sequence: 0 },
});

async function stage(t: TestContext) {
  const emulator = await emulatorWith(1);
  t.after(() => emulator.close());
  const open = async (place: PoolsyncOptions): Promise<Poolsync> => {
    const poolsync = await openPoolsync({ ...place, endpoint: emulator.url, region: "eu-west-1", logLevel: "silent" });
    t.after(() => poolsync.close());
    return poolsync;
  };
  return { emulator, open, nameThere: () => emulator.pools.get(POOL)?.user("u0")?.attributes["given_name"] };
}

async function redisStage(t: TestContext) {
  const { emulator, open, nameThere } = await stage(t);
  const { url, namespace } = testRedis();
  const redis = new Redis(url);
  t.after(() => redis.disconnect());
  return {
    emulator,
    nameThere,
    open: () => open({ redisUrl: url, namespace }),
    empty: async () => void (await redis.del(await redis.keys(`{poolsync:${namespace}}:*`))),
  };
}

describe("an application whose store is replaced", () => {
  let restore: (() => void) | undefined;
  before(() => {
    restore = exampleAws();
  });
  after(() => restore?.());

  test("puts nothing older over what others have written since Redis was emptied", async (t) => {
    const { open, empty, nameThere } = await redisStage(t);
    const a = await open();
    await a.enqueue(named("first", "09:00"));
    await empty();
    const b = await open();
    await b.enqueue(named("NEWER", "09:30"));
    await b.deliver(POOL);
    await until("the newer value is written", () => nameThere() === "NEWER");
    await a.enqueue(named("OLDER", "09:10"));
    await until("nothing is pending", async () => (await b.books()).pending === 0);
    assert.equal(nameThere(), "NEWER");
    const books = await b.books();
    assert.deepEqual([books.received, books.applied, books.stale], [2, 1, 1]);
    assert.deepEqual(await a.books(), books);
  });

  test("says so of a change that was on its way, and nothing of what it had open", async (t) => {
    const { emulator, open, empty } = await redisStage(t);
    const a = await open();
    emulator.faults.add({ operation: "AdminUpdateUserAttributes", times: 1, error: { kind: "hang" } });
    const change = { pool: POOL, username: "u0", attributes: { given_name: "first" } };
    const end = a.update(change).then(
      () => assert.fail("Expected it to be refused"),
      (error: unknown) => error,
    );
    await until("its call is made", () => emulator.faults.rules.every(({ fired }) => fired === 1));
    await empty();
    // Closes what is open, and opens it anew.
    await a.books();
    const told = await end;
    assert.ok(told instanceof StoreError, String(told));
    assert.equal(told.kind, "store-replaced");
  });

  test("goes on delivering, also where it calls nothing more", async (t) => {
    const { open, empty, nameThere } = await redisStage(t);
    const a = await open();
    await a.deliver(POOL);
    await a.update({ pool: POOL, username: "u0", attributes: { given_name: "first" } });
    await empty();
    const b = await open();
    await b.enqueue(named("second", "09:30"));
    await until("it is written by the other", () => nameThere() === "second");
  });

  test("opens the data directory that was put in the place of its own", async (t) => {
    const { open, nameThere } = await stage(t);
    const directory = await temporaryDirectory();
    t.after(() => directory.remove());
    const dataDir = join(directory.path, "data");
    putMadeDirectory(dataDir);
    const poolsync = await open({ dataDir });
    await poolsync.deliver(POOL);
    await poolsync.update({ pool: POOL, username: "u0", attributes: { given_name: "first" } });
    await rename(dataDir, `${dataDir}-before`);
    putMadeDirectory(dataDir);
    assert.equal((await poolsync.books()).received, 0);
    await poolsync.enqueue(named("second", "09:30"));
    await until("it is written", () => nameThere() === "second");
  });

  test("puts nothing older over what others have written in the data directory that is in the place of its own", async (t) => {
    const { open, nameThere } = await stage(t);
    const directory = await temporaryDirectory();
    t.after(() => directory.remove());
    const dataDir = join(directory.path, "data");
    putMadeDirectory(dataDir);
    const a = await open({ dataDir });
    await a.enqueue(named("first", "09:00"));
    await rename(dataDir, `${dataDir}-before`);
    putMadeDirectory(dataDir);
    const b = await open({ dataDir });
    await b.update(named("NEWER", "09:30"));
    await b.close();
    await a.deliver(POOL);
    await a.enqueue(named("OLDER", "09:10"));
    await until("nothing is pending", async () => (await a.books()).pending === 0);
    assert.equal(nameThere(), "NEWER");
    const { received, applied, stale } = await a.books();
    assert.deepEqual([received, applied, stale], [2, 1, 1]);
  });
});
