/** Who starts while Cognito does not describe a pool goes on with what was read of it before, and says how old that is. */
import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { describe, test, type TestContext } from "node:test";
import { runDeliveryWorker } from "../../src/app/workers/delivery-worker.ts";
import { createCognitoClient } from "../../src/cognito/client.ts";
import { CognitoError } from "../../src/cognito/cognito-error.ts";
import { readPoolProfile } from "../../src/cognito/pool-profile.ts";
import { readConfig } from "../../src/config/config.ts";
import type { PoolProfile } from "../../src/core/pool-schema.ts";
import { KEPT_FOR_MS, keepProfile } from "../../src/delivery/kept-profile.ts";
import { openPool } from "../../src/delivery/pool.ts";
import { reportedReads } from "../../src/delivery/reported-reads.ts";
import type { FaultRule } from "../../src/emulator/faults.ts";
import type { UserPool } from "../../src/emulator/user-pool.ts";
import { EXIT } from "../../src/exit-codes.ts";
import { openPoolsync, type Poolsync } from "../../src/index.ts";
import { createLog } from "../../src/log.ts";
import type { Store } from "../../src/store/store.ts";
import { setApp } from "../support/app-stage.ts";
import { until } from "../support/condition.ts";
import { addUsers, awsVariables, POOL } from "../support/pool-stage.ts";
import { runCommand } from "../cli/command-run.ts";

const THROTTLE = "TooManyRequestsException";
const PASSING: readonly (readonly [name: string, error: FaultRule["error"]])[] = [
  ["throttled", THROTTLE],
  ["a 500", "InternalErrorException"],
  ["a bare 503", { kind: "http", status: 503 }],
  ["reset", { kind: "reset" }],
];
/** What is read at all is read within this on a slow machine, too. */
const ENDED = { readsWithinMs: 2000 };

const kept = (store: Store) => ({
  getValue: (name: string) => store.getValue(name),
  setValue: (name: string, value: string) => store.setValue(name, value),
});

/** A pool of which the profile was read once. */
async function stageOf(t: TestContext) {
  const app = await setApp(t, { ...ENDED, pool: { aliasAttributes: ["email"] } });
  addUsers(app.pool, 3);
  const engine = await app.open();
  const cognito = createCognitoClient({ endpoint: app.emulator.url, region: "eu-west-1", concurrency: 2 });
  t.after(() => cognito.close());
  const path = app.at("log");
  const fd = openSync(path, "a");
  t.after(() => closeSync(fd));
  const log = createLog("info", fd);
  const open = async (withinMs = 300) => {
    const reads = reportedReads(log, { withinMs });
    const settings = { ratePerSecond: 100, listsPerSecond: 100, concurrency: 2, log, reads };
    const pool = await openPool({ engine, cognito, pool: POOL, ...settings });
    t.after(() => pool.close());
    return pool;
  };
  const patiently = () => open(30_000);
  await patiently();
  return {
    ...app,
    engine,
    fails: (error: FaultRule["error"], times?: number, operation = "DescribeUserPool") =>
      void app.emulator.faults.add({ operation, error, ...(times === undefined ? {} : { times }) }),
    has: (user: string, name = "given_name") => app.pool.user(user)?.attributes[name],
    logged: () => readFileSync(path, "utf8"),
    log,
    /** As something that was read so long ago, or at another endpoint. */
    keep: async (change: Partial<PoolProfile>, { ageMs = 0, endpoint = new URL(app.emulator.url).host } = {}) => {
      const now = (await engine.store.now()) - ageMs;
      const { store, keyring } = engine;
      const profile = { ...(await readPoolProfile(cognito, POOL)), ...change };
      await keepProfile({ store: { ...kept(store), now: async () => now }, keyring }, profile, endpoint);
    },
    open,
    patiently,
  };
}

describe("a pool that Cognito does not describe", () => {
  test("is worked with by an application as it was read before, also where ListUsers fails at first", async (t) => {
    const { emulator, place } = await stageOf(t);
    const settings = { ...place, endpoint: emulator.url, region: "eu-west-1", logLevel: "silent" };
    const opened = async () => {
      const poolsync = await openPoolsync(settings);
      t.after(() => poolsync.close());
      return poolsync;
    };
    const pools = PASSING.map(([name, error], index) => {
      const pool = emulator.pools.add({ id: `eu-west-1_Pool${index}`, aliasAttributes: ["email"] });
      addUsers(pool, 2);
      return { name, error, pool };
    });
    const change = async (poolsync: Poolsync, pool: UserPool, email: string) => {
      const verified = "mark" as const;
      const attributes = { email, given_name: "New" };
      return (await poolsync.update({ pool: pool.id, username: "u1", attributes, verified })).attributes;
    };
    const written = { email: { is: "applied" }, given_name: { is: "applied" } };
    const before = await opened();
    for (const { pool } of pools) assert.deepEqual(await change(before, pool, "first@example.com"), written);
    for (const { error, pool } of pools) {
      emulator.faults.add({ operation: "DescribeUserPool", pool: pool.id, error });
      emulator.faults.add({ operation: "ListUsers", pool: pool.id, error, times: 2 });
    }
    const poolsync = await opened();
    await Promise.all(
      pools.map(async ({ name, pool }) => {
        assert.equal((await change(poolsync, pool, "new@example.com"))["email"]?.is, "applied", name);
        assert.equal(pool.user("u1")?.attributes["email"], "new@example.com", name);
        await poolsync.enqueue({ pool: pool.id, username: "u0", attributes: { given_name: "Queued" } });
        await poolsync.deliver(pool.id);
        await until("it is written", () => pool.user("u0")?.attributes["given_name"] === "Queued");
      }),
    );
  });

  test("is worked with by what reads files and by what explains", async (t) => {
    const { fails, has, ...app } = await stageOf(t);
    fails(THROTTLE);
    fails(THROTTLE, 1, "ListUsers");
    await app.sync(await app.file("username,given_name\nu2,Two\n"));
    assert.equal(has("u2"), "Two");
    assert.equal((await app.explain("u2")).username, "u2");
  });

  test("is told of to whoever looks on, with the age of what is known", async (t) => {
    const { fails, keep, environment, has } = await stageOf(t);
    await keep({}, { ageMs: 3 * 3_600_000 });
    fails(THROTTLE);
    const words = ["--user-pool-id", POOL, "--username", "u1", "--user-attributes", "Name=given_name,Value=New"];
    const run = (...all: readonly string[]) => runCommand(all, { environment, columns: 500, ...ENDED });
    const { code, stderr } = await run("admin-update-user-attributes", ...words);
    assert.equal(code, EXIT.done, stderr);
    assert.match(
      stderr,
      /Cognito did not answer DescribeUserPool for pool \S+ \(throttled\): poolsync goes on with what it read of the pool 3h ago/,
    );
    assert.equal(has("u1"), "New");
    const nobody = await run("admin-update-user-attributes", ...words.with(3, "nobody"));
    assert.match(nobody.stderr, /User does not exist/);
    const replayed = await run("dead", "replay");
    assert.match(replayed.stderr, /what it read of the pool 3h ago/);
    assert.match(replayed.stdout, /Replayed 1 letter of 1 person; 1 died again/);
    assert.equal((await run("status")).code, EXIT.done);
  });

  test("is delivered to by a worker, which ends as soon as Cognito refuses it", async (t) => {
    const { fails, emulator, environment, has, log, logged, ...app } = await stageOf(t);
    await app.queue("u1", { given_name: "New" });
    fails("InternalErrorException");
    const drain = new AbortController();
    const config = await readConfig({ pools: POOL }, { ...awsVariables(), ...environment });
    const interrupts = { drain: drain.signal, abort: new AbortController().signal };
    const working = runDeliveryWorker({ config, log, interrupts });
    t.after(() => {
      drain.abort();
      return working.catch(() => undefined);
    });
    await until("it is written", () => has("u1") === "New", 20_000);
    assert.match(logged(), /"kind":"internal-error","ageMs":\d+,"msg":"pool opened as it was read before"/);
    emulator.faults.clear();
    fails("AccessDeniedException");
    await assert.rejects(working, { kind: "access-denied" });
    assert.match(logged(), /"kind":"access-denied",.*"msg":"pool cannot be read"/);
  });

  test("is written by a sync, which ends as soon as Cognito refuses to describe it", async (t) => {
    const { fails, emulator, has, ...app } = await stageOf(t);
    const path = await app.file("username,given_name\nu0,New\nu1,New\n");
    fails("InternalErrorException");
    // Nothing is written meanwhile, so that it is not over.
    fails(THROTTLE, undefined, "AdminUpdateUserAttributes");
    const syncing = app.sync(path);
    const failure = assert.rejects(syncing, { kind: "access-denied" });
    await until("it writes", () => (emulator.counters.operations["AdminUpdateUserAttributes"]?.calls ?? 0) > 0, 20_000);
    emulator.faults.clear();
    fails(THROTTLE, undefined, "AdminUpdateUserAttributes");
    fails("AccessDeniedException");
    await failure;
    assert.equal(has("u0"), "Old");
  });

  test("is asked on until it is described, and then known anew", async (t) => {
    const { fails, emulator, keep, open, logged, engine } = await stageOf(t);
    fails(THROTTLE);
    const before = await engine.store.getValue(`profile ${POOL}`);
    await open();
    emulator.faults.clear();
    await until("it was read", () => logged().includes('"msg":"pool read, and is as it was"'));
    assert.notEqual(await engine.store.getValue(`profile ${POOL}`), before);
    await keep({ autoVerified: ["email"] });
    fails(THROTTLE);
    const { profile } = await open();
    assert.deepEqual(profile.autoVerified, ["email"]);
    emulator.faults.clear();
    await until("it was read", () => logged().includes('"msg":"pool read, and has changed"'));
    fails(THROTTLE);
    assert.deepEqual((await open()).profile.autoVerified, []);
  });

  const unread = { name: "CognitoError", kind: "throttled", message: /^Cannot read user pool/ };

  test("is not worked with where what is known is too old, damaged, of another endpoint or altered", async (t) => {
    const { fails, keep, open, patiently, engine, emulator } = await stageOf(t);
    const useless = [
      () => keep({}, { ageMs: KEPT_FOR_MS + 60_000 }),
      () => keep({}, { ageMs: -KEPT_FOR_MS - 60_000 }),
      () => keep({}, { endpoint: "cognito-idp.eu-west-1.amazonaws.com" }),
      () => engine.store.setValue(`profile ${POOL}`, "nonsense"),
      () => engine.store.setValue(`profile ${POOL}`, engine.keyring.seal(["profile", POOL], "{}")),
      () => engine.store.setValue(`profile ${POOL}`, engine.keyring.seal(["profile", "another"], "{}")),
    ];
    for (const make of useless) {
      emulator.faults.clear();
      await make();
      fails(THROTTLE);
      await assert.rejects(open(), unread);
    }
    emulator.faults.clear();
    await patiently();
    fails(THROTTLE);
    await open();
  });

  test("is never written to as another target's", async (t) => {
    const { fails, keep, open } = await stageOf(t);
    await keep({ arn: `arn:aws:cognito-idp:eu-west-1:210987654321:userpool/${POOL}` });
    fails(THROTTLE);
    await assert.rejects(open(), { kind: "foreign-target" });
  });

  test("is refused at once where Cognito refuses it for good, and then too where that comes later", async (t) => {
    const { fails, open, emulator } = await stageOf(t);
    for (const [error, kind] of [
      ["AccessDeniedException", "access-denied"],
      ["ResourceNotFoundException", "pool-not-found"],
    ] as const) {
      emulator.faults.clear();
      fails(error);
      await assert.rejects(open(), { kind });
      emulator.faults.clear();
      fails(THROTTLE);
      const { refused } = await open();
      assert.ok(!refused.aborted);
      emulator.faults.clear();
      fails(error);
      await until("it was refused", () => refused.aborted);
      assert.ok(refused.reason instanceof CognitoError);
      assert.equal(refused.reason.kind, kind);
    }
  });
});
