import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import type { Emulator } from "../../src/emulator/emulator.ts";
import { AWS_ENVIRONMENT, exampleAws } from "../support/aws-environment.ts";
import { freePort } from "../chaos/redis-processes.ts";
import { until } from "../support/condition.ts";
import { runFile, type TestProcess } from "../support/process.ts";
import { testRedis } from "../support/redis.ts";
import { emulatorWith, POOL, runCommand } from "./command-run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

describe("a fleet on Redis", () => {
  const redis = testRedis();
  const environment = { REDIS_URL: redis.url, POOLSYNC_NAMESPACE: redis.namespace };
  let emulator: Emulator;
  let restore: () => void;
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  const processes: TestProcess[] = [];
  const command = (...words: readonly string[]) => runCommand(words, { environment });
  const booksOf = async () => {
    const { stdout } = await command("status", "--json");
    return z.object({ books: z.record(z.string(), z.number()), balanced: z.literal(true) }).parse(JSON.parse(stdout))
      .books;
  };

  const alive = async () => {
    const { stdout } = await command("status", "--json");
    const { workers } = z.object({ workers: z.array(z.object({ does: z.string() })) }).parse(JSON.parse(stdout));
    return workers.map(({ does }) => does);
  };

  before(async () => {
    emulator = await emulatorWith(3);
    restore = exampleAws({ AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url });
    directory = await temporaryDirectory();
    await writeFile(join(directory.path, "users.csv"), "username,given_name\nu0,A\nu1,B\nu2,C\nlate,D\n");
  });
  after(async () => {
    for (const item of processes) await item.kill("SIGKILL");
    await emulator.close();
    restore();
    await directory.remove();
  });
  const start = (file: string, rest: Readonly<Record<string, string>> = {}): TestProcess => {
    const started = runFile(file, [], {
      ...AWS_ENVIRONMENT,
      ...environment,
      AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url,
      POOLSYNC_POOLS: POOL,
      ...rest,
    });
    processes.push(started);
    return started;
  };

  test("what is put with --detach is delivered by a worker, and an order is carried out by a replay worker", async () => {
    const put = await command("sync", join(directory.path, "users.csv"), "--user-pool-id", POOL, "--detach", "--json");
    assert.equal(put.code, 0, put.stderr);
    assert.deepEqual(z.object({ received: z.number(), pending: z.number() }).parse(await booksOf()), {
      received: 4,
      pending: 4,
    });
    const again = await command("sync", join(directory.path, "users.csv"), "--user-pool-id", POOL, "--detach");
    assert.match(
      again.stdout.replaceAll("\n", " "),
      /was put by an earlier command, .* 4 changes wait for a worker, and none is alive: one has to run, such as/,
    );

    const worker = start("workers/deliver.ts");
    await until("everything is delivered", async () => (await booksOf())["pending"] === 0);
    assert.equal((await booksOf())["dead"], 1);
    assert.deepEqual(await alive(), ["delivery"]);

    emulator.pools.get(POOL)?.addUser({ username: "late", attributes: {} });
    const order = await command("dead", "replay", "--user", "late", "--detach");
    assert.equal(order.code, 0, order.stderr);
    const replayer = start("workers/replay.ts");
    await until("the letter is applied", async () => (await booksOf())["applied"] === 4);

    for (const item of [worker, replayer]) {
      await item.kill("SIGTERM");
      assert.equal(await item.ended(), 0, item.stderr());
      for (const line of item.stderr().trim().split("\n")) z.object({ msg: z.string() }).parse(JSON.parse(line));
      assert.doesNotMatch(item.stderr(), /"late"|u0/);
    }
    assert.match(worker.stderr(), /worker started[^]*worker draining[^]*worker stopped/);
    assert.match(replayer.stderr(), /replay finished/);
    assert.deepEqual(await alive(), []);
    const verified = await command("status", "--verify", "--json");
    assert.equal(verified.code, 0);
  });

  test("a worker waits at its start for a pool that cannot be read, says so, and delivers to the others meanwhile", async () => {
    const other = "eu-west-1_Other";
    emulator.pools.add({ id: other }).addUser({ username: "o1" });
    for (const error of ["TooManyRequestsException", { kind: "http", status: 503 }] as const) {
      emulator.faults.add({ operation: "DescribeUserPool", pool: POOL, error });
    }
    const port = await freePort();
    const ready = async (): Promise<number> => (await fetch(`http://127.0.0.1:${port}/readyz`)).status;
    const worker = start("workers/deliver.ts", { POOLSYNC_POOLS: `${POOL},${other}`, POOLSYNC_HEALTH_PORT: `${port}` });
    const stopped = start("workers/deliver.ts");
    const waits = new RegExp(`"pool":"${POOL}","operation":"DescribeUserPool","kind":"throttled",.*"read tried again"`);
    for (const item of [worker, stopped]) await until("it says what it waits for", () => waits.test(item.stderr()));

    await stopped.kill("SIGTERM");
    assert.equal(await stopped.ended(), 0, stopped.stderr());
    assert.doesNotMatch(stopped.stderr(), /worker started/);
    assert.match(stopped.stderr(), /worker draining[^]*worker stopped/);

    const change = ["--user-pool-id", other, "--username", "o1", "--user-attributes", "Name=nickname,Value=O"];
    const put = await command("admin-update-user-attributes", ...change, "--queue");
    assert.equal(put.code, 0, put.stderr);
    await until("the other pool's is delivered", async () => (await booksOf())["pending"] === 0);
    assert.equal(await ready(), 503);
    assert.doesNotMatch(worker.stderr(), /worker started/);

    emulator.faults.clear();
    await until("it is ready", async () => (await ready()) === 200);
    await until("it has started", () => worker.stderr().includes("worker started"));
    await worker.kill("SIGTERM");
    assert.equal(await worker.ended(), 0, worker.stderr());
  });

  test("a worker ends at once where a pool is not there, though it waits for another", async () => {
    emulator.faults.add({ operation: "DescribeUserPool", pool: POOL, error: "TooManyRequestsException" });
    const worker = start("workers/deliver.ts", { POOLSYNC_POOLS: `${POOL},eu-west-1_Nowhere` });
    assert.equal(await worker.ended(), 1);
    assert.match(worker.stderr(), /"kind":"pool-not-found".*eu-west-1_Nowhere.*"worker failed"/);
    emulator.faults.clear();
  });

  test("a run that was put with --detach and delivered is over: the same command begins a new one", async () => {
    const again = await command("sync", join(directory.path, "users.csv"), "--user-pool-id", POOL, "--json");
    assert.equal(again.code, 0, again.stderr);
    const said = z
      .object({ resumed: z.boolean(), books: z.object({ unchanged: z.number() }) })
      .parse(JSON.parse(again.stdout));
    assert.deepEqual(said, { resumed: false, books: { unchanged: 4 } });
  });
});

test("a worker without Redis or without pools is told what it needs", async () => {
  for (const file of ["workers/deliver.ts", "workers/replay.ts"]) {
    const worker = runFile(file, [], { XDG_STATE_HOME: "/nonexistent" });
    assert.equal(await worker.ended(), 64);
    assert.match(worker.stderr(), /REDIS_URL: Expected/);
  }
  const lost = runFile("workers/deliver.ts", [], { REDIS_URL: "redis://127.0.0.1:1" });
  assert.equal(await lost.ended(), 64);
  assert.match(lost.stderr(), /POOLSYNC_POOLS: Expected/);
});
