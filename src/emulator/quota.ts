import { fullBucket, levelBucket, takeToken } from "./bucket.ts";
import type { Bucket, BucketRule } from "./bucket.ts";

/** Cognito's default request rates, pooled per account and Region (developer guide, "Quotas in Amazon Cognito"). */
const DEFAULT_QUOTAS = Object.freeze({
  UserUpdate: 25,
  UserList: 30,
  UserRead: 120,
  UserPoolRead: 15,
  UserPoolResourceRead: 20,
  UserCreation: 50,
});

/** The operations of a category share one bucket. */
export type Category = keyof typeof DEFAULT_QUOTAS;
export const CATEGORIES: readonly Category[] = [
  "UserUpdate",
  "UserList",
  "UserRead",
  "UserPoolRead",
  "UserPoolResourceRead",
  "UserCreation",
];

export type Quotas = Partial<Record<Category, number>> | "unmetered";

/** Decides, when a request arrives, whether its category still has a call to give. */
export interface Meter {
  admit(category: Category): boolean;
  /** From now on other callers take this many calls a second from the bucket. 0 ends it. */
  takeShare(category: Category, ratePerSecond: number): void;
}

export interface CategoryCount {
  calls: number;
  throttled: number;
}

export interface MeterOptions {
  readonly quotas: Quotas;
  /** The bucket holds the refill of this many seconds, and one call at least. */
  readonly burstSeconds: number;
  readonly now: () => number;
  readonly counters: { readonly categories: Readonly<Record<Category, CategoryCount>> };
}

function checkRate(name: string, value: number, least: "above" | "from"): void {
  if (Number.isFinite(value) && (least === "above" ? value > 0 : value >= 0)) return;
  throw new RangeError(`Expected \`${name}\` to be a number ${least} 0, got \`${value}\``);
}

export function createMeter({ quotas, burstSeconds, now, counters }: MeterOptions): Meter {
  checkRate("burstSeconds", burstSeconds, "above");
  const buckets = new Map<Category, { rule: BucketRule; bucket: Bucket }>();
  if (quotas !== "unmetered") {
    for (const category of CATEGORIES) {
      const refillPerSecond = quotas[category] ?? DEFAULT_QUOTAS[category];
      checkRate(`quotas.${category}`, refillPerSecond, "above");
      const rule = { refillPerSecond, capacity: Math.max(1, refillPerSecond * burstSeconds), othersPerSecond: 0 };
      buckets.set(category, { rule, bucket: fullBucket(rule, now()) });
    }
  }

  return {
    admit(category) {
      const count = counters.categories[category];
      count.calls += 1;
      const metered = buckets.get(category);
      if (metered === undefined) return true;
      const { granted, bucket } = takeToken(metered.bucket, metered.rule, now());
      metered.bucket = bucket;
      if (!granted) count.throttled += 1;
      return granted;
    },

    takeShare(category, ratePerSecond) {
      checkRate("ratePerSecond", ratePerSecond, "from");
      const metered = buckets.get(category);
      if (metered === undefined) return;
      metered.bucket = levelBucket(metered.bucket, metered.rule, now());
      metered.rule = { ...metered.rule, othersPerSecond: ratePerSecond };
    },
  };
}
