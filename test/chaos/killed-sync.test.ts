import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { imbalance, TERMS } from "../../src/core/books.ts";
import { startEmulator } from "../../src/emulator/emulator.ts";
import { AWS_ENVIRONMENT } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { runFile } from "../support/process.ts";
import { testRedis } from "../support/redis.ts";
import { GUARDS_OFF } from "./run-settings.ts";

/**
 * A run that is killed half way and begun again with the same command: every user is right, what was received equals
 * an independent count of the file's units, and no more writes were made than users and calls in flight at the kill.
 */
const POOL = "eu-west-1_Example";
const USERS = 600;
const CONCURRENCY = 10;

async function killedAndBegunAgain(t: TestContext, engine: Readonly<Record<string, string>>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-killed-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const emulator = await startEmulator({ quotas: "unmetered", latencyMs: [5, 15] });
  t.after(() => emulator.close());
  const pool = emulator.pools.add({ id: POOL, name: "staff" });
  const rows = ["username,given_name,family_name,nickname"];
  for (let index = 0; index < USERS; index += 1) {
    pool.addUser({ username: `user${index}`, attributes: { given_name: "Old" } });
    rows.push(`user${index},Given ${index},"Family, ${index}",${index % 3 === 0 ? "" : `nick${index}`}`);
  }
  const file = join(directory, "users.csv");
  await writeFile(file, rows.join("\n"));
  const units = USERS * 3 - USERS / 3;

  if (!("REDIS_URL" in engine)) putMadeDirectory(join(directory, "data"));
  const config = join(directory, "poolsync.yaml");
  await writeFile(config, GUARDS_OFF);
  const args = [
    "sync",
    file,
    "--config",
    config,
    "--user-pool-id",
    POOL,
    "--json",
    "--rate",
    "400",
    "--concurrency",
    String(CONCURRENCY),
  ];
  const env = {
    ...AWS_ENVIRONMENT,
    ...engine,
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url,
    POOLSYNC_DATA_DIR: join(directory, "data"),
  };
  const first = runFile("src/cli/main.ts", args, env);
  t.after(() => first.kill("SIGKILL"));
  // On a machine that is busy with other tests this takes as long as it takes.
  await until("half of the users are written", () => emulator.log.writes.length >= USERS / 2, 180_000);
  await first.kill("SIGKILL");
  assert.equal(first.stdout(), "", "it was killed before its end");

  const second = runFile("src/cli/main.ts", args, env);
  t.after(() => second.kill("SIGKILL"));
  assert.equal(await second.ended(), 0, second.stderr());
  const summary: unknown = JSON.parse(second.stdout());
  assert.ok(typeof summary === "object" && summary !== null && "books" in summary);
  const { books } = summary;
  assert.ok(typeof books === "object" && books !== null);
  const counted = Object.fromEntries(TERMS.map((term) => [term, Reflect.get(books, term) as unknown]));
  assert.equal(counted["received"], units);
  assert.equal(counted["pending"], 0);
  assert.equal(imbalance({ ...(counted as Record<(typeof TERMS)[number], number>) }), 0);

  for (let index = 0; index < USERS; index += 1) {
    const { attributes } = pool.user(`user${index}`) ?? assert.fail(`Expected user${index} in the pool`);
    assert.equal(attributes["given_name"], `Given ${index}`);
    assert.equal(attributes["family_name"], `Family, ${index}`);
    assert.equal(attributes["nickname"], index % 3 === 0 ? undefined : `nick${index}`);
  }
  const writes = emulator.log.writes.length;
  assert.ok(writes <= USERS + CONCURRENCY, `${writes} writes for ${USERS} users`);
}

test("a sync that is killed half way is finished by the same command, embedded", (t) => killedAndBegunAgain(t, {}));

test("a sync that is killed half way is finished by the same command, over Redis", (t) => {
  const { url, namespace } = testRedis();
  return killedAndBegunAgain(t, { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace });
});
