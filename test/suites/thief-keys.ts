/** What a writer of Redis can do with the keys of a namespace: rows of the table that test/app/thief.test.ts plays. */
import assert from "node:assert/strict";
import { hkdfSync, randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { openEngine, openStore, type Engine } from "../../src/queues/engine.ts";
import { clear, encrypt } from "../../src/store/keyring.ts";
import { markSealed, openNamespaceKeys, rewrapKeys } from "../../src/store/namespace-keys.ts";
import { until } from "../support/condition.ts";
import { testRedis } from "../support/redis.ts";
import { ownKeys, startThief, type Play, type Thief } from "../support/thief.ts";

/** A namespace of its own, whose engines end with the test. */
async function namespaceOf(t: TestContext, key: Buffer | undefined) {
  const { url: redisUrl, namespace } = testRedis();
  const start = async (keys: { readonly key?: Buffer | undefined } = { key }): Promise<Engine> => {
    const engine = await openEngine({ redisUrl, namespace, dataDir: "", ...keys });
    t.after(() => engine.close());
    return engine;
  };
  const thief = startThief(redisUrl, namespace);
  t.after(() => thief.close());
  const bare = async () => {
    const opened = await openStore({ redisUrl, namespace, dataDir: "" });
    t.after(() => opened.close());
    return opened.store;
  };
  return { start, thief, bare };
}

const PLACE = ["username", "pool", "user"] as const;

export const KEY_ROWS: Readonly<Record<string, Play>> = {
  "starts a poolsync of one's own on it": async (t, { key }) => {
    const { start } = await namespaceOf(t, key);
    const { keyring } = await start();
    const own = start({});
    if (key) await assert.rejects(own, { kind: "wrong-key", message: /none is set/ });
    else assert.equal((await own).keyring.open(PLACE, keyring.seal(PLACE, "ann")), "ann");
  },

  "puts keys of one's own in the place of the namespace's, in clear": async (t, { key }) => {
    const { start, thief, bare } = await namespaceOf(t, key);
    const { keyring } = await start();
    const sealed = keyring.seal(PLACE, "ann");
    const own = ownKeys();
    const texts = { data: own.data.toString("base64"), digest: own.digest.toString("base64") };
    const record = JSON.stringify({ by: "none", sealed: true, ...texts });
    await thief.redis.hset(thief.keys.memory, "keys", record);
    assert.equal(keyring.open(PLACE, sealed), "ann", "a process that runs goes on");
    const starting = start();
    if (key) {
      await assert.rejects(starting, { kind: "wrong-key", message: /lie in clear in the store/ });
      // Whoever runs `rekey` then takes them for the namespace's.
      assert.equal((await rewrapKeys(await bare(), { key })).is, "wrapped");
    }
    const started = key ? await start() : await starting;
    assert.equal(started.keyring.open(PLACE, sealed), undefined);
    const forger = await thief.keyring(own);
    assert.equal(forger.open(PLACE, started.keyring.seal(PLACE, "bob")), "bob");
  },

  "puts keys of one's own in their place, as a version before format 3 had them": async (t, { key }) => {
    const { start, thief } = await namespaceOf(t, key);
    const { keyring } = await start();
    const sealed = keyring.seal(PLACE, "ann");
    const own = ownKeys();
    await asBeforeFormat3(thief, own.digest);
    assert.equal(keyring.open(PLACE, sealed), "ann", "a process that runs goes on");
    const started = await start();
    assert.equal(started.keyring.open(PLACE, sealed), undefined);
    const forger = await thief.keyring(own);
    assert.equal(started.keyring.userKey("pool", "bob"), forger.userKey("pool", "bob"), "usernames can be guessed");
    assert.equal(forger.open(PLACE, started.keyring.seal(PLACE, "bob")), undefined);
    // Under a key nothing was kept in clear.
    assert.equal(started.keyring.open(PLACE, clear("forged")), key ? undefined : "forged");
  },

  "puts an earlier copy of the keys back": async (t, { key }) => {
    const { start, thief, bare } = await namespaceOf(t, key);
    const putBack = (record: string) => thief.redis.hset(thief.keys.memory, "keys", record);
    await start();
    await asBeforeFormat3(thief);
    const store = await bare();
    const { record: unsealed } = await openNamespaceKeys(store, { key });
    await markSealed(store, { key });
    const former = key && `s:${encrypt(formerKey(key), "kept", Buffer.alloc(0))}`;
    const open = ({ keyring }: Engine) => [former ?? "", clear("kept")].map((kept) => keyring.open(PLACE, kept));
    const running = await start();
    assert.deepEqual(open(running), [undefined, undefined]);
    await putBack(unsealed);
    const started = await start();
    // As it was kept before, wherever it is put; and in clear where it was kept so.
    assert.deepEqual(open(started), key ? ["kept", undefined] : [undefined, "kept"]);
    assert.deepEqual(open(running), [undefined, undefined], "a process that runs goes on");
    await until("all is sealed", () => started.keyring.isSealed);
    assert.deepEqual(open(started), [undefined, undefined]);
    if (!key) return;
    const other = randomBytes(32);
    await rewrapKeys(store, { key: other, previousKey: key });
    await putBack(unsealed);
    await assert.rejects(start({ key: other }), { kind: "wrong-key", message: /another POOLSYNC_KEY/ });
  },
};

/** What versions before format 3 sealed with. */
function formerKey(key: Buffer): Buffer {
  return Buffer.from(hkdfSync("sha256", key, "", "poolsync values at rest", 32));
}

/** Puts a digest key in the place of the keys, as those versions had it. */
async function asBeforeFormat3({ redis, keys }: Thief, digest = randomBytes(32)): Promise<void> {
  const record = (await redis.hget(keys.memory, "keys")) ?? "";
  const by = /"by":"([^"]+)"/.exec(record)?.[1] ?? "";
  await redis.hdel(keys.memory, "keys");
  await redis.hset(keys.memory, { key: by, "digest-key": digest.toString("base64url") });
}
