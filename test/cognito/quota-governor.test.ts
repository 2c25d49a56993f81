import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { createAttributeWriter } from "../../src/cognito/attribute-writer.ts";
import { createCognitoClient } from "../../src/cognito/client.ts";
import { createQuotaGovernor, GovernorClosed } from "../../src/cognito/quota-governor.ts";
import { SlotTooLate, type Slot } from "../../src/cognito/slot.ts";
import type { Episode } from "../../src/cognito/throttle-episodes.ts";
import type { GovernorOptions, QuotaGovernor } from "../../src/cognito/quota-governor.ts";
import { startEmulator } from "../../src/emulator/emulator.ts";
import { createRandom } from "../../src/emulator/random.ts";
import type { Pace, SlotsRequest } from "../../src/store/pace.ts";
import { createPace } from "../../src/store/postgres/pace.ts";
import { exampleAws } from "../support/aws-environment.ts";

const POOL = "eu-west-1_Example";

/** A pace whose waits the test says, one slot a trip; it counts what it is asked. */
function scriptedPace(waitMs: (nth: number) => number | Promise<number> = () => 0) {
  const seen = {
    reserved: 0,
    asking: 0,
    mostAsking: 0,
    wishes: new Array<SlotsRequest>(),
    throttled: new Array<number>(),
  };
  const pace: Pace = {
    async reserve(_bucket, _ceiling, request) {
      seen.wishes.push(request);
      seen.reserved += 1;
      const nth = seen.reserved;
      seen.asking += 1;
      seen.mostAsking = Math.max(seen.mostAsking, seen.asking);
      try {
        return { slots: [{ waitMs: await waitMs(nth), slotAt: nth }], askAgainMs: 0 };
      } finally {
        seen.asking -= 1;
      }
    },
    throttled(_bucket, _ceiling, slotAt) {
      seen.throttled.push(slotAt);
      return Promise.resolve(true);
    },
    view: (_bucket, ceilingPerSecond) =>
      Promise.resolve({ ratePerSecond: ceilingPerSecond / 2, ceilingPerSecond, cutAt: 0 }),
  };
  return { pace, seen };
}

/** The real rule, in memory. */
const realPace = (): Pace => createPace(() => performance.timeOrigin + performance.now());

describe("the quota governor", () => {
  const opened: QuotaGovernor[] = [];
  afterEach(async () => {
    for (const governor of opened.splice(0)) await governor.close();
  });
  const open = (pace: Pace, options: Partial<GovernorOptions> = {}): QuotaGovernor => {
    const governor = createQuotaGovernor({ pace, bucket: "test", ceilingPerSecond: 20, concurrency: 1, ...options });
    opened.push(governor);
    return governor;
  };

  test("asks for as many slots as are waited for, in one trip at a time", async () => {
    const { pace, seen } = scriptedPace(() => 1);
    const governor = open(pace, { concurrency: 10 });
    const slots = await Promise.all(Array.from({ length: 10 }, () => governor.acquire({ priority: 5 })));
    assert.equal(seen.mostAsking, 1);
    assert.deepEqual(seen.wishes.slice(0, 2), [
      { maxSlots: 1, urgent: false },
      { maxSlots: 9, urgent: false },
    ]);
    assert.deepEqual(
      slots.map(({ slotAt }) => slotAt).toSorted((a, b) => a - b),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    );
  });

  test("makes no trip while the pace is closed", async () => {
    const { pace, seen } = scriptedPace((nth) => (nth === 1 ? 0 : 60_000));
    const governor = open(pace, { concurrency: 10 });
    const first = await governor.acquire({ priority: 5 });
    const waiting = Array.from({ length: 5 }, () => governor.acquire({ priority: 5, signal: AbortSignal.timeout(50) }));
    first.done();
    await Promise.allSettled(waiting);
    assert.equal(seen.reserved, 2);
  });

  test("asks no sooner again than the pace says, where it promises nothing yet", async () => {
    const { pace, seen } = scriptedPace();
    const promising: Pace = {
      ...pace,
      async reserve(...args) {
        const reserved = await pace.reserve(...args);
        return seen.reserved <= 2 ? { slots: [], askAgainMs: seen.reserved === 1 ? 40 : 60_000 } : reserved;
      },
    };
    const governor = open(promising);
    const waiting = governor.acquire({ priority: 5, signal: AbortSignal.timeout(120) });
    await assert.rejects(waiting, { name: "TimeoutError" });
    assert.equal(seen.reserved, 2);
  });

  test("asks for a slot of their own for the urgent, once each", async () => {
    const { pace, seen } = scriptedPace((nth) => (nth === 1 ? 60_000 : 0));
    const governor = open(pace, { concurrency: 10 });
    const bulk = governor.acquire({ priority: 9, signal: AbortSignal.timeout(100) });
    const rejected = assert.rejects(bulk, { name: "TimeoutError" });
    await new Promise((resolve) => setImmediate(resolve));
    const urgent = await Promise.all([governor.acquire({ priority: 1 }), governor.acquire({ priority: 0 })]);
    assert.deepEqual(
      urgent.map(({ slotAt }) => slotAt).toSorted((a, b) => a - b),
      [2, 3],
    );
    await rejected;
    assert.deepEqual(
      seen.wishes.map(({ urgent: is }) => is),
      [false, true, true],
    );
  });

  test("hands a slot to whoever is most urgent when it is due, not to whoever asked for it", async () => {
    const { promise: opened, resolve: letThrough } = Promise.withResolvers<number>();
    const { pace } = scriptedPace((nth) => (nth === 1 ? opened : 0));
    const governor = open(pace);
    const served: number[] = [];
    const serve = (priority: number) =>
      governor.acquire({ priority }).then((slot) => {
        served.push(priority);
        slot.done();
      });
    const all = [9, 5, 20, 0, -3, 7].map(serve);
    letThrough(50);
    await Promise.all(all);
    assert.deepEqual(served, [0, -3, 5, 7, 9, 20]);
  });

  test("reserves nothing while as many calls are in flight as may be", async () => {
    const { pace, seen } = scriptedPace();
    const governor = open(pace, { concurrency: 2 });
    const [first, second] = await Promise.all([governor.acquire({ priority: 1 }), governor.acquire({ priority: 1 })]);
    let third: Slot | undefined;
    const acquiring = governor.acquire({ priority: 1 }).then((slot) => (third = slot));
    await second?.throttled();
    await acquiring;
    assert.equal(third?.slotAt, 3);
    assert.equal(seen.reserved, 3);
    const fourth = governor.acquire({ priority: 1, deadlineMs: 20 });
    await assert.rejects(fourth, SlotTooLate);
    assert.equal(seen.reserved, 3);
    first?.done();
  });

  test("hands out slots to prepare calls in, and lets no more begin than may be in flight", async () => {
    const { pace, seen } = scriptedPace();
    const governor = open(pace, { concurrency: 2, preparing: 2 });
    const slots = await Promise.all([1, 2, 3, 4].map(() => governor.acquire({ priority: 9 })));
    await assert.rejects(governor.acquire({ priority: 9, deadlineMs: 20 }), SlotTooLate);
    const begun: number[] = [];
    const begin = async (nth: number): Promise<void> => {
      await slots[nth]?.begin();
      begun.push(nth);
    };
    const all = [begin(2), begin(0), begin(3), begin(1)];
    await Promise.all(all.slice(0, 2));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(begun, [2, 0]);
    slots[0]?.done();
    await all[2];
    assert.deepEqual(begun, [2, 0, 3]);
    // One slot is no longer out, but as many calls are in flight as may be.
    await assert.rejects(governor.acquire({ priority: 9, deadlineMs: 20 }), SlotTooLate);
    assert.equal(seen.reserved, 4);
    slots[2]?.done();
    await all[3];
    slots[3]?.done();
    const fifth = await governor.acquire({ priority: 9 });
    assert.equal(fifth.slotAt, 5);
    fifth.giveBack();
    slots[1]?.done();
  });

  test("lets an urgent waiter's call begin before those that are ready", async () => {
    const { pace } = scriptedPace();
    const governor = open(pace, { concurrency: 1, preparing: 2 });
    const begun: string[] = [];
    const begin = async (name: string, slot: Slot): Promise<Slot> => {
      await slot.begin();
      begun.push(name);
      return slot;
    };
    const [first, second, third] = await Promise.all([1, 2, 3].map(() => governor.acquire({ priority: 9 })));
    assert.ok(first && second && third);
    await begin("first", first);
    const [secondBegins, thirdBegins] = [begin("second", second), begin("third", third)];
    const later = assert.rejects(governor.acquire({ priority: 9, deadlineMs: 20 }), SlotTooLate);
    const urgentBegins = governor.acquire({ priority: 0 }).then((slot) => begin("urgent", slot));
    first.done();
    await later;
    (await urgentBegins).done();
    (await secondBegins).done();
    (await thirdBegins).done();
    assert.deepEqual(begun, ["first", "urgent", "second", "third"]);
  });

  test("lets no call begin whose slot is no longer fresh", async () => {
    const { pace } = scriptedPace();
    const governor = open(pace, { concurrency: 1, preparing: 1 });
    const [first, second] = await Promise.all([1, 2].map(() => governor.acquire({ priority: 9 })));
    assert.equal(await first?.begin(), true);
    assert.equal(await first?.begin(), true);
    assert.equal(await second?.begin(), false);
    second?.giveBack();
    first?.done();
    const third = await governor.acquire({ priority: 9 });
    assert.equal(await third.begin(), true);
    third.done();
  });

  test("gives a slot that was given back to the next waiter", async () => {
    const { pace, seen } = scriptedPace();
    const governor = open(pace);
    const first = await governor.acquire({ priority: 1 });
    const acquiring = governor.acquire({ priority: 1 });
    first.giveBack();
    first.giveBack();
    first.done();
    const second = await acquiring;
    assert.equal(second.slotAt, first.slotAt);
    second.done();
    const third = await governor.acquire({ priority: 1 });
    assert.notEqual(third.slotAt, second.slotAt);
    third.giveBack();
    const fourth = await governor.acquire({ priority: 1 });
    assert.equal(fourth.slotAt, third.slotAt);
    assert.equal(seen.reserved, 2);
  });

  test("keeps the slot of a waiter who has gone for the next", async () => {
    const gate = Promise.withResolvers<number>();
    const { pace, seen } = scriptedPace((nth) => (nth === 1 ? gate.promise : 0));
    const governor = open(pace);
    const stop = new AbortController();
    const gone = governor.acquire({ priority: 1, signal: stop.signal });
    const next = governor.acquire({ priority: 1 });
    stop.abort();
    await assert.rejects(gone, { name: "AbortError" });
    gate.resolve(0);
    assert.equal((await next).slotAt, 1);
    assert.equal(seen.reserved, 1);
  });

  test("rejects at once with the signal's reason", async () => {
    const { pace } = scriptedPace(() => 60_000);
    const governor = open(pace);
    const reason = new Error("the worker stops");
    const stop = new AbortController();
    const waiting = governor.acquire({ priority: 1, signal: stop.signal });
    stop.abort(reason);
    await assert.rejects(waiting, reason);
    await assert.rejects(governor.acquire({ priority: 1, signal: stop.signal }), reason);
  });

  test("rejects at once who cannot be served in time", async () => {
    const { pace } = scriptedPace(() => 60_000);
    const governor = open(pace);
    await assert.rejects(governor.acquire({ priority: 1, deadlineMs: 30_000 }), SlotTooLate);
    await assert.rejects(governor.acquire({ priority: 1, deadlineMs: 0 }), SlotTooLate);
  });

  test("tells its waiters of a store that fails, and asks it again for the next", async () => {
    const lost = new Error("Connection is closed");
    const { pace } = scriptedPace((nth) => (nth === 1 ? Promise.reject(lost) : 0));
    const governor = open(pace);
    await assert.rejects(governor.acquire({ priority: 1 }), lost);
    assert.equal((await governor.acquire({ priority: 1 })).slotAt, 2);
  });

  test("rejects its waiters when it is closed, and whoever comes later", async () => {
    const { pace } = scriptedPace(() => 60_000);
    const governor = open(pace);
    const waiting = governor.acquire({ priority: 1 });
    const rejected = assert.rejects(waiting, GovernorClosed);
    await governor.close();
    await rejected;
    await assert.rejects(governor.acquire({ priority: 1 }), GovernorClosed);
  });

  test("tells the pace of every throttle, and its listener of an episode", async () => {
    const { pace, seen } = scriptedPace();
    const episodes: Episode[] = [];
    const governor = open(pace, { onEpisode: (episode) => episodes.push(episode) });
    for (let nth = 1; nth <= 3; nth += 1) await (await governor.acquire({ priority: 1 })).throttled();
    assert.deepEqual(seen.throttled, [1, 2, 3]);
    assert.deepEqual(episodes, [{ is: "began", bucket: "test", ratePerSecond: 10 }]);
    await governor.close();
    assert.equal(episodes.length, 2);
    const [, ended] = episodes;
    assert.ok(ended?.is === "ended" && ended.throttled === 3);
  });

  test("answers everybody, whatever the others do", async (t) => {
    const seed = Number(process.env["POOLSYNC_TEST_SEED"] ?? Date.now() % 1_000_000);
    t.diagnostic(`seed ${seed}`);
    const random = createRandom(seed);
    const { pace } = scriptedPace(() => {
      if (random() < 0.02) throw new Error("Connection is closed");
      return random() < 0.5 ? 0 : random() * 4;
    });
    const governor = open(pace, { concurrency: 3, preparing: 3 });
    let [out, calls] = [0, 0];
    const answers = new Map<string, number>();
    const count = (answer: string) => answers.set(answer, (answers.get(answer) ?? 0) + 1);
    const call = async () => {
      const priority = Math.floor(random() * 10);
      const deadline = random() < 0.2 ? { deadlineMs: random() * 20 } : {};
      const signal = random() < 0.2 ? AbortSignal.timeout(Math.floor(random() * 20)) : undefined;
      try {
        const slot = await governor.acquire({ priority, ...deadline, ...(signal && { signal }) });
        out += 1;
        assert.ok(out <= 6, "Expected at most 6 slots to be out");
        const isUnused = random() < 0.2;
        if (random() < 0.5) await new Promise((resolve) => setImmediate(resolve));
        if (!isUnused) {
          assert.equal(await slot.begin(), true);
          calls += 1;
          assert.ok(calls <= 3, "Expected at most 3 calls in flight");
          await new Promise((resolve) => setImmediate(resolve));
          calls -= 1;
        }
        out -= 1;
        count("slot");
        const end = random();
        if (isUnused || end < 0.3) slot.giveBack();
        else if (end < 0.4) await slot.throttled();
        else slot.done();
      } catch (error) {
        if (error instanceof assert.AssertionError || !(error instanceof Error)) throw error;
        count(error.name);
      }
    };
    const lane = async () => {
      for (let nth = 0; nth < 30; nth += 1) await call();
    };
    await Promise.all(Array.from({ length: 10 }, lane));
    assert.equal(
      [...answers.values()].reduce((sum, n) => sum + n, 0),
      300,
    );
    assert.ok((answers.get("slot") ?? 0) > 0);
  });

  test("keeps real calls within the service's quota", async () => {
    const restore = exampleAws();
    const emulator = await startEmulator({ quotas: { UserUpdate: 100 }, burstSeconds: 0.2 });
    emulator.pools.add({ id: POOL }).addUser({ username: "ada" });
    const client = createCognitoClient({ endpoint: emulator.url, concurrency: 10 });
    const writer = createAttributeWriter(client);
    const governor = open(realPace(), { ceilingPerSecond: 80, concurrency: 10 });
    const signal = new AbortController().signal;
    const call = async (nth: number) => {
      const slot = await governor.acquire({ priority: 5, signal });
      try {
        return await writer.write(POOL, "ada", [{ Name: "name", Value: String(nth) }], { signal, notAfter: Infinity });
      } finally {
        slot.done();
      }
    };
    const answers = await Promise.all(Array.from({ length: 100 }, (_, nth) => call(nth)));
    client.close();
    await emulator.close();
    restore();
    assert.equal(answers.filter(({ ok }) => ok).length, 100);
    assert.equal(emulator.counters.categories.UserUpdate.throttled, 0);
  });
});
