import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Redis } from "ioredis";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import { openEngine } from "../../src/queues/engine.ts";
import { until } from "../support/condition.ts";
import { POOL, runCommand, type Said } from "./command-run.ts";
import { setDirectoryStage, type DirectoryStage } from "./directory-stage.ts";

const failure = z.object({ error: z.object({ kind: z.string(), message: z.string() }) });
const whole = z.object({ healed: z.number(), books: z.object({ applied: z.number() }) });
const letters = z.object({ total: z.number() });

describe("a sync of a feed that has a schedule", () => {
  let stage: DirectoryStage;

  beforeEach(async () => {
    stage = await setDirectoryStage(10);
    await stage.exported((nth) => `u${nth},${nth === 0 ? "New" : "Old"}`);
    const feed = `pool: ${POOL}, username: username, attributes: { given_name: given_name }`;
    const scheduled = `file: ${stage.at("hr.csv")}, schedule: { every: 1h }`;
    await writeFile(stage.at("poolsync.yaml"), `heal: true\nfeeds: { hr: { ${feed}, ${scheduled} } }\n`);
  });
  afterEach(() => stage.clear());

  /** Delivers by itself. */
  function sync(drain?: AbortSignal): Promise<Said> {
    const { at, environment } = stage;
    const words = [
      "sync",
      "--feed",
      "hr",
      "--baseline",
      "live",
      "--config",
      at("poolsync.yaml"),
      "--data-dir",
      at("sync"),
      "--json",
    ];
    return runCommand(words, { environment, ...(drain ? { drain } : {}) });
  }

  test("replays no letter while another process has the feed's turn", async (t) => {
    const { at, command, emulator, environment, nameOf } = stage;
    const change = ["--user-pool-id", POOL, "--username", "late", "--user-attributes", "Name=given_name,Value=Late"];
    const buried = await command("admin-update-user-attributes", ...change, "--data-dir", at("data"));
    assert.equal(buried.code, EXIT.failed);
    emulator.pools.get(POOL)?.addUser({ username: "late" });
    const dead = async (): Promise<number> => letters.parse(JSON.parse((await command("dead", "list")).stdout)).total;
    assert.equal(await dead(), 1);
    const { REDIS_URL: redisUrl, POOLSYNC_NAMESPACE: namespace } = environment;
    const engine = await openEngine({ redisUrl, namespace, dataDir: at("engine") });
    t.after(() => engine.close());
    const { reservations } = engine.store;
    assert.equal((await reservations.take("feeds", "hr", "another", 120_000)).is, "taken");
    const refused = await sync();
    assert.deepEqual([refused.code, failure.parse(JSON.parse(refused.stdout)).error.kind], [EXIT.failed, "feed-busy"]);
    assert.equal(await dead(), 1);
    assert.equal(nameOf("late"), undefined);

    await reservations.release("feeds", "hr", "another");
    const had = await sync();
    assert.equal(had.code, EXIT.done, had.stderr);
    assert.deepEqual(whole.parse(JSON.parse(had.stdout)), { healed: 1, books: { applied: 1 } });
    assert.deepEqual([await dead(), nameOf("late"), nameOf("u0")], [0, "Late", "New"]);
  });

  test("says that the turn was lost where another took it, and that a signal stopped it where one did", async (t) => {
    const { emulator, environment, runs } = stage;
    // What it puts is not delivered, so it waits.
    emulator.faults.add({ operation: "AdminUpdateUserAttributes", error: "AccessDeniedException" });
    const underWay = async (): Promise<boolean> => (await runs())[0]?.state === "delivering";
    const stopped = new AbortController();
    const first = sync(stopped.signal);
    await until("it is put", underWay);
    stopped.abort();
    const interrupted = await first;
    assert.equal(interrupted.code, EXIT.interrupted);
    assert.equal(failure.parse(JSON.parse(interrupted.stdout)).error.kind, "interrupted");

    const redis = new Redis(environment.REDIS_URL);
    t.after(() => redis.disconnect());
    const turns = (): Promise<string[]> => redis.keys(`*${environment.POOLSYNC_NAMESPACE}*alias:feeds:hr`);
    assert.deepEqual(await turns(), []);
    const second = sync();
    await until("it has the turn", async () => (await turns()).length === 1);
    const [key = ""] = await turns();
    await redis.set(key, `${Date.now() + 60_000}|another`, "PX", 60_000);
    const lost = await second;
    const { kind, message } = failure.parse(JSON.parse(lost.stdout)).error;
    assert.deepEqual([lost.code, kind], [EXIT.failed, "turn-lost"]);
    assert.match(message, /turn of feed hr was lost.*goes on/);
    assert.equal(await underWay(), true);
  });
});
