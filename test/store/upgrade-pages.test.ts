/** The upgrade of a namespace in pages: cut anywhere, by several at once, with documents that nobody can read. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Redis } from "ioredis";
import { redisClient, redisConnection } from "../../src/store/redis/connection.ts";
import { FORMAT } from "../../src/store/redis/format.ts";
import { createKeys } from "../../src/store/redis/keys.ts";
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import { createScripts, type Scripts } from "../../src/store/redis/scripts.ts";
import { upgrade } from "../../src/store/redis/upgrade.ts";
import { loadRedisFixture, redisFigures } from "../support/format-1.ts";
import { dumpRedis } from "../support/redis-dump.ts";
import { testRedis, type TestRedis } from "../support/redis.ts";
import { removeKeys } from "./redis-clock.ts";

/** So many mailboxes more, each like one of the fixture's: several pages. */
const COPIES = 1_000;
const STAFF = "eu-west-1_Staff";
/** One of the fixture's users, of whom something may be sent at once. */
const [SOUND = ""] = Object.keys(redisFigures.mailboxes);

/** A namespace of format 1 that nobody has opened. */
async function format1(t: TestContext) {
  const at = testRedis();
  const redis = new Redis(at.url);
  t.after(async () => {
    redis.disconnect();
    await removeKeys(at);
  });
  await loadRedisFixture(redis, at.namespace);
  const prefix = `{poolsync:${at.namespace}}:`;
  const originals = Object.values(await redis.hgetall(`${prefix}mailboxes`));
  const pipeline = redis.pipeline();
  for (let copy = 0; copy < COPIES; copy += 1) {
    pipeline.hset(`${prefix}mailboxes`, userOf(copy), originals[copy % originals.length] ?? "");
    pipeline.zadd(`${prefix}due:${STAFF}`, 1_700_000_000_000 + copy, userOf(copy));
  }
  await pipeline.exec();
  return { at, redis, prefix, keys: createKeys(at.namespace) };
}

const userOf = (copy: number): string => copy.toString(16).padStart(32, "0");

/** As a process of its own does it, over scripts that the test has wrapped. */
async function upgradeBy({ url, namespace }: TestRedis, wrap: (scripts: Scripts) => Scripts): Promise<void> {
  const client = redisClient(redisConnection(url), () => true);
  await client.connect();
  try {
    await upgrade(client, createKeys(namespace), wrap(createScripts(client)));
  } finally {
    client.disconnect();
  }
}

/** Everything in the namespace but what ends by itself. */
async function dump({ url, namespace }: TestRedis): Promise<ReadonlyMap<string, unknown>> {
  const prefix = `{poolsync:${namespace}}:`;
  const all = [...(await dumpRedis(url, namespace))].map(([key, text]) => [key.slice(prefix.length), text] as const);
  const stays = all.filter(([key]) => !/^(?:once|bull):/.test(key));
  // What a store is given when it is opened: each has an identity of its own.
  const OF_THE_OPENING = ["format", "identity", "epoch"];
  const withoutIdentity = (name: string, value: unknown) => (OF_THE_OPENING.includes(name) ? undefined : value);
  return new Map(stays.map(([key, text]): [string, unknown] => [key, JSON.parse(text, withoutIdentity)]));
}

class Cut extends Error {}

/** Ends the process when its call of this number is answered: what comes before the next call is nothing but reading. */
function cutAt(scripts: Scripts, last: number): Scripts {
  let calls = 0;
  return {
    async run(...call) {
      const answer = await scripts.run(...call);
      calls += 1;
      if (calls === last) throw new Cut();
      return answer;
    },
  };
}

test("an upgrade that was cut at any of its calls is brought to the same end by the next process", async (t) => {
  const whole = await format1(t);
  let calls = 0;
  let pages = 0;
  await upgradeBy(whole.at, (scripts) => ({
    run(name, ...call) {
      calls += 1;
      if (name === "upgrade-documents") pages += 1;
      return scripts.run(name, ...call);
    },
  }));
  assert.ok(pages > 4, `${pages} pages`);
  const expected = await dump(whole.at);
  assert.equal(await whole.redis.hlen(whole.keys.mailboxes), redisFigures.counts.mailboxes + COPIES);

  for (let last = 1; last <= calls; last += 1) {
    const { at } = await format1(t);
    await assert.rejects(
      upgradeBy(at, (scripts) => cutAt(scripts, last)),
      Cut,
    );
    await (await openRedisStore(at)).close();
    assert.deepEqual(await dump(at), expected, `call ${last} of ${calls}`);
  }
});

test("four processes that start at once share the upgrade, and move each document once", async (t) => {
  const [alone, shared] = [await format1(t), await format1(t)];
  await (await openRedisStore(alone.at)).close();
  let moved = 0;
  const counting = (scripts: Scripts): Scripts => ({
    async run(name, ...call) {
      const answer = await scripts.run(name, ...call);
      if (name === "upgrade-documents") moved += Number(answer);
      return answer;
    },
  });
  await Promise.all([1, 2, 3, 4].map(() => upgradeBy(shared.at, counting)));
  assert.equal(moved, redisFigures.counts.mailboxes + COPIES + redisFigures.runs.length);
  assert.deepEqual(await dump(shared.at), await dump(alone.at));

  const opened = await format1(t);
  const stores = await Promise.all([1, 2, 3, 4].map(() => openRedisStore(opened.at)));
  for (const store of stores) assert.equal((await store.runs.list(1000)).length, redisFigures.runs.length);
  for (const store of stores) await store.close();
  assert.deepEqual(await dump(opened.at), await dump(alone.at));
});

test("a store that is under way is opened without waiting for whoever has begun", async (t) => {
  const { at, redis, keys } = await format1(t);
  // Its keys are renamed, and the first page has moved; then nothing more is heard of that process.
  await assert.rejects(
    upgradeBy(at, (scripts) => cutAt(scripts, 3)),
    Cut,
  );
  assert.equal(await redis.hget(keys.memory, "format"), "1-to-2");
  const store = await openRedisStore(at);
  t.after(() => store.close());
  assert.equal(await redis.hget(keys.memory, "format"), FORMAT);
  assert.equal((await store.mailboxes.claim(SOUND, "token", 60_000)).is, "claimed");
});

test("a process that finds another format at its end changes nothing of that", async (t) => {
  const { at, redis, keys } = await format1(t);
  let stopped: Promise<unknown> | undefined;
  await upgradeBy(at, (scripts) => ({
    async run(name, ...call) {
      // A newer version has come, or somebody has emptied the database.
      if (name === "upgrade-end") await (stopped ??= redis.del(keys.memory));
      return scripts.run(name, ...call);
    },
  }));
  assert.equal(await redis.exists(keys.memory), 0);
});

test("documents that nobody can read are moved byte by byte, and stop no other", async (t) => {
  const { at, redis, prefix, keys } = await format1(t);
  const texts = ["not JSON", '"a text"', "[]", "null", "7", '{"suspects":', ""].map((text) => Buffer.from(text));
  const bytes = [...texts, Buffer.from([0x7b, 0xff, 0xfe, 0x00, 0x7d])];
  const damaged = new Map(bytes.map((document, index) => [`damaged${index}`, document]));
  const odd = Buffer.from([0x6f, 0xff, 0xfe]);
  for (const [user, document] of damaged) {
    await redis.hset(`${prefix}mailboxes`, user, document);
    await redis.hset(`${prefix}runs`, user, document);
  }
  await redis.hset(`${prefix}mailboxes`, odd, "of a user whose key is no text");
  const store = await openRedisStore(at);
  t.after(() => store.close());
  for (const [user, document] of damaged) {
    assert.deepEqual(await redis.hgetBuffer(keys.mailboxes, user), document);
    assert.deepEqual(await redis.hgetBuffer(keys.runs, user), document);
    await assert.rejects(store.runs.get(user), { kind: "damaged" });
  }
  assert.equal(String(await redis.hgetBuffer(keys.mailboxes, odd)), "of a user whose key is no text");
  await assert.rejects(store.mailboxes.claim("damaged0", "token", 60_000));
  assert.equal((await store.mailboxes.claim(SOUND, "token", 60_000)).is, "claimed");
});

test("the due set of a pool that another process adds meanwhile goes with the others", async (t) => {
  const { at, redis, prefix, keys } = await format1(t);
  let adding: Promise<unknown> | undefined;
  await upgradeBy(at, (scripts) => ({
    async run(name, ...call) {
      const answer = await scripts.run(name, ...call);
      // The first answer says which pools there are.
      if (name === "upgrade-begin" && adding === undefined) {
        adding = redis.hset(`${prefix}pools`, "eu-west-1_Late", 0);
        await adding;
        await redis.zadd(`${prefix}due:eu-west-1_Late`, 5, userOf(0));
      }
      return answer;
    },
  }));
  assert.deepEqual(await redis.zrange(keys.due("eu-west-1_Late"), "0", "-1"), [userOf(0)]);
  assert.equal(await redis.type(`${prefix}due:eu-west-1_Late`), "string");
});
