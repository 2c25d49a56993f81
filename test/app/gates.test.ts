/** Runs that are cancelled while they are under way, and what a pause keeps, at the use cases. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { ALL, poolGate } from "../../src/core/gate.ts";
import type { FeedRow } from "../../src/delivery/feed-run.ts";
import { openPoolsync } from "../../src/index.ts";
import { setApp, type AppOptions } from "../support/app-stage.ts";
import { until } from "../support/condition.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { addUsers, POOL } from "../support/pool-stage.ts";

const QUICK = "rate: 1000\n";
const ANNA = { by: "anna@desk", reason: "a wrong export" };
const STORES: readonly (readonly [string, Pick<AppOptions, "putData">])[] = [
  ["Redis", {}],
  ["the embedded engine", { putData: putMadeDirectory }],
];

async function setStage(t: TestContext, options: AppOptions = {}, users = 10) {
  const app = await setApp(t, { config: QUICK, ...options });
  addUsers(app.pool, users);
  const { runs, gates, mailboxes } = (await app.open()).store;
  const file = (name: string, value: string, count = users): Promise<string> => {
    const lines = Array.from({ length: count }, (_, nth) => `u${nth},${value}`);
    return app.file(`username,given_name\n${lines.join("\n")}\n`, name);
  };
  return {
    ...app,
    runs,
    gates,
    mailboxes,
    rows: file,
    nameOf: (user: string) => app.pool.user(user)?.attributes["given_name"],
    writes: () => app.emulator.log.writes,
    latest: async () => (await runs.list(1))[0]?.id ?? "",
  };
}

describe("a run that is cancelled", () => {
  for (const [store, options] of STORES) {
    test(`eats no right event on ${store}, whichever came first`, async (t) => {
      const stage = await setStage(t, options);
      await stage.queue("u0", { given_name: "Right0" });
      const wrong = await stage.rows("wrong.csv", "Wrong");
      const { run } = await stage.sync(wrong, { detached: true });
      await stage.queue("u1", { given_name: "Right1" });
      const { feed: _feed, pool: _pool, ...said } = await stage.cancel(run);
      assert.deepEqual(said, { applied: 0, discarded: 9, inFlight: 0, undoable: false });
      await stage.deliver();
      assert.deepEqual(
        stage.writes().map(({ username, attributes }) => [username, attributes["given_name"]]),
        [
          ["u0", "Right0"],
          ["u1", "Right1"],
        ],
      );
      const { applied, discarded, superseded, pending } = await stage.runs.books(run);
      assert.deepEqual([applied, discarded, superseded, pending], [0, 9, 1, 0]);
      await assert.rejects(stage.cancel(run), { kind: "not-open" });
    });

    test(`while it is read puts no further page, and sends nothing more, on ${store}`, async (t) => {
      const next = Promise.withResolvers<void>();
      t.after(() => next.resolve());
      const stage = await setStage(t, { ...options, config: "rate: 10\nconcurrency: 2\n" }, 600);
      const rowOf = (nth: number): FeedRow => ({
        kind: "change",
        line: nth + 2,
        change: {
          username: `u${nth}`,
          units: [{ name: "given_name", value: { kind: "text", text: "Wrong" } }],
        },
        invalid: [],
        found: true,
      });
      async function* records(): AsyncGenerator<FeedRow> {
        for (let nth = 0; nth < 500; nth++) yield rowOf(nth);
        await next.promise;
        for (let nth = 500; nth < 600; nth++) yield rowOf(nth);
      }
      const running = stage.run({
        name: "wrong.csv",
        identity: "",
        asOfMs: Date.now(),
        rereadable: false,
        // Whoever writes the stream has fallen silent.
        stop: async () => next.resolve(),
        guards: { protectUsers: [], protectAttributes: [] },
        records,
      });
      running.catch(() => undefined);
      await until("some of it is written", () => stage.writes().length > 2);
      const run = await stage.latest();
      const answers = await Promise.allSettled([stage.cancel(run), stage.cancel(run)]);
      const [said, ...more] = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
      assert.ok(said !== undefined && more.length === 0, "one of two cancels it");
      const refused = answers.flatMap((answer) => (answer.status === "rejected" ? String(answer.reason) : []));
      assert.match(refused.join(), /is cancelled already/);
      await assert.rejects(running, { kind: "cancelled" });
      await until("the books are tidy", async () => (await stage.runs.books(run)).pending === 0);
      const { received, applied, discarded } = await stage.runs.books(run);
      assert.deepEqual([received, applied + discarded], [500, 500]);
      assert.equal(said.applied + said.inFlight + said.discarded, 500);
      assert.ok(said.inFlight <= 2 && applied <= said.applied + said.inFlight, "but for the calls in flight");
      assert.equal(stage.writes().length, applied);
    });
  }

  test("is undone at once: the calls in flight are waited for", async (t) => {
    const stage = await setStage(
      t,
      {
        config: "rate: 20\nkeepBefore: true\n",
        environment: { POOLSYNC_KEY: Buffer.alloc(32, 5).toString("base64") },
        emulator: { latencyMs: 300 },
      },
      48,
    );
    const running = stage.sync(await stage.rows("wrong.csv", "Wrong"));
    running.catch(() => undefined);
    await until("some of it is written", () => stage.writes().length > 2);
    const run = await stage.latest();
    const said = await stage.cancel(run);
    assert.equal(said.undoable, true);
    const undone = stage.undo(run);
    await assert.rejects(running, { kind: "cancelled" });
    const { summaries } = await undone;
    const { applied, discarded, pending } = await stage.runs.books(run);
    assert.equal(applied, said.applied + said.inFlight);
    assert.deepEqual([applied + discarded, pending], [48, 0]);
    assert.equal(summaries[0]?.books.applied, applied);
    for (let nth = 0; nth < 48; nth++) assert.equal(stage.nameOf(`u${nth}`), "Old");
  });

  test("is not undone while it is under way, nor cancelled when all of it is delivered", async (t) => {
    const stage = await setStage(t);
    const { run } = await stage.sync(await stage.rows("right.csv", "Right"), { detached: true });
    await assert.rejects(stage.undo(run), { kind: "not-undoable", message: /10 changes are still pending/ });
    await stage.deliver();
    await assert.rejects(stage.cancel(run), {
      kind: "not-open",
      message: /is delivered, and cannot be cancelled\. 10 changes of it were written/,
    });
    assert.equal((await stage.runs.get(run))?.state, "delivering");
    await stage.queue("u0", { nickname: "Ann" });
    await assert.rejects(stage.cancel(`direct:${POOL}`), { kind: "not-open", message: /single commands.*has no end/ });
  });
});

describe("a pause", () => {
  for (const [store, options] of STORES) {
    test(`keeps what is put on ${store}, refuses what somebody waits for, and lets all of it go`, async (t) => {
      const stage = await setStage(t, options);
      await stage.queue("u0", { family_name: "Before" });
      assert.equal(await stage.pause({ pool: POOL }, ANNA), 1);
      await assert.rejects(stage.pause({ pool: POOL }, { by: "ben@desk", reason: "other" }), {
        kind: "paused",
        message: /has been paused since .* by anna@desk: a wrong export/,
      });
      await assert.rejects(stage.resume({}), { kind: "not-paused", message: /There is no pause of everything/ });
      await assert.rejects(stage.resume({ feed: "hr" }), { kind: "not-paused" });

      await assert.rejects(stage.update("u0", { given_name: "Refused" }), { kind: "paused", message: /anna@desk/ });
      assert.equal((await stage.runs.books(`direct:${POOL}`)).received, 1, "nothing is put");
      await stage.sync(await stage.rows("kept.csv", "Kept", 3), { detached: true });
      assert.equal(await stage.gates.kept(poolGate(POOL)), 3);

      // It goes at once, and nothing else of the user goes with it.
      const asked = await stage.update("u0", { nickname: "Now" }, { despitePause: true });
      assert.deepEqual(asked, { nickname: "applied" });
      const sent = (): unknown[] => stage.writes().map(({ username, attributes }) => [username, attributes]);
      assert.deepEqual(sent(), [["u0", { nickname: "Now" }]]);
      assert.equal((await stage.runs.books()).pending, 4);

      assert.equal(await stage.resume({ pool: POOL }), 3);
      assert.deepEqual(await stage.gates.list(), []);
      await stage.deliver();
      assert.deepEqual(stage.pool.user("u0")?.attributes["family_name"], "Before");
      for (const user of ["u0", "u1", "u2"]) assert.equal(stage.nameOf(user), "Kept");
      assert.equal(stage.nameOf("u3"), "Old");
      await assert.rejects(stage.resume({ pool: POOL }), { kind: "not-paused" });
    });
  }

  test("holds up no cancel: what the run had put is discarded behind it", async (t) => {
    const stage = await setStage(t, {});
    await stage.pause({ pool: POOL }, ANNA);
    const { run } = await stage.sync(await stage.rows("wrong.csv", "Wrong"), { detached: true });
    await stage.queue("u0", { nickname: "Right" });
    const said = await stage.cancel(run);
    assert.deepEqual([said.applied, said.discarded], [0, 10]);
    const { discarded, pending } = await stage.runs.books(run);
    assert.deepEqual([discarded, pending, await stage.gates.kept(poolGate(POOL))], [10, 0, 1]);
  });

  test("of a feed keeps only what the feed puts: single requests and an undo of its runs go through", async (t) => {
    const environment = { POOLSYNC_KEY: Buffer.alloc(32, 5).toString("base64") };
    const stage = await setStage(t, { config: `${QUICK}keepBefore: true\n`, environment });
    const { run } = await stage.sync(await stage.rows("hr.csv", "Wrong", 4));
    await stage.pause({ feed: "hr.csv" }, ANNA);
    const kept = await stage.sync(await stage.rows("hr.csv", "Kept", 2), { detached: true });
    assert.deepEqual(await stage.update("u0", { given_name: "Newer" }), { given_name: "applied" });
    const { superseded, pending } = await stage.runs.books(kept.run);
    assert.deepEqual([superseded, pending], [1, 1], "the newer one has superseded what is kept");

    const { summaries } = await stage.undo(run);
    assert.equal(summaries[0]?.books.applied, 2);
    // What has changed since stays, and so does what is about to, because it is kept.
    assert.deepEqual(
      ["u0", "u1", "u2", "u3"].map((user) => stage.nameOf(user)),
      ["Newer", "Wrong", "Old", "Old"],
    );
    await stage.cancel(kept.run);
    const second = await stage.undo(run);
    assert.equal(second.summaries[0]?.books.applied, 1);
    assert.equal(stage.nameOf("u1"), "Old");
  });

  test("of everything refuses an application that waits, and takes what it queues", async (t) => {
    const stage = await setStage(t);
    const poolsync = await openPoolsync({ ...stage.place, logLevel: "silent", ratePerSecond: 1000 });
    t.after(() => poolsync.close());
    await stage.pause({}, ANNA);
    const change = { pool: POOL, username: "u0" };
    await assert.rejects(poolsync.update({ ...change, attributes: { given_name: "Refused" } }), {
      kind: "paused",
      message: /Everything has been paused since .* by anna@desk: a wrong export/,
    });
    await poolsync.deliver(POOL);
    for (const value of ["First", "Second"]) {
      assert.deepEqual((await poolsync.enqueue({ ...change, attributes: { given_name: value } })).queued, [
        "given_name",
      ]);
    }
    const { attributes } = await poolsync.update(
      { ...change, attributes: { nickname: "Now" } },
      { despitePause: true },
    );
    assert.deepEqual(attributes, { nickname: { is: "applied" } });
    assert.deepEqual([stage.nameOf("u0"), await stage.gates.kept(ALL)], ["Old", 1]);
    assert.equal(await stage.resume({}), 1);
    await until("what was kept is delivered", () => stage.nameOf("u0") === "Second", 10_000);
    assert.equal(stage.writes().length, 2);
  });
});
