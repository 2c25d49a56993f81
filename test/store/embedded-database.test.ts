import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { inspect } from "node:util";
import { openDatabase, type Database } from "../../src/store/postgres/database.ts";
import { putMadeDatabase } from "../support/made-directory.ts";

describe("the embedded database", () => {
  let directory: string;
  let database: Database;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "poolsync-db-"));
    putMadeDatabase(directory);
    database = await openDatabase(directory, "queues");
    await database.query("CREATE SCHEMA queues; CREATE TABLE queues.log (place serial, word text UNIQUE)");
  });
  after(async () => {
    await database.close();
    await rm(directory, { recursive: true, force: true });
  });

  const say = (word: string) => database.pool.query("INSERT INTO log (word) VALUES ($1)", [word]);
  const said = async (): Promise<readonly string[]> => {
    const rows = await database.query<{ word: string }>("SELECT word FROM log ORDER BY place");
    await database.query("DELETE FROM log");
    return rows.map(({ word }) => word);
  };

  test("numbers, arrays and documents come back as they went in", async () => {
    const rows = await database.query(
      "SELECT $1::bigint AS n, $2::text[] AS list, $3::json AS document, null AS nothing",
      [1_795_478_400_000, ['a"b', "c\\d", "é,}"], JSON.stringify({ text: "\u0000\ud800é" })],
    );
    const document = { text: "\u0000\ud800é" };
    assert.deepEqual(rows, [{ n: 1_795_478_400_000, list: ['a"b', "c\\d", "é,}"], document, nothing: null }]);
  });

  test("timers go on while statements run one after the other", async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    for (let turn = 0; turn < 200 && ticks < 3; turn++) await database.query("SELECT $1::int", [turn]);
    clearInterval(timer);
    assert.ok(ticks >= 3, `Expected the timer to have ticked, and it did ${ticks} times`);
  });

  test("nobody's statement falls into a transaction", async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const transaction = database.transaction(async (session) => {
      await session.query("INSERT INTO log (word) VALUES ($1)", ["first"]);
      await gate;
      await session.query("INSERT INTO log (word) VALUES ($1)", ["second"]);
    });
    const other = say("third");
    open();
    await Promise.all([transaction, other]);
    assert.deepEqual(await said(), ["first", "second", "third"]);
  });

  test("a transaction that throws leaves nothing, and what came meanwhile stays", async () => {
    const failure = new Error("no");
    const transaction = database.transaction(async (session) => {
      await session.query("INSERT INTO log (word) VALUES ($1)", ["gone"]);
      throw failure;
    });
    const other = say("stays");
    await assert.rejects(transaction, failure);
    await other;
    assert.deepEqual(await said(), ["stays"]);
  });

  test("a pool's client that has begun a transaction keeps the turn until it commits", async () => {
    const client = await database.pool.connect();
    await client.query("BEGIN");
    const others = [
      say("third"),
      database.transaction((session) => session.query("INSERT INTO log (word) VALUES ('fourth')")),
    ];
    await client.query("INSERT INTO log (word) VALUES ($1)", ["first"]);
    await client.query("INSERT INTO log (word) VALUES ($1)", ["second"]);
    await client.query("COMMIT");
    await Promise.all(others);
    client.release();
    assert.deepEqual(await said(), ["first", "second", "third", "fourth"]);
  });

  test("a client that fails within its transaction, or is released in it, blocks nobody", async () => {
    const client = await database.pool.connect();
    await client.query("BEGIN");
    await assert.rejects(client.query("SELECT nonsense"));
    await client.query("ROLLBACK");
    await say("after the rollback");
    await client.query("BEGIN");
    await client.query("INSERT INTO log (word) VALUES ('gone')");
    client.release();
    await say("after the release");
    assert.deepEqual(await said(), ["after the rollback", "after the release"]);
  });

  test("every client hears what was notified, once it is committed", async () => {
    const clients = await Promise.all([database.pool.connect(), database.pool.connect()]);
    const heard: string[] = [];
    for (const client of clients) {
      client.on("notification", ({ channel, payload }: { channel: string; payload: string }) =>
        heard.push(`${channel} ${payload}`),
      );
    }
    await clients[0].query("LISTEN jobs");
    await database.transaction(async (session) => {
      await session.query("SELECT pg_notify('jobs', 'pool')", []);
      assert.deepEqual(heard, []);
    });
    assert.deepEqual(heard, ["jobs pool", "jobs pool"]);
    for (const client of clients) client.release();
    await database.query("SELECT pg_notify('jobs', 'again')", []);
    assert.equal(heard.length, 2);
  });

  test("an error has its code and none of the data", async () => {
    await say("secret-value");
    await assert.rejects(say("secret-value"), (error: Error & { code?: string }) => {
      assert.equal(error.code, "23505");
      assert.doesNotMatch(inspect(error, { showHidden: true }), /secret-value/);
      return true;
    });
    await said();
  });

  test("the write-ahead log and dead rows are taken away", async () => {
    const bytesOf = async (sql: string) => (await database.query<{ bytes: number }>(sql, []))[0]?.bytes ?? 0;
    const redo = () => bytesOf("SELECT (redo_lsn - '0/0')::float8 AS bytes FROM pg_control_checkpoint()");
    await database.query("CREATE TABLE queues.big (id int, word text)");
    await database.query("INSERT INTO big SELECT n, repeat('x', 1000) FROM generate_series(1, 5000) AS n");
    await database.query("DELETE FROM big");
    const logged = await redo();
    await database.tidy();
    assert.ok((await redo()) > logged, "Expected the log before this to be needed no more");
    assert.equal(await bytesOf("SELECT pg_relation_size('big')::float8 AS bytes"), 0);
  });

  test("what was begun is carried out before the database closes, and later statements are refused", async () => {
    const aside = await mkdtemp(join(tmpdir(), "poolsync-db-"));
    putMadeDatabase(aside);
    const short = await openDatabase(aside, "public");
    const begun = short.query<{ n: number }>("SELECT 1 AS n", []);
    const closed = short.close();
    await assert.rejects(short.query("SELECT 1"), /after calling end on the pool/);
    await assert.rejects(
      short.transaction((session) => session.query("SELECT 1")),
      /after calling end on the pool/,
    );
    assert.deepEqual(await begun, [{ n: 1 }]);
    await closed;
    await short.close();
    await rm(aside, { recursive: true, force: true });
  });
});
