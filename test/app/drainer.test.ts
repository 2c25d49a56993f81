/** What a drainer has in hand, and what becomes of it while its pool, or it itself, answers late or never. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Failure } from "../../src/app/app-error.ts";
import { startDrainer } from "../../src/app/events/drain-events.ts";
import type { ChangeTarget } from "../../src/app/events/job-change.ts";
import { CognitoError } from "../../src/cognito/cognito-error.ts";
import { until } from "../support/condition.ts";
import { POOL } from "../support/pool-stage.ts";
import { eventStage } from "./event-stage.ts";

const AT = "2026-01-31T18:42:00Z";

const NO_CASE = { pool: { aliasAttributes: ["email" as const], caseSensitive: false } };

/** A pool in which nobody is found who is called so, but by other letters. */
async function unseen(name: string, openPool: Awaited<ReturnType<typeof eventStage>>["openPool"]) {
  const pool = await openPool({ pool: POOL });
  const whose: typeof pool.names.whose = (text, ...words) =>
    text === name ? Promise.resolve({ is: "none" }) : pool.names.whose(text, ...words);
  return () => Promise.resolve({ ...pool, names: { ...pool.names, whose } });
}

describe("events in a drainer's hands", () => {
  test("that a dead drainer had taken are put when its lease has ended, and a late one puts nothing", async (t) => {
    const { app, engine, send, drain, value, eventRuns } = await eventStage(t);
    app.pool.addUser({ username: "ana" });
    await send("crm", { user: "ana", first: "Ana", at: AT });
    const taken = await engine.store.inbox.take("dead", { leaseMs: 300, limit: 10, maxBytes: 10_000 });
    await drain();
    assert.equal(value("ana"), "Ana");
    const ids = taken.entries.map(({ id }) => id);
    const [run] = await eventRuns();
    const page = { pool: POOL, run: run?.id ?? "", priority: 1, changes: [], invalid: 0, rows: { read: 1, faulty: 0 } };
    const late = await engine.store.mailboxes.put({ ...page, entries: { token: "dead", ids } });
    assert.equal(late.accepted, false);
    assert.deepEqual((await eventRuns())[0]?.rows, { read: 1, faulty: 0 });
  });

  test("stay with a drainer that lives, however long their pool keeps it waiting", async (t) => {
    const { app, engine, send, config, log, logged, openPool, value } = await eventStage(t);
    app.pool.addUser({ username: "ana" });
    await send("crm", { user: "ana", first: "Ana", at: AT });
    const { inbox } = engine.store;
    let renewals = 0;
    const renew: typeof inbox.renew = async (taken, leaseMs) => {
      renewals += (await inbox.renew(taken, leaseMs)).length;
      return [];
    };
    const watched = { ...engine, store: { ...engine.store, inbox: { ...inbox, renew } } };
    const asked = Promise.withResolvers<undefined>();
    const poolOf = () => asked.promise.then(() => openPool({ pool: POOL }));
    const one = startDrainer({ engine: watched, config, poolOf, log, leaseMs: 1_000 });
    t.after(() => one.close());
    await until("its lease has ended, but for renewals", () => Promise.resolve(renewals >= 6));
    assert.deepEqual((await inbox.take("other", { leaseMs: 1_000, limit: 10, maxBytes: 10_000 })).entries, []);
    asked.resolve(undefined);
    await until("it is put", async () => (await engine.store.runs.books()).received === 1);
    await one.close();
    await app.deliver();
    assert.equal(value("ana"), "Ana");
    assert.doesNotMatch(logged(), /too late/);
  });

  test("are of whoever has the address when they are looked up, also a moment after another had it", async (t) => {
    const { app, send, drainer, engine, value } = await eventStage(t);
    const addUser = (username: string) =>
      app.pool.addUser({ username, attributes: { email: "desk@example.com", email_verified: "true" } });
    const event = (name: string) => ({ employees: [{ mail: "desk@example.com", first: name }] });
    const one = drainer();
    t.after(() => one.close());
    const received = async (count: number) => {
      one.wake();
      await until("it is put", async () => (await engine.store.runs.books()).received === count);
      await app.deliver();
    };
    addUser("bob");
    await send("hr", event("One"));
    await received(1);
    app.pool.removeUser("bob");
    addUser("eve");
    await send("hr", event("Two"));
    await received(2);
    assert.equal(value("eve", "name"), "Two");
  });

  test("of a feed that keeps its drainer waiting keep no others waiting, however many there are", async (t) => {
    const { app, engine, send, config, log, value, openPool } = await eventStage(t);
    app.pool.addUser({ username: "ana" });
    const hr = (name: string) => ({ employees: [{ mail: `${name}@example.com`, first: name }] });
    await Promise.all(Array.from({ length: 600 }, (_, at) => send("hr", hr(`n${at}`))));
    await send("crm", { user: "ana", first: "Ana", at: AT });
    const ended = Promise.withResolvers<never>();
    const poolOf = ({ feed }: ChangeTarget) => (feed === "hr" ? ended.promise : openPool({ pool: POOL }));
    const one = startDrainer({ engine, config, poolOf, log });
    await until("crm is put", async () => (await engine.store.runs.books()).received === 1);
    assert.ok((await engine.store.inbox.counts()).taken <= 200, "of the others little is in memory");
    const closed = one.close();
    ended.reject(new CognitoError("throttled", "The pool is busy."));
    await closed;
    const { waiting, ahead, taken } = await engine.store.inbox.counts();
    assert.deepEqual([waiting + ahead, taken], [600, 0]);
    await app.deliver();
    assert.equal(value("ana"), "Ana");
  });

  test("wait while their pool cannot be asked, and those of others do not", async (t) => {
    const { app, engine, send, config, log, logged, value, openPool } = await eventStage(t);
    app.pool.addUser({ username: "ana" });
    await send("hr", { employees: [{ mail: "bob@example.com", first: "Bob" }] });
    await send("crm", { user: "ana", first: "Ana", at: AT });
    const poolOf = ({ feed }: ChangeTarget) =>
      feed === "hr" ? Promise.reject(new CognitoError("throttled", "The pool is busy.")) : openPool({ pool: POOL });
    const waits: string[] = [];
    const onWait = (feed: string, { kind }: Failure): void => void waits.push(`${feed} ${kind}`);
    const one = startDrainer({ engine, config, poolOf, log, onWait });
    t.after(() => one.close());
    await until("crm is put", async () => (await engine.store.runs.books()).received === 1);
    await until("hr is given back", () => Promise.resolve(logged().includes("events wait")));
    assert.equal(waits[0], "hr throttled");
    assert.match(logged(), /"feed":"hr","kind":"throttled",.*"msg":"events wait"/);
    await one.close();
    const { waiting, ahead } = await engine.store.inbox.counts();
    assert.equal(waiting + ahead, 1);
    await app.deliver();
    assert.equal(value("ana"), "Ana");
  });

  test("of more records than a page takes come page by page, each once, whoever dies between two", async (t) => {
    const { app, engine, send, drain, config, log, openPool, value, eventRuns, parked } = await eventStage(t);
    for (const one of ["ana", "bob"]) app.pool.addUser({ username: one });
    const of = (user: string | undefined, first: string) => ({ user, first, at: AT });
    const ana = Array.from({ length: 1_200 }, (_, at) => of("ana", `n${at}`));
    await send("crm", [of("bob", "Bob"), ...ana.slice(0, 700), of(undefined, "Eve"), ...ana.slice(700)], { id: "1" });
    const { mailboxes } = engine.store;
    let puts = 0;
    const put: typeof mailboxes.put = async (page) => {
      puts += 1;
      if (puts > 1) throw new CognitoError("throttled", "It dies here.");
      return mailboxes.put(page);
    };
    const dying = { ...engine, store: { ...engine.store, mailboxes: { ...mailboxes, put } } };
    const one = startDrainer({ engine: dying, config, poolOf: openPool, log });
    await until("the second page is not put", () => Promise.resolve(puts > 1));
    await one.close();
    assert.equal((await engine.store.runs.books()).received, 500);
    await until("it may be taken again", async () => (await engine.store.inbox.counts()).ahead === 0);
    await drain();
    assert.deepEqual(await parked(), ["crm no-column"]);
    assert.deepEqual([value("ana"), value("bob")], ["n1199", "Bob"]);
    const [run] = await eventRuns();
    assert.deepEqual(run?.rows, { read: 1_201, faulty: 0 });
    const { received, superseded, applied } = await engine.store.runs.books();
    assert.deepEqual([received, superseded, applied], [1_201, 1_199, 2]);
  });

  test("are put page by page, before those of the next page are looked up", async (t) => {
    const { app, engine, send, drain, config, log, logged, openPool, value } = await eventStage(t);
    app.pool.addUser({ username: "ana" });
    await send(
      "crm",
      Array.from({ length: 1_200 }, (_, at) => ({ user: "ana", first: `n${at}`, at: AT })),
    );
    const pool = await openPool({ pool: POOL });
    let asked = 0;
    const whose: typeof pool.names.whose = (...words) => {
      asked += 1;
      if (asked > 1) return Promise.reject(new CognitoError("throttled", "The pool is busy."));
      return pool.names.whose(...words);
    };
    const poolOf = () => Promise.resolve({ ...pool, names: { ...pool.names, whose } });
    const one = startDrainer({ engine, config, poolOf, log });
    await until("the second page cannot be looked up", () => Promise.resolve(logged().includes("events wait")));
    await one.close();
    assert.equal((await engine.store.runs.books()).received, 500);
    await until("it may be taken again", async () => (await engine.store.inbox.counts()).ahead === 0);
    await drain();
    assert.equal(value("ana"), "n1199");
    assert.equal((await engine.store.runs.books()).received, 1_200);
  });

  test("go into the day's run of the time at which they are put", async (t) => {
    const { app, engine, send, config, log, openPool, eventRuns } = await eventStage(t);
    app.pool.addUser({ username: "ana" });
    await send("crm", { user: "ana", first: "Ana", at: AT });
    const { store } = engine;
    let aheadMs = 0;
    const watched = { ...engine, store: { ...store, now: async () => (await store.now()) + aheadMs } };
    const poolOf = () => {
      aheadMs = 86_400_000;
      return openPool({ pool: POOL });
    };
    const before = await store.now();
    const one = startDrainer({ engine: watched, config, poolOf, log });
    t.after(() => one.close());
    await until("it is put", async () => (await store.runs.books()).received === 1);
    const [run] = await eventRuns();
    assert.ok((run?.asOf ?? 0) >= before + 86_400_000);
  });

  test("go into another run where somebody has finished that of the day", async (t) => {
    const { app, engine, send, config, log, openPool, eventRuns } = await eventStage(t);
    app.pool.addUser({ username: "ana" });
    const { store } = engine;
    const one = startDrainer({ engine, config, poolOf: openPool, log });
    t.after(() => one.close());
    await send("crm", { user: "ana", first: "Ana", at: AT });
    one.wake();
    await until("it is put", async () => (await store.runs.books()).received === 1);
    const [first] = await eventRuns();
    await store.runs.advance(first?.id ?? "", "finished");
    await send("crm", { user: "ana", first: "Anna", at: AT });
    one.wake();
    await until("the other is put", async () => (await store.runs.books()).received === 2);
    assert.deepEqual(
      (await eventRuns()).map(({ state, rows }) => [state, rows.read]),
      [
        ["reading", 1],
        ["finished", 1],
      ],
    );
  });

  test("with a record that is found later, which does not overtake a later one of the same person", async (t) => {
    const { app, engine, send, drain, config, log, openPool, value, parked } = await eventStage(t);
    app.pool.addUser({ username: "ana", attributes: { email: "ana@example.com", email_verified: "true" } });
    await send("crm", [
      { user: "ana@example.com", first: "One", last: "Alone", at: AT },
      { user: "ana", first: "Two", at: AT },
    ]);
    const poolOf = await unseen("ana@example.com", openPool);
    const one = startDrainer({ engine, config, poolOf, log });
    await until("it is parked", async () => (await engine.store.inbox.counts()).parked.entries === 1);
    await one.close();
    assert.deepEqual(await parked(), ["crm nobody"]);
    await app.deliver();
    const { inbox } = engine.store;
    await inbox.replay((await Array.fromAsync(inbox.parked({}))).map(({ id }) => id));
    await drain();
    assert.deepEqual(await parked(), []);
    assert.deepEqual([value("ana"), value("ana", "family_name")], ["Two", "Alone"]);
  });

  test("of which something was put find what is left as it was found then, with whatever is configured by now", async (t) => {
    const { app, engine, send, drain, config, log, openPool, value, parked } = await eventStage(t);
    for (const name of ["ana", "zoe"]) {
      app.pool.addUser({ username: name, attributes: { email: `${name}@example.com`, email_verified: "true" } });
    }
    const of = (name: string, first: string, more = {}) => ({ mail: `${name}@example.com`, first, ...more });
    const poolOf = await unseen("zoe@example.com", openPool);
    const one = startDrainer({ engine, config, poolOf, log });
    await send("hr", { employees: [of("ana", "Old"), of("zoe", "Zoe")] }, { id: "1" });
    one.wake();
    await until("one is parked", async () => (await engine.store.inbox.counts()).parked.entries === 1);
    await one.close();
    await send("hr", { employees: [of("ana", "New")] }, { id: "2" });
    await drain();
    const { hr } = config.feeds;
    assert.ok(hr?.events);
    const events = { ...hr.events, records: "employees", mapping: { ...hr.events.mapping, versionColumn: "at" } };
    await engine.store.inbox.replay((await Array.fromAsync(engine.store.inbox.parked({}))).map(({ id }) => id));
    const changed = { ...config, feeds: { ...config.feeds, hr: { ...hr, events } } };
    const two = startDrainer({ engine, config: changed, poolOf: openPool, log });
    await until("it is parked again", async () => (await engine.store.inbox.counts()).parked.entries === 1);
    await two.close();
    assert.deepEqual(await parked(), ["hr no-column"]);
    await app.deliver();
    assert.deepEqual([value("ana", "name"), value("zoe", "name")], ["New", undefined]);
  });

  test("with a record that was put before its attribute was mapped do not lose what another one says of it", async (t) => {
    const { app, engine, send, drain, config, log, openPool, value, parked } = await eventStage(t, NO_CASE);
    app.pool.addUser({ username: "ana" });
    await send("crm", [
      { user: "ana", first: "One", last: "Adams", at: AT },
      { user: "Ana", first: "Two", last: "Baker", at: AT },
      { user: "ana", first: "Three", last: "Cole", at: "2026-01-01T00:00:00Z" },
    ]);
    const { crm } = config.feeds;
    assert.ok(crm?.events);
    const { mapping } = crm.events;
    const attributes = mapping.attributes.filter(({ name }) => name !== "given_name");
    const before = { ...crm, events: { ...crm.events, mapping: { ...mapping, attributes } } };
    const poolOf = await unseen("ana", openPool);
    const one = startDrainer({ engine, config: { ...config, feeds: { ...config.feeds, crm: before } }, poolOf, log });
    await until("two are parked", async () => (await engine.store.inbox.counts()).parked.entries === 1);
    await one.close();
    await app.deliver();
    assert.deepEqual([value("ana"), value("ana", "family_name")], [undefined, "Baker"]);
    const { inbox, runs } = engine.store;
    await inbox.replay((await Array.fromAsync(inbox.parked({}))).map(({ id }) => id));
    await drain();
    assert.deepEqual(await parked(), []);
    assert.deepEqual([value("ana"), value("ana", "family_name")], ["One", "Baker"]);
    const { received, applied, superseded, stale } = await runs.books();
    assert.deepEqual([received, applied, superseded, stale], [5, 2, 1, 2]);
  });

  test("ask once for a name, and again only for what came since, or was asked a minute ago", async (t) => {
    const { app, engine, send, config, log, logged, openPool, value } = await eventStage(t);
    const names = Array.from({ length: 9 }, (_, at) => `n${at}`);
    const addUser = (username: string) =>
      app.pool.addUser({ username, attributes: { email: `${username}@example.com`, email_verified: "true" } });
    for (const name of names) addUser(name);
    const asked = () => app.emulator.counters.operations["ListUsers"]?.calls ?? 0;
    const event = (first: string) => ({
      employees: [...names, ...names, ...names].map((name) => ({ mail: `${name}@example.com`, first })),
    });
    const pool = await openPool({ pool: POOL });
    const before = asked();
    let fails = true;
    const whose: typeof pool.names.whose = async (...words) => {
      const answer = await pool.names.whose(...words);
      if (!fails || !words[0].startsWith("n8")) return answer;
      fails = false;
      throw new CognitoError("throttled", "The pool is busy.");
    };
    const poolOf = () => Promise.resolve({ ...pool, names: { ...pool.names, whose } });
    const one = startDrainer({ engine, config, poolOf, log });
    t.after(() => one.close());
    const received = async (count: number) => {
      one.wake();
      await until("it is put", async () => (await engine.store.runs.books()).received === count);
    };
    await send("hr", event("One"));
    await received(27);
    assert.match(logged(), /events wait/);
    assert.equal(asked() - before, 9);
    await send("hr", event("Two"));
    await received(54);
    assert.equal(asked() - before, 18);
    await one.close();
    await app.deliver();
    assert.deepEqual(
      names.map((name) => value(name, "name")),
      names.map(() => "Two"),
    );
  });
});
