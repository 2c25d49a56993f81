/** Spans of time as people write them: `90s`, `30m`, `12h`, `7d`. */

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export const SPAN_FORM = "a span of time such as 90s, 30m, 12h or 7d";

/** The span as somebody would write it. */
export function spanText(ms: number): string {
  const [unit, unitMs] = Object.entries(UNIT_MS).findLast(([, size]) => ms % size === 0) ?? ["s", 1000];
  return `${Math.round(ms / unitMs)}${unit}`;
}

/** In ms; undefined where it is none, or none above 0. */
export function parseSpan(text: string): number | undefined {
  const [, amount, unit = ""] = /^(\d{1,9})([smhd])$/.exec(text.trim()) ?? [];
  const ms = Number(amount) * (UNIT_MS[unit] ?? Number.NaN);
  return ms > 0 ? ms : undefined;
}
