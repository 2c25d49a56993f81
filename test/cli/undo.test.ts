/** The options, the answers and the exit codes of `undo`. What it puts back: test/app/undo.test.ts. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, test } from "node:test";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import { testRedis } from "../support/redis.ts";
import { byHand, POOL, runCommand, setStage, type Stage } from "./command-run.ts";

const USERS = 120;
const KEY = Buffer.alloc(32, 5).toString("base64");
const summary = z.object({ run: z.string(), rows: z.object({ read: z.number(), faulty: z.number() }) });
const failed = z.object({ error: z.object({ kind: z.string(), message: z.string() }) });
const guarded = failed.extend({ plans: z.array(z.object({ plan: z.string() })) });

describe("undo at the command line", () => {
  let stage: Stage;
  let engine: Readonly<Record<string, string>>;
  beforeEach(async () => {
    stage = await setStage(USERS, {}, false);
    const { url, namespace } = testRedis();
    engine = { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace, POOLSYNC_RATE: "500" };
    await writeFile(at("poolsync.yaml"), "keepBefore: true\n");
  });
  afterEach(() => stage.clear());

  const at = (name: string) => stage.at(name);
  const said = (words: readonly string[], key: Readonly<Record<string, string>> = { POOLSYNC_KEY: KEY }) => {
    const where = ["--config", at("poolsync.yaml"), "--data-dir", at("data")];
    const all = [...words, "--report", at("report.ndjson"), ...where, "--json"];
    return runCommand(all, { environment: { ...engine, ...key } });
  };
  const writes = (): number => stage.emulator.log.writes.length;
  /** The words of a sync of these rows. */
  async function syncOf(rows: readonly string[]): Promise<readonly string[]> {
    await writeFile(at("staff.csv"), `username,given_name,email\n${rows.join("\n")}\n`);
    return ["sync", at("staff.csv"), "--user-pool-id", POOL, "--verified", "mark"];
  }

  test("tells with --dry-run what it would put back, and ends with a code of its own where it leaves something", async () => {
    const synced = await said(await syncOf(["u0,New,new0@example.com", "u1,New,u1@example.com"]));
    assert.equal(synced.code, EXIT.done, synced.stderr + synced.stdout);
    const { run } = summary.parse(JSON.parse(synced.stdout));
    await byHand(stage.emulator, "u1", { given_name: "Theirs" });
    const before = writes();
    const dry = await said(["undo", run, "--dry-run"]);
    assert.equal(dry.code, EXIT.done, dry.stderr);
    assert.equal(writes(), before);
    assert.ok(!dry.stdout.includes("example.com"), "values are masked");
    const done = await said(["undo", run]);
    assert.equal(done.code, EXIT.partial, done.stderr + done.stdout);
    assert.deepEqual(summary.parse(JSON.parse(done.stdout)).rows, { read: 3, faulty: 1 });
    assert.match(await readFile(at("report.ndjson"), "utf8"), /changed-since-plan/);
  });

  test("goes through the same guards, unless just this plan is approved", async () => {
    const sync = await syncOf(Array.from({ length: USERS }, (_, number) => `u${number},New${number},`));
    const [plan] = guarded.parse(JSON.parse((await said(sync)).stdout)).plans;
    const { run } = summary.parse(JSON.parse((await said([...sync, "--approve", plan?.plan ?? ""])).stdout));
    const before = writes();
    const stopped = await said(["undo", run]);
    assert.equal(stopped.code, EXIT.guarded, stopped.stderr);
    assert.equal(writes(), before);
    const [back] = guarded.parse(JSON.parse(stopped.stdout)).plans;
    const done = await said(["undo", run, "--approve", back?.plan ?? ""]);
    assert.equal(done.code, EXIT.done, done.stderr);
    assert.equal(writes(), before + USERS);
  });

  test("of what is not kept, or not there, is refused with the next step", async () => {
    const missing = await said(["undo", "r-none"]);
    assert.equal(missing.code, EXIT.failed);
    assert.equal(failed.parse(JSON.parse(missing.stdout)).error.kind, "no-run");
    const unkeyed = await said(["undo", "r-none"], {});
    assert.equal(unkeyed.code, EXIT.usage);
    assert.match(unkeyed.stdout, /POOLSYNC_KEY/);
    const blind = await said([...(await syncOf(["u0,New,"])), "--baseline", "none"]);
    assert.equal(blind.code, EXIT.usage);
  });
});
