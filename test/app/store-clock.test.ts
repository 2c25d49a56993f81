import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startStoreClock } from "../../src/app/events/store-clock.ts";

/** A store an hour ahead of this machine, whose answers take `lagMs`, and the clocks of the machine. */
function stage(lagMs = 0) {
  const machine = { wallMs: 1_000_000, steadyMs: 50 };
  let isAway = false;
  return {
    machine: { wall: () => machine.wallMs, steady: () => machine.steadyMs },
    store: {
      now(): Promise<number> {
        if (isAway) return Promise.reject(new Error("away"));
        const at = machine.wallMs + 3_600_000 + lagMs / 2;
        machine.wallMs += lagMs;
        machine.steadyMs += lagMs;
        return Promise.resolve(at);
      },
    },
    goAway: () => (isAway = true),
    pass: (ms: number): void => {
      machine.wallMs += ms;
      machine.steadyMs += ms;
    },
    set: (ms: number) => (machine.wallMs += ms),
  };
}

describe("the store's clock", () => {
  test("goes on between two answers of the store, whatever this machine's own says", async () => {
    const { machine, store, pass } = stage(100);
    const clock = await startStoreClock(store, machine);
    assert.equal(clock.now(), 1_000_000 + 3_600_000 + 100);
    pass(7000);
    assert.equal(clock.now(), 1_000_000 + 3_600_000 + 7100);
    clock.stop();
  });

  test("is not known where the store has not answered for a minute and a half, or too slowly", async () => {
    const { machine, store, pass, goAway } = stage();
    const clock = await startStoreClock(store, machine);
    goAway();
    pass(90_000);
    assert.notEqual(clock.now(), undefined);
    pass(1);
    assert.equal(clock.now(), undefined);
    clock.stop();
    const slow = stage(3000);
    const late = await startStoreClock(slow.store, slow.machine);
    assert.equal(late.now(), undefined);
    late.stop();
  });

  test("is not known where this machine stood still, or its clock was set", async () => {
    const { machine, store, set } = stage();
    const clock = await startStoreClock(store, machine);
    set(5000);
    assert.notEqual(clock.now(), undefined);
    set(1);
    assert.equal(clock.now(), undefined);
    clock.stop();
  });
});
