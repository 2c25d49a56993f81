/** Why somebody does not have what a file wanted: the last outcome of what was not written, by run and line. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setApp, type App } from "../support/app-stage.ts";

async function notWritten(app: App, username: string): Promise<string[]> {
  const { exceptions } = await app.explain(username);
  return exceptions.map(({ attribute, kind, reason, line }) => `${attribute} ${kind} ${reason} ${line}`).toSorted();
}

describe("what a file wanted and was not written", () => {
  test("is told of an invalid value, of rows that disagree and of what is stale, until it is written", async (t) => {
    const app = await setApp(t);
    for (const username of ["ann", "bob", "cem"]) app.pool.addUser({ username });
    const long = "x".repeat(3000);
    const file = await app.file(`username,nickname,given_name\nann,${long},Ann\nbob,One,Bob\nbob,Two,Bob\ncem,Cem,\n`);
    const { summaries } = await app.trySync([file], { asOf: "2026-01-02T00:00:00Z" });
    assert.deepEqual(await notWritten(app, "ann"), ["nickname invalid too-long 2"]);
    // Of two rows the later one is kept.
    assert.deepEqual(await notWritten(app, "bob"), ["nickname disagreeing rows-disagree 4"]);
    assert.deepEqual(await notWritten(app, "cem"), []);
    const { ledger, exceptions } = await app.explain("ann");
    const [run] = summaries;
    assert.deepEqual(
      ledger.map(({ attribute, outcome, run: by }) => [attribute, outcome, by]),
      [["given_name", "applied", run?.run]],
    );
    assert.equal(exceptions[0]?.run, run?.run);

    const older = await app.file("username,nickname\ncem,Older\n", "older.csv");
    await app.trySync([older], { asOf: "2026-01-01T00:00:00Z" });
    assert.deepEqual(await notWritten(app, "cem"), ["nickname stale stale 2"]);
    assert.match(
      await app.because("cem"),
      /`nickname` was not written \(stale\), at \S+, line 2 of run r-\S+ of older\.csv\. Something newer was there before/,
    );

    const right = await app.file("username,nickname\nann,Annie\ncem,Cemal\n", "right.csv");
    await app.trySync([right], { asOf: "2026-01-03T00:00:00Z" });
    assert.deepEqual([await notWritten(app, "ann"), await notWritten(app, "cem")], [[], []]);
    // Nobody has written Bob's since.
    assert.equal((await notWritten(app, "bob")).length, 1);
  });

  test("is told of a row whose name is nobody's, by that name", async (t) => {
    const app = await setApp(t, { pool: { aliasAttributes: ["email"] } });
    app.pool.addUser({ username: "ann", attributes: { email: "ann@example.com", email_verified: "true" } });
    const file = await app.file("email,nickname\nann@example.com,Ann\nwho@example.com,Who\n");
    await app.trySync([file], { usernameColumn: "email" });
    const explained = await app.tryExplain("Who@example.com");
    assert.ok(explained.is === "none");
    assert.deepEqual(
      explained.exceptions.map(({ attribute, kind, reason, line }) => [attribute, kind, reason, line]),
      [["", "unmatched", "user-unknown", 3]],
    );
    assert.deepEqual(await notWritten(app, "ann@example.com"), []);
  });
});
