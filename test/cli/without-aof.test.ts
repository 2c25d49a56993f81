import assert from "node:assert/strict";
import { test } from "node:test";
import { AWS_ENVIRONMENT, exampleAws } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import { runFile } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { freePort, openRedisProcesses, redisVersion } from "../chaos/redis-processes.ts";
import { emulatorWith, POOL, runCommand } from "./command-run.ts";

const skip = redisVersion() === "none" ? "there is no redis-server on the PATH" : false;
const SENTENCE = /Redis keeps no append-only file: .* Set `appendonly yes`/;

test("a Redis without an append-only file is told to whoever relies on it", { skip }, async (t) => {
  const directory = await temporaryDirectory();
  const servers = openRedisProcesses(directory.path);
  t.after(async () => {
    await servers.close();
    await directory.remove();
  });
  const redis = await servers.start("redis", await freePort(), ['save ""', "appendonly no"]);
  const emulator = await emulatorWith(1);
  t.after(() => emulator.close());
  t.after(exampleAws({ AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url }));
  const environment = { REDIS_URL: `redis://127.0.0.1:${redis.port}` };
  const health = await freePort();
  const worker = runFile("workers/deliver.ts", [], {
    ...AWS_ENVIRONMENT,
    ...environment,
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url,
    POOLSYNC_POOLS: POOL,
    POOLSYNC_HEALTH_PORT: String(health),
  });
  t.after(() => worker.kill("SIGKILL"));
  await until("the worker has started", () => worker.stderr().includes('"worker started"'));
  assert.match(worker.stderr(), /"level":"warn".*"Redis keeps no append-only file"/);
  const answer = await fetch(`http://127.0.0.1:${health}/readyz`);
  assert.equal(answer.status, 200);
  assert.match(await answer.text(), SENTENCE);

  const atTerminal = { environment, columns: 1000 };
  assert.match((await runCommand(["dead", "replay"], atTerminal)).stderr, SENTENCE);
  assert.equal((await runCommand(["dead", "list"], atTerminal)).stderr, "");
  assert.match((await runCommand(["status"], atTerminal)).stdout, SENTENCE);
  assert.match((await runCommand(["status", "--json"], { environment })).stdout, /"withoutAof": true/);

  await redis.ask((client) => client.config("SET", "appendonly", "yes"));
  assert.match((await runCommand(["status", "--json"], { environment })).stdout, /"withoutAof": false/);
});
