/** What the guard of events keeps, how it goes on, and what goes on beside it. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { expireWaiting } from "../../src/app/runs/approvals.ts";
import { approveRun } from "../../src/app/runs/approve-run.ts";
import { finishDayRuns } from "../../src/app/events/day-run.ts";
import { createFloodGate } from "../../src/app/events/flood-gate.ts";
import { startDrainer } from "../../src/app/events/drain-events.ts";
import { leftoversOf } from "../../src/app/runs/leftovers.ts";
import { stopDeliveries } from "../../src/app/runs/stop-deliveries.ts";
import { ceilings, openClients } from "../../src/app/opening.ts";
import { passFeed } from "../../src/app/feeds/scheduled-feed.ts";
import { withScope } from "../../src/lifecycle.ts";
import { showRun } from "../../src/app/runs/look-at-runs.ts";
import { waitForRun } from "../../src/app/runs/wait-for-run.ts";
import { statusOf } from "../../src/app/status.ts";
import { runDocument, runText } from "../../src/views/runs.ts";
import { runGate } from "../../src/core/gate.ts";
import type { AppOptions } from "../support/app-stage.ts";
import { until } from "../support/condition.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { addUsers, POOL } from "../support/pool-stage.ts";
import { eventStage } from "./event-stage.ts";

const AT = Date.parse("2026-01-31T18:42:00Z");
const at = (version = 0): string => new Date(AT + version).toISOString();

const feed = (name: string, attribute: string, more = "") => `
    ${name}:
      pool: staff
      username: user
      version: at
      attributes: { ${attribute}: first }
      events: { scheme: none }${more}`;

/** So many people may be changed in ten minutes by `crm`; a feed `free` has no guard. */
async function floodStage(t: TestContext, people: number, users: number, more: AppOptions = {}) {
  const config = `
  rate: 1000
  pools: { staff: { id: ${POOL} } }
  guards: { events: { people: ${people}, sameValue: ${people} } }
  feeds:${feed("crm", "given_name")}${feed("free", "family_name", "\n      guards: { events: off }")}
`;
  const stage = await eventStage(t, { config, ...more });
  addUsers(stage.app.pool, users);
  const { runs, inbox, mailboxes } = stage.engine.store;
  return {
    ...stage,
    runs,
    /** Of u0 and so on, each with a value and a version. */
    change: (nth: number, first: string, version = 0, to = "crm") =>
      stage.send(to, { user: `u${nth}`, first, at: at(version) }),
    /** Drains until nothing waits in the inbox. */
    put: async (...drainers: readonly ReturnType<typeof stage.drainer>[]): Promise<void> => {
      const own = drainers.length > 0 ? drainers : [stage.drainer()];
      await until("nothing waits", async () => {
        const { waiting, taken, ahead } = await inbox.counts();
        return waiting + taken + ahead === 0;
      });
      for (const one of own) await one.close();
    },
    /** Delivers all that no gate keeps. */
    deliver: async (): Promise<void> => {
      const pool = await stage.openPool({ pool: POOL });
      const delivery = await pool.deliver();
      await until("nobody is due", async () => (await mailboxes.dueCount(POOL)) === 0);
      const never = new AbortController().signal;
      await stopDeliveries([delivery], { drain: never, abort: never });
    },
    waiting: async () => (await runs.list(100)).filter(({ state }) => state === "needs-approval"),
    approve: (run: string) => approveRun(stage.engine, stage.log, run),
    names: (attribute = "given_name") =>
      Array.from({ length: users }, (_, nth) => stage.value(`u${nth}`, attribute) ?? "-").join(" "),
    writes: () => stage.app.emulator.log.writes.length,
  };
}

describe("events of too many people", () => {
  test("of 600 wait beyond 500 until somebody approves them; then all are written, the newest of each", async (t) => {
    const { app, config, runs, engine, log, change, send, put, deliver, waiting, approve, writes, logged, value } =
      await floodStage(t, 500, 600);
    const body = Array.from({ length: 590 }, (_, nth) => ({ user: `u${nth}`, first: `New${nth}`, at: at() }));
    await send("crm", body);
    for (let nth = 590; nth < 600; nth++) await change(nth, `New${nth}`);
    await put();
    const [run] = await waiting();
    assert.ok(run);
    await deliver();
    assert.equal(writes(), 500);
    assert.deepEqual([value("u499"), value("u500")], ["New499", "Old"]);
    assert.match(logged(), /"guard":"people","people":590,"limit":500,"msg":"events need approval"/);
    await change(599, "Newest", 2);
    await change(599, "Late", 1);
    await change(0, "Newest", 2);
    await put();
    await deliver();
    assert.equal(writes(), 500, "all that comes of the feed waits as well");
    assert.equal((await waiting()).length, 1);
    assert.equal(await engine.store.gates.kept(runGate(run.id)), 101);
    const shown = await showRun(engine, log, run.id);
    const document = JSON.stringify(runDocument(shown, false));
    assert.match(document, /"waiting":\{"guard":\{"guard":"people","limit":500,"count":590,"within":"10m",/);
    assert.match(document, /"people":101,"values":101,"since":"[^"]+","looked":101,/);
    const look = {
      width: 200,
      noColor: true,
      showValues: false,
      command: (...words: readonly string[]) => words.join(" "),
    };
    const text = runText(shown, look);
    assert.match(text, /Events would change 590 people within 10m, and the guard lets 500 people through\./);
    assert.match(text, /given_name +101 +N\*\*\* +2\n/, "two are called Newest");
    assert.match(text, /^u\d+ +given_name +N\*\*\*$/m);
    assert.match(text, /`runs approve r-\S+`, or `runs cancel r-\S+`/);
    const { floods } = await statusOf(engine, { ceilingsOf: ceilings(config), verify: true });
    assert.deepEqual(
      floods?.map(({ feed: of, users }) => [of, users]),
      [["crm", 101]],
    );
    assert.match(await app.because("u599"), /Run r-\S+ waits for an approval: see `poolsync runs show r-/);
    assert.doesNotMatch(await app.because("u1"), /approval/);
    assert.deepEqual(await approve(run.id), { feed: "crm", pool: POOL, users: 101 });
    await assert.rejects(approve(run.id), { kind: "not-waiting" });
    await deliver();
    assert.deepEqual(
      [writes(), value("u500"), value("u598"), value("u599"), value("u0")],
      [601, "New500", "New598", "Newest", "Newest"],
    );
    const { applied, superseded, pending } = await runs.books(run.id);
    assert.deepEqual([applied, superseded, pending], [101, 2, 0]);
    await finishDayRuns(runs, log, await engine.store.now());
    assert.equal((await runs.get(run.id))?.state, "finished");
  });

  test("are let through once by several drainers, and again by one whose process died before it put them", async (t) => {
    const { engine, config, log, openPool, change, put, drainer, deliver, waiting, writes } = await floodStage(
      t,
      5,
      30,
    );
    const { mailboxes } = engine.store;
    for (let nth = 0; nth < 3; nth++) await change(nth, "New");
    let tries = 0;
    const dying: typeof mailboxes.put = () => {
      tries += 1;
      return Promise.reject(new Error("It dies here."));
    };
    const died = { ...engine, store: { ...engine.store, mailboxes: { ...mailboxes, put: dying } } };
    const one = startDrainer({ engine: died, config, poolOf: openPool, log });
    await until("it has counted them", () => Promise.resolve(tries > 0));
    await one.close();
    await put();
    for (let nth = 3; nth < 30; nth++) await change(nth, "New");
    await put(drainer(), drainer(), drainer());
    await deliver();
    assert.equal(writes(), 5);
    assert.equal((await waiting()).length, 1);
  });

  test("wait on where the count of them broke in the store", async (t) => {
    const { engine, change, put, deliver, waiting, names } = await floodStage(t, 2, 6);
    const name = `flood ${JSON.stringify(["crm", POOL])}`;
    const breaks = async (): Promise<void> => {
      const text = await engine.store.recall(name);
      assert.ok(text !== undefined && (await engine.store.exchange(name, text, "{ broken")));
    };
    for (let nth = 0; nth < 3; nth++) await change(nth, "New");
    await put();
    const [run] = await waiting();
    await breaks();
    for (let nth = 3; nth < 5; nth++) await change(nth, "New");
    await put();
    await deliver();
    assert.equal(names(), "New New Old Old Old Old");
    assert.ok(run);
    assert.deepEqual(
      (await waiting()).map(({ id }) => id),
      [run.id],
    );
    assert.equal(await engine.store.gates.kept(runGate(run.id)), 3);
  });

  test("end a run that waits in vain, because its process died as it began it", async (t) => {
    const { engine, log, runs, change, put, waiting } = await floodStage(t, 2, 6);
    const orphan = { id: "r-orphan", source: "events", pool: POOL, feed: "free", identity: "of it", asOf: 0 } as const;
    await runs.begin(orphan);
    await runs.transition(orphan.id, ["reading"], "needs-approval");
    for (let nth = 0; nth < 3; nth++) await change(nth, "New");
    await put();
    assert.equal((await waiting()).length, 2, "a moment ago its process may live");
    const { store } = engine;
    const later = { ...store, now: async () => (await store.now()) + 120_000 };
    await createFloodGate({ ...engine, store: later }, log).look();
    assert.equal((await runs.get(orphan.id))?.state, "cancelled");
    assert.deepEqual(
      (await waiting()).map(({ feed: of }) => of),
      ["crm"],
    );
  });

  test("are discarded where somebody cancels them, and what comes then waits for a decision of its own", async (t) => {
    const { app, runs, change, put, deliver, waiting, names, approve } = await floodStage(t, 2, 6);
    for (let nth = 0; nth < 4; nth++) await change(nth, "New");
    await put();
    const [run] = await waiting();
    assert.ok(run);
    const { discarded, applied } = await app.cancel(run.id);
    assert.deepEqual([discarded, applied], [2, 0]);
    await change(2, "Newer");
    await put();
    await deliver();
    assert.equal(names(), "New New Old Old Old Old");
    assert.equal((await runs.get(run.id))?.state, "cancelled");
    const [other] = await waiting();
    assert.ok(other && other.id !== run.id, "another run waits");
    await approve(other.id);
    for (let nth = 3; nth < 5; nth++) await change(nth, "Newer");
    await put();
    await deliver();
    assert.equal(names(), "New New Newer Newer Newer Old");
    assert.deepEqual(await waiting(), []);
  });

  test("wait while other feeds, single changes and files of the same people go on", async (t) => {
    const stage = await floodStage(t, 2, 6);
    const { app, config, engine, log, openPool, runs, change, put, deliver, waiting, approve, names, value } = stage;
    for (let nth = 0; nth < 5; nth++) await change(nth, "New");
    await put();
    const [run] = await waiting();
    assert.ok(run);
    for (let nth = 0; nth < 6; nth++) await change(nth, "Free", 0, "free");
    await put();
    assert.equal((await app.update("u2", { given_name: "Single" }))["given_name"], "applied");
    assert.equal((await app.update("u3", { nickname: "Three" }))["nickname"], "applied");
    const rows = [`u4,Filed,${at(1)}`, `u5,Filed,${at(1)}`].join("\n");
    const pool = await openPool({ pool: POOL });
    const never = new AbortController().signal;
    const delivery = await pool.deliver();
    await withScope(async (scope) => {
      const { crm } = config.feeds;
      assert.ok(crm);
      const setting = { ...crm, file: await app.file(`user,first,at\n${rows}\n`) };
      const deps = { config, log, engine, clients: await openClients(config, scope) };
      await passFeed(deps, { name: "crm", setting }, { feed: "crm" }, never);
    });
    await stopDeliveries([delivery], { drain: never, abort: never });
    await expireWaiting(engine, log, Number.MAX_SAFE_INTEGER);
    await finishDayRuns(runs, log, Number.MAX_SAFE_INTEGER);
    await deliver();
    assert.equal(names(), "New New Single Old Filed Filed");
    assert.equal(names("family_name"), "Free Free Free Free Free Free");
    assert.equal(value("u3", "nickname"), "Three");
    assert.deepEqual(
      (await waiting()).map(({ id }) => id),
      [run.id],
    );
    assert.deepEqual(await leftoversOf(engine.store, POOL), []);
    await approve(run.id);
    await deliver();
    assert.equal(names(), "New New Single New Filed Filed", "in the order of their versions");
  });

  test("cost nothing where they say again what poolsync has written", async (t) => {
    const { change, put, deliver, waiting, names } = await floodStage(t, 3, 3);
    for (const version of [0, 1]) {
      for (let nth = 0; nth < 3; nth++) await change(nth, `New${nth}`, version);
      await put();
      await deliver();
    }
    await change(0, "Newer", 2);
    await put();
    await deliver();
    assert.deepEqual([names(), await waiting()], ["Newer New1 New2", []]);
  });

  test("with one value for many wait as well", async (t) => {
    const stage = await floodStage(t, 3, 6);
    const { config, engine, log, openPool, change, waiting, logged } = stage;
    const guards = { ...config.guards, events: { people: 100, withinMs: 600_000, sameValue: 3 } };
    const { crm } = config.feeds;
    assert.ok(crm);
    const many = { ...config, feeds: { ...config.feeds, crm: { ...crm, guards } } };
    for (let nth = 0; nth < 6; nth++) await change(nth, "UNASSIGNED");
    const one = startDrainer({ engine, config: many, poolOf: openPool, log });
    await until("they wait", async () => (await waiting()).length === 1);
    await one.close();
    assert.match(one.notes.join(), /^events of feed crm wait for an approval: run r-\S+$/);
    assert.match(logged(), /"guard":"sameValue","people":4,"limit":3,"msg":"events need approval"/);
    await stage.put();
    await stage.deliver();
    assert.equal(stage.names(), "UNASSIGNED UNASSIGNED UNASSIGNED Old Old Old");
  });

  test("wait on the embedded engine as well, and go on there", async (t) => {
    const { engine, log, change, put, deliver, waiting, approve, names } = await floodStage(t, 2, 4, {
      putData: putMadeDirectory,
    });
    for (let nth = 0; nth < 4; nth++) await change(nth, "New");
    await put();
    await deliver();
    assert.equal(names(), "New New Old Old");
    const [run] = await waiting();
    const never = new AbortController().signal;
    const none = { onLook: () => {}, onHold: () => {}, onStill: () => {}, signal: never };
    const waited = await waitForRun(engine, log, run?.id ?? "", none);
    assert.deepEqual([waited.run.state, waited.waiting?.people], ["needs-approval", 2]);
    await approve(run?.id ?? "");
    await deliver();
    assert.equal(names(), "New New New New");
  });
});
