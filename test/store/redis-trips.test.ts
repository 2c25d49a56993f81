/** Claims and settles that share a trip to Redis: what becomes of one does nothing to the others. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";
import { Redis } from "ioredis";
import type { Settlements } from "../../src/core/settlement.ts";
import { redisClient, redisConnection } from "../../src/store/redis/connection.ts";
import { createKeys } from "../../src/store/redis/keys.ts";
import { createRedisStore, openRedisStore } from "../../src/store/redis/redis-store.ts";
import { createScripts } from "../../src/store/redis/scripts.ts";
import type { Scripts } from "../../src/store/redis/scripts.ts";
import type { ClaimAnswer } from "../../src/store/mailboxes.ts";
import type { Store } from "../../src/store/store.ts";
import { StoreError } from "../../src/store/store-error.ts";
import { freePort, openRedisProcesses, redisVersion } from "../chaos/redis-processes.ts";
import { until } from "../support/condition.ts";
import { testRedis } from "../support/redis.ts";
import { cuttingProxy } from "./cutting-proxy.ts";
import { removeKeys } from "./redis-clock.ts";

const LEASE_MS = 60_000;
const skip = redisVersion() === "none" ? "there is no redis-server on the PATH" : false;
const OLD = "001700000000001.0000000000000000.0000000000000001";
const NEWER = "001700000000002.0000000000000000.0000000000000001";

/** Puts one change of each user, in a run that has their name. */
async function putAll(store: Store, users: readonly string[], pool = "pool", word = "first"): Promise<void> {
  for (const user of users) {
    await store.runs.begin({ id: user, source: "file", pool, feed: "feed", identity: "", asOf: 0 });
    const units = ["given_name", "nickname"].map((name) => ({ name, digest: word, body: `p:${user}` }));
    const changes = [{ user, username: `p:${user}`, units }];
    await store.mailboxes.put({
      pool,
      run: user,
      priority: 10,
      invalid: 0,
      rows: { read: 1, faulty: 0 },
      changes,
    });
  }
}

function versionOf(claimed: ClaimAnswer | undefined, unit: string): string {
  const version = claimed?.is === "claimed" ? claimed.units[unit]?.version : undefined;
  assert.ok(version !== undefined, `${unit} is claimed`);
  return version;
}

const appliedOf = (claimed: ClaimAnswer | undefined): Settlements => ({
  given_name: { is: "applied", version: versionOf(claimed, "given_name") },
  nickname: { is: "applied", version: versionOf(claimed, "nickname") },
});

const buriedOf = (user: string, claimed: ClaimAnswer | undefined): Settlements => ({
  given_name: { is: "applied", version: versionOf(claimed, "given_name") },
  nickname: {
    is: "bury",
    version: versionOf(claimed, "nickname"),
    letter: `letter-${user}`,
    kind: "gave-up",
    reason: "Because",
    fateUnknown: false,
  },
});

async function booksOf(store: Store, run: string): Promise<Record<string, number>> {
  const books = Object.entries(await store.runs.books(run)).filter(([, count]) => count !== 0);
  return Object.fromEntries(books);
}

interface Watched {
  readonly store: Store;
  readonly redis: Redis;
  readonly namespace: string;
  /** The users of each trip, in their order. */
  readonly trips: (readonly string[])[];
  /** Is awaited before each trip. */
  beforeTrip: () => Promise<void>;
}

/** A store whose trips to Redis are seen. */
async function openWatched(t: TestContext, through?: string): Promise<Watched> {
  const at = testRedis();
  const { url, namespace } = at;
  const redis = new Redis(url);
  const client = redisClient(redisConnection(through ?? url), () => true);
  await client.connect();
  const scripts = createScripts(client);
  const watching: Scripts = {
    async run(name, keys, args) {
      if (name === "claim-and-settle") {
        // The last two are the identity and the epoch.
        trips.push(args.slice(0, -2).flatMap((arg, index) => (index % 5 === 1 ? [String(arg)] : [])));
        await watched.beforeTrip();
      }
      return scripts.run(name, keys, args);
    },
  };
  const store = await createRedisStore(client, createKeys(namespace), watching);
  const trips: (readonly string[])[] = [];
  const watched: Watched = { store, redis, namespace, trips, beforeTrip: async () => undefined };
  t.after(async () => {
    await store.close();
    await redis.quit();
    await removeKeys(at);
  });
  return watched;
}

describe("a damaged mailbox among others of one trip", () => {
  const held = (version: string, more = {}) => ({ version, digest: "secret", body: "p:secret", run: "bad", ...more });
  const mailbox = (more: object) => ({ pool: "pool", username: "p:bad", priority: 10, pending: {}, ...more });
  const ledgerAhead = { given_name: { version: NEWER, digest: "secret" } };
  /** In most of them something is booked, and the ledger changed, before the damage is met. */
  const damages: readonly { name: string; mailbox: unknown; ledger?: unknown }[] = [
    { name: "that is not JSON", mailbox: '{"pool":"secret' },
    { name: "that is no object", mailbox: 5 },
    { name: "that is null", mailbox: null },
    { name: "that has no units", mailbox: { pool: "pool" } },
    { name: "whose ledger is broken as well", mailbox: { pool: "pool" }, ledger: '{"given_name":"secret' },
    {
      name: "whose abandoned calls are none",
      mailbox: mailbox({ pending: { given_name: held(OLD) }, abandonedCalls: { given_name: 5 } }),
      ledger: ledgerAhead,
    },
    {
      name: "whose dead claim has a unit without a run",
      mailbox: mailbox({
        claim: { token: "dead", leaseUntil: 1, units: { a: held(NEWER), b: held(NEWER, { run: undefined }) } },
      }),
    },
    {
      name: "whose lease is a word",
      mailbox: mailbox({ claim: { token: "token", leaseUntil: "later", units: { given_name: held(NEWER) } } }),
    },
  ];
  for (const damage of damages) {
    test(`${damage.name} is set aside by its own claim, which books nothing`, async (t) => {
      const { store, redis, namespace, trips } = await openWatched(t);
      const keys = createKeys(namespace);
      await putAll(store, ["ann", "bob", "cem"]);
      const textOf = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
      await redis.hset(keys.mailboxes, "bad", textOf(damage.mailbox));
      if (damage.ledger !== undefined) await redis.hset(keys.ledger, "bad", textOf(damage.ledger));
      await redis.zadd(keys.due("pool"), 7, "bad");
      const bob = await store.mailboxes.claim("bob", "early", LEASE_MS);
      const before = [await redis.hget(keys.mailboxes, "bad"), await redis.hget(keys.ledger, "bad")];

      const all = await Promise.allSettled([
        store.mailboxes.claim("ann", "token", LEASE_MS),
        store.mailboxes.claim("bad", "token", LEASE_MS),
        store.mailboxes.settle("bob", "early", buriedOf("bob", bob), LEASE_MS),
        store.mailboxes.claim("cem", "token", LEASE_MS),
      ]);
      assert.deepEqual(trips.at(-1), ["ann", "bad", "bob", "cem"]);
      const [ann, bad, settled, cem] = all;
      assert.ok(bad?.status === "fulfilled");
      assert.deepEqual(bad.value, { is: "idle" });
      assert.ok(ann?.status === "fulfilled" && ann.value.is === "claimed");
      assert.ok(cem?.status === "fulfilled" && cem.value.is === "claimed");
      assert.ok(settled?.status === "fulfilled");
      assert.deepEqual(
        settled.value.letters.map(({ id }) => id),
        ["letter-bob"],
      );

      const aside = await store.damaged.list();
      const texts = await redis.hmget(keys.damagedTexts, ...aside.map(({ id }) => id));
      assert.deepEqual(texts, before.slice(0, aside.length));
      const isLedgerSound = damage.ledger === undefined || typeof damage.ledger === "object";
      assert.equal(aside.length, isLedgerSound ? 1 : 2);
      assert.equal(await redis.hget(keys.ledger, "bad"), isLedgerSound ? before[1] : null);
      assert.equal(await redis.hexists(keys.mailboxes, "bad"), 0);
      assert.equal(await redis.zscore(keys.due("pool"), "bad"), null);
      assert.ok(!JSON.stringify(aside).includes("secret"));
      assert.deepEqual(await booksOf(store, "bad"), {});
      assert.deepEqual(await booksOf(store, "ann"), { received: 2, pending: 2 });
      assert.deepEqual(await booksOf(store, "bob"), { received: 2, applied: 1, dead: 1 });
      assert.deepEqual(await booksOf(store, ""), { received: 6, applied: 1, dead: 1, pending: 4 });
    });
  }

  test("is set aside by its own settle, which is late, and books and buries nothing", async (t) => {
    const { store, redis, namespace, trips } = await openWatched(t);
    const keys = createKeys(namespace);
    await putAll(store, ["ann", "bad"]);
    const claims = await Promise.all(["ann", "bad"].map((user) => store.mailboxes.claim(user, "token", LEASE_MS)));
    const text = JSON.stringify({
      ...(JSON.parse((await redis.hget(keys.mailboxes, "bad")) ?? "") as object),
      abandonedCalls: { profile: 5 },
    });
    await redis.hset(keys.mailboxes, "bad", text);
    const [ann, bad] = await Promise.allSettled(
      ["ann", "bad"].map((user, index) =>
        store.mailboxes.settle(user, "token", buriedOf(user, claims[index]), LEASE_MS),
      ),
    );
    assert.deepEqual(trips.at(-1), ["ann", "bad"]);
    assert.ok(ann?.status === "fulfilled" && bad?.status === "fulfilled");
    assert.deepEqual([ann.value.late, bad.value.late, bad.value.letters], [false, true, []]);
    const [aside] = await store.damaged.list();
    assert.equal(await redis.hget(keys.damagedTexts, aside?.id ?? ""), text);
    assert.deepEqual(await booksOf(store, "bad"), { received: 2, pending: 2 });
    assert.deepEqual(await booksOf(store, "ann"), { received: 2, applied: 1, dead: 1 });
    assert.equal(await store.letters.get("letter-bad"), undefined);
    assert.equal(await redis.hget(keys.pools, "pool"), "1");
  });
});

test("users of two pools in one trip, one of which this process has not met, are each claimed once", async (t) => {
  const watched = await openWatched(t);
  const { store, redis, namespace, trips } = watched;
  const other = await openRedisStore({ url: testRedis().url, namespace });
  t.after(() => other.close());
  await putAll(store, ["ann"], "known");
  await putAll(other, ["bob", "cem"], "elsewhere");
  const keys = createKeys(namespace);
  const before = await redis.hget(keys.mailboxes, "bob");
  watched.beforeTrip = async () => {
    if (trips.length === 1) return;
    assert.equal(await redis.hget(keys.mailboxes, "bob"), before, "the first trip has left it as it was");
    assert.deepEqual(await booksOf(store, ""), { received: 6, pending: 6 });
  };
  const answers = await Promise.all(
    ["ann", "bob", "cem"].map((user) => store.mailboxes.claim(user, "token", LEASE_MS)),
  );
  assert.deepEqual(trips, [
    ["ann", "bob", "cem"],
    ["bob", "cem"],
  ]);
  assert.deepEqual(
    answers.map((answer) => answer.is === "claimed" && answer.pool),
    ["known", "elsewhere", "elsewhere"],
  );
  assert.equal(await store.mailboxes.dueCount("known"), 1);
  assert.equal(await store.mailboxes.dueCount("elsewhere"), 2);
});

describe("a trip whose answer is lost on its way", () => {
  async function openCut(t: TestContext) {
    const proxy = await cuttingProxy(testRedis().url);
    const watched = await openWatched(t, proxy.url);
    // The store is closed before it.
    t.after(() => proxy.close());
    // The server knows the script afterwards: the answer that is cut is the trip's own.
    await watched.store.mailboxes.claim("nobody", "token", 1000);
    const users = ["ann", "bob", "cem"];
    await putAll(watched.store, users);
    const cut = async <T>(step: (user: string, index: number) => Promise<T>): Promise<T[]> => {
      const [cuts, trips] = [proxy.cuts, watched.trips.length];
      proxy.cutNextAnswer();
      const answers = await Promise.all(users.map(step));
      assert.deepEqual([proxy.cuts, watched.trips.length], [cuts + 1, trips + 1]);
      return answers;
    };
    return { ...watched, users, cut };
  }

  test("gives its claims again, and carries out its settles once, without letters", async (t) => {
    const { store, users, cut } = await openCut(t);
    const claims = await cut((user) => store.mailboxes.claim(user, `token-${user}`, LEASE_MS));
    for (const [index, user] of users.entries()) {
      assert.equal(claims[index]?.is, "claimed");
      assert.equal((await store.mailboxes.read(user)).mailbox?.claim?.token, `token-${user}`);
    }
    const parts = await cut((user, index) => {
      const { given_name } = appliedOf(claims[index]);
      return store.mailboxes.settle(user, `token-${user}`, given_name ? { given_name } : {}, LEASE_MS);
    });
    for (const { late, dueInMs } of parts) assert.deepEqual([late, (dueInMs ?? 0) > 0], [false, true]);
    for (const user of users) assert.deepEqual(await booksOf(store, user), { received: 2, applied: 1, pending: 1 });
    await cut((user, index) => {
      const { nickname } = appliedOf(claims[index]);
      return store.mailboxes.settle(user, `token-${user}`, nickname ? { nickname } : {}, LEASE_MS);
    });
    for (const user of users) {
      assert.deepEqual(await booksOf(store, user), { received: 2, applied: 2 });
      assert.equal((await store.mailboxes.read(user)).mailbox, undefined);
    }
  });

  test("tells the letters of the first time, to those whose letters they are", async (t) => {
    const { store, redis, namespace, users, cut } = await openCut(t);
    const claims = await Promise.all(users.map((user) => store.mailboxes.claim(user, "token", LEASE_MS)));
    const [, , cem] = claims;
    await store.mailboxes.settle("cem", "token", appliedOf(cem), LEASE_MS);
    await putAll(store, ["cem"], "pool", "second");
    const settled = await cut(async (user, index) => {
      if (user !== "cem") return store.mailboxes.settle(user, "token", buriedOf(user, claims[index]), LEASE_MS);
      // Its answer, with somebody's values in it, is kept nowhere: the second time it is given anew.
      assert.equal((await store.mailboxes.claim(user, "again", LEASE_MS)).is, "claimed");
      return { late: false, letters: [] };
    });
    assert.deepEqual(
      settled.map(({ late, letters }) => [late, letters.map(({ id, user }) => `${id} of ${user}`)]),
      [
        [false, ["letter-ann of ann"]],
        [false, ["letter-bob of bob"]],
        [false, []],
      ],
    );
    assert.equal(await redis.hget(createKeys(namespace).pools, "pool"), "2");
    for (const user of ["ann", "bob"]) {
      assert.deepEqual(await booksOf(store, user), { received: 2, applied: 1, dead: 1 });
    }
    const kept = await redis.keys(`{poolsync:${namespace}}:once:*`);
    for (const key of kept) assert.ok(!(await redis.get(key))?.includes("p:cem"), "no value is kept with the answers");
  });
});

describe("what a server refuses", { skip }, () => {
  async function openServer(t: TestContext) {
    const directory = await mkdtemp(join(tmpdir(), "poolsync-trips-"));
    const processes = openRedisProcesses(directory);
    const server = await processes.start("redis", await freePort(), ["maxmemory-policy noeviction"]);
    let lost = 0;
    const store = await openRedisStore({
      url: `redis://127.0.0.1:${server.port}`,
      namespace: "refusing",
      onConnection: (is) => (lost += is === "lost" ? 1 : 0),
    });
    t.after(async () => {
      await store.close();
      await processes.close();
      await rm(directory, { recursive: true, force: true });
    });
    const users = ["ann", "bob", "cem"];
    await putAll(store, users);
    return {
      server,
      store,
      users,
      lost: () => lost,
      claimAll: () => users.map((user) => store.mailboxes.claim(user, "token", LEASE_MS)),
    };
  }

  for (const { name, kind, setting } of [
    { name: "for want of memory", kind: "full", setting: "maxmemory" },
    { name: "for want of replicas", kind: "no-replicas", setting: "min-replicas-to-write" },
  ] as const) {
    test(`${name} is refused to all of a trip, and nothing is written`, async (t) => {
      const { server, store, users, claimAll } = await openServer(t);
      await server.ask((client) => client.config("SET", setting, "1"));
      for (const outcome of await Promise.allSettled(claimAll())) {
        assert.ok(outcome.status === "rejected" && outcome.reason instanceof StoreError);
        assert.equal(outcome.reason.kind, kind);
      }
      await server.ask((client) => client.config("SET", setting, "0"));
      for (const user of users) {
        assert.equal((await store.mailboxes.read(user)).mailbox?.claim, undefined);
        assert.deepEqual(await booksOf(store, user), { received: 2, pending: 2 });
      }
      for (const { is } of await Promise.all(claimAll())) assert.equal(is, "claimed");
    });
  }

  test("as a replica is asked again on new connections, until it is a master", async (t) => {
    const { server, store, users, lost, claimAll } = await openServer(t);
    await server.ask((client) => client.replicaof("127.0.0.1", "1"));
    const claims = Promise.all(claimAll());
    await until("the client has left a connection that refuses writes", () => lost() > 0);
    await server.ask((client) => client.replicaof("NO", "ONE"));
    for (const { is } of await claims) assert.equal(is, "claimed");
    for (const user of users) assert.deepEqual(await booksOf(store, user), { received: 2, pending: 2 });
  });
});
