/** A part of the quota that is left to others: calls a second, or a share of the rate in percent. */
export type QuotaReserve = { readonly callsPerSecond: number } | { readonly percent: number };

/**
 * The ceiling of the pace: the rate, less what is left to others. The pace sees others by throttles only, so a reserve
 * is not "at least so much stays free for them now": it is never asked for, whether they use it or not.
 *
 * Throws a RangeError where nothing would be left to us.
 */
export function effectiveCeiling(ratePerSecond: number, reserve?: QuotaReserve): number {
  if (!reserve) return ratePerSecond;
  const inPercent = "percent" in reserve;
  const kept = inPercent ? (ratePerSecond * reserve.percent) / 100 : reserve.callsPerSecond;
  if (kept >= 0 && kept < ratePerSecond) return ratePerSecond - kept;
  const [limit, got] = inPercent
    ? ["100 %", `${reserve.percent} %`]
    : [`the rate of ${ratePerSecond} calls a second`, String(reserve.callsPerSecond)];
  throw new RangeError(`Expected \`reserve\` to be from 0 up to, not including, ${limit}, got \`${got}\``);
}

/** What a reserve looks like as text, for messages. */
export const RESERVE_FORM = "calls a second such as `5`, or a share of the rate such as `20%`";

/** Reads `5` or `20%`. Undefined where it is neither, or a share of 100 % and more. */
export function parseReserve(text: string): QuotaReserve | undefined {
  const [, digits, percent] = /^(\d+(?:\.\d+)?)\s*(%?)$/.exec(text.trim()) ?? [];
  if (digits === undefined) return undefined;
  const amount = Number(digits);
  if (percent === "") return { callsPerSecond: amount };
  return amount < 100 ? { percent: amount } : undefined;
}
