import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { putFeed, type FeedRunOptions } from "../../src/delivery/feed-run.ts";
import { releaseKept, sortOut } from "../../src/delivery/kept-users.ts";
import { createProducer } from "../../src/delivery/producer.ts";
import { feedGate, poolGate } from "../../src/core/gate.ts";
import { PRIORITY, wakeUpQueue } from "../../src/queues/wake-ups.ts";
import { until } from "../support/condition.ts";
import { type OpenStage, type Stage, text } from "../support/delivery-stage.ts";

/**
 * As many as a producer waits for. Putting them, keeping them and making them due again takes the embedded engine half a
 * minute of CPU, so there the producer is told to wait for fewer: more than a page of what keeps and releases.
 */
const DUE = { redis: { due: 20_000, told: {} }, embedded: { due: 1_000, told: { backlog: 1_000 } } };
const BY = { by: "zofia@desk", reason: "a wrong file" };
const nickname = (value: string) => [text("nickname", value)];
const people = (count: number): string[] => Array.from({ length: count }, (_, nth) => `user${nth}`);

/** As the command does. */
async function pause({ engine, id }: Stage, gate: string): Promise<void> {
  assert.ok(await engine.store.gates.pause(gate, BY));
  await sortOut(engine.store, { pool: id });
}

async function resume({ engine }: Stage, gate: string): Promise<number> {
  assert.ok(await engine.store.gates.resume(gate));
  return releaseKept(engine, gate);
}

/** A run of a feed of its own, and what puts its changes. */
async function otherRun({ engine, pool, id }: Stage, name: string) {
  const run = `${name}-${id}`;
  const feed = `feed-${run}`;
  const beginning = { id: run, source: "file", pool: id, feed, identity: "", asOf: Date.now() } as const;
  const begun = await engine.store.runs.begin(beginning);
  const producer = createProducer({ engine, profile: pool.profile, run, priority: PRIORITY.bulk });
  return {
    run,
    name: feed,
    /** Reads a file of these users. */
    async feed(usernames: readonly string[], how: Partial<Pick<FeedRunOptions, "deliversOwn" | "backlog" | "signal">>) {
      const rows = usernames.map((username, nth) => ({
        kind: "change" as const,
        line: nth + 2,
        change: { username, units: nickname("fed") },
        invalid: [],
      }));
      await putFeed({
        engine,
        profile: pool.profile,
        names: pool.names,
        run: begun.run,
        records: Readable.from(rows),
        report: () => {},
        signal: new AbortController().signal,
        ...how,
      });
    },
    books: () => engine.store.runs.books(run),
    async put(usernames: readonly string[], value: string) {
      const changes = usernames.map((username) => ({ username, units: nickname(value) }));
      await producer.put(changes, { invalid: 0, rows: { read: changes.length, faulty: 0 } });
    },
  };
}

/** What gates keep from being sent while deliveries run, and how it goes on. */
export function gateSuite(open: OpenStage): void {
  test("a pause is obeyed while deliveries run, and what was kept is delivered in order after it", async (t) => {
    const users = people(60);
    const stage = await open(t, users, { ratePerSecond: 20, concurrency: 4 });
    const gate = poolGate(stage.id);
    await stage.putPage(users, nickname("first"));
    await stage.deliver();
    await until("some are written", () => stage.writes().length >= 5);
    await pause(stage, gate);
    const atPause = stage.calls();
    for (const username of users.slice(0, 10)) await stage.put(username, nickname("second"));
    await sleep(1500);
    assert.ok(stage.calls() - atPause <= 4, `${stage.calls() - atPause} calls after the pause`);
    const { applied, pending, superseded } = await stage.books();
    assert.equal(applied + pending + superseded, users.length + 10);
    assert.equal(await stage.engine.store.gates.kept(gate), pending);
    assert.ok((await resume(stage, gate)) > 0);
    await stage.settled();
    for (const [nth, username] of users.entries()) {
      assert.equal(stage.attributes(username)["nickname"], nth < 10 ? "second" : "first");
      const values = stage.writes(username).map((written) => written["nickname"]);
      assert.ok(["first", "second", "first second"].includes(values.join(" ")), values.join(" "));
    }
    assert.equal(await stage.engine.store.gates.kept(gate), 0);
  });

  test("a pause over a hold is not lifted by a probe, and a hold not by a resume", async (t) => {
    const stage = await open(t, ["ann", "bob", "cem"], { concurrency: 1 });
    const gate = poolGate(stage.id);
    stage.emulator.faults.add({ operation: "AdminUpdateUserAttributes", error: "ResourceNotFoundException" });
    for (const username of ["ann", "bob", "cem"]) await stage.put(username, nickname("x"));
    await stage.deliver();
    await until("the pool is held", async () => (await stage.holdOf("pool")) === "pool-not-found");
    await pause(stage, gate);
    stage.emulator.faults.clear();
    const before = stage.calls();
    const { probeAt = 0 } = (await holdOf(stage)) ?? {};
    await until("a probe would be due", () => Date.now() > probeAt + 1500);
    assert.equal(stage.calls(), before, "no probe goes through the pause");
    assert.equal(await stage.holdOf("pool"), "pool-not-found");
    // A probe is due by now, and may go through at once.
    await resume(stage, gate);
    await stage.settled();
    assert.deepEqual([(await stage.books()).applied, await stage.holdOf("pool")], [3, undefined]);
  });

  test("a hold that comes over a pause keeps what was resumed until a probe lifts it", async (t) => {
    const stage = await open(t, ["ann", "bob"], { concurrency: 1 });
    const paused = await otherRun(stage, "paused");
    const gate = feedGate(paused.name);
    await pause(stage, gate);
    await paused.put(["ann"], "kept");
    stage.emulator.faults.add({ operation: "AdminUpdateUserAttributes", error: "ResourceNotFoundException" });
    await stage.put("bob", nickname("held"));
    await stage.deliver();
    await until("the pool is held", async () => (await stage.holdOf("pool")) === "pool-not-found");
    stage.emulator.faults.clear();
    await until("a probe has lifted the hold", async () => (await stage.books()).applied === 1);
    await until("it is lifted", async () => (await stage.holdOf("pool")) === undefined);
    assert.deepEqual([(await paused.books()).pending, stage.writes("ann")], [1, []], "the probe opens no gate");
    await stage.engine.store.holds.place(stage.id, "pool", "pool-not-found");
    await resume(stage, gate);
    const isHeld = (await stage.holdOf("pool")) !== undefined;
    assert.ok(isHeld || stage.writes("ann").length === 1, "nothing lifts it but a call");
    await until("it is delivered", async () => (await paused.books()).pending === 0);
    assert.deepEqual(stage.writes("ann"), [{ nickname: "kept" }]);
  });

  test("a process that delivers some runs leaves the others to those who deliver everything", async (t) => {
    const users = people(60);
    const stage = await open(t, users, { ratePerSecond: 40 });
    const own = await otherRun(stage, "own");
    const some = await stage.pool.deliver(new Set([own.run]));
    t.after(() => some.stop(0));
    await own.put(users.slice(0, 30), "own");
    await stage.putPage(users.slice(30), nickname("others"));
    await until("its own are written", async () => (await own.books()).pending === 0);
    assert.deepEqual([(await own.books()).applied, (await stage.books()).applied], [30, 0]);
    // The wake-up of a single change is left where whoever delivers everything finds it at once.
    await stage.put("user30", nickname("single"), { priority: PRIORITY.direct });
    await own.put(users.slice(0, 30), "own again");
    await until("its own are written", async () => (await own.books()).applied === 60);
    assert.equal(await stage.engine.queues.queue(wakeUpQueue(stage.id, "urgent")).count(), 1);
    if (stage.engine.kind === "embedded") return;
    await stage.deliver(await stage.open());
    await until("the single one is written", () => stage.attributes("user30")["nickname"] === "single");
    await stage.settled();
    assert.equal((await stage.books()).applied, 30);
  });
}

/** With a store that several processes have open. */
export function fleetGateSuite(open: OpenStage): void {
  test("two processes that deliver runs of their own at once both come to their end", async (t) => {
    const users = people(40);
    const stage = await open(t, users, { ratePerSecond: 100 });
    const [one, other] = [await otherRun(stage, "one"), await otherRun(stage, "other")];
    for (const [{ run }, pool] of [
      [one, stage.pool],
      [other, await stage.open()],
    ] as const) {
      const delivery = await pool.deliver(new Set([run]));
      t.after(() => delivery.stop(0));
    }
    await Promise.all([one.put(users.slice(0, 20), "one"), other.put(users.slice(20), "other")]);
    await until("both are delivered", async () => (await one.books()).applied + (await other.books()).applied === 40);
  });
}

/** Alone on an engine: whoever delivers on it makes what is resumed due. */
export function fullGateSuite(open: OpenStage): void {
  test("whoever opened a gate was killed: the next sweeps make what it kept due", async (t) => {
    // More than a page.
    const users = people(250);
    const stage = await open(t, users);
    const gate = poolGate(stage.id);
    await pause(stage, gate);
    await stage.putPage(users, nickname("x"));
    await stage.deliver();
    assert.equal(await stage.engine.store.gates.kept(gate), users.length);
    assert.ok(await stage.engine.store.gates.resume(gate));
    // A page is released, and nobody of it is woken.
    await stage.engine.store.mailboxes.release(gate, 200);
    await stage.settled();
    assert.equal((await stage.books()).applied, users.length);
  });

  test("a feed that is paused with a full backlog keeps no other of its pool waiting", async (t) => {
    const stage = await open(t, people(3));
    const { due, told } = DUE[stage.engine.kind];
    const { mailboxes, gates } = stage.engine.store;
    const wrong = await otherRun(stage, "wrong");
    for (let from = 0; from < due; from += 1000)
      await wrong.put(
        people(1000).map((user) => `${user} ${from}`),
        "x",
      );
    const right = await otherRun(stage, "right");
    const own = await otherRun(stage, "own");
    assert.equal(await mailboxes.dueCount(stage.id), due);
    await assert.rejects(right.feed(["user0"], { ...told, signal: AbortSignal.timeout(500) }), /abort/i, "it waits");
    // What this process leaves to others is no backlog of its own.
    await own.feed(["user2"], { ...told, deliversOwn: true });

    const gate = feedGate(wrong.name);
    await pause(stage, gate);
    assert.deepEqual([await mailboxes.dueCount(stage.id), await gates.kept(gate)], [1, due]);
    const delivery = await stage.deliver();
    await right.feed(["user0", "user1"], told);
    await until("it is delivered", async () => (await right.books()).applied === 2);
    assert.equal(stage.writes().length, 3);
    await delivery.stop(0);

    assert.equal(await resume(stage, gate), due);
    assert.deepEqual([await mailboxes.dueCount(stage.id), await gates.kept(gate)], [due, 0]);
    assert.deepEqual([(await wrong.books()).pending, stage.writes().length], [due, 3]);
  });
}

async function holdOf({ engine, id }: Stage) {
  return (await engine.store.holds.list()).find(({ pool }) => pool === id);
}
