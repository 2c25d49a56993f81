/** Rows at fault, and values that cannot be written: a plan names them line by line before anything is put. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { describe, test, type TestContext } from "node:test";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import { notPutForm } from "../../src/plan/not-put.ts";
import { runCommand } from "../cli/command-run.ts";
import { setApp } from "../support/app-stage.ts";
import { pageOf } from "../support/plan-pages.ts";
import { addUsers, POOL } from "../support/pool-stage.ts";

const STRANGERS = 12;
const document = z.object({ plan: z.string(), notPut: notPutForm.array() });

/** Twelve rows of nobody in the pool, a name that is too long, and two that change. */
async function setFaultyFile(t: TestContext) {
  const app = await setApp(t, { config: "guards: { unmatched: off }\n" });
  addUsers(app.pool, 3);
  const strangers = Array.from({ length: STRANGERS }, (_, number) => `nobody${number}@example.com,New`);
  const rows = [...strangers, `u0,${"x".repeat(2049)}`, "u1,Zoë", "u2,Zoë", ""];
  const path = await app.file(["username,given_name", ...rows].join("\n"));
  const words = ["--config", app.at("poolsync.yaml"), "--data-dir", app.at("data")];
  const command = (...all: string[]) => runCommand([...all, ...words], { environment: app.environment });
  const plan = (...more: string[]) => command("plan", path, "--user-pool-id", POOL, "--baseline", "live", ...more);
  const linesOf = async (name: string) =>
    (await readFile(app.at(name), "utf8"))
      .trimEnd()
      .split("\n")
      .map((line) => notPutForm.parse(JSON.parse(line)));
  return { ...app, planOf: app.plan, path, command, plan, linesOf };
}

describe("what a plan does not put", () => {
  test("is shown at the terminal, the first ten with their names, beside some of what changes", async (t) => {
    const { plan } = await setFaultyFile(t);
    const { code, stdout } = await plan("--show-values");
    assert.equal(code, EXIT.done);
    const text = stdout.replaceAll(/ +/g, " ");
    assert.match(text, /Not put:\nLINE USERNAME ATTRIBUTE REASON\n 2 nobody0@example.com \(the row\) user-unknown\n/);
    assert.match(
      text,
      / 11 nobody9@example.com .*\nAnd 3 more: `plan --report FILE` lists all, and so does its --json\.\n/,
    );
    assert.match(
      text,
      /For example:\n.*\n 15 u1 given_name other value Old Zoë\n 16 u2 given_name other value Old Zoë\n/,
    );
    assert.match(text, /DIFFERENCE BEFORE AFTER\n/);
    const masked = (await plan()).stdout;
    assert.match(masked, /^ *LINE +USERNAME +ATTRIBUTE +DIFFERENCE\n +15 +u1 +given_name +other value\n/m);
    assert.doesNotMatch(masked, /Old|Zoë/);
  });

  test("is all in the report, in the JSON and on the page", async (t) => {
    const { plan, linesOf, at } = await setFaultyFile(t);
    const [report, html] = [at("faults.ndjson"), at("plan.html")];
    const { stdout } = await plan("--report", report, "--html", html, "--json");
    const { notPut } = document.parse(JSON.parse(stdout));
    assert.equal(notPut.length, STRANGERS + 1);
    const last = { line: 14, username: "u0", attribute: "given_name", reason: "too-long" };
    assert.deepEqual(notPut.map(({ detail: _detail, ...one }) => one).at(-1), last);
    // As the report of a sync, it names lines and nobody.
    assert.deepEqual(
      await linesOf("faults.ndjson"),
      notPut.map(({ username: _username, ...one }) => one),
    );
    const page = await readFile(html, "utf8");
    assert.equal(page.match(/nobody\d+@example\.com/g)?.length, STRANGERS);
    assert.match(page, /<td><bdi>u0<\/bdi><\/td><td><code>given_<wbr>name<\/code><\/td><td><code>too-long<\/code>/);
  });

  test("goes to files of their own: one path for two of them is refused, the feed's included", async (t) => {
    const { plan, path, at } = await setFaultyFile(t);
    for (const words of [
      ["--html", path],
      ["--html", at("same"), "--out", at("./same")],
    ]) {
      const { code, stderr } = await plan(...words);
      assert.equal(code, EXIT.usage);
      assert.match(stderr, /Expected a path for each file, got `.*` twice/);
    }
    assert.match(await readFile(path, "utf8"), /^username,given_name\n/);
  });

  test("leaves the report empty where everything is put", async (t) => {
    const app = await setFaultyFile(t);
    const report = app.at("faults.ndjson");
    await writeFile(report, "of an earlier plan\n");
    await app.file("username,given_name\nu1,Zoë\n");
    await app.command("plan", app.path, "--user-pool-id", POOL, "--report", report);
    assert.equal(await readFile(report, "utf8"), "");
  });

  test("is in the report of an apply, whose plan leaves it out", async (t) => {
    const { plan, command, linesOf, at } = await setFaultyFile(t);
    await plan("--out", at("people.psplan"));
    const sealed = await readFile(at("people.psplan"), "utf8");
    assert.ok(!sealed.includes("nobody"));
    const { code, stdout } = await command("apply", at("people.psplan"), "--report", at("apply.ndjson"));
    assert.equal(code, EXIT.partial);
    assert.match(stdout, /15 rows read, 12 of them faulty/);
    assert.match(stdout, /received +3\n.*\n.*\n.*\n.*\n +invalid +1\n/);
    const lines = await linesOf("apply.ndjson");
    assert.deepEqual(
      lines.map(({ line }) => line),
      Array.from({ length: STRANGERS + 1 }, (_, index) => index + 2),
    );
  });

  test("does not name whom the pool does not list and a plan sends all the same: its apply does as it said", async (t) => {
    const { command, at, path } = await setFaultyFile(t);
    await writeFile(path, "username,given_name\nu1,Zoë\nlately,New\n");
    const { stdout } = await command("plan", at("people.csv"), "--user-pool-id", POOL, "--out", at("lately.psplan"));
    assert.match(stdout, /1 whom the pool does not list/);
    const applied = await command("apply", at("lately.psplan"), "--json");
    const { rows, books } = z
      .object({ rows: z.object({ read: z.number(), faulty: z.number() }), books: z.record(z.string(), z.number()) })
      .parse(JSON.parse(applied.stdout));
    assert.deepEqual([rows, books["applied"], books["dead"]], [{ read: 2, faulty: 0 }, 1, 1]);
  });

  test("says on a page how many more there are, where those are not all", async (t) => {
    const app = await setFaultyFile(t);
    const planned = await app.planOf(await app.file("username,given_name\nnobody,New\n"), { baseline: "live" });
    const { figures } = planned;
    const large = { ...planned, figures: { ...figures, rows: { read: 6000, faulty: 5001 } } };
    const page = pageOf(large);
    assert.match(page, /These are the first 1 of 5,001; <code>plan --report FILE<\/code> lists all/);
  });
});
