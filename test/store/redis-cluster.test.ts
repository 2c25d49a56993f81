/** A cluster whose owner of the keys is lost: commands wait until somebody else owns them, as they wait for one server. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import { createKeys } from "../../src/store/redis/keys.ts";
import { StoreError } from "../../src/store/store-error.ts";
import { freePort, openRedisProcesses, redisVersion, type RedisProcess } from "../chaos/redis-processes.ts";
import { until } from "../support/condition.ts";

const skip = redisVersion() === "none" ? "there is no redis-server on the PATH" : false;

const NAMESPACE = "clustered";
/** Of `{poolsync:clustered}`. */
const SLOT = 3_061;
/** More than ioredis' own 16 redirections take. */
const AWAY_MS = 2_500;

interface TestCluster {
  readonly url: string;
  /** Owns the slot of the keys. */
  readonly owner: RedisProcess;
  /** Owns the other slots. */
  readonly other: RedisProcess;
}

const told = (node: RedisProcess, ...words: readonly string[]): Promise<unknown> =>
  node.ask((client) => client.call("CLUSTER", ...words));

/** Two masters. Neither notices by itself that the other is gone: what a failover does is done by the test. */
async function openCluster(t: TestContext): Promise<TestCluster> {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-cluster-"));
  const processes = openRedisProcesses(directory);
  t.after(async () => {
    await processes.close();
    await rm(directory, { recursive: true, force: true });
  });
  const lines = [
    "maxmemory-policy noeviction",
    "save ''",
    "cluster-enabled yes",
    "cluster-node-timeout 60000",
    "cluster-require-full-coverage no",
  ];
  const start = async (name: string): Promise<RedisProcess> => {
    const [port, bus] = [await freePort(), await freePort()];
    return processes.start(name, port, [...lines, `cluster-port ${bus}`]);
  };
  const [owner, other] = [await start("owner"), await start("other")];
  await told(owner, "ADDSLOTS", String(SLOT));
  await told(other, "ADDSLOTSRANGE", "0", String(SLOT - 1), String(SLOT + 1), "16383");
  await told(owner, "SET-CONFIG-EPOCH", "1");
  await told(other, "SET-CONFIG-EPOCH", "2");
  const bus = /@(\d+)/.exec(String(await told(other, "NODES")))?.[1];
  await told(owner, "MEET", "127.0.0.1", String(other.port), String(bus));
  for (const node of [owner, other]) {
    await until("it is up and knows all slots", async () =>
      /cluster_state:ok\r[^]*cluster_slots_assigned:16384\r/.test(String(await told(node, "INFO"))),
    );
  }
  return { url: `redis+cluster://127.0.0.1:${other.port}`, owner, other };
}

test("a command waits for as long as a failover takes, and is carried out then", { skip }, async (t) => {
  const { url, owner, other } = await openCluster(t);
  assert.equal(await other.ask((client) => client.cluster("KEYSLOT", `{poolsync:${NAMESPACE}}`)), SLOT);
  const store = await openRedisStore({ url, namespace: NAMESPACE });
  t.after(() => store.close());
  await store.setValue("before", "1");
  const { memory } = createKeys(NAMESPACE);
  const known = await owner.ask((client) => client.hgetall(memory));
  const ownerId = String(await told(owner, "MYID"));
  await owner.kill();
  const killedAt = performance.now();
  const settled: string[] = [];
  const writing = ["a", "b", "c"].map(async (name) => {
    await store.setValue(name, "1");
    settled.push(name);
  });
  await until("a failover has had its time", () => performance.now() - killedAt > AWAY_MS);
  assert.deepEqual(settled, []);
  // It has what a replica would have: else it would be another store.
  await told(other, "SETSLOT", String(SLOT), "IMPORTING", ownerId);
  await other.ask(async (client) => {
    await client.call("ASKING");
    await client.hset(memory, known);
  });
  await told(other, "SETSLOT", String(SLOT), "NODE", String(await told(other, "MYID")));
  await Promise.all(writing);
  assert.equal(await store.getValue("c"), "1");
});

test("a cluster in which nobody has the keys is told so at the start, in bounded time", { skip }, async (t) => {
  const { url, owner } = await openCluster(t);
  await told(owner, "DELSLOTS", String(SLOT));
  await assert.rejects(
    openRedisStore({ url: url.replace(/\d+$/, String(owner.port)), namespace: NAMESPACE }),
    (error) => error instanceof StoreError && error.kind === "unreachable" && error.message.includes("No answer"),
  );
});

test("a store is closed in bounded time although commands wait", { skip }, async (t) => {
  const { url, owner } = await openCluster(t);
  const store = await openRedisStore({ url, namespace: NAMESPACE });
  await store.setValue("before", "1");
  await owner.kill();
  void store.setValue("after", "1").catch(() => undefined);
  const closingAt = performance.now();
  await store.close();
  assert.ok(performance.now() - closingAt < 10_000);
});
