/** How long a failed call waits: exponential with full jitter, so that those who failed together do not come together. */

const FIRST_BACKOFF_MS = 1_000;
export const LONGEST_BACKOFF_MS = 5 * 60_000;

/**
 * Milliseconds to wait after the `failures`th failure in a row, from 1: anything up to a bound that doubles from
 * `firstMs`, and is `longestMs` at most. `random` is from 0 up to 1.
 */
export function fullJitter(
  failures: number,
  firstMs: number,
  random: number,
  longestMs: number = LONGEST_BACKOFF_MS,
): number {
  if (!Number.isSafeInteger(failures) || failures < 1) {
    throw new RangeError(`Expected \`failures\` to be a whole number from 1, got \`${failures}\``);
  }
  return Math.floor(random * Math.min(longestMs, firstMs * 2 ** (failures - 1)));
}

/** The wait of a unit in its mailbox. */
export function backoffMs(failures: number, random: number): number {
  return fullJitter(failures, FIRST_BACKOFF_MS, random);
}
