/** Files that are older than what poolsync has written since: a plan counts their values, and a sync says what to do. */
import assert from "node:assert/strict";
import { open, readFile, utimes } from "node:fs/promises";
import { describe, test, type TestContext } from "node:test";
import { logRun } from "../../src/app/runs/run-log.ts";
import { isComplete } from "../../src/app/runs/run-summary.ts";
import { EXIT } from "../../src/exit-codes.ts";
import { createLog } from "../../src/log.ts";
import { runCommand } from "../cli/command-run.ts";
import { setApp } from "../support/app-stage.ts";
import { pageOf } from "../support/plan-pages.ts";
import { POOL } from "../support/pool-stage.ts";

const LONG_AGO = new Date("2020-01-01T00:00:00Z");

/** Three people with a new name and team each, of whom an older file says the former name of two. */
async function setOlderFile(t: TestContext) {
  const app = await setApp(t, { pool: { schema: [{ name: "team" }] } });
  for (const username of ["ann", "bob", "cem"]) app.pool.addUser({ username, attributes: { given_name: "Old" } });
  const header = "username,given_name,custom:team";
  const newer = await app.file([header, "ann,New,1", "bob,New,1", "cem,New,1", ""].join("\n"), "newer.csv");
  assert.ok(isComplete(await app.sync(newer)));
  const older = await app.file([header, "ann,Old,1", "bob,Old,1", "cem,New,1", ""].join("\n"), "older.csv");
  await utimes(older, LONG_AGO, LONG_AGO);
  const command = (...words: string[]) =>
    runCommand([...words, older, "--user-pool-id", POOL, "--config", app.at("poolsync.yaml")], {
      environment: app.environment,
    });
  const has = (username: string) => app.pool.user(username)?.attributes["given_name"];
  return { ...app, older, newer, command, has };
}

describe("a file that is older than what was written", () => {
  test("is counted as stale in its plan, with its time and --as-of", async (t) => {
    const { plan, older, command } = await setOlderFile(t);
    const summary = await plan(older);
    const { figures } = summary;
    assert.deepEqual(figures.stale, { rows: 2, values: 2, asOf: LONG_AGO.toISOString() });
    assert.deepEqual(figures.users, { matched: 3, changed: 0, unchanged: 3 });
    assert.equal(figures.calls.updates, 0);
    const { code, stdout } = await command("plan");
    assert.equal(code, EXIT.done);
    const text = stdout.replaceAll(/\s+/g, " ");
    assert.match(text, /2 values of 2 rows are stale, and would be left: .* newer ones than of 2020-01-01T00:00:00Z/);
    assert.match(text, /give the file again with --as-of 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\./);
    assert.match(text, /ATTRIBUTE .*STALE/);
    const page = pageOf(summary);
    assert.match(page, /2 values of 2 rows are stale/);
  });

  for (const baseline of ["ledger", "none"] as const) {
    test(`is counted by the baseline ${baseline} as well`, async (t) => {
      const { plan, older } = await setOlderFile(t);
      const { figures } = await plan(older, { baseline });
      // What is there already is known to be there by the ledger only where it wrote it.
      assert.equal(figures.stale?.rows, baseline === "none" ? 3 : 2);
      assert.equal(figures.users.changed, 0);
    });
  }

  test("ends with 2 where nothing but stale remains, and is written with the --as-of that it names", async (t) => {
    const { command, has } = await setOlderFile(t);
    const { code, stdout } = await command("sync");
    assert.equal(code, EXIT.partial);
    const text = stdout.replaceAll(/\s+/g, " ");
    assert.match(
      text,
      /2 values are stale, and were left: .* than of 2020-01-01T00:00:00Z, which is the time of the file/,
    );
    const [, asOf = ""] = /--as-of (20[^ ]*Z)\./.exec(text) ?? [];
    assert.equal(has("ann"), "New");
    const again = await command("sync", "--as-of", asOf);
    assert.equal(again.code, EXIT.done, again.stderr);
    assert.equal(has("ann"), "Old");
  });

  test("ends with 0 where the pool has all of it", async (t) => {
    const app = await setOlderFile(t);
    await utimes(app.newer, LONG_AGO, LONG_AGO);
    assert.equal((await app.plan(app.newer)).figures.stale, undefined);
    const summary = await app.sync(app.newer);
    assert.equal(summary.stale, undefined);
    assert.ok(isComplete(summary));
  });

  test("ends with 0 where some of it is written, and says of the rest that it is stale", async (t) => {
    const app = await setOlderFile(t);
    const some = await app.file("username,given_name,nickname\nann,Old,Ann\n", "some.csv");
    await utimes(some, LONG_AGO, LONG_AGO);
    const summary = await app.sync(some);
    assert.deepEqual(summary.stale, { values: 1, asOf: LONG_AGO.toISOString() });
    assert.ok(isComplete(summary));
    assert.equal(app.has("ann"), "New");
  });
});

describe("rows that say their own times", () => {
  test("are overtaken one by one, and name their column: only where all are does a sync end with 2", async (t) => {
    const app = await setApp(t, {
      config: `feeds: { hr: { pool: ${POOL}, username: id, version: at, attributes: { given_name: name } } }\n`,
    });
    for (const username of ["ann", "bob"]) app.pool.addUser({ username });
    const at = (name: string, ...rows: string[]) => app.file(["id,name,at", ...rows, ""].join("\n"), name);
    const asked = { feed: "hr" };
    await app.sync(await at("a.csv", "ann,New,2026-02-01T00:00:00Z", "bob,New,2026-02-01T00:00:00Z"), asked);
    const one = await at("b.csv", "ann,Old,2026-01-01T00:00:00Z", "bob,New,2026-02-01T00:00:00Z");
    assert.deepEqual((await app.plan(one, asked)).figures.stale?.column, "at");
    assert.ok(isComplete(await app.sync(one, asked)));
    const all = await at("c.csv", "ann,Old,2026-01-01T00:00:00Z", "bob,Old,2026-01-01T00:00:00Z");
    const summary = await app.sync(all, asked);
    assert.ok(!isComplete(summary));
    const log = await open(app.at("log"), "w");
    const outcome = { summary, detached: false, workers: 0, putBefore: false };
    logRun(createLog("warn", log.fd))({ is: "finished", outcome });
    await log.close();
    assert.match(await readFile(app.at("log"), "utf8"), /"stale":2,.*"msg":"run is older than what was written"/);
    assert.equal(app.pool.user("ann")?.attributes["given_name"], "New");
  });
});
