/**
 * A token bucket as a pure rule. Tokens flow in at a steady rate up to a capacity, a steady stream of other callers
 * takes its part of them, and a call is let through where a whole token is left.
 *
 * Cognito does not document its burst; the capacity is an assumption and a setting.
 */
export interface BucketRule {
  readonly refillPerSecond: number;
  readonly capacity: number;
  /** What other callers of the same account take, before anything is left for us. */
  readonly othersPerSecond: number;
}

export interface Bucket {
  readonly tokens: number;
  /** Epoch ms at which `tokens` was true. */
  readonly at: number;
}

export function fullBucket(rule: BucketRule, now: number): Bucket {
  return { tokens: rule.capacity, at: now };
}

/** The bucket as it stands at `now`. A clock that went back changes nothing. */
export function levelBucket(bucket: Bucket, rule: BucketRule, now: number): Bucket {
  const elapsedMs = Math.max(0, now - bucket.at);
  const flow = ((rule.refillPerSecond - rule.othersPerSecond) * elapsedMs) / 1000;
  return { tokens: Math.min(rule.capacity, Math.max(0, bucket.tokens + flow)), at: Math.max(bucket.at, now) };
}

/** Takes one token where one is left. A refused call takes nothing. */
export function takeToken(
  bucket: Bucket,
  rule: BucketRule,
  now: number,
): { readonly granted: boolean; readonly bucket: Bucket } {
  const levelled = levelBucket(bucket, rule, now);
  // Sums of fractions fall a hair short of a whole token (25 steps of 40 ms at 1 token a second).
  if (levelled.tokens < 1 - 1e-9) return { granted: false, bucket: levelled };
  return { granted: true, bucket: { tokens: Math.max(0, levelled.tokens - 1), at: levelled.at } };
}
