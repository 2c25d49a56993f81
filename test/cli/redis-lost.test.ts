import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Emulator } from "../../src/emulator/emulator.ts";
import { AWS_ENVIRONMENT, exampleAws } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import { runFile } from "../support/process.ts";
import { startLoneRedis, type LoneRedis } from "../chaos/lone-redis.ts";
import { freePort, redisVersion } from "../chaos/redis-processes.ts";
import { emulatorWith, POOL, runCommand } from "./command-run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const skip = redisVersion() === "none" ? "there is no redis-server on the PATH that could be killed" : false;

interface Fleet {
  readonly redis: LoneRedis;
  /** What the worker and the replay worker logged, and whether they are ready. */
  readonly logs: () => readonly string[];
  readonly ready: () => Promise<readonly number[]>;
  readonly put: (value: string) => ReturnType<typeof runCommand>;
  readonly applied: () => number;
  readonly emulator: Emulator;
  /** Of every process of it. */
  readonly environment: Readonly<Record<string, string>>;
}

async function directoryOf(t: TestContext): Promise<string> {
  const directory = await temporaryDirectory();
  t.after(() => directory.remove());
  return directory.path;
}

/** A worker and a replay worker on a Redis of their own. */
async function startFleet(t: TestContext): Promise<Fleet> {
  const directory = await directoryOf(t);
  const redis = await startLoneRedis(directory, "always");
  t.after(() => redis.close());
  const emulator = await emulatorWith(3);
  t.after(() => emulator.close());
  t.after(exampleAws({ AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url }));
  const environment = {
    ...AWS_ENVIRONMENT,
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url,
    REDIS_URL: redis.url,
    POOLSYNC_NAMESPACE: "lost",
  };
  const ports = [await freePort(), await freePort()];
  const processes = ["workers/deliver.ts", "workers/replay.ts"].map((file, index) =>
    runFile(file, [], {
      ...environment,
      POOLSYNC_POOLS: POOL,
      POOLSYNC_HEALTH_PORT: String(ports[index]),
    }),
  );
  t.after(() => Promise.all(processes.map((item) => item.kill("SIGKILL"))));
  const logs = () => processes.map((item) => item.stderr());
  await until("both answer", () => logs().every((log) => log.includes("health checks are answered")));
  const file = join(directory, "users.csv");
  return {
    redis,
    logs,
    ready: () => Promise.all(ports.map(async (port) => (await fetch(`http://127.0.0.1:${port}/readyz`)).status)),
    async put(value) {
      await writeFile(file, `username,given_name\nu0,${value}\nu1,${value}\nu2,${value}\n`);
      return runCommand(["sync", file, "--user-pool-id", POOL, "--detach", "--json"], { environment });
    },
    applied: () => emulator.log.writes.length,
    emulator,
    environment,
  };
}

const times = (text: string, message: string): number => text.split(`"msg":"${message}"`).length - 1;
const are = (statuses: readonly number[], wanted: number): boolean => statuses.every((status) => status === wanted);

test(
  "a Redis that is killed is said to be lost once and to be back once, and nobody is ready in between",
  { skip },
  async (t) => {
    const { redis, logs, ready, put, applied } = await startFleet(t);
    await until("both are ready", async () => are(await ready(), 200));
    for (const round of [1, 2]) {
      await redis.kill(0);
      await until("nobody is ready", async () => are(await ready(), 503));
      await redis.startAgain();
      await until("both are ready again", async () => are(await ready(), 200));
      // A line may come after the answer that was given in the same turn.
      const isBack = "connection to Redis is back";
      await until("both have said so", () => logs().every((log) => times(log, isBack) >= round));
      for (const log of logs()) {
        assert.equal(times(log, "connection to Redis lost"), round);
        assert.equal(times(log, isBack), round);
      }
    }
    const { code, stderr } = await put("A");
    assert.equal(code, 0, stderr);
    await until("what was put is delivered", () => applied() === 3);
  },
);

test(
  "a Redis that hangs with its connections open is said to be silent once, and nobody is ready until it answers",
  { skip },
  async (t) => {
    const { redis, logs, ready, put, applied } = await startFleet(t);
    await until("both are ready", async () => are(await ready(), 200));
    for (const round of [1, 2]) {
      redis.suspend();
      await until("nobody is ready", async () => are(await ready(), 503));
      redis.goOn();
      await until("both are ready again", async () => are(await ready(), 200));
      const answers = "Redis answers again";
      await until("both have said so", () => logs().every((log) => times(log, answers) >= round));
      for (const log of logs()) {
        assert.equal(times(log, "Redis does not answer"), round);
        assert.equal(times(log, answers), round);
      }
    }
    const { code, stderr } = await put("A");
    assert.equal(code, 0, stderr);
    await until("what was put is delivered", () => applied() === 3);
  },
);

test("a worker that is stopped while Redis hangs ends all the same", { skip }, async (t) => {
  const { redis, ready, environment } = await startFleet(t);
  await until("both are ready", async () => are(await ready(), 200));
  const words = ["worker", "--pools", POOL, "--drain-timeout", "1"];
  const worker = runFile("src/cli/main.ts", words, environment);
  t.after(() => worker.kill("SIGKILL"));
  await until("a third works", () => times(worker.stderr(), "worker started") === 1);
  redis.suspend();
  t.after(() => redis.goOn());
  await worker.kill("SIGTERM");
  assert.equal(await worker.ended(), 1, worker.stderr());
  assert.equal(times(worker.stderr(), "ended without closing"), 1);
});

test(
  "a command says of a Redis that hangs that it does not answer: it ends, or goes on where it is under way",
  { skip },
  async (t) => {
    const { redis, put, applied, emulator, environment } = await startFleet(t);
    assert.equal((await put("A")).code, 0);
    await until("it is delivered", () => applied() === 3);
    emulator.faults.add({ error: "TooManyRequestsException", operation: "AdminUpdateUserAttributes" });
    const file = join(await directoryOf(t), "users.csv");
    await writeFile(file, "username,given_name\nu0,B\n");
    const sync = runFile("src/cli/main.ts", ["sync", file, "--user-pool-id", POOL, "--json"], environment);
    t.after(() => sync.kill("SIGKILL"));
    const throttled = () => emulator.counters.operations["AdminUpdateUserAttributes"]?.errors ?? {};
    await until("the sync waits", () => (throttled()["TooManyRequestsException"] ?? 0) > 0);

    redis.suspend();
    const status = await runCommand(["status", "--json"], { environment });
    assert.equal(status.code, 1);
    assert.match(status.stdout + status.stderr, /"unreachable".*cannot be reached \(No answer within \d+ ms\)/s);
    await until("the sync says it", () => times(sync.stderr(), "Redis does not answer") === 1);
    redis.goOn();
    emulator.faults.clear();
    assert.equal(await sync.ended(), 0, sync.stderr());
    assert.equal(times(sync.stderr(), "Redis answers again"), 1);
  },
);

test(
  "a Redis that is full is said to be so, by workers once and by commands with the next step",
  { skip },
  async (t) => {
    const { redis, logs, ready, put, applied } = await startFleet(t);
    await until("both are ready", async () => are(await ready(), 200));
    assert.equal((await put("A")).code, 0);
    await until("it is delivered", () => applied() === 3);

    await redis.full(true);
    const refused = await put("B");
    assert.equal(refused.code, 1);
    assert.match(refused.stdout + refused.stderr, /"full".*Redis has reached its maxmemory.*give it more memory/s);
    await until("the worker is not ready", async () => (await ready())[0] === 503);

    await redis.full(false);
    await until("the worker is ready again", async () => (await ready())[0] === 200);
    assert.equal(times(logs()[0] ?? "", "Redis is full"), 1);
    assert.equal(times(logs()[0] ?? "", "Redis takes changes again"), 1);
    assert.equal((await put("B")).code, 0);
    await until("what was put then is delivered", () => applied() === 6);
  },
);
