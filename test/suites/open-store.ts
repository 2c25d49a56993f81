import { after, before, test } from "node:test";
import { setTimeout as elapsed } from "node:timers/promises";
import type { Store } from "../../src/store/store.ts";

/** What a suite runs against. `clock` is there where the store's time is the test's to move: see `Time`. */
export interface Opened {
  readonly store: Store;
  readonly clock?: { advance(ms: number): void | Promise<void> };
  close(): Promise<void>;
}

export type Open = () => Promise<Opened>;

/** Whose time it is: the test's, which passes at will, or the server's own. */
export type Time = "moved" | "real";

export interface Suite {
  readonly store: Store;
  /** True where hours pass at will. */
  readonly movesTime: boolean;
  /** Lets the store's time pass: at least `ms`. Without a clock of the test's own they are waited for, so keep them few. */
  passes(ms: number): Promise<void>;
  /** Asks, while time passes, until it is true. A lease may be the server's own to end, whose clock nobody moves. */
  becomes(isTrue: () => Promise<boolean>): Promise<void>;
  /** Different for each call. */
  fresh(prefix: string): string;
  /** A case that is about more time than can be waited for: a store in the server's own time does not have it. */
  hours(name: string, run: () => Promise<void>): void;
}

const LONGEST_WAIT_MS = 5_000;

/** One store for all cases of the `describe` that it is called in: cases keep apart by pool, run and user. */
export function openForSuite(open: Open, time: Time): Suite {
  let opened: Opened | undefined;
  let count = 0;
  const it = () => {
    if (!opened) throw new Error("Expected the suite's store to be open while its cases run");
    return opened;
  };
  before(async () => {
    opened = await open();
  });
  after(() => opened?.close());
  return {
    get store() {
      return it().store;
    },
    movesTime: time === "moved",
    hours(name, run) {
      if (time === "moved") void test(name, run);
    },
    async passes(ms) {
      const { clock } = it();
      if (clock) return clock.advance(ms);
      if (ms > LONGEST_WAIT_MS) throw new Error(`Expected to wait for ${LONGEST_WAIT_MS} ms at most, got ${ms}`);
      await elapsed(Math.ceil(ms) + 1);
    },
    async becomes(isTrue) {
      const deadline = performance.now() + LONGEST_WAIT_MS;
      while (!(await isTrue())) {
        if (performance.now() > deadline) throw new Error(`Expected a condition to hold within ${LONGEST_WAIT_MS} ms`);
        await it().clock?.advance(1);
        await elapsed(1);
      }
    },
    fresh: (prefix) => `${prefix}-${++count}`,
  };
}
