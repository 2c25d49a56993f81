import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { poolsyncPace } from "../../bench/pace-controllers.ts";
import { QUOTAS, SCENES, play, secondsUntilBack, type SceneName } from "../../bench/pace-scenes.ts";

// By simulated time, with the same seeds each time: `npm run bench -- pace-sim` has more of them, and other rules
// beside this one. What is demanded here is what docs/adr/0004 says, less what ten seeds may be off.

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const mean = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;

/** By quota: the least share of what others left, and the most calls that may be throttled, in percent. */
const DEMANDS: Readonly<Record<SceneName, readonly (readonly [share: number, throttled: number])[]>> = {
  a: [
    [0.99, 0.1],
    [0.99, 0.1],
    [0.99, 0.1],
  ],
  b: [
    [0.975, 1.7],
    [0.985, 1.1],
    [0.99, 0.5],
  ],
  c: [
    [0.93, 1.3],
    [0.95, 0.9],
    [0.96, 0.5],
  ],
  d: [
    [0.98, 2],
    [0.98, 0.8],
    [0.98, 0.4],
  ],
  fifth: [
    [0.75, 2.5],
    [0.88, 1.2],
    [0.97, 0.6],
  ],
  spikes: [
    [0.9, 1.5],
    [0.9, 1.1],
    [0.87, 0.7],
  ],
};

describe("the pace, simulated", () => {
  for (const { name, about } of SCENES) {
    QUOTAS.forEach((quota, index) => {
      test(`(${name}) takes what is left of ${quota} a second with few throttles: ${about}`, () => {
        const [share = 1, throttled = 0] = DEMANDS[name][index] ?? [];
        const outcomes = SEEDS.map((nth) => play(name, quota, poolsyncPace, nth));
        const got = mean(outcomes.map((outcome) => outcome.share));
        const refused = 100 * mean(outcomes.map(({ throttledShare }) => throttledShare));
        assert.ok(got >= share, `Expected a share of at least ${share}, got ${got}`);
        assert.ok(refused <= throttled, `Expected at most ${throttled} % to be throttled, got ${refused}`);
      });
    });
  }

  for (const quota of QUOTAS) {
    test(`is back at once after Redis was away, at ${quota} a second`, () => {
      for (const nth of SEEDS) assert.ok(secondsUntilBack("redis", quota, poolsyncPace, nth) <= 0.5);
    });

    test(`is back within ten seconds after others took all for five, at ${quota} a second`, () => {
      for (const nth of SEEDS) assert.ok(secondsUntilBack("burst", quota, poolsyncPace, nth) <= 10);
    });
  }
});
