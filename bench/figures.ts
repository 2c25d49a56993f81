/** The middle of some numbers, which one slow round does not move. */
export function middle(numbers: readonly number[]): number {
  return quantile(numbers, 0.5);
}

/** The number below which the share `at` of them lies: 0.95 for the 95th percentile. NaN where there are none. */
export function quantile(numbers: readonly number[], at: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * at;
  const [low, high] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  if (low === undefined || high === undefined) return Number.NaN;
  return low + (high - low) * (place - Math.floor(place));
}
