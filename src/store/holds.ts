/**
 * The port to holds. A hold says that a pool, or the e-mail and phone units in it, are not tried because every call
 * would fail. It carries a probe: at `probeAt` the first worker that asks may let one real delivery through, and the
 * next probe is moved further away, doubling up to ten minutes. A success lifts the hold.
 */
export type HoldScope = "pool" | "contacts";

export interface Hold {
  readonly pool: string;
  readonly scope: HoldScope;
  /** The failure kind that placed it. */
  readonly kind: string;
  /** Epoch ms, by the store's clock. */
  readonly since: number;
  readonly probeAt: number;
  readonly probeEveryMs: number;
}

export const FIRST_PROBE_MS = 5_000;
export const LONGEST_PROBE_MS = 10 * 60_000;
/** How many times as long the next probe takes to come. */
export const PROBE_GROWTH = 2;

export interface Holds {
  /** Places a hold; one that is there stays as it is. Answers true where it is new. */
  place(pool: string, scope: HoldScope, kind: string): Promise<boolean>;
  /**
   * May this pool be tried? `free`: no hold. `probe`: held, and the caller has the probe. `held`: come back later.
   * Taking the probe is one step: one caller gets it.
   */
  ask(
    pool: string,
    scope: HoldScope,
  ): Promise<{ is: "free" } | { is: "probe"; hold: Hold } | { is: "held"; hold: Hold; retryInMs: number }>;
  /** Answers true where there was one. */
  lift(pool: string, scope: HoldScope): Promise<boolean>;
  list(): Promise<readonly Hold[]>;
}
