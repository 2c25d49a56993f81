/** `rekey --digests`: what was copied out of a store opens nothing that is in it afterwards. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import { until } from "../support/condition.ts";
import { assertNoNeedle, value } from "../support/needles.ts";
import { backUpRedis } from "../support/redis-backup.ts";
import { dumpRedis } from "../support/redis-dump.ts";
import { testRedis } from "../support/redis.ts";
import { POOL, runCommand, type Said } from "./command-run.ts";
import { setDirectoryStage, type DirectoryStage } from "./directory-stage.ts";

const ROWS = 30;
const LEAKED = { POOLSYNC_KEY: Buffer.alloc(32, 1).toString("base64") };
const OTHER = { POOLSYNC_KEY: Buffer.alloc(32, 2).toString("base64") };
const LATER = Buffer.alloc(32, 3).toString("base64");
/** What the worker had in hand is taken over that soon. */
const SHORT_LEASE = { POOLSYNC_CONNECT_TIMEOUT: "1", POOLSYNC_REQUEST_TIMEOUT: "1" };
const BOTH = { ...OTHER, POOLSYNC_KEY_PREVIOUS: LEAKED.POOLSYNC_KEY };
const failed = z.object({ error: z.object({ kind: z.string(), message: z.string() }) });

describe("new keys of a namespace", () => {
  let stage: DirectoryStage;
  before(async () => {
    stage = await setDirectoryStage(ROWS);
  });
  after(() => stage.clear());

  const say = (words: readonly string[], keys: Readonly<Record<string, string>>): Promise<Said> =>
    runCommand(words, { environment: { ...stage.environment, ...keys } });
  const failureOf = ({ stdout }: Said) => failed.parse(JSON.parse(stdout)).error;
  const pending = async (): Promise<number> => {
    const status = z.object({ books: z.object({ pending: z.number() }), balanced: z.boolean() });
    const { books, balanced } = status.parse(JSON.parse((await say(["status", "--verify", "--json"], OTHER)).stdout));
    assert.ok(balanced);
    return books.pending;
  };

  test("are made while a worker runs, which ends, and the next one delivers what waits", async () => {
    await writeFile(stage.at("poolsync.yaml"), "rate: 8\n");
    const worker = stage.start("workers/deliver.ts", { ...LEAKED, ...SHORT_LEASE });
    const rows = Array.from({ length: ROWS }, (_, row) => `u${row},${value(`given ${row}`)}`);
    await writeFile(stage.at("staff.csv"), ["username,given_name", ...rows, "nobody,No"].join("\n"));
    const put = await say(["sync", stage.at("staff.csv"), "--user-pool-id", POOL, "--detach"], LEAKED);
    assert.equal(put.code, EXIT.done, put.stderr);
    await until("the worker delivers", () => stage.emulator.log.writes.length > 3);

    const made = await say(["rekey", "--digests"], BOTH);
    assert.equal(made.code, EXIT.done, made.stdout + made.stderr);
    const text = made.stdout.replaceAll(/\s+/g, " ");
    assert.match(text, /^The namespace has new keys.*users with changes that wait \d+ 0.*Start all processes again/);
    assert.doesNotMatch(text, /same POOLSYNC_KEY|in clear/);
    assert.equal(await worker.ended(), EXIT.failed);
    assert.match(worker.stderr(), /store-replaced/);
    assert.equal(failureOf(await say(["status", "--json"], LEAKED)).kind, "wrong-key");

    assert.ok((await pending()) > 0);
    const next = stage.start("workers/deliver.ts", OTHER);
    await until("all is delivered", async () => (await pending()) === 0, 60_000);
    await next.kill("SIGTERM");
    assert.equal(await next.ended(), 0, next.stderr());
    for (let row = 0; row < ROWS; row += 1) {
      const writes = stage.emulator.log.writes.filter(({ username }) => username === `u${row}`);
      assert.deepEqual([...new Set(writes.map(({ attributes }) => attributes["given_name"]))], [value(`given ${row}`)]);
    }
    const { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace } = stage.environment;
    for (const [name, held] of await dumpRedis(url, namespace)) assertNoNeedle(name + held, name);
  });

  test("of a backup come back with it, leak included, until others are made once more", async () => {
    const { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace } = stage.environment;
    const later = { POOLSYNC_KEY: LATER, POOLSYNC_KEY_PREVIOUS: OTHER.POOLSYNC_KEY };
    const recordOf = async () => (await dumpRedis(url, `${namespace}}:memory`)).values().next().value;
    const backup = await backUpRedis(url, namespace);
    assert.equal((await say(["rekey", "--digests"], later)).code, EXIT.done);
    await backup.restore();
    const leaked = await recordOf();

    const refused = failureOf(await say(["epoch", "raise", "--json"], { POOLSYNC_KEY: LATER }));
    assert.equal(refused.kind, "wrong-key");
    assert.match(refused.message, /that one as POOLSYNC_KEY_PREVIOUS/);
    assert.equal((await say(["rekey", "--digests"], later)).code, EXIT.done);
    assert.equal((await say(["epoch", "raise", "--json"], { POOLSYNC_KEY: LATER })).code, EXIT.done);
    assert.notEqual(await recordOf(), leaked);

    // A backup from before a mere `rekey` wants no more than that.
    const back = { POOLSYNC_KEY: OTHER.POOLSYNC_KEY, POOLSYNC_KEY_PREVIOUS: LATER };
    const older = await backUpRedis(url, namespace);
    assert.equal((await say(["rekey"], back)).code, EXIT.done);
    await older.restore();
    assert.equal(failureOf(await say(["epoch", "raise", "--json"], OTHER)).kind, "wrong-key");
    assert.equal((await say(["rekey"], back)).code, EXIT.done);
    assert.equal((await say(["epoch", "raise", "--json"], OTHER)).code, EXIT.done);
    assert.equal(await pending(), 0);
  });

  test("are refused where a pool cannot be read, and made without it where it is no more", async () => {
    const { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace } = stage.environment;
    const store = await openRedisStore({ url, namespace });
    const endpoint = new URL(stage.emulator.url).host;
    await store.target({ pool: "eu-west-1_Gone", endpoint, region: "eu-west-1", arn: "arn" });
    await store.close();
    const refused = failureOf(await say(["rekey", "--digests", "--json"], OTHER));
    assert.equal(refused.kind, "pool-unread");
    assert.match(
      refused.message,
      /eu-west-1_Gone.*rekey --digests --without-pool eu-west-1_Gone`.*Nothing was changed/,
    );
    await pending();
    const unknown = await say(["rekey", "--digests", "--json", "--without-pool", "eu-west-1_Other"], OTHER);
    assert.match(failureOf(unknown).message, /Expected a pool that this namespace knows.*got .eu-west-1_Other/);

    const made = await say(["rekey", "--digests", "--json", "--without-pool", "eu-west-1_Gone"], OTHER);
    const { kept, dropped, ...rest } = z
      .looseObject({
        kept: z.looseObject({ ledgers: z.number() }),
        dropped: z.object({ ledgers: z.number(), exceptions: z.number(), links: z.number() }),
      })
      .parse(JSON.parse(made.stdout));
    assert.equal(kept.ledgers, ROWS);
    assert.deepEqual(dropped, { ledgers: 0, exceptions: 0, links: 0 });
    assert.deepEqual(rest, { keys: "new", resumed: false, wrapped: true, sameKey: true, plansEnded: 0, damaged: 0 });
  });

  test("that are no better kept than the former ones are told of", async () => {
    const without = ["rekey", "--digests", "--without-pool", "eu-west-1_Gone"];
    const said = async (keys: Readonly<Record<string, string>>) => {
      const { code, stdout } = await say(without, keys);
      assert.equal(code, EXIT.done);
      return stdout.replaceAll(/\s+/g, " ");
    };
    assert.match(
      await said(OTHER),
      /wrapped by the same POOLSYNC_KEY as the former.*set another.*_PREVIOUS.*again\. $/,
    );
    const clear = await said({ POOLSYNC_KEY_PREVIOUS: OTHER.POOLSYNC_KEY });
    assert.match(
      clear,
      /Start all processes again\. The new keys lie in clear.*Set POOLSYNC_KEY.*--digests` again\. $/,
    );
    assert.doesNotMatch(await said(OTHER), /same POOLSYNC_KEY|in clear/);
  });

  test("are not made where nobody has used the namespace, and a pool is left out of new keys alone", async () => {
    const { namespace } = testRedis();
    const unused = await say(["rekey", "--digests", "--json"], { ...OTHER, POOLSYNC_NAMESPACE: namespace });
    assert.deepEqual([unused.code, failureOf(unused).kind], [EXIT.failed, "no-keys"]);
    const alone = await say(["rekey", "--json", "--without-pool", POOL], OTHER);
    assert.deepEqual([alone.code, failureOf(alone).kind], [EXIT.usage, "configuration"]);
  });
});
