import assert from "node:assert/strict";
import { test } from "node:test";
import { belowBacklog } from "../../src/delivery/backlog.ts";
import { PRIORITY, type WakeUp, wakeUpQueue } from "../../src/queues/wake-ups.ts";
import { until } from "../support/condition.ts";
import { type OpenStage, text } from "../support/delivery-stage.ts";

const UPDATE = "AdminUpdateUserAttributes";
const nickname = (value: string) => [text("nickname", value)];
const people = (count: number): string[] => Array.from({ length: count }, (_, index) => `user${index}`);

/** What is sent when, what overtakes what, and what is left behind by a stop. */
export function orderSuite(open: OpenStage): void {
  test("changes to different attributes go in one call", async (t) => {
    const stage = await open(t, ["ann"]);
    await stage.put("ann", nickname("annie"));
    await stage.put("ann", [text("given_name", "Ann")]);
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(stage.writes(), [{ nickname: "annie", given_name: "Ann" }]);
  });

  test("a newer value that is put while a call is in flight is sent next", async (t) => {
    const stage = await open(t, ["ann"], { emulator: { latencyMs: 300 } });
    await stage.put("ann", nickname("annie"));
    await stage.deliver();
    await until("the call was begun", () => stage.calls() === 1);
    await stage.put("ann", nickname("nan"));
    await stage.settled();
    assert.deepEqual(stage.writes(), [{ nickname: "annie" }, { nickname: "nan" }]);
    assert.equal((await stage.books()).applied, 2);
  });

  test("an older value that is put while a call is in flight is never sent", async (t) => {
    const stage = await open(t, ["ann"], { emulator: { latencyMs: 300 } });
    await stage.put("ann", nickname("nan"), { sequence: 2 });
    await stage.deliver();
    await until("the call was begun", () => stage.calls() === 1);
    await stage.put("ann", nickname("annie"), { sequence: 1 });
    await stage.settled();
    assert.deepEqual(stage.writes(), [{ nickname: "nan" }]);
    const { applied, superseded, stale } = await stage.books();
    assert.deepEqual({ applied, lost: superseded + stale }, { applied: 1, lost: 1 });
  });

  test("the same value again costs no call where an application put it, and one where a person asks", async (t) => {
    const stage = await open(t, ["ann"]);
    await stage.deliver();
    for (const sendUnless of ["written", "written"] as const) {
      await stage.put("ann", nickname("annie"), { sendUnless });
      await stage.settled();
    }
    assert.equal(stage.calls(), 1);
    assert.equal((await stage.books()).unchanged, 1);
    await stage.put("ann", nickname("annie"));
    await stage.settled();
    assert.equal(stage.calls(), 2);
  });

  test("of what a file put and nobody looked for, only what differs is sent, after one look", async (t) => {
    const ann = { username: "ann", attributes: { nickname: "annie", given_name: "Old" } };
    const stage = await open(t, [ann]);
    const looks = (): number => stage.emulator.counters.operations["ListUsers"]?.calls ?? 0;
    const before = looks();
    const units = [
      ...nickname("annie"),
      text("given_name", "Ann"),
      { name: "locale", value: { kind: "clear" } } as const,
    ];
    await stage.put("ann", units, { sendUnless: "there" });
    await stage.put("zoe", nickname("zoe"), { sendUnless: "there" });
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(stage.writes("ann"), [{ given_name: "Ann" }]);
    assert.equal(looks() - before, 2);
    const { applied, unchanged, dead } = await stage.books();
    // Whom the list does not show is written all the same: it may lag.
    assert.deepEqual({ applied, unchanged, dead }, { applied: 1, unchanged: 2, dead: 1 });
  });

  test("what a cancelled run has put is discarded, and costs no call", async (t) => {
    const stage = await open(t, ["ann", "ben"]);
    await stage.put("ann", nickname("annie"), { unheard: true });
    assert.equal(await stage.engine.store.runs.transition(stage.run, ["reading"], "cancelled"), true);
    await stage.deliver();
    await stage.settled();
    assert.equal(stage.calls(), 0);
    const { received, discarded } = await stage.books();
    assert.deepEqual({ received, discarded }, { received: 1, discarded: 1 });
    await assert.rejects(stage.put("ben", nickname("ben")), { kind: "run-cancelled" });
  });

  test("the worker checks again, by the schema that it knows", async (t) => {
    const stage = await open(t, ["ann"], { pool: { schema: [{ name: "custom:badge", mutable: false }] } });
    const { attributes } = stage.pool.profile;
    const badge = attributes["custom:badge"];
    assert.ok(badge);
    const profile = {
      ...stage.pool.profile,
      attributes: { ...attributes, "custom:badge": { ...badge, mutable: true } },
    };
    await stage.put("ann", [...nickname("annie"), text("custom:badge", "1")], { profile });
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(
      (await stage.letters()).map(({ unit, kind, reason }) => [unit, kind, reason]),
      [["custom:badge", "invalid-value", "immutable"]],
    );
    assert.equal(stage.calls(), 1, "no call was spent on it");
    assert.deepEqual(stage.writes(), [{ nickname: "annie" }]);
  });

  const overtaking: readonly (readonly [whose: string, username: string, deliveries: number, latencyMs: number])[] = [
    ["of another user", "zoe", 1, 0],
    ["of a user who waits in it", "user11", 1, 0],
    ["of a user whose turn comes next", "user1", 1, 0],
    ["of a user whose call is in flight", "user0", 1, 300],
    ["of another user, in a fleet", "zoe", 3, 0],
  ];
  for (const [whose, username, deliveries, latencyMs] of overtaking) {
    test(`a direct change ${whose} overtakes a bulk run but for two calls`, async (t) => {
      const bulk = people(12);
      const stage = await open(t, ["zoe", ...bulk], { ratePerSecond: 1, emulator: { latencyMs } });
      for (const name of bulk) await stage.put(name, nickname("x"));
      for (let nth = 0; nth < deliveries; nth += 1) await stage.deliver(await stage.open());
      await until("the bulk run is under way", () => stage.calls() > 0);
      await stage.put(username, [text("given_name", "Zoe")], { priority: PRIORITY.direct });
      const before = stage.calls();
      const direct = () => stage.writes().findIndex((write) => write["given_name"] === "Zoe");
      await until("it is written", () => direct() !== -1);
      const between = direct() - before;
      assert.ok(between <= 2, `Expected two calls at most to go before it, and ${between} went`);
    });
  }

  test("a direct change of a user whose call is in flight in a shared job overtakes the others", async (t) => {
    const bulk = people(60);
    const stage = await open(t, bulk, { ratePerSecond: 5, emulator: { latencyMs: 300 } });
    await stage.deliver();
    await stage.putPage(bulk, nickname("x"));
    await until("the first call is in flight", () => stage.calls() > 0);
    await stage.put("user0", [text("given_name", "Zoe")], { priority: PRIORITY.direct });
    const before = stage.calls();
    await until("it is written", () => stage.writes("user0").some((write) => write["given_name"] === "Zoe"));
    const between = stage.writes().findIndex((write) => write["given_name"] === "Zoe") - before;
    assert.ok(between <= 2, `Expected two calls at most to go before it, and ${between} went`);
  });

  test("a direct change overtakes one that waits for its back-off", async (t) => {
    const stage = await open(t, ["ann"]);
    const { mailboxes } = stage.engine.store;
    const user = await stage.put("ann", nickname("annie"));
    const claim = await mailboxes.claim(user, "token", 60_000);
    assert.ok(claim.is === "claimed");
    const version = claim.units["nickname"]?.version ?? "";
    const later = { is: "retry", version, at: 600_000, counts: "attempt", fateUnknown: false } as const;
    await mailboxes.settle(user, "token", { nickname: later }, 60_000);
    const delivery = await stage.deliver();
    const queue = stage.engine.queues.queue<WakeUp>(wakeUpQueue(stage.id, "bulk"));
    // The embedded engine throws wake-ups away at its start, and wakes only who is due: there is no sleeper then.
    if (stage.engine.kind === "redis") {
      await until("its wake-up sleeps", async () => (await queue.getDelayed()).length === 1);
    }
    await stage.put("ann", [text("given_name", "Ann")], { priority: PRIORITY.direct });
    await until("it is written", () => stage.writes().length === 1);
    await delivery.stop(10_000);
    assert.deepEqual(stage.writes(), [{ given_name: "Ann" }]);
    assert.equal((await stage.held("ann", "nickname"))?.attempts, 1);
  });

  test("a producer waits while too many users are due", async (t) => {
    const few = people(3);
    const stage = await open(t, few);
    for (const username of few) await stage.put(username, nickname("x"));
    const writes = belowBacklog(() => stage.engine.store.mailboxes.dueCount(stage.id), { limit: 3 }).then(
      () => stage.writes().length,
    );
    await stage.deliver();
    assert.ok((await writes) > 0);
    await stage.settled();
    await belowBacklog(() => stage.engine.store.mailboxes.dueCount(stage.id));
  });

  test("a producer that waits ends with its signal", async (t) => {
    const stage = await open(t, ["ann"]);
    await stage.put("ann", nickname("x"));
    const stop = new AbortController();
    const waiting = belowBacklog(() => stage.engine.store.mailboxes.dueCount(stage.id), { limit: 1 }, stop.signal);
    stop.abort();
    await assert.rejects(waiting, { name: "AbortError" });
  });

  test("a wake-up that is lost is swept", async (t) => {
    const stage = await open(t, ["ann"]);
    await stage.deliver();
    await stage.put("ann", nickname("annie"), { unheard: true });
    await stage.settled();
    assert.deepEqual(stage.writes(), [{ nickname: "annie" }]);
  });

  test("what a dead worker had claimed is sent when its lease has ended", async (t) => {
    const stage = await open(t, ["ann"]);
    const user = await stage.put("ann", nickname("annie"));
    const claim = await stage.engine.store.mailboxes.claim(user, "token of the dead", 1500);
    assert.equal(claim.is, "claimed");
    await stage.deliver();
    await stage.settled();
    assert.deepEqual(stage.writes(), [{ nickname: "annie" }]);
  });

  test("a stop lets the calls in flight end, and leaves the rest queued", async (t) => {
    const few = people(6);
    const stage = await open(t, few, { emulator: { latencyMs: 300 }, concurrency: 2 });
    for (const username of few) await stage.put(username, nickname("x"));
    const delivery = await stage.deliver();
    await until("two calls are in flight", () => stage.calls() === 2);
    await delivery.stop(10_000);
    assert.equal(delivery.ready, false);
    const { applied, pending } = await stage.books();
    assert.equal(applied, stage.calls());
    assert.equal(stage.writes().length, stage.calls());
    assert.equal(pending, 6 - applied);
    await stage.deliver(await stage.open());
    await stage.settled();
    assert.equal(stage.calls(), 6);
  });

  test("a stop whose time is up aborts the calls in flight, and everything stays queued", async (t) => {
    const few = people(3);
    const stage = await open(t, few, { concurrency: 2 });
    stage.emulator.faults.add({ operation: UPDATE, error: { kind: "hang" } });
    for (const username of few) await stage.put(username, nickname("x"));
    const delivery = await stage.deliver();
    await until("two calls are in flight", () => stage.calls() === 2);
    await delivery.stop(0);
    const { pending, dead } = await stage.books();
    assert.deepEqual({ pending, dead }, { pending: 3, dead: 0 });
    for (const username of few) {
      const { mailbox } = await stage.engine.store.mailboxes.read(stage.key(username));
      assert.equal(mailbox?.claim, undefined);
      assert.deepEqual([mailbox?.pending["nickname"]?.attempts, mailbox?.pending["nickname"]?.faults], [0, 0]);
    }
    stage.emulator.faults.clear();
    await stage.deliver(await stage.open());
    await stage.settled();
    assert.equal((await stage.books()).applied, 3);
  });

  test("a delivery that waits for its pace is aborted at once", async (t) => {
    const few = people(3);
    const stage = await open(t, few, { ratePerSecond: 0.1 });
    for (const username of few) await stage.put(username, nickname("x"));
    const delivery = await stage.deliver();
    await until("the first is written", () => stage.writes().length === 1);
    await delivery.stop(0);
    assert.equal((await stage.books()).pending, 2);
  });

  test("two deliveries on one pool never have two calls of one user in flight", async (t) => {
    const some = people(12);
    const stage = await open(t, some, { emulator: { latencyMs: [5, 30] }, watched: true });
    await stage.deliver();
    await stage.deliver(await stage.open());
    for (let round = 1; round <= 8; round += 1) {
      await Promise.all(some.map((username) => stage.put(username, nickname(`round ${round}`))));
    }
    await stage.settled();
    const { most } = stage;
    assert.equal(most.ofOneUser, 1);
    assert.ok(most.ofAll > 1, "Expected calls of different users to overlap");
    for (const username of some) assert.equal(stage.attributes(username)["nickname"], "round 8");
  });
}
