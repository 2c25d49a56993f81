/** The report of a run, which the store keeps: any machine has it. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test, type TestContext } from "node:test";
import { z } from "zod";
import { expireWaiting } from "../../src/app/runs/approvals.ts";
import { keepReport, readReport, sweepReports } from "../../src/app/runs/kept-report.ts";
import { EXIT } from "../../src/exit-codes.ts";
import { createLog } from "../../src/log.ts";
import { reportText } from "../../src/views/run-report.ts";
import { runCommand } from "../cli/command-run.ts";
import { setApp } from "../support/app-stage.ts";
import { addUsers, POOL } from "../support/pool-stage.ts";

const log = createLog("silent");
const kept = z.object({
  run: z.string(),
  isKept: z.boolean(),
  of: z.number(),
  issues: z.object({ line: z.number() }).array(),
});
const look = { width: 80, command: (...words: readonly string[]) => ["poolsync", ...words].join(" ") };

/** A file of which one row names nobody, and one value is too long. */
async function setFaultyFile(t: TestContext) {
  const app = await setApp(t);
  addUsers(app.pool, 3);
  const path = await app.file(["username,given_name", "u0,Zoë", ",Zoë", `u1,${"x".repeat(2049)}`, ""].join("\n"));
  const words = ["--config", app.at("poolsync.yaml"), "--data-dir", app.at("data")];
  return {
    ...app,
    path,
    command: (...all: string[]) => runCommand([...all, ...words], { environment: app.environment }),
    good: () => app.file("username,given_name\nu2,Zoë\n", "good.csv"),
  };
}

describe("the report of a run", () => {
  test("is printed from the store, as text and as JSON, and the summary and `runs show` name it", async (t) => {
    const { path, command, at } = await setFaultyFile(t);
    const synced = await command("sync", path, "--user-pool-id", POOL, "--report", at("report.ndjson"));
    assert.equal(synced.code, EXIT.partial, synced.stderr);
    const [, run = ""] = /, run (r-\S+)/.exec(synced.stdout) ?? [];
    const named = synced.stdout.replaceAll(/\s+/g, " ");
    assert.ok(named.includes(`report.ndjson, or \`poolsync runs report ${run}`), named);
    const { stdout, code } = await command("runs", "report", run);
    assert.equal(code, EXIT.done);
    assert.match(
      stdout,
      /LINE +ATTRIBUTE +REASON +WHAT IS EXPECTED\n +3 +\(the row\) +no-username .*\n +4 +given_name +too-long /,
    );
    const document = kept.parse(JSON.parse((await command("runs", "report", run, "--json")).stdout));
    const lines = (await readFile(at("report.ndjson"), "utf8")).trimEnd().split("\n");
    assert.deepEqual([document.isKept, document.of], [true, 2]);
    assert.deepEqual(
      document.issues,
      lines.map((line) => ({ line: z.object({ line: z.number() }).parse(JSON.parse(line)).line })),
    );
    assert.match(
      (await command("runs", "show", run)).stdout,
      new RegExp(`line by line:\\s+\`poolsync\\s+runs\\s+report\\s+${run}`),
    );
  });

  test("is named by a sync that is detached", async (t) => {
    const { path, command, at } = await setFaultyFile(t);
    const put = await command("sync", path, "--user-pool-id", POOL, "--detach", "--report", at("report.ndjson"));
    assert.equal(put.code, EXIT.partial, put.stderr);
    assert.match(put.stdout.replaceAll(/\s+/g, " "), /line by line: \S+report\.ndjson, or `poolsync runs report r-/);
  });

  test("stays while plans expire, and goes with its run", async (t) => {
    const app = await setFaultyFile(t);
    const { run } = await app.sync(app.path);
    const engine = await app.open();
    await expireWaiting(engine, log, Date.now() + 365 * 24 * 3_600_000);
    await sweepReports(engine.store);
    assert.equal((await readReport(engine, run)).kept?.of, 2);
    assert.equal(await engine.store.runs.sweep(Date.now() + 1000), 1);
    await sweepReports(engine.store);
    assert.deepEqual(await engine.store.plans.list(), []);
  });

  test("says where it is cut, and where nothing was left out", async (t) => {
    const app = await setFaultyFile(t);
    const { run: id } = await app.sync(app.path);
    const engine = await app.open();
    const { run } = await readReport(engine, id);
    const issue = { line: 7, reason: "no-username", detail: "Expected a username." };
    await keepReport(engine, log, run, { first: [issue], issues: 12_345 }, Date.now() + 60_000);
    const cut = reportText(await readReport(engine, id), look);
    assert.match(cut, /These are the first 1 of 12,345\. The report file has all of them, where the run\s+was made\./);
    const { run: other } = await app.sync(await app.good());
    assert.match(reportText(await readReport(engine, other), look), /has left out nothing of good\.csv\.\n$/);
  });

  test("is not shown where somebody altered it", async (t) => {
    const app = await setFaultyFile(t);
    const { run: id } = await app.sync(app.path);
    const engine = await app.open();
    const [shelf] = (await engine.store.texts.shelves()).filter(({ kind }) => kind === "plan");
    assert.ok(shelf);
    const { found } = await engine.store.texts.page(shelf, "");
    const [chunk] = found;
    assert.ok(chunk);
    assert.ok(chunk.text.startsWith("b:"), "it is sealed");
    await engine.store.texts.replace(shelf, chunk, `${chunk.text.slice(0, -4)}AAAA`);
    const report = await readReport(engine, id);
    assert.equal(report.kept, undefined);
    assert.match(reportText(report, look), /No report of run \S+ is kept: .*Give the same sync again/s);
  });
});
