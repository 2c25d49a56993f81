import assert from "node:assert/strict";
import { test } from "node:test";
import { freshPace, reserve, throttled, viewPace, type PaceState } from "../../src/core/pace.ts";
import { randomFrom } from "../support/random.ts";
import { testRedis } from "../support/redis.ts";
import { clockedRedis } from "./redis-clock.ts";

const SEED = Number(process.env["POOLSYNC_TEST_SEED"] ?? Date.now() % 1_000_000);
const LIVES = 20;
const STEPS = 150;

test(`the script and the rule say the same of any row of signals (seed ${SEED})`, async () => {
  const random = randomFrom(SEED);
  const clocked = await clockedRedis(testRedis());
  try {
    const { pace } = await clocked.openStore();
    for (let life = 0; life < LIVES; life += 1) {
      const bucket = `same-${SEED}-${life}`;
      const ceilings = [1 + random.below(30), random.pick([0.5, 12.5, 200, 1000])] as const;
      let now = 1_800_000_000_000;
      let state: PaceState | undefined;
      const taken = [now];
      for (let step = 0; step < STEPS; step += 1) {
        const told = `life ${life}, step ${step}`;
        now += random.chance(0.02) ? random.below(60_000) - 30_000 : random.pick([0, 1, 7, 40, 300]) + random.next();
        await clocked.setClock(now);
        const ceiling = random.pick(ceilings);
        const before = state ?? freshPace(ceiling, now);
        if (random.chance(0.75)) {
          const request = { maxSlots: 1 + random.below(4), urgent: random.chance(0.2) };
          const { state: after, slots, askAgainMs } = reserve(before, ceiling, now, request);
          const answer = await pace.reserve(bucket, ceiling, request);
          const expected = slots.map((slotAt) => ({ waitMs: Math.max(0, slotAt - now), slotAt }));
          assert.deepEqual(answer, { slots: expected, askAgainMs }, told);
          taken.push(...slots);
          state = after;
        } else {
          const slotAt = taken[Math.max(0, taken.length - 1 - random.below(6))] ?? now;
          const { state: after, cut } = throttled(before, ceiling, slotAt, now);
          assert.equal(await pace.throttled(bucket, ceiling, slotAt), cut, told);
          state = after;
        }
        if (random.chance(0.3)) assert.deepEqual(await pace.view(bucket, ceiling), viewPace(state, ceiling, now), told);
      }
    }
  } finally {
    await clocked.close();
  }
});
