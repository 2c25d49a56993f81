/** What a run wrote is put back, but for what has changed since. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test, type TestContext } from "node:test";
import { isComplete, type RunSummary } from "../../src/app/runs/run-summary.ts";
import { setApp, type Synced } from "../support/app-stage.ts";
import { until } from "../support/condition.ts";
import { addUsers, byHand } from "../support/pool-stage.ts";

const USERS = 120;
const KEEPS = "keepBefore: true\n";
const QUICK = "rate: 500\n";
const KEY = { POOLSYNC_KEY: Buffer.alloc(32, 5).toString("base64") };

async function setStage(t: TestContext) {
  const app = await setApp(t, { pool: { schema: [{ name: "team" }] }, config: KEEPS + QUICK, environment: KEY });
  addUsers(app.pool, USERS);
  const user = (username: string) => ({ ...app.pool.user(username)?.attributes });
  const sync = async (header: string, rows: readonly string[]): Promise<RunSummary> => {
    const path = await app.file(`${header}\n${rows.join("\n")}\n`, "staff.csv");
    const summary = await app.sync(path, { verified: "mark" });
    assert.ok(isComplete(summary));
    return summary;
  };
  return {
    ...app,
    user,
    syncRows: sync,
    everybody: () => Array.from({ length: USERS }, (_, number) => user(`u${number}`)),
    change: (username: string, attributes: Readonly<Record<string, string>>) =>
      byHand(app.emulator, username, attributes),
    writes: (): number => app.emulator.log.writes.length,
    report: () => readFile(app.at("report.ndjson"), "utf8"),
  };
}

/** The one run of an undoing that no guard stopped. */
function summaryOf({ stopped, summaries }: Synced): RunSummary {
  const [summary] = summaries;
  assert.ok(summary && stopped.length === 0);
  return summary;
}

describe("undo", () => {
  test("puts back what was there, and leaves what has changed since", async (t) => {
    const stage = await setStage(t);
    await stage.change("u2", { "custom:team": "blue" });
    await stage.change("u3", { email: "three@example.com", email_verified: "false" });
    const before = stage.everybody();
    const { run } = await stage.syncRows("username,given_name,email,custom:team", [
      "u0,New,new0@example.com,red",
      "u1,New,u1@example.com,red",
      "u2,Old,u2@example.com,red",
      "u3,Old,new3@example.com,",
    ]);
    assert.equal(stage.user("u0")["email"], "new0@example.com");
    await stage.change("u1", { given_name: "Theirs" });

    const undone = summaryOf(await stage.undo(run));
    assert.ok(!isComplete(undone));
    assert.notEqual(undone.run, run);
    assert.deepEqual([undone.feed, undone.rows], [`undo ${run}`, { read: 7, faulty: 1 }]);
    assert.match(await stage.report(), /changed-since-plan/);
    const now = stage.everybody();
    assert.deepEqual(now[1], { ...before[1], given_name: "Theirs" });
    assert.deepEqual([now[0], now[2], now[3]], [before[0], before[2], before[3]]);

    const { books } = summaryOf(await stage.undo(run));
    assert.deepEqual([books.applied, books.unchanged], [0, 6]);
    assert.ok(isComplete(summaryOf(await stage.undo(undone.run))));
    assert.equal(stage.user("u0")["email"], "new0@example.com");
  });

  test("puts an unverified address back that was cleared, in a pool that verifies, and finds no fault", async (t) => {
    const stage = await setStage(t);
    const verifies = "eu-west-1_Verifies";
    const pool = stage.emulator.pools.add({ id: verifies, autoVerified: ["email"] });
    pool.addUser({ username: "u0", attributes: { email: "u0@example.com", email_verified: "false" } });
    const before = { ...pool.user("u0")?.attributes };
    const email = "{ column: mail, verified: keep, onBlank: clear }";
    const feed = `{ pool: ${verifies}, username: id, attributes: { email: ${email} }, guards: { emptyColumn: false } }`;
    await stage.configure(`${KEEPS}feeds: { hr: ${feed} }\n`);
    const cleared = await stage.sync(await stage.file("id,mail\nu0,\n", "hr.csv"), { feed: "hr" });
    assert.ok(isComplete(cleared));
    assert.equal(pool.user("u0")?.attributes["email"], undefined);

    assert.ok(isComplete(summaryOf(await stage.undo(cleared.run))));
    assert.deepEqual({ ...pool.user("u0")?.attributes }, before);
    assert.deepEqual(pool.messages, []);
  });

  test("leaves a value of which a newer change is still queued, and that change is delivered", async (t) => {
    const stage = await setStage(t);
    const { run } = await stage.syncRows("username,given_name,custom:team", ["u0,New,red", "u1,New,red"]);
    assert.deepEqual(await stage.queue("u0", { given_name: "Newest" }), ["given_name"]);
    assert.equal(stage.user("u0")["given_name"], "New");

    const undone = summaryOf(await stage.undo(run));
    assert.ok(!isComplete(undone));
    assert.deepEqual(undone.rows, { read: 4, faulty: 1 });
    assert.match(await stage.report(), /changed-since-plan","detail":"A newer change/);
    assert.deepEqual([stage.user("u0")["custom:team"], stage.user("u1")["given_name"]], [undefined, "Old"]);
    await stage.deliver();
    assert.equal(stage.user("u0")["given_name"], "Newest");
  });

  test("that was interrupted is done by the same command, given again", async (t) => {
    const stage = await setStage(t);
    const before = stage.everybody();
    const rows = Array.from({ length: 48 }, (_, number) => `u${number},New${number}`);
    const { run } = await stage.syncRows("username,given_name", rows);
    const writes = stage.writes();
    const interrupt = new AbortController();
    await stage.configure(`${KEEPS}rate: 10\nconcurrency: 1\n`);
    const cut = stage.undo(run, { drain: interrupt.signal });
    await until("some are put back", () => stage.writes() > writes + 2);
    interrupt.abort();
    await assert.rejects(cut, {
      category: "interrupted",
      message: /[1-9]\d* changes stay queued.*the same command goes on/,
    });
    assert.ok(stage.writes() < writes + 48);

    await stage.configure(KEEPS + QUICK);
    const again = summaryOf(await stage.undo(run));
    assert.ok(isComplete(again));
    assert.deepEqual(again.rows, { read: 48, faulty: 0 });
    assert.ok(again.books.unchanged > 0 && again.books.applied > 0, JSON.stringify(again.books));
    assert.equal(stage.writes(), writes + 48, "nobody is written twice");
    assert.deepEqual(stage.everybody(), before);
  });

  test("is newer than the file, whose values are put again under a newer time only", async (t) => {
    const stage = await setStage(t);
    const rows = ["u0,New", "u1,New"];
    const { run } = await stage.syncRows("username,given_name", rows);
    assert.ok(isComplete(summaryOf(await stage.undo(run))));
    const asOf = new Date(Date.now() - 60_000).toISOString();
    const { books } = await stage.sync(stage.at("staff.csv"), { asOf });
    assert.deepEqual([books.applied, books.unchanged, books.stale], [0, 0, 2]);
    const anew = await stage.syncRows("username,given_name", rows);
    assert.equal(anew.books.applied, 2, "the file was written anew");
    assert.equal(stage.user("u0")["given_name"], "New");
  });

  test("goes through the same guards, unless just this plan is approved", async (t) => {
    const stage = await setStage(t);
    const before = stage.everybody();
    const rows = Array.from({ length: USERS }, (_, number) => `u${number},New${number}`);
    // Of as many as change it takes an approval to change them.
    const path = await stage.file(`username,given_name\n${rows.join("\n")}\n`);
    const [plan] = (await stage.trySync([path])).stopped;
    const { run } = await stage.sync(path, { approve: [plan?.id ?? ""] });
    const writes = stage.writes();
    const { stopped } = await stage.undo(run);
    const [back] = stopped;
    assert.ok(back && stopped.length === 1);
    assert.equal(stage.writes(), writes);
    assert.ok(isComplete(summaryOf(await stage.undo(run, { approve: [back.id] }))));
    assert.deepEqual(stage.everybody(), before);
  });

  test("of what is not kept, or not there, is refused with the next step", async (t) => {
    const stage = await setStage(t);
    await assert.rejects(stage.undo("r-none"), { kind: "no-run" });
    await stage.configure("keepBefore: false\n");
    const path = await stage.file("username,given_name\nu0,New\n");
    const { run } = await stage.sync(path);
    await stage.configure(KEEPS);
    await assert.rejects(stage.undo(run), { kind: "not-undoable", category: "failed" });
    await assert.rejects(stage.sync(path, { baseline: "none" }), { kind: "usage", category: "usage" });
  });
});
