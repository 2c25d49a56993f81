import { mock } from "node:test";

export interface MovableClock {
  /** So much time has passed. */
  pass(ms: number): void;
  putBack(): void;
}

/**
 * This process's own clock (`Date.now`), which a test puts forward where it would have to wait. The embedded store and
 * the emulator go by it, if they are opened later. What is timed by `performance.now` goes on as it is.
 */
export function movableClock(): MovableClock {
  const real = Date.now;
  let aheadMs = 0;
  const clock = mock.method(Date, "now", () => real.call(Date) + aheadMs);
  return {
    pass(ms) {
      aheadMs += ms;
    },
    putBack: () => clock.mock.restore(),
  };
}
