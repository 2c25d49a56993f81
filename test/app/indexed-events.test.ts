/** Events that name people by an attribute that nobody can be asked for: scans of the pool say whom they mean. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { statusOf } from "../../src/app/status.ts";
import { startDrainer } from "../../src/app/events/drain-events.ts";
import { demandScan } from "../../src/app/events/scan-wait.ts";
import { LEAST_BETWEEN_SCANS_MS } from "../../src/core/account-scan.ts";
import { textOf } from "../../src/core/sentence.ts";
import type { Pool } from "../../src/delivery/pool.ts";
import { statusText } from "../../src/views/status.ts";
import type { AppOptions } from "../support/app-stage.ts";
import { until } from "../support/condition.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { movableClock } from "../support/movable-clock.ts";
import { byHand, POOL } from "../support/pool-stage.ts";
import { dumpRedis } from "../support/redis-dump.ts";
import { eventStage } from "./event-stage.ts";

const feed = (more = "") => `
  pools: { staff: { id: ${POOL} } }
  feeds:
    hr:
      pool: staff
      username: { column: no, is: username }
      match: custom:number
      version: at
      attributes: { given_name: first }${more}
      events: { scheme: none, records: "employees[*]" }
`;
/** With a file nobody scans the pool unless somebody is looked for. */
const WITH_FILE = feed("\n      file: people.csv");
const AT = "2026-01-31T18:42:00Z";
const HOUR_MS = 3_600_000;

async function stageOf(t: TestContext, { config = feed(), ...options }: AppOptions = {}) {
  const stage = await eventStage(t, {
    pool: { schema: [{ name: "number", mutable: true }], aliasAttributes: ["email"] },
    ...options,
    config,
  });
  const { app, engine, send } = stage;
  let id = 0;
  return {
    ...stage,
    add: (username: string, number: string) =>
      app.pool.addUser({ username, attributes: { given_name: "Old", "custom:number": number } }),
    /** An event about each of these, as `number:first name`. */
    event: (...about: readonly string[]) => {
      const employees = about.map((text) => text.split(":")).map(([no, first]) => ({ no, first, at: AT }));
      return send("hr", { employees }, { id: `${(id += 1)}` });
    },
    calls: () => app.emulator.counters.operations["ListUsers"]?.calls ?? 0,
    counts: () => engine.store.inbox.counts(),
    status: async () => {
      const document = await statusOf(engine, {
        ceilingsOf: () => ({ ratePerSecond: 25, listsPerSecond: 25 }),
        verify: false,
      });
      return { ...document, text: statusText(document, 500, (...words) => words.join(" ")) };
    },
  };
}

/** Drains until nothing waits for a scan either, and delivers. */
async function drainAll({ app, drainer, counts }: Awaited<ReturnType<typeof stageOf>>): Promise<void> {
  const one = drainer();
  await until("nothing waits", async () => {
    const { waiting, ahead, taken } = await counts();
    return waiting + ahead + taken === 0;
  });
  await one.close();
  await app.deliver();
}

for (const engine of ["Redis", "embedded"] as const) {
  const options = engine === "Redis" ? {} : { putData: (dir: string) => putMadeDirectory(dir) };
  test(`an event of an unknown number is written once its user is there, without a hand (${engine})`, async (t) => {
    const stage = await stageOf(t, { config: WITH_FILE, ...options });
    const { app, add, event, value, parked, drain } = stage;
    const { sub } = add("ana", "no-778812");
    await event("no-778812:Ana", "2:Bob");
    await drainAll(stage);
    assert.equal(value("ana"), "Ana", "who is known is not kept waiting for others");
    assert.deepEqual(await parked(), ["hr nobody"]);
    add("bob", "2");
    // Whoever scans the pool.
    await app.drift(await app.file("username,given_name\nana,Ana\n"), {});
    const { redisUrl, namespace } = app.place;
    if (redisUrl !== undefined) {
      const kept = JSON.stringify([...(await dumpRedis(redisUrl, namespace))]);
      assert.match(kept, /accounts:/);
      for (const needle of ["778812", sub, sub.replaceAll("-", "")]) assert.ok(!kept.includes(needle), needle);
    }
    assert.deepEqual(await parked(), []);
    await drain();
    assert.equal(value("bob"), "Bob");
    assert.doesNotMatch(await app.because("bob"), /scan/);
  });
}

describe("events by a number", () => {
  test("are looked at again after the scan of each hour, where no file has one made", async (t) => {
    const clock = movableClock();
    t.after(() => clock.putBack());
    const stage = await stageOf(t, { putData: putMadeDirectory });
    const { add, event, value, parked, logged } = stage;
    await event("2:Bob");
    await drainAll(stage);
    assert.deepEqual([await parked(), logged().match(/pool scanned for events/g)?.length], [["hr nobody"], 1]);
    add("bob", "2");
    clock.pass(HOUR_MS - 60_000);
    await drainAll(stage);
    assert.deepEqual(await parked(), ["hr nobody"]);
    clock.pass(60_000);
    const one = stage.drainer();
    await until("nobody is parked", async () => (await parked()).length === 0);
    await one.close();
    await drainAll(stage);
    assert.equal(value("bob"), "Bob");
  });

  test("wait for the next scan, ten minutes after the last one, and say so until then", async (t) => {
    const clock = movableClock();
    t.after(() => clock.putBack());
    const stage = await stageOf(t, { config: WITH_FILE, putData: putMadeDirectory });
    const { app, add, event, value, parked, counts, calls, status, drainer } = stage;
    add("ana", "1");
    await event("1:Ana");
    await drainAll(stage);
    assert.equal(value("ana"), "Ana");
    clock.pass(1_000);
    await event("2:Bob");
    await event("3:Cyd");
    const before = calls();
    const one = drainer();
    await until("it waits", async () => (await counts()).ahead === 2);
    await one.close();
    assert.equal(calls(), before, "nobody is asked for whom the index does not know");
    const { inbox, text } = await status();
    const [wait] = inbox?.scans ?? [];
    assert.deepEqual([inbox?.ahead, wait?.pool, wait?.feeds], [2, POOL, ["hr"]]);
    const inMs = Date.parse(wait?.until ?? "") - Date.now();
    assert.ok(inMs > LEAST_BETWEEN_SCANS_MS - 60_000 && inMs < LEAST_BETWEEN_SCANS_MS + 60_000, String(inMs));
    assert.match(text, /2 wait for their time, .*; events of hr wait for a scan of eu-west-1_Example until about 2\d/);
    assert.match(await app.because("ana"), /Events of hr name somebody .* until about 2.*Z: one of them may be for/);
    const explained = await app.tryExplain("nobody@example.com");
    assert.ok(explained.is === "none");
    assert.match(explained.waiting.map((said) => textOf(said)).join(" "), /Events of hr/);

    add("bob", "2");
    clock.pass(LEAST_BETWEEN_SCANS_MS + 2_000);
    await drainAll(stage);
    assert.deepEqual([value("bob"), await parked()], ["Bob", ["hr nobody"]]);
    // Whoever looks whether a scan is wanted next finds that none is.
    const other = drainer();
    await until("nothing is said of it", async () => (await status()).inbox?.scans === undefined);
    await other.close();
    assert.doesNotMatch((await status()).text, /scan/);
  });

  test("are told of no more once none of them waits, whoever has parked them", async (t) => {
    const clock = movableClock();
    t.after(() => clock.putBack());
    const stage = await stageOf(t, { config: WITH_FILE, putData: putMadeDirectory });
    const { engine, add, event, counts, status, drainer } = stage;
    add("ana", "1");
    await event("1:Ana");
    await drainAll(stage);
    clock.pass(1_000);
    await event("2:Bob");
    const one = drainer();
    await until("it waits", async () => (await counts()).ahead === 1);
    await one.close();
    assert.deepEqual((await status()).inbox?.scans?.length, 1);
    clock.pass(LEAST_BETWEEN_SCANS_MS + 60_000);
    const { inbox } = engine.store;
    const taken = await inbox.take("another", { leaseMs: 1_000, limit: 1, maxBytes: 1_000_000 });
    await inbox.park({ token: "another", ids: taken.entries.map(({ id }) => id) }, "no-feed");
    assert.equal((await status()).inbox?.scans, undefined);
  });

  test("are of whoever has the number now, and not of whom a scan has seen with it", async (t) => {
    const clock = movableClock();
    t.after(() => clock.putBack());
    const stage = await stageOf(t, { config: WITH_FILE, putData: putMadeDirectory });
    const { app, add, event, value, counts, drainer } = stage;
    add("ana", "1");
    add("bob", "2");
    await event("1:One");
    await drainAll(stage);
    assert.equal(value("ana"), "One");
    clock.pass(1_000);
    await byHand(app.emulator, "ana", { "custom:number": "9" });
    await byHand(app.emulator, "bob", { "custom:number": "1" });
    await event("1:Two");
    const one = drainer();
    await until("it waits", async () => (await counts()).ahead === 1);
    await one.close();
    await app.deliver();
    assert.deepEqual([value("ana"), value("bob")], ["One", "Old"]);
    clock.pass(LEAST_BETWEEN_SCANS_MS + 2_000);
    await drainAll(stage);
    assert.deepEqual([value("ana"), value("bob")], ["One", "Two"]);
  });

  test("of several are parked, and of somebody who is gone are nobody's", async (t) => {
    const stage = await stageOf(t, { config: WITH_FILE });
    const { app, add, event, value, parked, drain } = stage;
    add("ana", "1");
    add("bob", "1");
    add("cyd", "2");
    await event("1:One");
    await event("2:Cyd");
    await drainAll(stage);
    assert.deepEqual([value("ana"), value("bob"), value("cyd")], ["Old", "Old", "Cyd"]);
    assert.deepEqual(await parked(), ["hr several"]);
    app.pool.removeUser("cyd");
    const { engine } = stage;
    await event("2:Gone");
    await drain().catch(() => undefined);
    assert.equal((await engine.store.inbox.counts()).ahead, 1);
  });

  test("are known by the scan before while one is cut half way, and are tried again ten minutes later", async (t) => {
    const clock = movableClock();
    t.after(() => clock.putBack());
    const stage = await stageOf(t, { config: WITH_FILE, putData: putMadeDirectory });
    const { app, add, event, value, engine, config, log, openPool, logged, counts } = stage;
    for (let number = 1; number <= 400; number += 1) if (number !== 6) add(`u${number}`, String(number));
    await event("1:One");
    await drainAll(stage);
    clock.pass(LEAST_BETWEEN_SCANS_MS + 1_000);
    await event("6:Six");
    let pages = 0;
    const pool = await openPool({ pool: POOL });
    const scan: Pool["scan"] = async function* (...words) {
      for await (const page of pool.scan(...words)) {
        if ((pages += 1) === 2) {
          app.emulator.faults.add({ operation: "ListUsers", error: "AccessDeniedException" });
        }
        yield page;
      }
    };
    const cut = startDrainer({ engine, config, poolOf: () => Promise.resolve({ ...pool, scan }), log });
    await until("it has failed", () => logged().includes("pool cannot be scanned for events yet"));
    app.emulator.faults.clear();
    await until("it waits", async () => (await counts()).ahead === 1);
    assert.ok(pages >= 2 && pages < 6, String(pages));
    await event("5:Five");
    cut.wake();
    await until("it is put", async () => (await engine.store.runs.books()).received === 2);
    await cut.close();
    await app.deliver();
    assert.equal(value("u5"), "Five");
    assert.match(logged(), /"kind":"access-denied".*"msg":"pool cannot be scanned for events yet"/);
    add("u6", "6");
    clock.pass(LEAST_BETWEEN_SCANS_MS);
    await drainAll(stage);
    assert.equal(value("u6"), "Six");
  });

  test("of two drainers are served by one scan", async (t) => {
    const stage = await stageOf(t);
    const { app, add, event, value, logged, counts, drainer } = stage;
    for (const number of ["1", "2", "3", "4"]) add(`u${number}`, number);
    for (const number of ["1", "2", "3", "4", "5", "6"]) await event(`${number}:N${number}`);
    const all = [drainer(), drainer()];
    await until("nothing waits", async () => {
      const { waiting, ahead, taken } = await counts();
      return waiting + ahead + taken === 0;
    });
    for (const one of all) await one.close();
    await app.deliver();
    assert.deepEqual(
      ["u1", "u2", "u3", "u4"].map((user) => value(user)),
      ["N1", "N2", "N3", "N4"],
    );
    assert.equal(logged().match(/pool scanned for events/g)?.length, 1);
  });

  test("that somebody has looked at again are answered by no scan of before", async (t) => {
    const stage = await stageOf(t, { config: WITH_FILE });
    const { engine, event, parked, counts, drainer } = stage;
    const { inbox } = engine.store;
    await event("1:One");
    await drainAll(stage);
    assert.deepEqual(await parked(), ["hr nobody"]);
    const ids = (await Array.fromAsync(inbox.parked({}))).map(({ id }) => id);
    const one = drainer();
    t.after(() => one.close());
    await inbox.replay(ids);
    one.wake();
    await until("it is parked again", async () => (await parked()).length === 1);
    await demandScan(engine.store);
    await inbox.replay(ids);
    one.wake();
    await until("it waits", async () => (await counts()).ahead === 1);
  });
});
