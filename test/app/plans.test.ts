/** What a plan finds, what its guards stop, and that a sync does just what was planned. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test, type TestContext } from "node:test";
import { isComplete } from "../../src/app/runs/run-summary.ts";
import { guardSentence } from "../../src/core/guards.ts";
import type { PlanSummary } from "../../src/plan/plan-lines.ts";
import { setApp, type App } from "../support/app-stage.ts";
import { addUsers, POOL } from "../support/pool-stage.ts";

const USERS = 150;
const WRITE = "AdminUpdateUserAttributes";

async function setUsers(t: TestContext): Promise<App> {
  const pool = { schema: [{ name: "team" }] };
  const app = await setApp(t, { pool, emulator: { shortPages: 0 }, config: "rate: 500\n" });
  addUsers(app.pool, USERS);
  return app;
}

/** A file with every user's row, as the test says it. */
function everybody(app: App, row: (number: number) => string, header = "username,given_name"): Promise<string> {
  const rows = Array.from({ length: USERS }, (_, number) => row(number));
  return app.file(`${[header, ...rows].join("\n")}\n`);
}

const calls = ({ emulator }: App, operation: string): number => emulator.counters.operations[operation]?.calls ?? 0;
const guardsOf = ({ broken }: PlanSummary): string[] => broken.map(({ guard }) => guard);

/** The plan of a sync that guards have stopped. */
async function stoppedOf(syncing: ReturnType<App["trySync"]>): Promise<PlanSummary> {
  const { stopped, summaries } = await syncing;
  const [plan] = stopped;
  assert.ok(plan && stopped.length === 1 && summaries.length === 0, "a guard stops it");
  return plan;
}

const sentencesOf = ({ broken }: PlanSummary): string => broken.map(guardSentence).join(" ");

describe("plans", () => {
  test("tell what a sync would do, and write nothing", async (t) => {
    const app = await setUsers(t);
    const path = await everybody(app, (number) => `u${number},${number < 5 ? "New" : "Old"}`);
    const { figures, broken } = await app.plan(path, { baseline: "live" });
    assert.deepEqual(broken, []);
    assert.deepEqual(figures.users, { matched: USERS, changed: 5, unchanged: USERS - 5 });
    const none = { set: 0, clear: 0, write: 0, awaiting: 0, superseded: 0, stale: 0, invalid: 0 };
    assert.deepEqual(figures.attributes["given_name"], { ...none, change: 5, unchanged: USERS - 5 });
    assert.deepEqual(figures.calls, { updates: 5, lists: 0 });
    assert.equal(calls(app, "ListUsers"), 3);
    assert.equal(calls(app, WRITE), 0);
  });

  test("are what a live sync carries out: equal values cost no call, and unknown users no write", async (t) => {
    const app = await setUsers(t);
    const path = await everybody(app, (number) =>
      number === 7 ? "nobody,New" : `u${number},${number < 5 ? "New" : "Old"}`,
    );
    const summary = await app.sync(path, { baseline: "live" });
    assert.ok(!isComplete(summary));
    const { received, applied, unchanged, invalid } = summary.books;
    assert.deepEqual([received, applied, unchanged, invalid], [USERS - 1, 5, USERS - 6, 0]);
    assert.deepEqual(summary.rows, { read: USERS, faulty: 1 });
    assert.match(await readFile(app.at("report.ndjson"), "utf8"), /"line":9,"reason":"user-unknown"/);
    assert.equal(calls(app, WRITE), 5);
  });

  test("that change too many stop the sync before its first write, unless just this plan is approved", async (t) => {
    const app = await setUsers(t);
    const path = await everybody(app, (number) => `u${number},New${number}`);
    const sync = (...approve: readonly string[]) => app.trySync([path], { baseline: "live", approve });
    const plan = await stoppedOf(sync());
    assert.match(sentencesOf(plan), /150 of 150 matched users would change: 100 %, and the guard allows 20 %/);
    assert.deepEqual(
      plan.broken.map(({ guard, examples }) => [guard, examples.length]),
      [["changed", 10]],
    );
    assert.equal(calls(app, WRITE), 0);
    await stoppedOf(sync("p-0000000000000000"));
    const { summaries } = await sync(plan.id);
    assert.deepEqual(summaries.map(isComplete), [true]);
    assert.equal(calls(app, WRITE), USERS);
  });

  test("are approved for one run: once it is cancelled, the same content is stopped again", async (t) => {
    const app = await setUsers(t);
    const path = await everybody(app, (number) => `u${number},New${number}`);
    const sync = (...approve: readonly string[]) => app.trySync([path], { baseline: "live", detached: true, approve });
    const { id } = await stoppedOf(sync());
    const [approved] = (await sync(id)).summaries;
    assert.ok(approved && isComplete(approved));
    const [again] = (await sync()).summaries;
    assert.ok(again && isComplete(again));
    assert.equal(again.run, approved.run, "it goes on with the run that was approved");
    await app.cancel(approved.run);
    await stoppedOf(sync());
    assert.equal(calls(app, WRITE), 0);
  });

  test("of one value for everyone, of cleared attributes and of silent columns are stopped", async (t) => {
    const app = await setUsers(t);
    const rows = (number: number) => `u${number},${number < 140 ? "Boss" : "Old"},,`;
    const path = await everybody(app, rows, "username,given_name,nickname,profile");
    // Everybody had the same name before, so that one name for all is no loss of differences.
    assert.deepEqual(guardsOf(await app.plan(path, { baseline: "live" })), ["changed", "emptyColumn", "emptyColumn"]);
  });

  test("of a file whose mapped column has another name are stopped, and approved leave the attribute alone", async (t) => {
    const app = await setUsers(t);
    const mapping = "username: ID, attributes: { given_name: First Name, nickname: Nick }";
    await app.configure(`feeds: { hr: { pool: ${POOL}, ${mapping} } }\n`);
    const path = await app.file("ID,Firstname,Nick\nu1,New,Jo\n");
    const plan = await stoppedOf(app.trySync([path], { feed: "hr" }));
    assert.match(
      sentencesOf(plan),
      /no column `First Name`, which `given_name` is mapped from \(did you mean `Firstname`\?\): map/,
    );
    assert.equal(calls(app, WRITE), 0);
    assert.ok(isComplete(await app.sync(path, { feed: "hr", approve: [plan.id] })));
    const written = app.emulator.log.writes.map(({ attributes }) => attributes);
    assert.deepEqual(written, [{ nickname: "Jo" }]);
  });

  test("of a feed that was cut off are stopped by the rows of its last good run", async (t) => {
    const app = await setUsers(t);
    const path = await everybody(app, (number) => `u${number},Old`);
    assert.ok(isComplete(await app.sync(path)));
    await app.file("username,given_name\nu1,Old\n");
    assert.match(sentencesOf(await stoppedOf(app.trySync([path]))), /has 1 rows, and the last good run had 150/);
  });

  test("are made of a scan for files of more than 1,000 rows, and stop those that do not fit the pool", async (t) => {
    const app = await setUsers(t);
    const rows = Array.from({ length: 1001 }, (_, number) => `u${number},Old`);
    const plan = await stoppedOf(app.trySync([await app.file(`username,given_name\n${rows.join("\n")}\n`)]));
    assert.match(
      sentencesOf(plan),
      /^851 of 1,001 rows match nobody in the pool: 85 %, and the guard allows 30 %\. Look/,
    );
    const { baseline, faults, users } = plan.figures;
    assert.deepEqual([baseline, faults, users.changed], ["live", { "user-unknown": 1001 - USERS }, 0]);
  });

  test("of a small file that matches nobody are stopped, and no letter is made of it", async (t) => {
    const app = await setUsers(t);
    const rows = Array.from({ length: 150 }, (_, number) => `other${number},New`);
    const plan = await stoppedOf(app.trySync([await app.file(`username,given_name\n${rows.join("\n")}\n`)]));
    assert.match(sentencesOf(plan), /^150 of 150 rows match nobody in the pool: 100 %/);
    assert.equal(calls(app, WRITE), 0);
  });

  test("of a hundred users whom nobody looked at are stopped, and of fewer they say which guards could not look", async (t) => {
    const app = await setUsers(t);
    const path = await everybody(app, (number) => `u${number},New`);
    const asked = { baseline: "none" } as const;
    const plan = await stoppedOf(app.trySync([path], asked));
    assert.match(sentencesOf(plan), /^150 users would be written, and 4 guards could not look \(`changed`, /);
    assert.equal(calls(app, WRITE), 0);
    const few = await app.file("username,given_name\nu1,New\n", "few.csv");
    assert.deepEqual([guardsOf(await app.plan(few, asked)), (await app.plan(few, asked)).blind.length], [[], 4]);
    assert.deepEqual((await app.trySync([path], { ...asked, approve: [plan.id] })).summaries.map(isComplete), [true]);
    assert.equal(calls(app, WRITE), USERS);
  });

  test("find users by any attribute that the mapping names", async (t) => {
    const app = await setUsers(t);
    await app.configure(
      `feeds: { hr: { pool: ${POOL}, username: Mail, match: email, attributes: { given_name: Name } } }\n`,
    );
    const rows = (number: number) => `u${number}@example.com,${number < 2 ? "New" : "Old"}`;
    const { figures, broken } = await app.plan(await everybody(app, rows, "Mail,Name"), { feed: "hr" });
    assert.deepEqual(broken, []);
    assert.deepEqual(figures.users, { matched: USERS, changed: 2, unchanged: USERS - 2 });
  });

  test("match any text, and refuse a baseline that knows no attributes", async (t) => {
    const app = await setUsers(t);
    await app.configure(
      `feeds: { hr: { pool: ${POOL}, username: No, match: "custom:team", attributes: { given_name: Name } } }\n`,
    );
    const path = await app.file("No,Name\nEMP 001,New\n");
    assert.deepEqual((await app.plan(path, { feed: "hr" })).figures.faults, { "user-unknown": 1 });
    await assert.rejects(app.plan(path, { feed: "hr", baseline: "ledger" }), { kind: "usage", category: "usage" });
  });

  test("take two rows of one user that disagree for wrong, unless the mapping says that the last one stands", async (t) => {
    const app = await setUsers(t);
    const configure = (more: string) =>
      app.configure(`feeds: { hr: { pool: ${POOL}, username: u, attributes: { given_name: n }${more} } }\n`);
    const path = await app.file("u,n\nu1,One\nu2,Same\nu1,Two\nu2,Same\n");
    await configure("");
    const refused = (await app.plan(path, { feed: "hr", baseline: "live" })).figures;
    assert.deepEqual([refused.invalid, refused.users.changed], [{ "rows-disagree": 2 }, 1]);
    await configure(", duplicates: last");
    const last = (await app.plan(path, { feed: "hr", baseline: "live" })).figures;
    assert.deepEqual([last.invalid, last.users.changed], [{}, 2]);
  });

  test("never touch what is protected", async (t) => {
    const app = await setUsers(t);
    await app.configure(
      `guards: { protectUsers: [u1], protectAttributes: [nickname] }
feeds: { hr: { pool: ${POOL}, username: username, attributes: { given_name: given_name, nickname: nickname } } }\n`,
    );
    const path = await app.file("username,given_name,nickname\nu1,New,N\nu2,New,N\n");
    for (const baseline of ["live", "none"] as const) {
      const summary = await app.sync(path, { feed: "hr", baseline });
      assert.ok(!isComplete(summary));
      assert.deepEqual([summary.rows.faulty, summary.books.invalid], [1, 1], baseline);
    }
    assert.equal(calls(app, WRITE), 1);
  });
});
