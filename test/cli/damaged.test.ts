/** Documents in Redis that another program has broken, as whoever works with poolsync meets them. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { Redis } from "ioredis";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import { createKeys, type Keys } from "../../src/store/redis/keys.ts";
import { until } from "../support/condition.ts";
import { POOL, runCommand, type Said } from "./command-run.ts";
import { setDirectoryStage, type DirectoryStage } from "./directory-stage.ts";

const USERS = 3;
const STRANGERS = 9;
const BROKEN = '{"broken":1}';
const documents = z.object({ documents: z.array(z.object({ id: z.string(), kind: z.string(), place: z.string() })) });
const letters = z.object({ deadLetters: z.record(z.string(), z.number()) });
const status = z.object({
  damaged: z.number(),
  balanced: z.boolean(),
  verified: z.object({ differences: z.array(z.unknown()) }),
});
const run = z.object({ run: z.string(), books: z.record(z.string(), z.number()), balanced: z.boolean() });

describe("a damaged document in Redis", () => {
  let stage: DirectoryStage;
  let redis: Redis;
  let keys: Keys;

  before(async () => {
    stage = await setDirectoryStage(USERS);
    redis = new Redis(stage.environment.REDIS_URL);
    keys = createKeys(stage.environment.POOLSYNC_NAMESPACE);
    await writeFile(stage.at("poolsync.yaml"), "rate: 50\n");
  });
  after(async () => {
    await redis.quit();
    await stage.clear();
  });

  const say = (...words: readonly string[]): Promise<Said> => runCommand(words, { environment: stage.environment });
  const sync = (name: string, ...words: readonly string[]): Promise<Said> =>
    say("sync", stage.at(name), "--user-pool-id", POOL, "--report", stage.at("report"), "--json", ...words);
  const aside = async () => documents.parse(JSON.parse((await say("damaged", "list", "--json")).stdout)).documents;
  const breakLetter = async (): Promise<string> => {
    const [id = ""] = await redis.hkeys(keys.letters);
    await redis.hset(keys.letters, id, BROKEN);
    return id;
  };

  test("that is a letter costs that letter, whatever meets it, and is told of", async () => {
    const rows = Array.from({ length: STRANGERS }, (_, nth) => `nobody${nth},n`);
    await writeFile(stage.at("strangers.csv"), `${["username,nickname", ...rows].join("\n")}\n`);
    await writeFile(stage.at("known.csv"), "username,nickname\nu0,nick\n");
    const put = run.parse(JSON.parse((await sync("strangers.csv")).stdout));
    assert.equal(put.books["dead"], STRANGERS);

    const broken = new Set([await breakLetter()]);
    const worker = stage.start("workers/deliver.ts", {});
    await until("the worker says what it has met", () => worker.stderr().includes("document set aside"));
    assert.match(worker.stderr(), /"worker started"/);
    assert.match(worker.stderr(), new RegExp(`"kind":"letter","place":"${[...broken][0]}"`));
    const record = await redis.hget(keys.memory, "keys");
    await redis.hdel(keys.memory, "keys");
    await until("the worker puts the keys back", () => worker.stderr().includes('"keys put back"'));
    assert.equal(await redis.hget(keys.memory, "keys"), record);
    await worker.kill("SIGTERM");
    await worker.ended();

    broken.add(await breakLetter());
    assert.equal((await say("dead", "list")).code, EXIT.done);
    const { deadLetters } = letters.parse(JSON.parse((await say("status", "--json")).stdout));
    assert.deepEqual(deadLetters, { "user-not-found": STRANGERS - broken.size }, "a job is left of one that is none");

    const commands: readonly (readonly [code: number, ...words: string[]])[] = [
      [EXIT.done, "dead", "list"],
      [EXIT.done, "dead", "replay", "--dry-run"],
      [EXIT.done, "dead", "export", "--out", stage.at("letters.ndjson")],
      [EXIT.done, "status", "--verify"],
      [EXIT.partial, "dead", "replay"],
      [EXIT.done, "sync", stage.at("known.csv"), "--user-pool-id", POOL],
      [EXIT.done, "dead", "discard", "--all"],
    ];
    for (const [code, ...words] of commands) {
      broken.add(await breakLetter());
      const said = await say(...words);
      assert.equal(said.code, code, `${words.join(" ")}: ${said.stderr}${said.stdout}`);
    }
    assert.deepEqual((await aside()).map(({ place }) => place).toSorted(), [...broken].toSorted());

    const found = status.parse(JSON.parse((await say("status", "--verify", "--json")).stdout));
    assert.deepEqual(found, { damaged: broken.size, balanced: true, verified: { differences: [] } });
    assert.match((await say("status")).stdout, new RegExp(`${broken.size} documents are damaged.*damaged list`));
    const { books } = run.parse(JSON.parse((await say("runs", "show", put.run, "--json")).stdout));
    assert.equal(books["damaged"], broken.size);
    assert.equal((books["damaged"] ?? 0) + (books["discarded"] ?? 0), STRANGERS);

    const listed = await say("damaged", "list");
    assert.match(listed.stdout, /letter/);
    assert.ok(!listed.stdout.includes("broken"));
    const [first, ...others] = await aside();
    const refused = await say("damaged", "remove", first?.id ?? "", "no-such-id");
    assert.equal(refused.code, EXIT.failed);
    assert.match(refused.stderr.replaceAll(/\s+/g, " "), /no damaged document `no-such-id`.*damaged list/);
    assert.equal((await say("damaged", "remove", first?.id ?? "")).stdout, "Removed 1 document.\n");
    assert.equal(
      (await say("damaged", "remove", ...others.map(({ id }) => id), "--json")).stdout,
      `{"documents":${others.length}}\n`,
    );
    assert.match((await say("damaged", "list")).stdout, /^Nothing is damaged/);
  });

  test("that is a mailbox does not keep its run from ending, which says what is not known", async () => {
    await writeFile(stage.at("all.csv"), "username,family_name\nu0,a\nu1,b\nu2,c\n");
    await sync("all.csv", "--detach");
    const [user = ""] = await redis.hkeys(keys.mailboxes);
    await redis.hset(keys.mailboxes, user, BROKEN);
    const ended = await say("sync", stage.at("all.csv"), "--user-pool-id", POOL, "--report", stage.at("report"));
    assert.equal(ended.code, EXIT.partial, ended.stderr);
    assert.match(ended.stdout.replaceAll(/\s+/g, " "), /1 change was in a document that broke .*damaged list/);
    const again = await sync("all.csv");
    assert.equal(again.code, EXIT.done, again.stdout);
    assert.equal(run.parse(JSON.parse(again.stdout)).books["damaged"], 0);
  });

  test("that is a counter costs no row of the sync that meets it", async () => {
    await writeFile(stage.at("counted.csv"), "username,family_name\nu0,d\nu1,e\nu2,f\n");
    await sync("all.csv", "--detach");
    for (const field of await redis.hkeys(keys.books)) await redis.hset(keys.books, field, "abc");
    await redis.set(keys.arrivals, "abc");
    const put = await sync("counted.csv");
    const { books, balanced } = run.parse(JSON.parse(put.stdout));
    assert.deepEqual([books["received"], balanced], [USERS, true]);
    // Its values are older than those of the other file.
    assert.equal((await say("sync", stage.at("all.csv"), "--user-pool-id", POOL)).code, EXIT.partial);
    const { balanced: isBalanced, verified } = status.parse(
      JSON.parse((await say("status", "--verify", "--json")).stdout),
    );
    assert.deepEqual([isBalanced, verified.differences], [true, []]);
    assert.ok((await aside()).some(({ kind, place }) => kind === "counter" && place === "arrivals"));
  });

  test("that is the record of a run is named by who asks for that run", async () => {
    const { run: id } = run.parse(JSON.parse((await sync("known.csv")).stdout));
    await redis.hset(keys.runs, id, BROKEN);
    const shown = await say("runs", "show", id);
    assert.equal(shown.code, EXIT.failed);
    assert.match(shown.stderr.replaceAll(/\s+/g, " "), /is damaged, and was set aside \(`.*damaged list`\)/);
    assert.equal((await say("runs", "list")).code, EXIT.done);
    assert.equal((await sync("known.csv")).code, EXIT.done);
  });
});
