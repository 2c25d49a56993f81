/** What another program, a full server and a lost connection do to the inbox in Redis. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { Redis } from "ioredis";
import { createKeys } from "../../src/store/redis/keys.ts";
import { inboxKeys } from "../../src/store/redis/redis-inbox.ts";
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import type { Store } from "../../src/store/store.ts";
import { ANYWHERE, within } from "../suites/damages.ts";
import { createUser, wanted } from "../suites/mailbox-user.ts";
import { openForSuite } from "../suites/open-store.ts";
import { freePort, openRedisProcesses, redisVersion } from "../chaos/redis-processes.ts";
import { dumpRedis } from "../support/redis-dump.ts";
import { testRedis } from "../support/redis.ts";
import { cuttingProxy } from "./cutting-proxy.ts";
import { removeKeys } from "./redis-clock.ts";

const LIMITS = { entries: 1_000, bytes: 10_000 };
const TAKE = { leaseMs: 60_000, limit: 100, maxBytes: 10_000 };

const at = testRedis();
const keys = createKeys(at.namespace);
let redis: Redis;
before(() => void (redis = new Redis(at.url)));
after(async () => {
  await redis.quit();
  await removeKeys(at);
});

const suite = openForSuite(async () => {
  const store = await openRedisStore(at);
  return { store, close: () => store.close() };
}, "real");
beforeEach(async () => void (await redis.del(...inboxKeys(keys), keys.damaged, keys.damagedTexts)));

const entry = (id: string) => ({ id, feed: "hr", body: `b:${id}` });
const add = (...ids: readonly string[]) => suite.store.inbox.add(ids.map(entry), LIMITS);
const take = async (store: Store = suite.store) => {
  const token = suite.fresh("token");
  const { entries, nextInMs } = await store.inbox.take(token, TAKE);
  return { token, ids: entries.map(({ id }) => id), nextInMs };
};
const park = async (...ids: readonly string[]) => {
  await add(...ids);
  await suite.store.inbox.park(await take(), "nobody");
};
const aside = async () => (await suite.store.damaged.list()).map(({ kind, place }) => `${kind} ${place}`).toSorted();
const counts = async () => {
  const { waiting, ahead, taken, bytes, parked } = await suite.store.inbox.counts();
  return { waiting, ahead, taken, bytes, parked };
};
const EMPTY = { waiting: 0, ahead: 0, taken: 0, bytes: 0, parked: { entries: 0, bytes: 0, feeds: {} } };

const DAMAGES = {
  ...ANYWHERE,
  "without a feed": within((document) => ({ ...document, feed: 5 })),
  "whose arrival is a word": within((document) => ({ ...document, arrival: "first" })),
  "whose lease is a word": within((document) => ({ ...document, taken: { token: "a", leaseUntil: "later" } })),
  "parked for no reason": within((document) => ({ ...document, parked: { at: 1 } })),
};

describe("an entry that breaks", () => {
  const damage = async (id: string, change: (text: string) => string) => {
    await redis.hset(keys.inbox, id, change((await redis.hget(keys.inbox, id)) ?? ""));
  };

  for (const [what, change] of Object.entries(DAMAGES)) {
    test(`costs itself: ${what}`, async () => {
      await add("bad", "good");
      await damage("bad", change);
      assert.deepEqual((await take()).ids, ["good"]);
      assert.deepEqual(await aside(), ["entry bad"]);
      const [one] = await suite.store.damaged.list();
      assert.ok((await redis.hget(keys.damagedTexts, one?.id ?? ""))?.endsWith("b:bad"), "its text is kept whole");
      assert.deepEqual(await counts(), { ...EMPTY, taken: 1, bytes: 6 });
    });
  }

  test("is set aside by whatever meets it, and its page is refused", async () => {
    const u = await createUser(suite);
    const cut = (text: string) => text.slice(0, -1);
    await add("put", "done", "good");
    const taken = await take();
    await damage("put", cut);
    const put = await suite.store.mailboxes.put({ ...u.page([wanted("name", "x", 1)]), entries: taken });
    assert.equal(put.accepted, false);
    await damage("done", cut);
    assert.deepEqual(await suite.store.inbox.done(taken), ["good"]);
    await park("read", "replayed", "trimmed", "sound");
    for (const id of ["read", "replayed", "trimmed"]) await damage(id, cut);
    assert.equal(await suite.store.inbox.get("read"), undefined);
    assert.deepEqual(await suite.store.inbox.replay(["replayed"]), []);
    assert.equal(await suite.store.inbox.trim({ keepMs: 1e12, entries: 1, bytes: 1_000 }, 10), 0);
    assert.deepEqual(await Array.fromAsync(suite.store.inbox.parked({}), ({ id }) => id), ["sound"]);
    const all = ["done", "put", "read", "replayed", "trimmed"];
    assert.deepEqual(
      await aside(),
      all.map((id) => `entry ${id}`),
    );
    await suite.store.inbox.verify();
    assert.deepEqual(await counts(), { ...EMPTY, parked: { entries: 1, bytes: 7, feeds: { hr: 1 } } });
  });

  test("may have lost its body, or all but its place", async () => {
    await add("bodiless", "headless", "good");
    await redis.hdel(keys.inboxBodies, "bodiless");
    await redis.hdel(keys.inbox, "headless");
    assert.deepEqual((await take()).ids, ["good"]);
    assert.deepEqual(await aside(), ["entry bodiless"]);
    assert.equal(await redis.hlen(keys.inboxBodies), 1);
  });
});

describe("counts of the inbox that break", () => {
  for (const broken of ["abc", "1.5", "", "99999999999999999999"]) {
    test(`cost themselves, and no event: ${JSON.stringify(broken)}`, async () => {
      await park("old");
      await add("one");
      for (const field of ["bytes", "parked-bytes", "parked|hr"]) await redis.hset(keys.inboxCounts, field, broken);
      assert.notEqual(await add("two"), "full");
      await park("new");
      assert.deepEqual(await aside(), ["counter inbox bytes", "counter inbox parked-bytes", "counter inbox parked|hr"]);
      await suite.store.inbox.replay(["one", "two"]);
      const right = { ...EMPTY, waiting: 2, bytes: 10, parked: { entries: 2, bytes: 10, feeds: { hr: 2 } } };
      for (const field of ["", "bytes", "parked-bytes", "parked|hr"]) {
        if (field !== "") await redis.hset(keys.inboxCounts, field, broken);
        const { miscounted } = await suite.store.inbox.verify();
        assert.ok(miscounted > 0, field);
        assert.deepEqual(await counts(), right);
      }
      assert.deepEqual(await suite.store.inbox.verify(), { lost: 0, miscounted: 0 });
    });
  }

  test("are right again once the inbox is empty", async () => {
    await park("parked");
    await add("one");
    await redis.hset(keys.inboxCounts, { bytes: "500", "parked-bytes": "500", "parked|gone": "3" });
    await suite.store.inbox.done(await take());
    assert.equal((await counts()).bytes, 0);
    await suite.store.inbox.discard(["parked"]);
    assert.deepEqual(await counts(), EMPTY);
  });
});

test("entries whose place was lost have it again once somebody walks through all", async () => {
  await park("parked");
  await suite.store.inbox.add([{ ...entry("ahead"), notBefore: Date.now() + 600_000 }], LIMITS);
  await add("taken");
  const { token } = await take();
  await add("waiting");
  await redis.del(keys.inboxLine, keys.inboxAhead, keys.inboxTaken, keys.inboxParked);
  assert.deepEqual((await take()).ids, []);
  assert.equal((await suite.store.inbox.verify()).lost, 4);
  const { waiting, ahead, taken, parked } = await counts();
  assert.deepEqual([waiting, ahead, taken, parked.entries], [1, 1, 1, 1]);
  assert.deepEqual(await suite.store.inbox.done({ token, ids: ["taken"] }), ["taken"]);
  assert.deepEqual((await take()).ids, ["waiting"]);
  assert.deepEqual(await suite.store.inbox.verify(), { lost: 0, miscounted: 0 });
});

test("events that are added at once go in one trip, and large ones alone", async () => {
  await add("first");
  const watch = await redis.monitor();
  let trips = 0;
  const { promise: seen, resolve } = Promise.withResolvers<void>();
  // Other tests use the same server.
  watch.on("monitor", (_time: string, [name = "", ...args]: readonly string[]) => {
    if (/^evalsha$/i.test(name) && args.some((arg) => arg.includes(at.namespace))) trips += 1;
    if (/^echo$/i.test(name) && args[0] === at.namespace) resolve();
  });
  const ids = Array.from({ length: 40 }, (_, index) => `small ${index}`);
  const large = { ...entry("large"), body: "b".repeat(100_000) };
  const limits = { entries: 1_000, bytes: 1_000_000 };
  const answers = await Promise.all([...ids.map(entry), large].map((one) => suite.store.inbox.add([one], limits)));
  assert.ok(answers.every((answer) => answer !== "full" && answer[0]?.is === "added"));
  await redis.echo(at.namespace);
  await seen.finally(() => watch.disconnect());
  assert.equal(trips, 2);
});

test("what was done although its answer was lost is not done twice when it is sent again", async (t) => {
  const proxy = await cuttingProxy(at.url);
  const store = await openRedisStore({ ...at, url: proxy.url });
  t.after(async () => {
    await store.close();
    await proxy.close();
  });
  const u = await createUser(suite);
  await store.inbox.add([entry("before")], LIMITS);
  proxy.cutNextAnswer();
  const answer = await store.inbox.add([entry("sent twice")], LIMITS);
  assert.equal(answer !== "full" && answer[0]?.is, "repeated", "it is there");
  const taken = await take(store);
  assert.deepEqual(taken.ids, ["before", "sent twice"]);
  proxy.cutNextAnswer();
  const put = await store.mailboxes.put({ ...u.page([wanted("name", "x", 1)]), entries: taken });
  assert.equal(put.accepted, true);
  assert.equal((await u.books())["received"], 1);
  assert.deepEqual(await counts(), EMPTY);
  assert.equal(proxy.cuts, 2);
});

const skip = redisVersion() === "none" ? "there is no redis-server on the PATH" : false;

test("a Redis that is full does nothing by halves, and goes on where it was", { skip }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-full-"));
  const processes = openRedisProcesses(directory);
  const server = await processes.start("redis", await freePort(), ["maxmemory-policy noeviction"]);
  const url = `redis://127.0.0.1:${server.port}`;
  const store = await openRedisStore({ url, namespace: "full" });
  t.after(async () => {
    await store.close();
    await processes.close();
    await rm(directory, { recursive: true, force: true });
  });
  const { inbox, mailboxes, runs } = store;
  await runs.begin({ id: "run", source: "file", pool: "pool", feed: "feed", identity: "", asOf: 1 });
  await inbox.add(["parked", "taken", "waiting"].map(entry), LIMITS);
  await inbox.take("parking", { ...TAKE, limit: 1 });
  await inbox.park({ token: "parking", ids: ["parked"] }, "nobody");
  await inbox.take("token", { ...TAKE, limit: 1 });
  const taken = { token: "token", ids: ["taken"] };
  const changes = [{ user: "ann", username: "b:", units: [wanted("name", "x", 1)] }];
  const page = { pool: "pool", run: "run", priority: 1, invalid: 0, rows: { read: 1, faulty: 0 }, changes };
  const before = await dumpRedis(url, "full");
  await server.ask((client) => client.config("SET", "maxmemory", "1"));
  for (const step of [
    () => inbox.add([entry("new")], LIMITS),
    () => inbox.take("other", TAKE),
    () => inbox.park(taken, "nobody"),
    () => inbox.defer(taken, Date.now() + 60_000),
    () => inbox.replay(["parked"]),
    () => mailboxes.put({ ...page, entries: taken }),
  ]) {
    await assert.rejects(step(), { kind: "full" });
    await server.ask((client) => client.config("SET", "maxmemory", "0"));
    assert.deepEqual(await dumpRedis(url, "full"), before);
    await server.ask((client) => client.config("SET", "maxmemory", "1"));
  }
  // What makes room goes on.
  assert.deepEqual(await inbox.discard(["parked"]), ["parked"]);
  await server.ask((client) => client.config("SET", "maxmemory", "0"));
  assert.equal((await mailboxes.put({ ...page, entries: taken })).accepted, true);
  assert.equal((await inbox.take("other", TAKE)).entries[0]?.id, "waiting");
});
