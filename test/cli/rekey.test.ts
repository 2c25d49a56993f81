import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { cp, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Redis } from "ioredis";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import { openEngine } from "../../src/queues/engine.ts";
import { createKeys } from "../../src/store/redis/keys.ts";
import { until } from "../support/condition.ts";
import { assertNoNeedle, value } from "../support/needles.ts";
import { dumpRedis } from "../support/redis-dump.ts";
import { testRedis } from "../support/redis.ts";
import { onePool, POOL, runCommand, type Said } from "./command-run.ts";
import { setDirectoryStage, type DirectoryStage } from "./directory-stage.ts";

const ROWS = 48;
const [ONE, TWO] = [1, 2].map((byte) => Buffer.alloc(32, byte).toString("base64"));
assert.ok(ONE !== undefined && TWO !== undefined);
const record = z.object({ data: z.string(), digest: z.string() });
const failed = z.object({ error: z.object({ kind: z.string(), message: z.string() }) });

describe("the keys of a namespace in Redis", () => {
  let stage: DirectoryStage;
  before(async () => {
    stage = await setDirectoryStage(ROWS);
  });
  after(() => stage.clear());

  const say = (words: readonly string[], keys: Readonly<Record<string, string>> = {}): Promise<Said> =>
    runCommand(words, { environment: { ...stage.environment, ...keys } });
  const pending = async (keys: Readonly<Record<string, string>>): Promise<number> => {
    const status = z.object({ books: z.object({ pending: z.number() }) });
    return status.parse(JSON.parse((await say(["status", "--json"], keys)).stdout)).books.pending;
  };
  async function put(attribute: string, keys: Readonly<Record<string, string>> = {}): Promise<void> {
    const path = stage.at(`${attribute}.csv`);
    const lines = Array.from({ length: ROWS }, (_, row) => `u${row},${value(`${attribute} ${row}`)}`);
    await writeFile(path, `${[`username,${attribute}`, ...lines].join("\n")}\n`);
    const { code, stderr } = await say(["sync", path, "--user-pool-id", POOL, "--detach"], keys);
    assert.equal(code, EXIT.done, stderr);
  }
  async function assertRefused(keys: Readonly<Record<string, string>>, message: RegExp): Promise<void> {
    const { code, stdout } = await say(["status", "--json"], keys);
    assert.equal(code, EXIT.usage);
    assert.match(failed.parse(JSON.parse(stdout)).error.message, message);
  }

  test("are wrapped by one key, then by another, while a worker delivers", async () => {
    const { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace } = stage.environment;
    await writeFile(stage.at("poolsync.yaml"), "rate: 15\n");
    const worker = stage.start("workers/deliver.ts");
    await put("given_name");
    const redis = new Redis(url);
    const before = record.parse(JSON.parse((await redis.hget(createKeys(namespace).memory, "keys")) ?? ""));
    redis.disconnect();
    await until("the worker delivers", () => stage.emulator.log.writes.length > 3);

    const first = await say(["rekey"], { POOLSYNC_KEY: ONE });
    assert.equal(first.code, EXIT.done, first.stderr);
    assert.match(
      first.stdout.replaceAll(/\s+/g, " "),
      /lay in clear, and are wrapped by POOLSYNC_KEY now.*has a backup/,
    );
    assert.ok((await pending({ POOLSYNC_KEY: ONE })) > 0, "the worker is at work meanwhile");
    await assertRefused({}, /wrapped by a POOLSYNC_KEY, and none is set/);
    await put("family_name", { POOLSYNC_KEY: ONE });

    const both = { POOLSYNC_KEY: TWO, POOLSYNC_KEY_PREVIOUS: ONE };
    assert.ok((await pending(both)) > 0, "both keys are read before the rekey");
    const second = await say(["rekey", "--json"], both);
    assert.deepEqual(JSON.parse(second.stdout), { rekeyed: true, from: "previous key" });
    const again = await say(["rekey", "--json"], { POOLSYNC_KEY: TWO });
    assert.deepEqual([again.code, JSON.parse(again.stdout)], [EXIT.done, { rekeyed: false }]);
    await assertRefused({ POOLSYNC_KEY: ONE }, /another POOLSYNC_KEY.*POOLSYNC_KEY_PREVIOUS/);

    for (const [name, text] of await dumpRedis(url, namespace)) assertNothingOf(before, `${name} ${text}`);
    await until("all is delivered", async () => (await pending({ POOLSYNC_KEY: TWO })) === 0, 60_000);
    await worker.kill("SIGTERM");
    assert.equal(await worker.ended(), 0, worker.stderr());
    for (let row = 0; row < ROWS; row += 1) {
      const writes = stage.emulator.log.writes.filter(({ username }) => username === `u${row}`);
      const sent = writes.flatMap(({ attributes }) => Object.entries(attributes));
      const wanted = ["family_name", "given_name"].map((name) => [name, value(`${name} ${row}`)]);
      assert.deepEqual(Object.fromEntries(sent), Object.fromEntries(wanted));
      assert.equal(sent.length, wanted.length, "nothing is sent twice");
    }
    for (const [name, text] of await dumpRedis(url, namespace)) {
      assertNothingOf(before, `${name} ${text}`);
      assertNoNeedle(name + text, name);
    }
  });

  test("are given a first key once what was kept in clear before format 3 is sealed", async () => {
    const { url, namespace } = testRedis();
    const keys = createKeys(namespace);
    const { memory, targets } = keys;
    const redis = new Redis(url);
    const engine = await openEngine({ redisUrl: url, namespace, dataDir: "" });
    await engine.close();
    await redis.hdel(memory, "keys");
    await redis.hset(memory, { key: "none", "digest-key": randomBytes(32).toString("base64url") });
    await redis.hset(targets, POOL, JSON.stringify({ pool: POOL, endpoint: "", region: "", arn: "" }));
    await redis.hset(keys.links(POOL), "digest", `p:${value("of a link")}`);
    const { code, stdout } = await say(["rekey", "--json"], { POOLSYNC_NAMESPACE: namespace, POOLSYNC_KEY: ONE });
    assert.deepEqual([code, JSON.parse(stdout)], [EXIT.done, { rekeyed: true, from: "none" }]);
    assert.match((await redis.hget(keys.links(POOL), "digest")) ?? "", /^b:/);
    assert.match((await redis.hget(memory, "keys")) ?? "", /"sealed":true/);
    redis.disconnect();
  });

  test("are not made by who only looks at a namespace that nobody has used, nor by a rekey or without a key", async () => {
    const { url, namespace } = testRedis();
    const looks = ["status", "runs list", "dead list", "dead export", "damaged list", "resume", "epoch raise"];
    for (const words of looks) await say(words.split(" "), { POOLSYNC_NAMESPACE: namespace });
    const dump = await dumpRedis(url, `${namespace}}:memory`);
    assert.deepEqual(
      [...dump.values()].map((memory) => memory.includes('"keys"')),
      [false],
    );
    assert.equal((await say(["status"], { POOLSYNC_NAMESPACE: namespace, POOLSYNC_KEY: ONE })).code, EXIT.done);
    const unused = await say(["rekey", "--json"], { POOLSYNC_NAMESPACE: namespace, POOLSYNC_KEY: ONE });
    assert.equal(unused.code, EXIT.failed);
    assert.deepEqual(failed.parse(JSON.parse(unused.stdout)).error.kind, "no-keys");
    const keyless = await say(["rekey", "--json"]);
    assert.equal(keyless.code, EXIT.usage);
    assert.match(keyless.stdout, /POOLSYNC_KEY: Expected the new key/);
  });
});

/** Neither of the keys as they lay there in clear. */
function assertNothingOf({ data, digest }: z.infer<typeof record>, text: string): void {
  for (const key of [data, digest].map((one) => Buffer.from(one, "base64"))) {
    for (const form of ["base64", "base64url", "hex"] as const) assert.ok(!text.includes(key.toString(form)), form);
  }
}

test("the keys of a data directory are wrapped between two commands", async (t) => {
  const { pool, directory } = await onePool(t);
  const at = (name: string): string => join(directory, name);
  pool.addUser({ username: "ann" });
  await writeFile(at("a.csv"), "username,given_name\nann,Ann\nnobody,No\n");
  const say = (words: readonly string[], keys: Readonly<Record<string, string>> = {}) =>
    runCommand([...words, "--data-dir", at("data")], { environment: keys });
  assert.equal((await say(["sync", at("a.csv"), "--user-pool-id", POOL])).code, EXIT.partial);
  // A socket cannot be copied, and need not be.
  await cp(at("data"), at("backup"), { recursive: true, filter: (path) => !path.endsWith(".sock") });
  const isRekeyed = async (): Promise<void> => {
    const rekeyed = await say(["rekey", "--json"], { POOLSYNC_KEY: ONE });
    assert.deepEqual(JSON.parse(rekeyed.stdout), { rekeyed: true, from: "none" });
  };
  await isRekeyed();
  assert.equal((await say(["dead", "list"])).code, EXIT.usage);

  // A backup from before is brought to the key in the same way.
  await rm(at("data"), { recursive: true });
  await rename(at("backup"), at("data"));
  await isRekeyed();
  const raised = await say(["epoch", "raise"], { POOLSYNC_KEY: ONE });
  assert.equal(raised.code, EXIT.done, raised.stderr);
  assert.match((await say(["dead", "list"], { POOLSYNC_KEY: ONE })).stdout, /nobody: given_name/);
});
