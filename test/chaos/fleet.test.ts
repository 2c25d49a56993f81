import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { imbalance } from "../../src/core/books.ts";
import type { Change } from "../../src/core/change.ts";
import { startEmulator } from "../../src/emulator/emulator.ts";
import { createCognitoClient } from "../../src/cognito/client.ts";
import { createLog } from "../../src/log.ts";
import { openEngine } from "../../src/queues/engine.ts";
import { openPool } from "../../src/delivery/pool.ts";
import { createProducer } from "../../src/delivery/producer.ts";
import { PRIORITY } from "../../src/queues/wake-ups.ts";
import { createRandom } from "../../src/emulator/random.ts";
import { AWS_ENVIRONMENT, exampleAws } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import { runFile } from "../support/process.ts";
import { testRedis } from "../support/redis.ts";

/**
 * Two workers over Redis, one killed and begun again, one suspended for longer than a lease and continued; two
 * producers put shuffled versions of the same users. What every user ends with is the newest version, and no
 * attribute of any user ever goes back.
 */
const POOL = "eu-west-1_Example";
const USERS = 2000;
const VERSIONS = 3;
const PAGE = 250;
/** Connect and request time-outs of the workers, in seconds; a claim lives 5 s longer. */
const TIMEOUTS = { POOLSYNC_CONNECT_TIMEOUT: "1", POOLSYNC_REQUEST_TIMEOUT: "2" };
const LONGER_THAN_A_LEASE_MS = 9_000;

test("two workers, one killed and one suspended, bring 2,000 users to their newest version and never back", async (t) => {
  const seed = Number(process.env["POOLSYNC_TEST_SEED"] ?? Date.now() % 1_000_000);
  t.diagnostic(`seed ${seed}`);
  const random = createRandom(seed);
  t.after(exampleAws());
  const { url, namespace } = testRedis();
  const emulator = await startEmulator({ quotas: "unmetered", latencyMs: [2, 8] });
  t.after(() => emulator.close());
  const pool = emulator.pools.add({ id: POOL, name: "staff" });
  for (let index = 0; index < USERS; index += 1) pool.addUser({ username: `user${index}`, attributes: {} });

  const env = {
    ...AWS_ENVIRONMENT,
    ...TIMEOUTS,
    REDIS_URL: url,
    POOLSYNC_NAMESPACE: namespace,
    POOLSYNC_POOLS: POOL,
    POOLSYNC_RATE: "1000",
    POOLSYNC_CONCURRENCY: "10",
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url,
  };
  const start = () => {
    const worker = runFile("workers/deliver.ts", [], env);
    t.after(() => worker.kill("SIGKILL"));
    return worker;
  };

  // Every version of every user, in an order of its own, shared out between two producers.
  const puts = Array.from({ length: USERS * VERSIONS }, (_, place) => ({
    user: place % USERS,
    version: Math.floor(place / USERS) + 1,
  }));
  for (let last = puts.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    const [a, b] = [puts[last], puts[other]];
    if (a && b) [puts[last], puts[other]] = [b, a];
  }
  const timeMs = Date.now() - 60_000;
  const changeOf = ({ user, version }: { user: number; version: number }): Change => ({
    username: `user${user}`,
    units: [
      { name: "given_name", value: { kind: "text", text: `v${version}` } },
      ...(version % 2 === 0 ? [{ name: "nickname", value: { kind: "text", text: `v${version}` } } as const] : []),
    ],
    version: { timeMs, sequence: version },
  });
  const log = createLog("error");
  async function produce(half: number): Promise<void> {
    const engine = await openEngine({ redisUrl: url, namespace, dataDir: "" });
    const cognito = createCognitoClient({ endpoint: emulator.url, region: "eu-west-1", concurrency: 2 });
    try {
      const opened = await openPool({
        engine,
        cognito,
        pool: POOL,
        ratePerSecond: 1000,
        listsPerSecond: 25,
        concurrency: 2,
        log,
      });
      const run = await engine.store.runs.direct(POOL);
      const producer = createProducer({ engine, profile: opened.profile, run: run.id, priority: PRIORITY.bulk });
      const mine = puts.filter((_, place) => place % 2 === half);
      for (let at = 0; at < mine.length; at += PAGE) {
        const page = mine.slice(at, at + PAGE);
        await producer.put(page.map(changeOf), { invalid: 0, rows: { read: page.length, faulty: 0 } });
      }
      await opened.close();
    } finally {
      cognito.close();
      await engine.close();
    }
  }

  const [killed, suspended] = [start(), start()];
  const producing = Promise.all([produce(0), produce(1)]);
  await until("some users are written", () => emulator.log.writes.length > USERS / 5);
  await suspended.kill("SIGSTOP");
  await killed.kill("SIGKILL");
  start();
  await producing;
  // Time itself is what is tested here: the suspended process wakes up after its leases have ended.
  await sleep(LONGER_THAN_A_LEASE_MS);
  await suspended.kill("SIGCONT");

  const engine = await openEngine({ redisUrl: url, namespace, dataDir: "" });
  t.after(() => engine.close());
  await until("nothing is pending", async () => (await engine.store.runs.books()).pending === 0, 120_000);

  const units = puts.reduce((sum, { version }) => sum + (version % 2 === 0 ? 2 : 1), 0);
  const books = await engine.store.runs.books();
  t.diagnostic(JSON.stringify({ ...books, writes: emulator.log.writes.length }));
  assert.equal(books.received, units);
  assert.equal(imbalance(books), 0);
  assert.equal(books.dead, 0);
  for (let index = 0; index < USERS; index += 1) {
    const attributes = pool.user(`user${index}`)?.attributes;
    assert.equal(attributes?.["given_name"], `v${VERSIONS}`, `user${index}`);
    assert.equal(attributes?.["nickname"], "v2", `user${index}`);
  }
  const newest = new Map<string, number>();
  for (const { username, attributes } of emulator.log.writes) {
    for (const [name, value] of Object.entries(attributes)) {
      const version = Number(value.slice(1));
      const key = `${username} ${name}`;
      assert.ok(version >= (newest.get(key) ?? 0), `${key} went from version ${newest.get(key)} back to ${version}`);
      newest.set(key, version);
    }
  }
});
