/** Events on their way from the inbox to users. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { finishDayRuns } from "../../src/app/events/day-run.ts";
import { readReport } from "../../src/app/runs/kept-report.ts";
import { statusOf } from "../../src/app/status.ts";
import { createLog } from "../../src/log.ts";
import { reportText } from "../../src/views/run-report.ts";
import { until } from "../support/condition.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { POOL } from "../support/pool-stage.ts";
import { contactsFeed, eventStage, LIMITS } from "./event-stage.ts";

const byText = (one: readonly unknown[], other: readonly unknown[]) => String(one).localeCompare(String(other));
const AT = "2026-01-31T18:42:00Z";

for (const engine of ["Redis", "embedded"] as const) {
  const options = engine === "Redis" ? {} : { putData: (dir: string) => putMadeDirectory(dir) };
  test(`an event reaches its user, and counts once however often it comes (${engine})`, async (t) => {
    const { app, send, drain, value, eventRuns, engine: opened } = await eventStage(t, options);
    app.pool.addUser({ username: "ana", attributes: { given_name: "Old" } });
    app.pool.addUser({ username: "bob", attributes: { email: "bob@example.com", email_verified: "true" } });
    const body = { user: "ana", first: "Ana", at: AT };
    assert.equal(await send("crm", body, { id: "1" }), "accepted");
    assert.equal(await send("crm", body, { id: "1" }), "repeated");
    const several = {
      employees: [
        { mail: "bob@example.com", first: "Bob" },
        { mail: "eve@example.com", first: "Eve" },
      ],
    };
    assert.equal(await send("hr", several, { id: "1" }), "accepted");
    await drain();
    assert.equal(await send("crm", body, { id: "1" }), "repeated");
    await drain();
    assert.deepEqual([value("ana"), value("bob", "name")], ["Ana", "Bob"]);
    const runs = await eventRuns();
    assert.deepEqual(runs.map(({ feed, state, rows }) => [feed, state, rows]).toSorted(byText), [
      ["crm", "reading", { read: 1, faulty: 0 }],
      ["hr", "reading", { read: 1, faulty: 0 }],
    ]);
    for (const { id } of runs) {
      const books = await opened.store.runs.books(id);
      assert.deepEqual([books.received, books.applied, books.pending], [1, 1, 0]);
    }
    const ceilingsOf = () => ({ ratePerSecond: 25, listsPerSecond: 25 });
    const { verified } = await statusOf(opened, { ceilingsOf, verify: true });
    assert.deepEqual(verified?.differences, []);
    assert.deepEqual(verified?.inbox, { lost: 0, miscounted: 0 });
  });
}

describe("events", () => {
  test("end the same in whatever order they come, by their versions and then by their arrival", async (t) => {
    const { app, send, drain, value } = await eventStage(t);
    for (const username of ["ana", "bob", "cyd", "dan"]) app.pool.addUser({ username });
    const later = "2026-01-31T18:43:00Z";
    await send("crm", { user: "ana", first: "old", at: AT });
    await send("crm", { user: "ana", first: "new", at: later });
    await send("crm", { user: "bob", first: "new", at: later });
    await drain();
    await send("crm", { user: "bob", first: "old", at: AT });
    await send("crm", { user: "cyd", first: "one", at: AT });
    await send("crm", { user: "cyd", first: "two", at: AT });
    // In one body as well.
    const dan = [
      { user: "dan", first: "new", last: "one", at: later },
      { user: "dan", first: "old", at: AT },
      { user: "dan", last: "two", at: later },
    ];
    await send("crm", dan);
    await drain();
    assert.deepEqual([value("ana"), value("bob"), value("cyd")], ["new", "new", "two"]);
    assert.deepEqual([value("dan"), value("dan", "family_name")], ["new", "two"]);
  });

  test("say of one time what their later records say, by whichever name, also after a page, and of a contact's flag", async (t) => {
    const { app, send, drain, value } = await eventStage(t, {
      config: contactsFeed("ask"),
      pool: { aliasAttributes: ["email"] },
    });
    for (const one of ["ana", "bob"]) {
      app.pool.addUser({ username: one, attributes: { email: `${one}@example.com`, email_verified: "true" } });
    }
    const many = Array.from({ length: 600 }, (_, nth) => ({ user: "bob", name: `n${nth}`, at: AT }));
    await send("crm", [
      { user: "ana", ok: "true", at: AT },
      { user: "ana", mail: "new@example.com", at: AT },
    ]);
    await send("crm", [...many, { user: "bob@example.com", name: "last", at: AT }]);
    await drain();
    assert.deepEqual([value("ana", "email"), value("ana", "email_verified")], ["new@example.com", "false"]);
    assert.equal(value("bob", "name"), "last");
  });

  test("have the time of their signature as the version, and that of their arrival without one", async (t) => {
    const { app, send, drain, value } = await eventStage(t);
    app.pool.addUser({ username: "bob", attributes: { email: "bob@example.com", email_verified: "true" } });
    const event = (name: string) => ({ employees: [{ mail: "bob@example.com", first: name }] });
    const now = Date.now();
    await send("hr", event("newer"), { id: "1", signedAtMs: now - 1_000 });
    await drain();
    await send("hr", event("older"), { id: "2", signedAtMs: now - 2_000 });
    await drain();
    assert.equal(value("bob", "name"), "newer");
    await send("hr", event("newest"), { id: "3" });
    await drain();
    assert.equal(value("bob", "name"), "newest");
  });

  test("of Standard Webhooks have the time in the body as the version, which a repeat that is signed anew says again", async (t) => {
    const { app, send, drain, value } = await eventStage(t);
    app.pool.addUser({ username: "bob", attributes: { email: "bob@example.com", email_verified: "true" } });
    const now = Date.now();
    const scheme = "standard-webhooks";
    const event = (name: string, ago: number) => ({
      type: "employee.updated",
      timestamp: new Date(now - ago).toISOString(),
      employees: [{ mail: "bob@example.com", first: name }],
    });
    await send("hr", event("second", 8_000), { id: "2", signedAtMs: now - 8_000, scheme });
    await drain();
    await send("hr", event("first", 9_000), { id: "1", signedAtMs: now - 1_000, scheme });
    await drain();
    assert.equal(value("bob", "name"), "second");
    await send("hr", event("third", 7_000), { id: "3", signedAtMs: now - 7_000, scheme });
    await drain();
    assert.equal(value("bob", "name"), "third");
  });

  test("that cannot become changes are parked, each with its reason, and the log has no value of theirs", async (t) => {
    const { app, engine, send, drain, parked, logged, accept, eventRuns } = await eventStage(t);
    for (const username of ["ana", "bob", "eve"]) {
      app.pool.addUser({ username, attributes: { email: "same@example.com" } });
    }
    await send("crm", "{ no json of secret-7");
    await send("crm", Buffer.from([0xff, 0xfe]).toString("latin1"), { id: "latin" });
    await accept("crm", { id: "x", signedAtMs: 1, scheme: "none", body: Buffer.from([0xff]), contentType: undefined });
    await send("crm", { user: "ana", first: "secret-7", at: "yesterday" });
    await send("crm", { user: "a b", first: "secret-7", at: AT });
    await send("crm", { user: "ana", first: "secret-7" });
    await send("crm", { event: "ping", secret: "secret-7" });
    await send("crm", { user: "ana", at: AT, other: "secret-7" });
    await send("hr", { people: [{ mail: "secret-7" }] });
    await send("hr", { employees: [{ mail: "secret-7@example.com", first: "x" }] });
    await send("hr", { employees: [{ mail: "same@example.com", first: "x" }] });
    await send("gone", { user: "ana", first: "secret-7", at: AT });
    await send("crm", { user: "ana", first: "secret-7", at: new Date(Date.now() + 2 * 86_400_000).toISOString() });
    await engine.store.inbox.add([{ id: "other", feed: "crm", body: "secret-7" }], LIMITS);
    await drain();
    assert.deepEqual(await parked(), [
      "crm ahead",
      ...Array.from({ length: 3 }, () => "crm no-column"),
      ...Array.from({ length: 6 }, () => "crm unreadable"),
      "gone no-feed",
      "hr no-column",
      "hr nobody",
      "hr several",
    ]);
    assert.deepEqual(await eventRuns(), []);
    assert.match(logged(), /"reason":"nobody","events":1,"records":\{"nobody":1\},"msg":"events parked"/);
    assert.doesNotMatch(logged(), /secret-7|example/);
  });

  test("with a list of none, or with blanks alone, are done with, and nothing of them is parked", async (t) => {
    const { send, drain, parked, eventRuns } = await eventStage(t);
    await send("crm", []);
    await send("crm", { user: "ana", first: "", at: AT });
    await drain();
    assert.deepEqual(await parked(), []);
    assert.deepEqual(
      (await eventRuns()).map(({ rows }) => rows),
      [{ read: 1, faulty: 0 }],
    );
  });

  test("are forms as well", async (t) => {
    const { app, send, drain, value, parked } = await eventStage(t);
    app.pool.addUser({ username: "ana" });
    const contentType = "application/x-www-form-urlencoded; charset=utf-8";
    await send("crm", `user=ana&first=An%20a&at=${encodeURIComponent(AT)}`, { contentType });
    await send("hr", "mail=bob&first=x", { contentType });
    await drain();
    assert.equal(value("ana"), "An a");
    assert.deepEqual(await parked(), ["hr no-column"]);
  });

  test("that are ahead of the store's clock wait for their time as a whole", async (t) => {
    const { app, engine, send, drain, value } = await eventStage(t);
    for (const username of ["ana", "bob"]) app.pool.addUser({ username });
    const soon = new Date(Date.now() + 5 * 60_000 + 1_500).toISOString();
    await send("crm", [
      { user: "ana", first: "Ana", at: soon },
      { user: "bob", first: "Bob", at: AT },
    ]);
    await drain();
    assert.equal((await engine.store.inbox.counts()).ahead, 1);
    assert.equal(value("bob"), undefined);
    await until("it is near", async () => (await engine.store.inbox.counts()).ahead === 0, 10_000);
    await drain();
    assert.deepEqual([value("ana"), value("bob")], ["Ana", "Bob"]);
  });

  test("write no protected user and attribute, and what is invalid is counted and noted", async (t) => {
    const { app, send, drain, value, eventRuns, engine } = await eventStage(t);
    for (const username of ["ana", "root"]) app.pool.addUser({ username });
    await send("crm", [
      { user: "root", first: "Rooted", at: AT },
      { user: "ana", first: "x".repeat(3_000), last: "Adams", nick: "A", at: AT },
    ]);
    await drain();
    const [run] = await eventRuns();
    assert.deepEqual(run?.rows, { read: 2, faulty: 1 });
    assert.equal((await engine.store.runs.books(run?.id ?? "")).invalid, 2);
    assert.deepEqual(
      [value("root"), value("ana"), value("ana", "nickname"), value("ana", "family_name")],
      [undefined, undefined, undefined, "Adams"],
    );
    assert.match(await app.because("ana"), /protected.*record 2 of an event of run r-\S+ of crm\./);
    const report = await readReport(engine, run?.id ?? "");
    const look = { width: 200, command: (...words: readonly string[]) => words.join(" ") };
    assert.match(reportText(report, look), /is of events, of which no report is kept: `explain USERNAME` tells/);
  });

  test("with records of which some name nobody are put without these, which are mapped anew later", async (t) => {
    const { app, engine, send, drain, value, parked, eventRuns } = await eventStage(t);
    for (const one of ["ana", "bob"]) {
      app.pool.addUser({ username: one, attributes: { email: `${one}@example.com`, email_verified: "true" } });
    }
    const of = (name: string, first = name) => ({ mail: `${name}@example.com`, first });
    await send("hr", { employees: [of("eve"), of("ana"), of("fay"), of("bob")] }, { id: "1" });
    await drain();
    assert.deepEqual(await parked(), ["hr nobody"]);
    assert.deepEqual([value("ana", "name"), value("bob", "name")], ["ana", "bob"]);
    app.pool.addUser({ username: "eve", attributes: { email: "eve@example.com", email_verified: "true" } });
    await send("hr", { employees: [of("ana", "later")] }, { id: "2" });
    await drain();
    const { inbox, runs } = engine.store;
    const again = async () => {
      const ids = (await Array.fromAsync(inbox.parked({}))).map(({ id }) => id);
      assert.deepEqual(await inbox.replay(ids), ids);
      await drain();
    };
    await again();
    assert.deepEqual([value("eve", "name"), value("ana", "name")], ["eve", "later"]);
    assert.deepEqual(await parked(), ["hr nobody"]);
    app.pool.addUser({ username: "fay", attributes: { email: "fay@example.com", email_verified: "true" } });
    await again();
    assert.deepEqual([value("fay", "name"), await parked()], ["fay", []]);
    const [run] = await eventRuns();
    const { received, applied } = await runs.books(run?.id ?? "");
    assert.deepEqual([run?.rows.read, received, applied], [5, 5, 5]);
  });

  test("are parked for what somebody has to see to where several of their records are left", async (t) => {
    const { app, send, drain, value, parked, logged } = await eventStage(t);
    app.pool.addUser({ username: "ana", attributes: { email: "ana@example.com", email_verified: "true" } });
    const ahead = Date.now() + 80 * 3_600_000;
    const of = (name: string, more = {}) => ({ mail: `${name}@example.com`, first: name, ...more });
    await send("hr", { employees: [of("ana"), of("eve"), { mail: "ana@example.com" }, of("fay")] }, { id: "1" });
    await send("hr", { employees: [of("eve"), of("fay"), { first: "x" }] }, { id: "2" });
    await send("hr", { employees: [of("gil")] }, { id: "3", signedAtMs: ahead });
    await drain();
    assert.equal(value("ana", "name"), "ana");
    assert.deepEqual(await parked(), ["hr ahead", "hr no-column", "hr no-column"]);
    assert.match(
      logged(),
      /"reason":"no-column","events":1,"records":\{"nobody":2,"no-column":1\},"msg":"events parked"/,
    );
  });

  test("of a paused feed are kept in mailboxes, and go on when it is resumed", async (t) => {
    const { app, engine, send, drainer, value, eventRuns } = await eventStage(t);
    app.pool.addUser({ username: "ana" });
    await app.pause({ feed: "crm" }, { by: "ann", reason: "a look" });
    await send("crm", { user: "ana", first: "Ana", at: AT });
    const one = drainer();
    await until("it is put", async () => (await eventRuns()).length === 1);
    await one.close();
    assert.equal((await engine.store.runs.books()).pending, 1);
    assert.equal(value("ana"), undefined);
    await app.resume({ feed: "crm" });
    await app.deliver();
    assert.equal(value("ana"), "Ana");
  });

  test("of a day whose run was cancelled go into another", async (t) => {
    const { app, send, drain, drainer, engine, value, eventRuns } = await eventStage(t);
    app.pool.addUser({ username: "ana" });
    const one = drainer();
    await send("crm", { user: "ana", first: "cancelled", at: AT });
    one.wake();
    await until("it is put", async () => (await eventRuns()).length === 1);
    const [run] = await eventRuns();
    await app.cancel(run?.id ?? "");
    await send("crm", { user: "ana", last: "Adams", at: AT });
    one.wake();
    await until("it is put", async () => (await eventRuns()).length === 2);
    await one.close();
    await drain();
    assert.deepEqual([value("ana"), value("ana", "family_name")], [undefined, "Adams"]);
    assert.deepEqual(
      (await eventRuns()).map(({ state }) => state),
      ["reading", "cancelled"],
    );
    const day = 86_400_000;
    const log = createLog("silent");
    // Others have begun since, more than anybody lists.
    const late = { ...engine.store.runs, list: () => Promise.resolve([]) };
    await finishDayRuns(late, log, Date.now());
    assert.equal((await eventRuns())[0]?.state, "reading");
    await finishDayRuns(late, log, Date.now() + day + 600_000);
    assert.deepEqual(
      (await eventRuns()).map(({ state }) => state),
      ["finished", "cancelled"],
    );
  });

  test("with a name that Cognito does not take hold up no others", async (t) => {
    const { app, send, drain, value, parked } = await eventStage(t);
    for (const one of ["ana", "bob"]) {
      app.pool.addUser({ username: one, attributes: { email: `${one}@example.com`, email_verified: "true" } });
    }
    app.emulator.faults.add({ operation: "ListUsers", error: "InvalidParameterException", times: 1 });
    await send("hr", { employees: [{ mail: "ana@example.com", first: "Ana" }] });
    await send("hr", { employees: [{ mail: "bob@example.com", first: "Bob" }] });
    await drain();
    assert.deepEqual(await parked(), ["hr unreadable"]);
    assert.equal([value("ana", "name"), value("bob", "name")].filter((one) => one !== undefined).length, 1);
  });

  test("with the id of a job are others, and so are those of two schemes", async (t) => {
    const { app, accept, drain, value } = await eventStage(t);
    app.pool.addUser({ username: "ana" });
    const came = (scheme: string, body: object) => {
      const event = {
        signedAtMs: Date.now(),
        contentType: "application/json",
        body: Buffer.from(JSON.stringify(body)),
      };
      return accept("crm", { ...event, id: "1", scheme });
    };
    await came("standard-webhooks", { user: "ana", first: "Ana", at: AT });
    await came("hmac", { user: "ana", nick: "A", last: "Adams", at: AT });
    await came("job", { feed: "crm", username: "ana", attributes: { middle_name: "Ann" } });
    await drain();
    assert.deepEqual(
      ["given_name", "family_name", "middle_name"].map((name) => value("ana", name)),
      ["Ana", "Adams", "Ann"],
    );
  });

  test("may be jobs, which have their values at hand, and the time at which they were added", async (t) => {
    const { app, accept, drain, value, parked } = await eventStage(t);
    app.pool.addUser({ username: "ana" });
    const job = (feed: string, body: object, signedAtMs: number) =>
      accept(feed, {
        id: `job ${signedAtMs} ${feed}`,
        signedAtMs,
        scheme: "job",
        body: Buffer.from(JSON.stringify(body)),
        contentType: "application/json",
      });
    const now = Date.now();
    await job(POOL, { pool: POOL, username: "ana", attributes: { given_name: "Ana", nickname: "A" } }, now - 1_000);
    await job("crm", { feed: "crm", username: "ana", attributes: { family_name: "Adams" } }, now - 1_000);
    await job(POOL, { pool: POOL, username: "ana", attributes: { given_name: "older" } }, now - 2_000);
    await job("crm", { feed: "crm", username: "ana", attributes: { given_name: "x" } }, 1.5);
    await job(
      "crm",
      { feed: "crm", username: "ana", attributes: { given_name: "x" }, version: "1960-01-01T00:00:00Z" },
      now,
    );
    await job("changes", { pool: "eu-west-1_Elsewhere", username: "ana", attributes: { given_name: "x" } }, now);
    await drain();
    assert.deepEqual([value("ana"), value("ana", "family_name")], ["Ana", "Adams"]);
    assert.equal(value("ana", "nickname"), undefined);
    assert.deepEqual(await parked(), ["changes unreadable", "crm unreadable", "crm unreadable"]);
  });
});
