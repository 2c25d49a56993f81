import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { freshPace, rateAt, reserve, throttled } from "../../src/core/pace.ts";
import type { PaceState } from "../../src/core/pace.ts";

const NOW = 1_795_478_400_000;
const CEILING = 20;

/** The times of the next slots, from `NOW`, and the state after them. */
function slots(count: number, state: PaceState, nowMs: number) {
  const times: number[] = [];
  let next = state;
  for (let taken = 0; taken < count; taken += 1) {
    const { state: after, slotAt } = reserve(next, CEILING, nowMs);
    times.push(slotAt - NOW);
    next = after;
  }
  return { times, state: next };
}

describe("the pace", () => {
  test("gives slots at even distances", () => {
    assert.deepEqual(slots(4, freshPace(CEILING, NOW), NOW).times, [0, 50, 100, 150]);
  });

  test("saves nothing up", () => {
    const { state } = slots(2, freshPace(CEILING, NOW), NOW);
    assert.deepEqual(slots(2, state, NOW + 10_000).times, [10_000, 10_050]);
  });

  test("is halved by a throttle, and the next slot is a whole distance away", () => {
    const { state, cut } = throttled(freshPace(CEILING, NOW), CEILING, NOW, NOW);
    assert.equal(cut, true);
    assert.equal(rateAt(state, CEILING, NOW), 10);
    assert.equal(state.cutAt, NOW);
    assert.deepEqual(slots(2, state, NOW).times, [100, 200]);
  });

  test("keeps the slots that were reserved before a cut", () => {
    const { state } = slots(10, freshPace(CEILING, NOW), NOW);
    const after = throttled(state, CEILING, NOW, NOW).state;
    assert.deepEqual(slots(1, after, NOW).times, [500]);
  });

  const throttles: readonly (readonly [what: string, slotMs: number, afterMs: number, cut: boolean])[] = [
    ["at once", 0, 0, false],
    ["within a second", 999, 999, false],
    ["after a second", 1000, 1000, true],
    ["after a second, of a slot from before the cut", -1, 5000, false],
    ["after a second, of the slot of the cut's time", 0, 5000, true],
  ];
  for (const [what, slotMs, afterMs, cut] of throttles) {
    test(`is ${cut ? "cut" : "not cut"} a second time ${what}`, () => {
      const first = throttled(freshPace(CEILING, NOW), CEILING, NOW, NOW).state;
      const second = throttled(first, CEILING, NOW + slotMs, NOW + afterMs);
      assert.equal(second.cut, cut);
      if (!cut) assert.equal(second.state, first);
    });
  }

  test("comes back by a twentieth of the ceiling a second, up to the ceiling", () => {
    const { state } = throttled(freshPace(CEILING, NOW), CEILING, NOW, NOW);
    const rates = [0, 1000, 1500, 9000, 10_000, 60_000].map((ms) => rateAt(state, CEILING, NOW + ms));
    assert.deepEqual(rates, [10, 11, 11.5, 19, 20, 20]);
  });

  test("comes back the same however often it is used meanwhile", () => {
    let { state } = throttled(freshPace(CEILING, NOW), CEILING, NOW, NOW);
    for (let ms = 0; ms <= 4000; ms += 10) ({ state } = reserve(state, CEILING, NOW + ms));
    assert.ok(Math.abs(rateAt(state, CEILING, NOW + 4000) - 14) < 1e-6);
  });

  test("never falls below 3 % of the ceiling", () => {
    let state = freshPace(CEILING, NOW);
    for (let ms = 0; ms < 60_000; ms += 1000) ({ state } = throttled(state, CEILING, NOW + ms, NOW + ms));
    assert.ok(rateAt(state, CEILING, state.rateAt) >= 0.03 * CEILING);
    assert.ok(rateAt(state, CEILING, state.rateAt) < 0.1 * CEILING);
  });

  test("does not run backwards with the clock", () => {
    const { state } = throttled(freshPace(CEILING, NOW), CEILING, NOW, NOW);
    assert.equal(rateAt(state, CEILING, NOW - 5000), 10);
  });

  test("follows a ceiling that is lowered at once", () => {
    const fresh = freshPace(CEILING, NOW);
    assert.equal(rateAt(fresh, 5, NOW), 5);
    const { state } = reserve(fresh, 5, NOW);
    assert.equal(reserve(state, 5, NOW).slotAt, NOW + 200);
  });
});
