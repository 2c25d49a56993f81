/** How the account index is kept, beside what every store must do with it. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Redis } from "ioredis";
import { INDEX_KEPT_MS, type AccountIndex } from "../../src/store/account-index.ts";
import { openEmbeddedStore } from "../../src/store/postgres/embedded-store.ts";
import { createKeys } from "../../src/store/redis/keys.ts";
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import { sealAccount } from "../../src/store/sealed-account.ts";
import { testKeyring } from "../support/keyring.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { testRedis } from "../support/redis.ts";
import { removeKeys } from "./redis-clock.ts";

const OF = { pool: "eu-west-1_Example", attribute: "custom:id" };

async function fill(accounts: AccountIndex, beganAt: number, { isCut = false } = {}): Promise<string> {
  const scan = { ...OF, scan: randomUUID(), beganAt };
  const account = sealAccount(testKeyring(), OF, { value: "4711", sub: randomUUID() });
  await accounts.add(scan, [account]);
  if (!isCut) assert.equal(await accounts.finish(scan, 1), true);
  return account.name;
}

test("an account takes 47 bytes of Redis beside its name, and goes by itself", async (t) => {
  const at = testRedis();
  const redis = new Redis(at.url);
  const store = await openRedisStore(at);
  t.after(async () => {
    await store.close();
    await redis.quit();
    await removeKeys(at);
  });
  const name = await fill(store.accounts, 1000);
  const key = createKeys(at.namespace).accounts(`${OF.pool}|${OF.attribute}`);
  assert.deepEqual([await redis.hlen(key), await redis.hstrlen(key, name)], [1, 47]);
  const leftMs = await redis.pttl(key);
  assert.ok(leftMs > INDEX_KEPT_MS - 60_000 && leftMs <= INDEX_KEPT_MS, String(leftMs));
  await fill(store.accounts, 2000, { isCut: true });
  const [cut = ""] = (await redis.keys(`${key.replace("|", "?")}|*`)).filter((one) => one !== key);
  assert.ok((await redis.pttl(cut)) > 0);
});

test("a data directory forgets scans that were cut, and what nobody scans for any more, when it is opened", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "poolsync-index-"));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  putMadeDirectory(dataDir);
  let nowMs = Date.now();
  const open = () => openEmbeddedStore({ dataDir, now: () => nowMs });
  const counted = async (store: Awaited<ReturnType<typeof open>>) => {
    const [row] = await store.database.query<{ scans: number; accounts: number }>(
      "SELECT (SELECT count(*) FROM poolsync.account_scans) AS scans, (SELECT count(*) FROM poolsync.accounts) AS accounts",
    );
    return [row?.scans, row?.accounts];
  };
  let store = await open();
  t.after(() => store.close());
  const name = await fill(store.accounts, nowMs);
  await fill(store.accounts, nowMs + 1, { isCut: true });
  assert.deepEqual(await counted(store), [2, 2]);
  await store.close();
  store = await open();
  assert.deepEqual(await counted(store), [1, 1]);
  assert.equal((await store.accounts.find(OF, name)).found.is, "one");
  await store.close();
  nowMs += INDEX_KEPT_MS;
  store = await open();
  assert.deepEqual(await counted(store), [0, 0]);
});
