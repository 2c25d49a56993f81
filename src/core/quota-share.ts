/** How much of a quota is left to others: so many calls a second, or a share of it. */
export type Reserve =
  | { readonly kind: "calls"; readonly perSecond: number }
  | { readonly kind: "share"; readonly share: number };

/** What a reserve looks like as text, for messages. */
export const RESERVE_FORM = "calls a second such as `5`, or a share of the rate such as `20%`";

/** Reads `5` or `20%`. Undefined where it is neither, or a share of 100 % and more. */
export function parseReserve(text: string): Reserve | undefined {
  const [, digits, percent] = /^(\d+(?:\.\d+)?)\s*(%?)$/.exec(text.trim()) ?? [];
  if (digits === undefined) return undefined;
  const said = Number(digits);
  if (percent === "") return { kind: "calls", perSecond: said };
  return said < 100 ? { kind: "share", share: said / 100 } : undefined;
}

/** What is ours of a quota, in calls a second. 0 or less where the reserve takes all of it. */
export function effectiveCeiling(quotaPerSecond: number, reserve: Reserve): number {
  return reserve.kind === "calls" ? quotaPerSecond - reserve.perSecond : quotaPerSecond * (1 - reserve.share);
}
