import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "../../src/log.ts";
import { deadLetterQueue, publishLetters, republishLetters } from "../../src/queues/dead-letters.ts";
import { executeReplay, discard } from "../../src/delivery/replay.ts";
import { REPLAY_QUEUE, type ReplayOrder, sendOrder, startReplayer } from "../../src/queues/replay-orders.ts";
import { PRIORITY } from "../../src/queues/wake-ups.ts";
import { until } from "../support/condition.ts";
import { type OpenStage, type Stage, text } from "../support/delivery-stage.ts";

const UPDATE = "AdminUpdateUserAttributes";
const NAMES = [text("given_name", "Ann"), text("nickname", "annie")];

/** All letters of the pool that are there by now. */
const orderFor = (stage: Stage, wish: Partial<ReplayOrder> = {}): ReplayOrder => ({
  pool: stage.id,
  until: Date.now() + 60_000,
  ...wish,
});

/** Ids of the jobs that stand for the pool's letters in the queue of their kind. Other tests' are there as well. */
async function published(stage: Stage, kind: string, ids: readonly string[]): Promise<string[]> {
  const queue = stage.engine.queues.queue(deadLetterQueue(kind));
  const jobs = await Promise.all(ids.map((id) => queue.getJob(id)));
  return jobs.flatMap((job) => job?.id ?? []);
}

/** Two letters of a user who is not there. */
async function withLetters(open: OpenStage, t: Parameters<OpenStage>[0]) {
  const stage = await open(t);
  await stage.put("ann", NAMES);
  const delivery = await stage.deliver();
  await stage.settled();
  const letters = await stage.letters();
  assert.equal(letters.length, 2);
  const ids = letters.map(({ id }) => id);
  await until("both are published", async () => (await published(stage, "user-not-found", ids)).length === 2);
  return { stage, ids, delivery };
}

/** Buries a unit of each user without a delivery: cheaper than calls. */
async function bury(stage: Stage, usernames: readonly string[]): Promise<void> {
  const { mailboxes } = stage.engine.store;
  for (const username of usernames) {
    const user = await stage.put(username, [text("nickname", "x")], { unheard: true });
    const claim = await mailboxes.claim(user, `token of ${username}`, 60_000);
    assert.ok(claim.is === "claimed");
    const version = claim.units["nickname"]?.version ?? "";
    const letter = stage.engine.keyring.letterId(user, "nickname", version);
    const settlement = { is: "bury", version, letter, kind: "gave-up", reason: "unknown", fateUnknown: false } as const;
    await mailboxes.settle(user, `token of ${username}`, { nickname: settlement }, 60_000);
  }
}

/** What is set aside, and what becomes of it. */
export function letterSuite(open: OpenStage): void {
  test("a letter's job stands in the queue of its kind, and carries its id alone", async (t) => {
    const { stage, ids } = await withLetters(open, t);
    const queue = stage.engine.queues.queue(deadLetterQueue("user-not-found"));
    for (const id of ids) {
      const job = await queue.getJob(id);
      assert.deepEqual([job?.name, job?.data], ["letter", {}]);
    }
  });

  test("a letter whose job was lost is published again", async (t) => {
    const { stage, ids } = await withLetters(open, t);
    const { queues, store } = stage.engine;
    for (const id of ids) await queues.queue(deadLetterQueue("user-not-found")).remove(id);
    await republishLetters(queues, store.letters, stage.id);
    await republishLetters(queues, store.letters, stage.id);
    assert.deepEqual(await published(stage, "user-not-found", ids), ids);
  });

  test("a job whose letter was replayed or discarded meanwhile is taken away", async (t) => {
    const { stage, ids } = await withLetters(open, t);
    const { queues, store } = stage.engine;
    const letters = await stage.letters();
    await store.letters.discard(ids.slice(1));
    await publishLetters(queues, store.letters, letters);
    assert.deepEqual(await published(stage, "user-not-found", ids), ids.slice(0, 1));
    await store.letters.discard(ids);
    await republishLetters(queues, store.letters, stage.id);
    assert.deepEqual(await published(stage, "user-not-found", ids), []);
  });

  test("a replay is carried out once its cause is mended", async (t) => {
    const { stage, ids } = await withLetters(open, t);
    stage.users.addUser({ username: "ann" });
    const { letters, runs, pools } = await executeReplay(stage.engine, orderFor(stage));
    assert.deepEqual([letters, [...runs], [...pools]], [2, [stage.run], [stage.id]]);
    await stage.settled();
    assert.deepEqual(stage.attributes("ann"), { given_name: "Ann", nickname: "annie" });
    const { received, applied, dead } = await stage.books();
    assert.deepEqual({ received, applied, dead }, { received: 2, applied: 2, dead: 0 });
    assert.deepEqual([await stage.letters(), await published(stage, "user-not-found", ids)], [[], []]);
  });

  test("a replay whose cause is not mended ends as the same letters again", async (t) => {
    const { stage, ids } = await withLetters(open, t);
    await executeReplay(stage.engine, orderFor(stage));
    await stage.settled();
    const letters = await stage.letters();
    assert.deepEqual(letters.map(({ id }) => id).toSorted(), ids.toSorted());
    await until("they are published", async () => (await published(stage, "user-not-found", ids)).length === 2);
    assert.equal((await stage.books()).dead, 2);
  });

  test("a replay that is carried out a second time changes nothing", async (t) => {
    const { stage } = await withLetters(open, t);
    stage.users.addUser({ username: "ann" });
    await executeReplay(stage.engine, orderFor(stage));
    await stage.settled();
    const before = await stage.books();
    assert.equal((await executeReplay(stage.engine, orderFor(stage))).letters, 0);
    assert.deepEqual(await stage.books(), before);
    assert.equal(stage.writes().length, 1);
  });

  test("a letter that something newer has overtaken is stale when it is replayed", async (t) => {
    const { stage } = await withLetters(open, t);
    stage.users.addUser({ username: "ann" });
    await stage.put("ann", [text("nickname", "nan")]);
    await stage.settled();
    await executeReplay(stage.engine, orderFor(stage));
    await stage.settled();
    assert.deepEqual(stage.attributes("ann"), { nickname: "nan", given_name: "Ann" });
    const { applied, stale } = await stage.books();
    assert.deepEqual({ applied, stale }, { applied: 2, stale: 1 });
  });

  test("an order takes the letters that its filter names, and no more than its limit", async (t) => {
    const { stage } = await withLetters(open, t);
    await bury(stage, ["bob", "cem", "dan"]);
    const one = await executeReplay(stage.engine, orderFor(stage, { unit: "given_name" }));
    assert.equal(one.letters, 1);
    const two = await executeReplay(stage.engine, orderFor(stage, { kind: "gave-up", limit: 2 }));
    assert.equal(two.letters, 2);
    await stage.settled();
    const none = await executeReplay(stage.engine, orderFor(stage, { until: 1 }));
    assert.equal(none.letters, 0);
  });

  test("more letters than a page holds are all replayed", async (t) => {
    const stage = await open(t);
    const many = Array.from({ length: 250 }, (_, index) => `user${index}`);
    await bury(stage, many);
    assert.equal((await executeReplay(stage.engine, orderFor(stage))).letters, 250);
    const { dead, pending } = await stage.books();
    assert.deepEqual({ dead, pending }, { dead: 0, pending: 250 });
  });

  test("a replay that is cut leaves the rest as letters", async (t) => {
    const { stage } = await withLetters(open, t);
    await assert.rejects(executeReplay(stage.engine, orderFor(stage), AbortSignal.abort()));
    assert.equal((await stage.books()).dead, 2);
  });

  test("replayed letters do not overtake direct changes", async (t) => {
    const { stage, delivery } = await withLetters(open, t);
    await delivery.stop(10_000);
    await executeReplay(stage.engine, orderFor(stage));
    const { mailbox } = await stage.engine.store.mailboxes.read(stage.key("ann"));
    assert.equal(mailbox?.priority, PRIORITY.bulk);
  });

  test("a letter that is discarded is gone, and counted", async (t) => {
    const { stage, ids } = await withLetters(open, t);
    assert.equal(await discard(stage.engine, orderFor(stage)), 2);
    const { dead, discarded } = await stage.books();
    assert.deepEqual({ dead, discarded }, { dead: 0, discarded: 2 });
    assert.deepEqual([await stage.letters(), await published(stage, "user-not-found", ids)], [[], []]);
    assert.equal((await executeReplay(stage.engine, orderFor(stage))).letters, 0);
  });

  test("a newer value that waits makes a burial superfluous", async (t) => {
    const stage = await open(t, ["ann"], { emulator: { latencyMs: 300 } });
    stage.emulator.faults.add({ operation: UPDATE, times: 1, error: "UserLambdaValidationException" });
    await stage.put("ann", [text("nickname", "annie")]);
    await stage.deliver();
    await until("the call was begun", () => stage.calls() === 1);
    await stage.put("ann", [text("nickname", "nan")]);
    await stage.settled();
    assert.deepEqual(await stage.letters(), []);
    const { applied, superseded } = await stage.books();
    assert.deepEqual({ applied, superseded }, { applied: 1, superseded: 1 });
  });

  test("an order that is left to the fleet is carried out by a replayer", async (t) => {
    const { stage } = await withLetters(open, t);
    await bury(stage, ["bob", "cem", "dan"]);
    await sendOrder(stage.engine, orderFor(stage, { kind: "gave-up", limit: 2 }));
    const queue = stage.engine.queues.queue(REPLAY_QUEUE);
    // Of another version, or by hand: it is dropped, and those behind it are carried out.
    await queue.add("order", { everything: true });
    await sendOrder(stage.engine, orderFor(stage, { kind: "user-not-found" }));
    const replayer = startReplayer(stage.engine, createLog("silent"), (order, signal) =>
      executeReplay(stage.engine, order, signal),
    );
    t.after(() => replayer.stop());
    await until("no order is left", async () => {
      const counts = await queue.getJobCounts();
      return Object.values(counts).every((count) => count === 0);
    });
    await stage.settled();
    const { applied, dead } = await stage.books();
    // Nobody is there yet: those that were replayed are buried anew, as what the fleet found out.
    assert.deepEqual({ applied, dead }, { applied: 0, dead: 5 });
    const kinds = (await stage.letters()).map(({ kind }) => kind).toSorted();
    assert.deepEqual(kinds, ["gave-up", ...Array<string>(4).fill("user-not-found")]);
  });
}
