import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Redis } from "ioredis";
import { startEmulator } from "../../src/emulator/emulator.ts";
import { createKeys } from "../../src/store/redis/keys.ts";
import { AWS_ENVIRONMENT } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import { runFile } from "../support/process.ts";
import { testRedis } from "../support/redis.ts";

const POOL = "eu-west-1_Example";
const USERS = 48;

test("a sync whose run Redis forgets begins it again by itself", async (t) => {
  const { url, namespace } = testRedis();
  const directory = await mkdtemp(join(tmpdir(), "poolsync-forgotten-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const emulator = await startEmulator({ quotas: "unmetered" });
  t.after(() => emulator.close());
  const pool = emulator.pools.add({ id: POOL, name: "staff" });
  const rows = ["username,given_name"];
  for (let index = 0; index < USERS; index += 1) {
    pool.addUser({ username: `user${index}` });
    rows.push(`user${index},Given ${index}`);
  }
  const file = join(directory, "users.csv");
  await writeFile(file, rows.join("\n"));

  const sync = runFile("src/cli/main.ts", ["sync", file, "--user-pool-id", POOL, "--json", "--rate", "24"], {
    ...AWS_ENVIRONMENT,
    REDIS_URL: url,
    POOLSYNC_NAMESPACE: namespace,
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url,
  });
  await until("some users are written", () => emulator.log.writes.length > 0);
  const redis = new Redis(url);
  const keys = createKeys(namespace);
  // All that Redis knows of the run but its pages, as where it began in the second that was lost.
  await redis.del(keys.runs, keys.runIndex, keys.identities, keys.cursors);
  await redis.quit();

  assert.equal(await sync.ended(), 0, sync.stderr());
  assert.match(sync.stderr(), /"run forgotten, begun again"/);
  for (let index = 0; index < USERS; index += 1) {
    assert.equal(pool.user(`user${index}`)?.attributes["given_name"], `Given ${index}`);
  }
});
