import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { freshPace, rateAt, reserve, throttled, viewPace, type PaceState } from "../../src/core/pace.ts";

const NOW = 1_795_478_400_000;
const CEILING = 20;
const REST_MS = 270;
const TINY = 1e-3;

const one = (state: PaceState, ceiling: number, now: number, urgent = false) =>
  reserve(state, ceiling, now, { maxSlots: 1, urgent });

/** The times of the next slots, from `NOW`, and the state after them. */
function slots(count: number, state: PaceState, nowMs: number, ceiling = CEILING) {
  const times: number[] = [];
  let next = state;
  for (let taken = 0; taken < count; taken += 1) {
    const reserved = one(next, ceiling, nowMs);
    times.push(...reserved.slots.map((slotAt) => slotAt - NOW));
    next = reserved.state;
  }
  return { times, state: next };
}

/** A fleet that takes every slot at its time, from `NOW` on. */
function takeFor(ms: number, before: PaceState, ceiling: number, from = NOW) {
  let state = before;
  let now = from;
  let calls = 0;
  let last = now;
  while (now < from + ms) {
    const reserved = one(state, ceiling, now);
    ({ state } = reserved);
    last = reserved.slots[0] ?? last;
    now = reserved.slots.length > 0 ? Math.max(now, last) : now + reserved.askAgainMs;
    calls += reserved.slots.length;
  }
  return { state, calls, last };
}

const cutAt = (now: number, before = freshPace(CEILING, NOW)): PaceState => {
  const { state, cut } = throttled(before, CEILING, before.nextAt, now);
  assert.equal(cut, true);
  return state;
};

describe("the pace", () => {
  test("gives slots at even distances", () => {
    assert.deepEqual(slots(4, freshPace(CEILING, NOW), NOW).times, [0, 50, 100, 150]);
  });

  test("saves up no more than what a process that wakes late has missed", () => {
    const { state } = slots(2, freshPace(CEILING, NOW), NOW);
    assert.deepEqual(slots(3, state, NOW + 10_000).times, [9950, 10_000, 10_050]);
  });

  for (const rate of [0.5, 1, 3, 20, 25, 200, 1000]) {
    test(`holds ${rate} a second within 1 %`, () => {
      const ms = Math.max(10_000, 100_000 / rate);
      const { calls } = takeFor(ms, freshPace(rate, NOW), rate);
      assert.ok(
        Math.abs(calls / ((rate * ms) / 1000) - 1) <= 0.01 + 2 / ((rate * ms) / 1000),
        `got ${calls} in ${ms} ms`,
      );
    });

    test(`holds ${rate} a second within 1 % although every process wakes late`, () => {
      const ms = Math.max(10_000, 100_000 / rate);
      let state = freshPace(rate, NOW);
      let calls = 0;
      for (let now = NOW; now < NOW + ms; calls += 1) {
        const { state: after, slots: taken, askAgainMs } = one(state, rate, now);
        state = after;
        if (taken.length === 0) calls -= 1;
        now = Math.max(now, (taken[0] ?? now + askAgainMs) + (calls % 7 === 0 ? 12 : 0));
      }
      assert.ok(
        Math.abs(calls / ((rate * ms) / 1000) - 1) <= 0.01 + 2 / ((rate * ms) / 1000),
        `got ${calls} in ${ms} ms`,
      );
    });
  }

  test("is closed for a rest by a throttle, after the slots that were reserved before", () => {
    const { state } = slots(10, freshPace(CEILING, NOW), NOW);
    const after = throttled(state, CEILING, NOW, NOW).state;
    assert.deepEqual(slots(1, after, NOW).times, [500 + REST_MS]);
    assert.equal(after.cutAt, NOW);
  });

  test("takes what was granted between two throttles for the capacity, and goes a little faster", () => {
    let state = cutAt(NOW);
    const from = state.nextAt;
    const taken = takeFor(4000, state, CEILING, from);
    state = throttled(taken.state, CEILING, taken.last, from + 4000).state;
    const capacity = ((taken.calls - 1) * 1000) / (from + 4000 - NOW);
    assert.ok(Math.abs(state.capacity - capacity) < TINY, `Expected ${capacity}, got ${state.capacity}`);
    const rate = rateAt(state, CEILING, state.nextAt);
    assert.ok(rate > capacity * 1.03 && rate < capacity * 1.05);
  });

  test("does not count calls that were throttled, though they were no news", () => {
    const state = cutAt(NOW);
    const taken = takeFor(4000, state, CEILING, state.nextAt);
    const late = [1, 2, 3].reduce((each) => throttled(each, CEILING, NOW, NOW + 4100).state, taken.state);
    assert.equal(late.granted, taken.calls - 3);
    assert.equal(late.capacity, state.capacity);
  });

  const throttles: readonly (readonly [what: string, slotMs: number, cut: boolean])[] = [
    ["of a slot from before the cut", -1, false],
    ["of a slot that was reserved before it", REST_MS - 1, false],
    ["of the first slot after it", REST_MS, true],
  ];
  for (const [what, slotMs, cut] of throttles) {
    test(`is ${cut ? "cut" : "not cut"} again by a throttle ${what}`, () => {
      assert.equal(throttled(cutAt(NOW), CEILING, NOW + slotMs, NOW + 5000).cut, cut);
    });
  }

  test("loses no more than a quarter by a single throttle", () => {
    const { state } = throttled(freshPace(CEILING, NOW), CEILING, NOW, NOW + 60_000);
    assert.ok(Math.abs(state.capacity - 0.75 * CEILING) < TINY);
  });

  test("rises when the throttle that it expects does not come, up to the ceiling", () => {
    const state: PaceState = { ...cutAt(NOW), capacity: 10 };
    const rates = [0, 4000, 6000, 8000, 11_000, 60_000].map((ms) => rateAt(state, CEILING, state.freshFrom + ms));
    assert.equal(rates[0], rates[1]);
    assert.ok(Math.abs((rates[0] ?? 0) - 10 * (1 + 0.038 * Math.SQRT2)) < TINY);
    assert.deepEqual(
      rates.toSorted((a, b) => a - b),
      rates,
    );
    assert.ok((rates[2] ?? 0) < 12 && (rates[3] ?? 0) > 13);
    assert.deepEqual(rates.slice(4), [CEILING, CEILING]);
  });

  for (const ceiling of [0.5, 5, 25, 1000]) {
    test(`never falls below 3 % of the ceiling, nor below a call a second, where the ceiling is ${ceiling}`, () => {
      let state = freshPace(ceiling, NOW);
      let now = NOW;
      for (let count = 0; count < 100; count += 1) {
        const { state: after, slots: taken, askAgainMs } = one(state, ceiling, now);
        const slotAt = taken[0];
        now = slotAt === undefined ? now + askAgainMs : Math.max(now, slotAt);
        state = slotAt === undefined ? after : throttled(after, ceiling, slotAt, now).state;
        assert.ok(rateAt(state, ceiling, now) >= Math.max(0.03 * ceiling, Math.min(1, ceiling)) - TINY);
      }
      assert.ok(rateAt(state, ceiling, now) <= Math.max(0.05 * ceiling, Math.min(1.3, ceiling)));
    });
  }

  test("does not take a pause for a small quota", () => {
    const before = takeFor(500, cutAt(NOW), CEILING, NOW + REST_MS).state;
    const again = takeFor(2000, before, CEILING, NOW + 4000);
    assert.equal(again.state.countedFrom, 0);
    const rate = rateAt(again.state, CEILING, NOW + 6000);
    const { capacity } = throttled(again.state, CEILING, again.last, NOW + 6000).state;
    assert.ok(Math.abs(capacity - 0.75 * rate) < TINY, `Expected ${0.75 * rate}, got ${capacity}`);
  });

  test("promises no slot more than a second ahead", () => {
    const { state, times } = slots(2, freshPace(1, NOW), NOW, 1);
    assert.deepEqual(times, [0, 1000]);
    const third = one(state, 1, NOW + 200);
    assert.deepEqual([third.slots, third.askAgainMs], [[], 800]);
    assert.deepEqual(slots(1, third.state, NOW + 1000, 1).times, [2000]);
  });

  test("reserves in one go what comes within 20 ms", () => {
    const many = (ceiling: number) =>
      reserve(freshPace(ceiling, NOW), ceiling, NOW, { maxSlots: 10, urgent: false }).slots;
    assert.deepEqual(
      [20, 100, 200, 1000].map((ceiling) => many(ceiling).length),
      [1, 3, 5, 10],
    );
  });

  test("lets the urgent overtake, at the rate", () => {
    const { state } = slots(6, freshPace(CEILING, NOW), NOW);
    const first = one(state, CEILING, NOW, true);
    const second = one(first.state, CEILING, NOW, true);
    assert.deepEqual([...first.slots, ...second.slots], [NOW, NOW + 50]);
    assert.deepEqual(slots(1, second.state, NOW).times, [400]);
  });

  test("gives those with a lower ceiling their share, and the others all of the rest", () => {
    let state = freshPace(CEILING, NOW);
    const taken = { low: 0, high: 0 };
    for (const [ceiling, name] of [
      [CEILING, "high"],
      [5, "low"],
    ] as const) {
      ({ state } = one(state, ceiling, NOW));
      taken[name] += 1;
    }
    const lanes = { low: NOW, high: NOW };
    for (let now = NOW; now < NOW + 10_000; now += 1) {
      for (const [ceiling, name] of [
        [CEILING, "high"],
        [5, "low"],
      ] as const) {
        if (lanes[name] > now) continue;
        const reserved = one(state, ceiling, now);
        ({ state } = reserved);
        taken[name] += reserved.slots.length;
        lanes[name] = reserved.slots[0] ?? now + reserved.askAgainMs;
      }
    }
    assert.ok(Math.abs(taken.low - 50) <= 3, `got ${taken.low}`);
    assert.ok(Math.abs(taken.low + taken.high - 200) <= 4, `got ${taken.low + taken.high}`);
    assert.deepEqual(Object.keys(state.lanes).toSorted(), ["20", "5"]);
  });

  test("forgets a ceiling that nobody uses any more", () => {
    const { state } = one(freshPace(CEILING, NOW), CEILING, NOW);
    assert.equal(viewPace(one(state, 5, NOW + 9000).state, 5, NOW + 9000).ceilingPerSecond, CEILING);
    const later = one(state, 5, NOW + 11_000).state;
    assert.deepEqual(Object.keys(later.lanes), ["5"]);
    assert.deepEqual(viewPace(later, 5, NOW + 11_000), { ratePerSecond: 5, ceilingPerSecond: 5, cutAt: 0 });
  });

  test("heals when the clock goes back", () => {
    let { state } = slots(4, cutAt(NOW), NOW + REST_MS);
    const backAt = NOW - 3_600_000;
    const asked = one(state, CEILING, backAt);
    assert.ok(asked.askAgainMs < 500);
    ({ state } = one(asked.state, CEILING, backAt + asked.askAgainMs));
    for (const at of [state.nextAt, state.freshFrom, state.cutAt, state.countedFrom, ...Object.values(state.lanes)]) {
      assert.ok(at <= backAt + 2000, `got ${at - backAt}`);
    }
    assert.equal(viewPace(state, CEILING, backAt).ceilingPerSecond, CEILING);
  });
});
