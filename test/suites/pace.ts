import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openForSuite } from "./open-store.ts";
import type { Open, Time } from "./open-store.ts";
import type { SlotGrant } from "../../src/store/pace.ts";

/** Times are doubles: a thousandth of a millisecond is lost somewhere. */
const TINY_MS = 0.01;

/** What every store must do with the pace. */
export function paceSuite(name: string, open: Open, time: Time): void {
  describe(`pace: ${name}`, () => {
    const suite = openForSuite(open, time);
    const reserve = async (bucket: string, ceiling: number, urgent = false): Promise<SlotGrant> => {
      const [slot] = (await suite.store.pace.reserve(bucket, ceiling, { maxSlots: 1, urgent })).slots;
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

    test("a throttle closes the pace for a rest and lowers the rate, once for all who meet it", async () => {
      const { pace } = suite.store;
      const bucket = suite.fresh("bucket");
      const { slotAt } = await reserve(bucket, 10);
      await suite.passes(300);
      const cuts = await Promise.all([1, 2, 3].map(() => pace.throttled(bucket, 10, slotAt)));
      assert.equal(cuts.filter(Boolean).length, 1);
      const view = await pace.view(bucket, 10);
      assert.ok(view.ratePerSecond >= 7 && view.ratePerSecond < 9, `Expected 7 to 9, got ${view.ratePerSecond}`);
      assert.ok(view.cutAt >= slotAt);
      const next = await reserve(bucket, 10);
      assert.ok(next.slotAt >= view.cutAt + 200);
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

    suite.hours("the rate comes back by itself, up to the ceiling", async () => {
      const { pace } = suite.store;
      const bucket = suite.fresh("bucket");
      for (let count = 0; count < 30; count += 1) {
        const { waitMs, slotAt } = await reserve(bucket, 100);
        await suite.passes(Math.ceil(waitMs));
        await pace.throttled(bucket, 100, slotAt);
        const { ratePerSecond } = await pace.view(bucket, 100);
        assert.ok(ratePerSecond >= 3, `Expected no less than 3 % of the ceiling, got ${ratePerSecond}`);
        await suite.passes(1);
      }
      await suite.passes(8_000);
      await reserve(bucket, 100);
      assert.equal((await pace.view(bucket, 100)).ratePerSecond, 100);
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
      const many = async (of: string, ceiling: number, maxSlots: number) =>
        (await pace.reserve(of, ceiling, { maxSlots, urgent: false })).slots;
      const slots = await many(bucket, 200, 100);
      assert.ok(slots.length >= 4 && slots.length <= 5, `Expected 20 ms of slots, got ${slots.length}`);
      assert.equal(slots[0]?.waitMs, 0);
      for (const { waitMs } of slots) assert.ok(waitMs <= 20 + TINY_MS);
      slots.slice(1).forEach(({ slotAt }, at) => assert.ok(Math.abs(slotAt - (slots[at]?.slotAt ?? 0) - 5) < TINY_MS));
      // All that come within 20 ms of when it is asked, and one at the least; the store's own clock goes on between the two.
      const more = await many(bucket, 200, 2);
      const [next] = more;
      assert.ok(next && Math.abs(next.slotAt - (slots.at(-1)?.slotAt ?? 0) - 5) < TINY_MS);
      assert.equal(more.length, next.waitMs + 5 <= 20 + TINY_MS ? 2 : 1);
      assert.equal((await many(suite.fresh("bucket"), 1000, 3)).length, 3);
      assert.equal((await many(suite.fresh("bucket"), 20, 3)).length, 1);
    });

    test("no slot is promised more than a second ahead", async () => {
      const { pace } = suite.store;
      const bucket = suite.fresh("bucket");
      const [first, second] = [await reserve(bucket, 1.5), await reserve(bucket, 1.5)];
      assert.ok(Math.abs(second.slotAt - first.slotAt - 1000 / 1.5) < TINY_MS);
      const third = await pace.reserve(bucket, 1.5, { maxSlots: 1, urgent: false });
      assert.deepEqual(third.slots, []);
      assert.ok(third.askAgainMs > 0 && third.askAgainMs <= 334);
      await suite.passes(third.askAgainMs + 1);
      assert.ok(Math.abs((await reserve(bucket, 1.5)).slotAt - first.slotAt - 2000 / 1.5) < TINY_MS);
    });

    test("an urgent slot overtakes those that are reserved, and what comes after them makes room", async () => {
      const bucket = suite.fresh("bucket");
      const slots = await Promise.all(Array.from({ length: 5 }, () => reserve(bucket, 8)));
      const last = Math.max(...slots.map(({ slotAt }) => slotAt));
      const [urgent, second] = [await reserve(bucket, 8, true), await reserve(bucket, 8, true)];
      assert.equal(urgent.waitMs, 0);
      assert.ok(Math.abs(second.slotAt - urgent.slotAt - 125) < TINY_MS);
      assert.ok(Math.abs((await reserve(bucket, 8)).slotAt - last - 375) < TINY_MS);
    });

    test("a throttle holds up the urgent as well", async () => {
      const bucket = suite.fresh("bucket");
      const { slotAt } = await reserve(bucket, 2);
      await suite.store.pace.throttled(bucket, 2, slotAt);
      const { cutAt } = await suite.store.pace.view(bucket, 2);
      assert.ok((await reserve(bucket, 2, true)).slotAt > cutAt + 200);
    });

    test("a lower ceiling is a share of the rate, and takes nothing from the others", async () => {
      const { pace } = suite.store;
      const bucket = suite.fresh("bucket");
      const first = await reserve(bucket, 100);
      const low = [await reserve(bucket, 4), await reserve(bucket, 4)];
      assert.ok((low[1]?.slotAt ?? 0) - (low[0]?.slotAt ?? 0) >= 250 - TINY_MS);
      if (suite.movesTime) assert.ok(Math.abs((await reserve(bucket, 100)).slotAt - first.slotAt - 30) < TINY_MS);
      assert.deepEqual(await pace.view(bucket, 4), { ratePerSecond: 100, ceilingPerSecond: 100, cutAt: 0 });
    });

    suite.hours("a ceiling that nobody has reserved with for a while is forgotten", async () => {
      const { pace } = suite.store;
      const bucket = suite.fresh("bucket");
      await reserve(bucket, 100);
      await suite.passes(11_000);
      await reserve(bucket, 4);
      assert.equal((await pace.view(bucket, 100)).ratePerSecond, 4);
    });

    suite.hours("a clock that goes back holds up nobody for long", async () => {
      const { pace } = suite.store;
      const bucket = suite.fresh("bucket");
      await reserve(bucket, 10);
      await suite.passes(-3_600_000);
      const { askAgainMs } = await pace.reserve(bucket, 10, { maxSlots: 1, urgent: false });
      assert.ok(askAgainMs > 0 && askAgainMs < 500, `Expected to wait for less than half a second, got ${askAgainMs}`);
      await suite.passes(Math.ceil(askAgainMs));
      assert.ok((await reserve(bucket, 10)).waitMs <= 1000 + TINY_MS);
      assert.ok((await pace.view(bucket, 10)).ratePerSecond === 10);
    });
  });
}
