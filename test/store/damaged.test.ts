import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Redis } from "ioredis";
import type { DocumentKind } from "../../src/store/damaged.ts";
import { openEmbeddedStore } from "../../src/store/postgres/embedded-store.ts";
import { createKeys } from "../../src/store/redis/keys.ts";
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import type { Breakable } from "../suites/damages.ts";
import { damagedRunsSuite } from "../suites/damaged-runs.ts";
import { damagedUsersSuite } from "../suites/damaged-users.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { testRedis } from "../support/redis.ts";
import { removeKeys } from "./redis-clock.ts";

async function openRedis(): Promise<Breakable> {
  const at = testRedis();
  const redis = new Redis(at.url);
  const keys = createKeys(at.namespace);
  const store = await openRedisStore(at);
  const hashes: Partial<Record<DocumentKind, string>> = {
    mailbox: keys.mailboxes,
    ledger: keys.ledger,
    letter: keys.letters,
    run: keys.runs,
    gate: keys.gates,
    hold: keys.holds,
    exceptions: keys.exceptions,
    target: keys.targets,
  };
  return {
    store,
    async damage(kind, place, change) {
      const [pool = "", digest = ""] = place.split("|");
      const [key, field] = kind === "link" ? [keys.links(pool), digest] : [hashes[kind] ?? "", place];
      const text = await redis.hget(key, field);
      await redis.hset(key, field, change(text ?? ""));
      return "broken";
    },
    shelved: async (id) => (await redis.hget(keys.damagedTexts, id)) ?? undefined,
    async close() {
      await store.close();
      await redis.quit();
      await removeKeys(at);
    },
  };
}

/** What is a column of words is damaged by another word, whatever the text. */
const WORDS: Partial<Record<DocumentKind, string>> = {
  run: "UPDATE poolsync.runs SET state = 'broken' WHERE id = $1",
  gate: "UPDATE poolsync.gates SET state = 'broken' WHERE gate = $1",
  hold: "UPDATE poolsync.holds SET scope = 'broken' WHERE pool || '|' || scope = $1",
  exceptions: "UPDATE poolsync.exceptions SET kind = 'broken' WHERE about = $1",
  link: "UPDATE poolsync.links SET username = 'broken' WHERE pool || '|' || digest = $1",
};
const DOCUMENTS: Partial<Record<DocumentKind, readonly [table: string, key: string, column: string]>> = {
  mailbox: ["users", "user_key", "mailbox"],
  ledger: ["users", "user_key", "ledger"],
  letter: ["letters", "id", "letter"],
};

async function openEmbedded(): Promise<Breakable> {
  const dataDir = await mkdtemp(join(tmpdir(), "poolsync-damaged-"));
  putMadeDirectory(dataDir);
  const store = await openEmbeddedStore({ dataDir });
  const { database } = store;
  return {
    store,
    async damage(kind, place, change) {
      const word = WORDS[kind];
      if (word !== undefined) {
        await database.query(word, [place]);
        return "broken";
      }
      const [table, key, column] = DOCUMENTS[kind] ?? [];
      if (table === undefined) return undefined;
      const rows = await database.query<{ text: string }>(
        `SELECT ${column}::text AS text FROM poolsync.${table} WHERE ${key} = $1`,
        [place],
      );
      const broken = change(rows[0]?.text ?? "");
      // What is not JSON is refused by the column.
      if (!isJson(broken)) return undefined;
      await database.query(`UPDATE poolsync.${table} SET ${column} = $2::json WHERE ${key} = $1`, [place, broken]);
      return "broken";
    },
    async shelved(id) {
      const rows = await database.query<{ body: string }>("SELECT body FROM poolsync.damaged WHERE id::text = $1", [
        id,
      ]);
      return rows[0]?.body;
    },
    async close() {
      await store.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

for (const suite of [damagedUsersSuite, damagedRunsSuite]) {
  suite("Redis", openRedis);
  suite("embedded", openEmbedded);
}

test("a data directory opens where a mailbox broke that a process which died had claimed", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "poolsync-damaged-"));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  putMadeDirectory(dataDir);
  const before = await openEmbeddedStore({ dataDir });
  const page = { pool: "pool", run: "run", priority: 10, invalid: 0, rows: { read: 2, faulty: 0 } };
  const units = [{ name: "name", digest: "d", body: "p:x" }];
  await before.runs.begin({ id: "run", source: "file", pool: "pool", feed: "hr", identity: "", asOf: 0 });
  const changes = ["ann", "bob"].map((user) => ({ user, username: `p:${user}`, units }));
  await before.mailboxes.put({ ...page, changes });
  for (const user of ["ann", "bob"]) await before.mailboxes.claim(user, "token", 60_000);
  await before.database.query("UPDATE poolsync.users SET mailbox = '[1]' WHERE user_key = 'ann'");
  await before.close();
  const store = await openEmbeddedStore({ dataDir });
  t.after(() => store.close());
  assert.deepEqual(
    (await store.damaged.list()).map(({ kind, place, pool }) => [kind, place, pool]),
    [["mailbox", "ann", "pool"]],
  );
  assert.deepEqual(await store.mailboxes.claim("ann", "other", 60_000), { is: "idle" });
  assert.equal((await store.mailboxes.claim("bob", "other", 60_000)).is, "claimed");
  assert.equal(await store.damaged.reckon(), 1);
  const { received, damaged, pending } = await store.runs.books("run");
  assert.deepEqual([received, damaged, pending], [2, 1, 1]);
});

test("a data directory whose epoch is no number is not opened, and it is told what to do", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "poolsync-damaged-"));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  putMadeDirectory(dataDir);
  const before = await openEmbeddedStore({ dataDir });
  await before.database.query("UPDATE poolsync.memory SET value = 'abc' WHERE name = 'epoch'");
  await before.close();
  await assert.rejects(openEmbeddedStore({ dataDir }), { kind: "damaged", message: /epoch .* put a copy/ });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
