import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openForSuite } from "./open-store.ts";
import type { Open, Time } from "./open-store.ts";
import type { Reservation } from "../../src/store/pace.ts";

/** Times are doubles: a thousandth of a millisecond is lost somewhere. */
const TINY_MS = 0.01;

/** What every store must do with the pace. */
export function paceSuite(name: string, open: Open, time: Time): void {
  describe(`pace: ${name}`, () => {
    const suite = openForSuite(open, time);
    const reserve = async (bucket: string, ceiling: number, urgent = false): Promise<Reservation> => {
      const [slot] = await suite.store.pace.reserve(bucket, ceiling, { most: 1, urgent });
      assert.ok(slot);
      return slot;
    };

    test("nobody waits for the first slot", async () => {
      const bucket = suite.fresh("bucket");
      assert.equal((await reserve(bucket, 10)).waitMs, 0);
    });

    test("slots that are reserved at once lie at even distances", async () => {
      const bucket = suite.fresh("bucket");
      const slots = await Promise.all(Array.from({ length: 8 }, () => reserve(bucket, 10)));
      const times = slots.map(({ slotAt }) => slotAt).toSorted((a, b) => a - b);
      times.slice(1).forEach((time, index) => assert.ok(time - (times[index] ?? 0) >= 100 - TINY_MS));
      for (const { waitMs } of slots) assert.ok(waitMs >= 0 && waitMs <= 700 + TINY_MS);
      if (suite.movesTime) assert.ok(Math.abs((times[7] ?? 0) - (times[0] ?? 0) - 700) < TINY_MS);
    });

    suite.hours("distances may be parts of a millisecond", async () => {
      const bucket = suite.fresh("bucket");
      const { slotAt } = await reserve(bucket, 3000);
      for (let count = 0; count < 2; count += 1) await reserve(bucket, 3000);
      assert.ok(Math.abs((await reserve(bucket, 3000)).slotAt - slotAt - 1) < TINY_MS);
    });

    test("slots that nobody took are not saved up", async () => {
      const bucket = suite.fresh("bucket");
      await reserve(bucket, 20);
      await suite.passes(200);
      const first = await reserve(bucket, 20);
      const second = await reserve(bucket, 20);
      assert.equal(first.waitMs, 0);
      assert.ok(second.slotAt - first.slotAt >= 50 - TINY_MS);
    });

    test("a throttle halves the rate, once for all who meet it", async () => {
      const { pace } = suite.store;
      const bucket = suite.fresh("bucket");
      const { slotAt } = await reserve(bucket, 10);
      const cuts = await Promise.all([1, 2, 3].map(() => pace.throttled(bucket, 10, slotAt)));
      assert.equal(cuts.filter(Boolean).length, 1);
      const view = await pace.view(bucket, 10);
      assert.ok(view.ratePerSecond >= 5 && view.ratePerSecond < 9);
      assert.ok(view.cutAt >= slotAt);
      const next = await reserve(bucket, 10);
      assert.ok(next.slotAt >= view.cutAt + 200 - TINY_MS);
    });

    test("a slot from before the cut does not cut again", async () => {
      const { pace } = suite.store;
      const bucket = suite.fresh("bucket");
      const before = await reserve(bucket, 10);
      await suite.passes(2);
      assert.equal(await pace.throttled(bucket, 10, before.slotAt), true);
      await suite.passes(1_100);
      assert.equal(await pace.throttled(bucket, 10, before.slotAt), false);
      const after = await reserve(bucket, 10);
      assert.equal(await pace.throttled(bucket, 10, after.slotAt), true);
    });

    suite.hours("the rate comes back by a twentieth of the ceiling a second", async () => {
      const { pace } = suite.store;
      const bucket = suite.fresh("bucket");
      const { slotAt } = await reserve(bucket, 10);
      await pace.throttled(bucket, 10, slotAt);
      assert.equal((await pace.view(bucket, 10)).ratePerSecond, 5);
      await suite.passes(4_000);
      assert.ok(Math.abs((await pace.view(bucket, 10)).ratePerSecond - 7) < TINY_MS);
      await suite.passes(60_000);
      assert.equal((await pace.view(bucket, 10)).ratePerSecond, 10);
    });

    suite.hours("the rate never falls below 3 % of the ceiling", async () => {
      const { pace } = suite.store;
      const bucket = suite.fresh("bucket");
      for (let count = 0; count < 30; count += 1) {
        const { waitMs, slotAt } = await reserve(bucket, 100);
        await suite.passes(Math.ceil(waitMs));
        await pace.throttled(bucket, 100, slotAt);
        assert.ok((await pace.view(bucket, 100)).ratePerSecond >= 3);
        await suite.passes(1);
      }
    });

    test("buckets have nothing to do with each other", async () => {
      const { pace } = suite.store;
      const [one, other] = [suite.fresh("bucket"), suite.fresh("bucket")];
      const { slotAt } = await reserve(one, 1);
      await pace.throttled(one, 1, slotAt);
      assert.equal((await reserve(other, 1)).waitMs, 0);
      assert.deepEqual(await pace.view(suite.fresh("bucket"), 7), {
        ratePerSecond: 7,
        ceilingPerSecond: 7,
        cutAt: 0,
      });
    });

    test("slots that come almost at once are reserved in one go, and no others", async () => {
      const { pace } = suite.store;
      const bucket = suite.fresh("bucket");
      const slots = await pace.reserve(bucket, 200, { most: 100, urgent: false });
      assert.ok(slots.length >= 4 && slots.length <= 5, `Expected 20 ms of slots, got ${slots.length}`);
      assert.equal(slots[0]?.waitMs, 0);
      for (const { waitMs } of slots) assert.ok(waitMs <= 20 + TINY_MS);
      slots.slice(1).forEach(({ slotAt }, at) => assert.ok(Math.abs(slotAt - (slots[at]?.slotAt ?? 0) - 5) < TINY_MS));
      assert.equal((await pace.reserve(bucket, 200, { most: 2, urgent: false })).length, slots.length === 5 ? 1 : 2);
      assert.equal((await pace.reserve(suite.fresh("bucket"), 1000, { most: 3, urgent: false })).length, 3);
      assert.equal((await pace.reserve(suite.fresh("bucket"), 20, { most: 3, urgent: false })).length, 1);
    });

    test("an urgent slot overtakes those that are reserved, and what comes after them makes room", async () => {
      const bucket = suite.fresh("bucket");
      const slots = await Promise.all(Array.from({ length: 5 }, () => reserve(bucket, 2)));
      const last = Math.max(...slots.map(({ slotAt }) => slotAt));
      const [urgent, second] = [await reserve(bucket, 2, true), await reserve(bucket, 2, true)];
      assert.equal(urgent.waitMs, 0);
      assert.ok(Math.abs(second.slotAt - urgent.slotAt - 500) < TINY_MS);
      assert.ok(Math.abs((await reserve(bucket, 2)).slotAt - last - 1500) < TINY_MS);
    });

    test("a throttle holds up the urgent as well", async () => {
      const bucket = suite.fresh("bucket");
      const { slotAt } = await reserve(bucket, 2);
      await suite.store.pace.throttled(bucket, 2, slotAt);
      const { cutAt } = await suite.store.pace.view(bucket, 2);
      assert.ok((await reserve(bucket, 2, true)).slotAt > cutAt + 400);
    });

    test("a ceiling that was lowered holds at once", async () => {
      const { pace } = suite.store;
      const bucket = suite.fresh("bucket");
      await reserve(bucket, 100);
      const first = await reserve(bucket, 4);
      const second = await reserve(bucket, 4);
      assert.ok(second.slotAt - first.slotAt >= 250 - TINY_MS);
      assert.equal((await pace.view(bucket, 4)).ratePerSecond, 4);
    });
  });
}
