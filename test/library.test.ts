import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { type Emulator, startEmulator } from "../src/emulator/emulator.ts";
import { openPoolsync, type Poolsync, type PoolsyncOptions, type UserChange } from "../src/index.ts";
import { exampleAws } from "./support/aws-environment.ts";
import { putMadeDirectory } from "./support/made-directory.ts";
import { until } from "./support/condition.ts";
import { testRedis } from "./support/redis.ts";

const POOL = "eu-west-1_Example";

type Place = "embedded" | "on Redis";

/** Redis, unless it is about the engine: a data directory takes ten times the CPU. */
async function open(t: TestContext, place: Place = "on Redis"): Promise<{ emulator: Emulator; poolsync: Poolsync }> {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-library-"));
  const emulator = await startEmulator({ quotas: "unmetered", shortPages: 0 });
  const pool = emulator.pools.add({ id: POOL });
  pool.addUser({ username: "jane", attributes: { nickname: "jj", email: "jane@example.com", email_verified: "true" } });
  const { url, namespace } = testRedis();
  if (place === "embedded") putMadeDirectory(join(directory, "data"));
  const poolsync = await openPoolsync({
    endpoint: emulator.url,
    region: "eu-west-1",
    logLevel: "silent",
    ...(place === "embedded" ? { dataDir: join(directory, "data") } : { redisUrl: url, namespace }),
  });
  t.after(async () => {
    await poolsync.close();
    await emulator.close();
    await rm(directory, { recursive: true, force: true });
  });
  return { emulator, poolsync };
}

describe("an application that opens poolsync", () => {
  let restore: (() => void) | undefined;
  before(() => {
    restore = exampleAws();
  });
  after(() => restore?.());

  test("is told what came of a change that it waits for, without delivering", async (t) => {
    const { poolsync } = await open(t);
    const jane = { pool: POOL, username: "jane", verified: "mark" } as const;
    const { user, ...first } = await poolsync.update({
      ...jane,
      attributes: { name: "Jane", email: "jane@example.com" },
    });
    assert.match(user, /^[0-9a-f]{32}$/);
    assert.deepEqual(first, { attributes: { name: { is: "applied" }, email: { is: "unchanged" } }, invalid: [] });
    const nobody = await poolsync.update({ pool: POOL, username: "joe", attributes: { name: "Joe" } });
    assert.equal(nobody.attributes["name"]?.is, "dead");
    assert.deepEqual(
      [nobody.refusal?.name, nobody.refusal?.message],
      ["UserNotFoundException", "User does not exist."],
    );
    const none = await poolsync.update({ ...jane, attributes: { name: "Other", nam: "x" } });
    assert.deepEqual(
      [none.attributes, none.invalid.map(({ name, reason }) => [name, reason])],
      [{}, [["nam", "attribute-unknown"]]],
    );
  });

  test("has its pool read again where a fault passes, for enqueue and for update", async (t) => {
    const { emulator, poolsync } = await open(t);
    emulator.pools
      .add({ id: "eu-west-1_Emails", usernameAttributes: ["email"] })
      .addUser({ username: "a@example.com" });
    const faults = ["TooManyRequestsException", { kind: "http", status: 503 }, { kind: "reset" }] as const;
    const fail = (operation: string): void => {
      for (const error of faults) emulator.faults.add({ operation, times: 1, error });
    };
    fail("DescribeUserPool");
    await poolsync.enqueue({ pool: POOL, username: "jane", attributes: { nickname: "J" } });
    fail("DescribeUserPool");
    fail("ListUsers");
    const change = { pool: "eu-west-1_Emails", username: "a@example.com", attributes: { nickname: "A" } };
    assert.deepEqual((await poolsync.update(change)).attributes, { nickname: { is: "applied" } });
    assert.ok(emulator.faults.rules.every(({ fired }) => fired === 1));
  });

  test("may stop waiting for a pool that cannot be read, and may close", async (t) => {
    const { emulator, poolsync } = await open(t);
    emulator.faults.add({ operation: "DescribeUserPool", error: "TooManyRequestsException" });
    const change = { pool: POOL, username: "jane", attributes: { nickname: "J" } };
    const queued = assert.rejects(poolsync.enqueue(change), /it was closed$/);
    const gone = new AbortController();
    const updated = assert.rejects(poolsync.update(change, { signal: gone.signal }), /no longer wanted/);
    await until("it was tried again", () => (emulator.faults.rules[0]?.fired ?? 0) > 1);
    gone.abort(new Error("no longer wanted"));
    await updated;
    // The other call waits on.
    const fired = emulator.faults.rules[0]?.fired ?? 0;
    await until("it is tried again", () => (emulator.faults.rules[0]?.fired ?? 0) > fired);
    await poolsync.close();
    await queued;
  });

  test("gives metadata with a change, held against Cognito's limits", async (t) => {
    const { emulator, poolsync } = await open(t);
    const change = { pool: POOL, username: "jane", attributes: { nickname: "J" } };
    await poolsync.update({ ...change, clientMetadata: { reason: "test" } });
    assert.deepEqual(emulator.log.writes.at(-1)?.clientMetadata, { reason: "test" });
    const long = { ...change, clientMetadata: { a: "x".repeat(131_073) } };
    await assert.rejects(poolsync.enqueue(long), /clientMetadata` to have at most 131072 characters, got 131073$/);
  });

  for (const place of ["embedded", "on Redis"] as const) {
    test(`has its changes delivered, ${place}`, async (t) => {
      const { emulator, poolsync } = await open(t, place);
      const attributes = { family_name: "Roe", email: "jane.roe@example.com", nickname: null };
      const { queued, invalid } = await poolsync.enqueue({
        pool: POOL,
        username: "jane",
        attributes,
        verified: "mark",
      });
      assert.deepEqual([queued, invalid], [["family_name", "email", "nickname"], []]);
      assert.equal((await poolsync.books()).pending, 3);
      await poolsync.deliver(POOL);
      await poolsync.deliver(POOL);
      await until("nothing is pending", async () => (await poolsync.books()).pending === 0);
      const there = emulator.pools.get(POOL)?.user("jane")?.attributes;
      assert.deepEqual(there, { family_name: "Roe", email: "jane.roe@example.com", email_verified: "true" });
    });
  }

  test("learns which attributes cannot be written, and the others are queued", async (t) => {
    const { poolsync } = await open(t);
    const attributes = { family_name: "Roe", birthdate: "1999-31-12" };
    const { queued, invalid } = await poolsync.enqueue({ pool: POOL, username: "jane", attributes });
    assert.deepEqual([queued, invalid.map(({ reason }) => reason)], [["family_name"], ["birthdate-format"]]);
    const { received, invalid: counted } = await poolsync.books();
    assert.deepEqual({ received, counted }, { received: 2, counted: 1 });
  });

  test("says that its version is older, and the newer value stays", async (t) => {
    const { emulator, poolsync } = await open(t);
    await poolsync.deliver(POOL);
    const timeMs = Date.now() - 1000;
    for (const [sequence, nickname] of [
      [2, "new"],
      [1, "old"],
    ] as const) {
      const version = { timeMs, sequence };
      await poolsync.enqueue({ pool: POOL, username: "jane", attributes: { nickname }, version });
    }
    await until("nothing is pending", async () => (await poolsync.books()).pending === 0);
    assert.equal(emulator.pools.get(POOL)?.user("jane")?.attributes["nickname"], "new");
    assert.equal(emulator.log.writes.length, 1);
  });

  test("is told at once of a change that is malformed, and nothing is queued", async (t) => {
    const { poolsync } = await open(t);
    for (const change of [
      { attributes: { email: "jane.roe@example.com" } },
      { attributes: { nickname: "" } },
      { attributes: { email_verified: "yes" } },
      { attributes: { email: "a@example.com", email_verified: "true" }, verified: "mark" as const },
      { username: "", attributes: { nickname: "x" } },
    ]) {
      await assert.rejects(poolsync.enqueue({ pool: POOL, username: "jane", ...change }), TypeError);
    }
    assert.equal((await poolsync.books()).received, 0);
  });

  test("is told what is wrong with a change that only JavaScript can make, without the value", async (t) => {
    const { poolsync } = await open(t);
    const wrong: readonly (readonly [unknown, RegExp])[] = [
      [{ username: "jane", attributes: { name: "x" } }, /^Expected `pool` to be text, got nothing$/],
      [{ pool: POOL, username: 7, attributes: { name: "x" } }, /^Expected `username` to be text, got a number$/],
      [{ pool: POOL, username: "jane" }, /^Expected `attributes` to be an object of values by name, got nothing$/],
      [{ pool: POOL, username: "jane", attributes: ["x"] }, /got a list$/],
      [
        { pool: POOL, username: "jane", attributes: { name: 4711 } },
        /^Expected `name` to be text or null, got a number/,
      ],
      [
        { pool: POOL, username: "jane", attributes: { email: "a@b.example" }, verified: "yes" },
        /`verified`.*mark, ask/,
      ],
    ];
    for (const [change, message] of wrong) {
      await assert.rejects(poolsync.enqueue(change as UserChange), { name: "TypeError", message });
    }
    assert.equal((await poolsync.books()).received, 0);
  });

  test("learns that a version from the future is not queued", async (t) => {
    const { poolsync } = await open(t);
    const version = { timeMs: Date.now() + 3_600_000, sequence: 0 };
    const { queued, invalid } = await poolsync.enqueue({
      pool: POOL,
      username: "jane",
      attributes: { name: "x" },
      version,
    });
    assert.deepEqual([queued, invalid.map(({ name, reason }) => [name, reason])], [[], [["name", "version-ahead"]]]);
    const { received, invalid: counted } = await poolsync.books();
    assert.deepEqual({ received, counted }, { received: 1, counted: 1 });
  });

  test("need not say the Region that the pool's id begins with", async (t) => {
    const putBack = exampleAws({ AWS_REGION: undefined });
    const directory = await mkdtemp(join(tmpdir(), "poolsync-library-"));
    const emulator = await startEmulator();
    emulator.pools.add({ id: POOL }).addUser({ username: "jane", attributes: {} });
    putMadeDirectory(join(directory, "data"));
    const poolsync = await openPoolsync({
      endpoint: emulator.url,
      logLevel: "silent",
      dataDir: join(directory, "data"),
    });
    t.after(async () => {
      await poolsync.close();
      await emulator.close();
      putBack();
      await rm(directory, { recursive: true, force: true });
    });
    const { queued } = await poolsync.enqueue({ pool: POOL, username: "jane", attributes: { name: "Jane" } });
    assert.deepEqual(queued, ["name"]);
  });

  test("is told of an option that cannot be, before anything is opened", async () => {
    const options = { dataDir: join(tmpdir(), "poolsync-nobody-makes-this") };
    const wrong: readonly (readonly [PoolsyncOptions, RegExp])[] = [
      [{ ratePerSecond: -1 }, /^Expected `ratePerSecond` to be a number above 0, got `-1`$/],
      [{ ratePerSecond: Number.NaN }, /`ratePerSecond`/],
      [{ concurrency: 0.5 }, /^Expected `concurrency` to be a whole number from 1, got `0.5`$/],
      [{ key: new Uint8Array(16) }, /^Expected `key` to be a Uint8Array of 32 bytes$/],
      [{ logLevel: "loud" }, /^Expected `logLevel` to be one of fatal, .*, got `loud`$/],
    ];
    for (const [said, message] of wrong) {
      await assert.rejects(openPoolsync({ ...options, ...said }), { name: "TypeError", message });
    }
  });

  test("has no queue's messages kept in a directory of its own, which nobody else reads", async (t) => {
    const { poolsync } = await open(t, "embedded");
    await assert.rejects(poolsync.handleSqsEvent({ Records: [] }, { feed: "crm" }), /^TypeError: Expected `redisUrl`/);
  });

  test("is told where to say what, when it says nothing", async () => {
    await assert.rejects(openPoolsync({}), /`redisUrl` or `dataDir`/);
  });
});
