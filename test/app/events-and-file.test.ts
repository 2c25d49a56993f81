/** A feed with a file and events: what each says of the same people, and what the file has that no event had brought. */
import assert from "node:assert/strict";
import { open, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { describe, test, type TestContext } from "node:test";
import { logRun } from "../../src/app/runs/run-log.ts";
import { showRun } from "../../src/app/runs/look-at-runs.ts";
import { isComplete } from "../../src/app/runs/run-summary.ts";
import { createLog } from "../../src/log.ts";
import { planDocument, planText } from "../../src/views/plan-view.ts";
import { runDocument, runText } from "../../src/views/runs.ts";
import { until } from "../support/condition.ts";
import { pageOf } from "../support/plan-pages.ts";
import { byHand, POOL } from "../support/pool-stage.ts";
import { eventStage } from "./event-stage.ts";

const CONFIG = `
  pools: { staff: { id: ${POOL} } }
  feeds:
    hr:
      pool: ${POOL}
      username: user
      snapshotAge: 1m
      attributes: { given_name: first, family_name: last }
      events: { scheme: none, version: at, attributes: { given_name: first } }
`;
const PEOPLE = ["ann", "bob", "cem"];
const iso = (ms: number): string => new Date(ms).toISOString();

/** Three people whose names a file has put ten minutes ago, before any event; and an event of ann since. */
async function setBoth(t: TestContext) {
  const stage = await eventStage(t, { config: CONFIG });
  const { app } = stage;
  for (const username of PEOPLE) app.pool.addUser({ username });
  const asOf = (ms: number) => ({ feed: "hr", asOf: iso(ms) });
  const names = (firsts: readonly string[], last = "Last") =>
    app.file(["user,first,last", ...PEOPLE.map((user, nth) => `${user},${firsts[nth]},${last}`), ""].join("\n"));
  await app.sync(await names(["A", "B", "C"]), asOf(Date.now() - 600_000));
  const begun = Date.now();
  await stage.send("hr", { user: "ann", first: "Ann", at: iso(begun) });
  await stage.drain();
  return { ...stage, names, asOf, begun };
}

describe("a feed with a file and events", () => {
  test("tells of the file what events had missed, in its plan and its run", async (t) => {
    const stage = await setBoth(t);
    const { app, engine, log, names, asOf, begun, send, drain } = stage;
    const missed = async (firsts: readonly string[], at: number, last?: string) =>
      (await app.plan(await names(firsts, last), asOf(at))).figures.missed;

    // What changed before the feed's first event no event could bring.
    assert.equal(await missed(["Ann", "Bob", "C"], begun + 1000), undefined);
    await app.sync(await names(["Ann", "B", "C"]), asOf(begun + 1000));
    // Events do not bring the family name.
    assert.equal(await missed(["Ann", "B", "C"], begun + 2000, "Other"), undefined);

    // One waits that an event brought, and somebody else has changed what was brought before.
    await app.pause({ pool: POOL }, { by: "ops", reason: "for a while" });
    await send("hr", { user: "cem", first: "Cem", at: iso(begun + 1500) });
    const drainer = stage.drainer();
    await until("it is put", async () => (await engine.store.runs.books()).pending === 1);
    await drainer.close();
    await byHand(app.emulator, "ann", { given_name: "Else" });
    const path = await names(["Ann", "Bob", "Cem"], "Other");
    const plan = await app.plan(path, asOf(begun + 2000));
    assert.deepEqual(plan.figures.missed, { values: 1, people: 1 });
    assert.deepEqual(plan.figures.attributes["given_name"]?.change, 3);
    const sentence = /Events had missed 1 value of 1 person: the file has them\./;
    assert.match(planText(plan, { pool: POOL, noColor: true }, 200), sentence);
    assert.match(pageOf(plan), sentence);
    assert.match(JSON.stringify(planDocument(plan, POOL, false)), /"missed":\{"values":1,"people":1\}/);
    await app.resume({ pool: POOL });
    await drain();

    const summary = await app.sync(path, asOf(begun + 2000));
    assert.deepEqual(summary.missed, { values: 1, people: 1 });
    const shown = await showRun(engine, log, summary.run);
    const command = (...words: readonly string[]): string => words.join(" ");
    assert.match(runText(shown, { width: 200, noColor: true, showValues: false, command }), sentence);
    assert.match(JSON.stringify(runDocument(shown, false)), /"missed":\{"values":1,"people":1\}/);
    const file = await open(app.at("run.log"), "w");
    const outcome = { summary, detached: false, workers: 0, putBefore: false };
    logRun(createLog("info", file.fd))({ is: "finished", outcome });
    await file.close();
    assert.match(await readFile(app.at("run.log"), "utf8"), /"values":1,"people":1,"msg":"events had missed values"/);
    // The next plan of the same finds nothing.
    assert.equal((await app.plan(path, asOf(begun + 3000))).figures.users.changed, 0);
  });

  test("leaves what events have brought since, and is whole all the same", async (t) => {
    const { app, engine, log, names, asOf, begun, send, drain, value, eventRuns } = await setBoth(t);
    const path = await names(["A", "B", "C"]);
    const plan = await app.plan(path, asOf(begun - 1000));
    assert.deepEqual([plan.figures.users.changed, plan.figures.stale?.values, plan.figures.missed], [0, 1, undefined]);
    const text = planText(plan, { pool: POOL, noColor: true }, 200);
    assert.match(text, /1 value of 1 row is stale, .* newer ones than of 20[^ ]*Z, as events bring them\./);
    const summary = await app.sync(path, asOf(begun - 1000));
    assert.deepEqual(summary.stale, { values: 1, asOf: iso(begun - 1000), events: true });
    assert.ok(isComplete(summary));
    assert.equal(value("ann"), "Ann");

    // An event that comes too late is of no line, and nobody could give it a later time.
    await send("hr", [
      { user: "bob", first: "x".repeat(3000), at: iso(begun) },
      { user: "ann", first: "Former", at: iso(begun - 1000) },
    ]);
    await drain();
    assert.match(
      await app.because("ann"),
      /`given_name` was not written \(stale\), at \S+, an event of run r-\S+ of hr\. Something newer was there before\. What/,
    );
    const [run] = await eventRuns();
    const command = (...words: readonly string[]): string => words.join(" ");
    const shown = await showRun(engine, log, run?.id ?? "");
    const said = runText(shown, { width: 200, noColor: true, showValues: false, command });
    assert.match(said, /3 records read[^]*What was not put, user by user: `explain USERNAME`\./);
  });

  test("takes content that nobody dates for no newer than when it was seen first", async (t) => {
    const { app, send, drain, value } = await setBoth(t);
    const contents = ["B", "B", "Bo"];
    const server = createServer((_, response) => response.end(`user,first,last\nbob,${contents.shift()},Last\n`));
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : address}/hr.csv`;
    await app.configure(CONFIG.replace("snapshotAge: 1m", "snapshotAge: 1s"));
    const first = await app.sync(url, { feed: "hr" });
    const { runs } = (await app.open()).store;
    const seen = (await runs.get(first.run))?.asOf ?? 0;
    // Newer than the first fetch, and older than the second is by itself.
    await send("hr", { user: "bob", first: "Bob", at: iso(seen + 1) });
    await drain();
    await until("a second is over", () => Date.now() - 1000 > seen + 1);
    const again = await app.sync(url, { feed: "hr" });
    assert.equal((await runs.get(again.run))?.asOf, seen);
    assert.equal(value("bob"), "Bob");
    const other = await app.sync(url, { feed: "hr" });
    assert.ok(((await runs.get(other.run))?.asOf ?? 0) > seen);
    assert.equal(value("bob"), "Bo");
  });
});
