import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, test } from "node:test";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import { until } from "../support/condition.ts";
import { testRedis } from "../support/redis.ts";
import { byHand, POOL, runCommand, setStage, type Stage } from "./command-run.ts";

const USERS = 120;
const KEY = Buffer.alloc(32, 5).toString("base64");
const summary = z.object({
  run: z.string(),
  feed: z.string(),
  rows: z.object({ read: z.number(), faulty: z.number() }),
  books: z.object({ applied: z.number(), unchanged: z.number(), stale: z.number() }),
});
const failed = z.object({ error: z.object({ kind: z.string(), message: z.string() }) });
const guarded = failed.extend({ plans: z.array(z.object({ plan: z.string() })) });

describe("undo", () => {
  let stage: Stage;
  let engine: Readonly<Record<string, string>>;
  beforeEach(async () => {
    stage = await setStage(USERS, {}, false);
    const { url, namespace } = testRedis();
    engine = { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace };
    await writeFile(at("poolsync.yaml"), "keepBefore: true\n");
  });
  afterEach(() => stage.clear());

  const at = (name: string) => stage.at(name);
  const said = (
    words: readonly string[],
    environment: Readonly<Record<string, string>> = { POOLSYNC_KEY: KEY },
    drain?: AbortSignal,
  ) => {
    const where = ["--config", at("poolsync.yaml"), "--data-dir", at("data")];
    const report = words[0] === "runs" ? [] : ["--report", at("report.ndjson")];
    const known = { ...engine, ...environment };
    return runCommand([...words, ...report, ...where, "--json"], { environment: known, ...(drain ? { drain } : {}) });
  };
  async function synced(header: string, rows: readonly string[]) {
    await writeFile(at("staff.csv"), `${header}\n${rows.join("\n")}\n`);
    const { code, stdout, stderr } = await said([
      "sync",
      at("staff.csv"),
      "--user-pool-id",
      POOL,
      "--verified",
      "mark",
    ]);
    assert.equal(code, EXIT.done, stderr + stdout);
    return summary.parse(JSON.parse(stdout));
  }
  const everybody = () => Array.from({ length: USERS }, (_, nth) => user(`u${nth}`));
  const user = (username: string) => ({ ...stage.emulator.pools.get(POOL)?.user(username)?.attributes });
  const change = (username: string, attributes: Readonly<Record<string, string>>) =>
    byHand(stage.emulator, username, attributes);

  test("puts back what was there, and leaves what has changed since", async () => {
    await change("u2", { "custom:team": "blue" });
    await change("u3", { email: "three@example.com", email_verified: "false" });
    const before = everybody();
    const { run } = await synced("username,given_name,email,custom:team", [
      "u0,New,new0@example.com,red",
      "u1,New,u1@example.com,red",
      "u2,Old,u2@example.com,red",
      "u3,Old,new3@example.com,",
    ]);
    assert.equal(user("u0")["email"], "new0@example.com");
    await change("u1", { given_name: "Theirs" });
    const writes = stage.emulator.log.writes.length;
    const dry = await said(["undo", run, "--dry-run"]);
    assert.equal(dry.code, EXIT.done, dry.stderr);
    assert.equal(stage.emulator.log.writes.length, writes);
    assert.ok(!dry.stdout.includes("example.com"), "values are masked");

    const done = await said(["undo", run]);
    assert.equal(done.code, EXIT.partial, done.stderr + done.stdout);
    const undone = summary.parse(JSON.parse(done.stdout));
    assert.notEqual(undone.run, run);
    assert.deepEqual([undone.feed, undone.rows], [`undo ${run}`, { read: 7, faulty: 1 }]);
    assert.match(await readFile(at("report.ndjson"), "utf8"), /changed-since-plan/);
    const now = everybody();
    assert.deepEqual(now[1], { ...before[1], given_name: "Theirs" });
    assert.deepEqual([now[0], now[2], now[3]], [before[0], before[2], before[3]]);

    const again = await said(["undo", run]);
    const { books } = summary.parse(JSON.parse(again.stdout));
    assert.deepEqual([books.applied, books.unchanged], [0, 6]);
    const back = await said(["undo", undone.run]);
    assert.equal(back.code, EXIT.done, back.stderr);
    assert.equal(user("u0")["email"], "new0@example.com");
  });

  test("puts an unverified address back that was cleared, in a pool that verifies, and finds no fault", async () => {
    const verifies = "eu-west-1_Verifies";
    const pool = stage.emulator.pools.add({ id: verifies, autoVerified: ["email"] });
    pool.addUser({ username: "u0", attributes: { email: "u0@example.com", email_verified: "false" } });
    const before = { ...pool.user("u0")?.attributes };
    const email = "{ column: mail, verified: keep, onBlank: clear }";
    const feed = `{ pool: ${verifies}, username: id, attributes: { email: ${email} }, guards: { emptyColumn: false } }`;
    await writeFile(at("poolsync.yaml"), `keepBefore: true\nfeeds: { hr: ${feed} }\n`);
    await writeFile(at("hr.csv"), "id,mail\nu0,\n");
    const cleared = await said(["sync", at("hr.csv"), "--feed", "hr"]);
    assert.equal(cleared.code, EXIT.done, cleared.stdout);
    assert.equal(pool.user("u0")?.attributes["email"], undefined);

    const { run } = summary.parse(JSON.parse(cleared.stdout));
    const { code, stdout } = await said(["undo", run]);
    assert.equal(code, EXIT.done, stdout);
    assert.deepEqual({ ...pool.user("u0")?.attributes }, before);
    assert.deepEqual(pool.messages, []);
  });

  test("leaves a value of which a newer change is still queued, and that change is delivered", async () => {
    const { run } = await synced("username,given_name,custom:team", ["u0,New,red", "u1,New,red"]);
    const one = ["--user-pool-id", POOL, "--username", "u0", "--user-attributes", "Name=given_name,Value=Newest"];
    const where = ["--data-dir", at("data"), "--queue"];
    const environment = { ...engine, POOLSYNC_KEY: KEY };
    const queued = await runCommand(["admin-update-user-attributes", ...one, ...where], { environment });
    assert.equal(queued.code, EXIT.done, queued.stderr);
    assert.equal(user("u0")["given_name"], "New");

    const done = await said(["undo", run]);
    assert.equal(done.code, EXIT.partial, done.stderr + done.stdout);
    assert.deepEqual(summary.parse(JSON.parse(done.stdout)).rows, { read: 4, faulty: 1 });
    assert.match(await readFile(at("report.ndjson"), "utf8"), /changed-since-plan","detail":"A newer change/);
    assert.deepEqual([user("u0")["custom:team"], user("u1")["given_name"]], [undefined, "Old"]);
    await until("the newer change is delivered", () => user("u0")["given_name"] === "Newest");
  });

  test("that was interrupted is done by the same command, given again", async () => {
    const before = everybody();
    const rows = Array.from({ length: 60 }, (_, nth) => `u${nth},New${nth}`);
    const { run } = await synced("username,given_name", rows);
    const writes = stage.emulator.log.writes.length;
    const interrupt = new AbortController();
    const slow = ["--rate", "10", "--concurrency", "1"];
    const cut = said(["undo", run, ...slow], { POOLSYNC_KEY: KEY }, interrupt.signal);
    await until("some are put back", () => stage.emulator.log.writes.length > writes + 2);
    interrupt.abort();
    const { code, stdout } = await cut;
    assert.equal(code, EXIT.interrupted, stdout);
    assert.ok(stage.emulator.log.writes.length < writes + 60);
    assert.match(
      failed.parse(JSON.parse(stdout)).error.message,
      /[1-9]\d* changes stay queued.*; the same command goes on/,
    );

    const again = await said(["undo", run]);
    assert.equal(again.code, EXIT.done, again.stdout);
    const { rows: read, books } = summary.parse(JSON.parse(again.stdout));
    assert.deepEqual(read, { read: 60, faulty: 0 });
    assert.ok(books.unchanged > 0 && books.applied > 0, again.stdout);
    assert.equal(stage.emulator.log.writes.length, writes + 60, "nobody is written twice");
    assert.deepEqual(everybody(), before);
  });

  test("is newer than the file, whose values are put again under a newer time only", async () => {
    const rows = ["u0,New", "u1,New"];
    const { run } = await synced("username,given_name", rows);
    assert.equal((await said(["undo", run])).code, EXIT.done);
    const sync = ["sync", at("staff.csv"), "--user-pool-id", POOL];
    const older = new Date(Date.now() - 60_000).toISOString();
    const same = summary.parse(JSON.parse((await said([...sync, "--as-of", older])).stdout));
    assert.deepEqual(same.books, { applied: 0, unchanged: 0, stale: 2 });
    assert.equal((await synced("username,given_name", rows)).books.applied, 2, "the file was written anew");
    assert.equal(user("u0")["given_name"], "New");
  });

  test("goes through the same guards, unless just this plan is approved", async () => {
    const before = everybody();
    const rows = Array.from({ length: USERS }, (_, nth) => `u${nth},New${nth}`);
    // Of as many as change it takes an approval to change them.
    await writeFile(at("staff.csv"), `username,given_name\n${rows.join("\n")}\n`);
    const sync = ["sync", at("staff.csv"), "--user-pool-id", POOL];
    const [plan] = guarded.parse(JSON.parse((await said(sync)).stdout)).plans;
    const { run } = summary.parse(JSON.parse((await said([...sync, "--approve", plan?.plan ?? ""])).stdout));
    const writes = stage.emulator.log.writes.length;
    const stopped = await said(["undo", run]);
    assert.equal(stopped.code, EXIT.guarded, stopped.stderr);
    assert.equal(stage.emulator.log.writes.length, writes);
    const [back] = guarded.parse(JSON.parse(stopped.stdout)).plans;
    const done = await said(["undo", run, "--approve", back?.plan ?? ""]);
    assert.equal(done.code, EXIT.done, done.stderr);
    assert.deepEqual(everybody(), before);
  });

  test("of what is not kept, or not there, is refused with the next step", async () => {
    const missing = await said(["undo", "r-none"]);
    assert.equal(failed.parse(JSON.parse(missing.stdout)).error.kind, "no-run");
    await writeFile(at("plain.yaml"), "keepBefore: false\n");
    await writeFile(at("staff.csv"), "username,given_name\nu0,New\n");
    const words = ["--user-pool-id", POOL, "--data-dir", at("data"), "--json", "--config", at("plain.yaml")];
    const environment = { ...engine, POOLSYNC_KEY: KEY };
    const synced = await runCommand(["sync", at("staff.csv"), ...words], { environment });
    const { run } = summary.parse(JSON.parse(synced.stdout));
    const nothing = await said(["undo", run]);
    assert.equal(nothing.code, EXIT.failed);
    assert.equal(failed.parse(JSON.parse(nothing.stdout)).error.kind, "not-undoable");
    const unkeyed = await said(["undo", run], {});
    assert.equal(unkeyed.code, EXIT.usage);
    assert.match(unkeyed.stdout, /POOLSYNC_KEY/);
    const blind = await said(["sync", at("staff.csv"), "--user-pool-id", POOL, "--baseline", "none"]);
    assert.equal(blind.code, EXIT.usage);
  });
});
