export const BASELINES = ["live", "ledger", "none"] as const;
/** What a plan compares with: the pool, what poolsync wrote last, or nothing. */
export type Baseline = (typeof BASELINES)[number];
