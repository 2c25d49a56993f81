/** Dates and times as exports write them. Pure: no clock, no local zone. */

export interface Day {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** Why a text is no date, a word of the reasons in transform.ts. */
export type DateFault = "not-a-date" | "ambiguous-date";

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/** The offset may follow the day at once: Workday writes `2020-03-16-07:00`. */
const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)?\s*(?:Z|[+-]\d{2}:?\d{2})?$/i;
const YEAR_FIRST = /^(\d{4})[/.](\d{1,2})[/.](\d{1,2})$/;
const COMPACT = /^(\d{4})(\d{2})(\d{2})$/;
const DOTTED = /^(\d{1,2})\.(\d{1,2})\.(\d{4})$/;
const SLASHED = /^(\d{1,2})[/-](\d{1,2})[/-](\d{4})$/;
const DAY_NAME = /^(\d{1,2})(?:[ -]|\. ?)([a-z]{3,9})\.?,?[ -](\d{4})$/i;
const NAME_DAY = /^([a-z]{3,9})\.? (\d{1,2}),? (\d{4})$/i;

/** The days of a month that exist, or undefined. */
function dayOf(year: number, month: number, day: number): Day | undefined {
  const date = new Date(Date.UTC(2000, 0, 1));
  date.setUTCFullYear(year, month - 1, day);
  const exists = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return exists && year > 0 ? { year, month, day } : undefined;
}

function monthOf(name: string): number {
  const lower = name.toLowerCase();
  const index = MONTHS.findIndex((month) => lower.startsWith(month));
  const full = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
  ][index];
  return full !== undefined && (lower.length === 3 || lower === "sept" || lower === full) ? index + 1 : 0;
}

function fromParts(
  match: RegExpExecArray,
  order: readonly ["y" | "m" | "d", "y" | "m" | "d", "y" | "m" | "d"],
): Day | undefined {
  const part = (which: "y" | "m" | "d"): string => match[order.indexOf(which) + 1] ?? "";
  const month = part("m");
  return dayOf(Number(part("y")), /^\d/.test(month) ? Number(month) : monthOf(month), Number(part("d")));
}

/**
 * The day that a text names, in the common forms: `2020-08-29` (with or without a time and an offset, whose day is
 * taken as written), `2020/08/29`, `20200829`, `29.08.2020`, `29 Aug 2020`, `Aug 29, 2020`, and `08/29/2020` where
 * only one reading exists.
 */
export function parseDay(text: string): Day | DateFault {
  let match = ISO.exec(text) ?? YEAR_FIRST.exec(text) ?? COMPACT.exec(text);
  if (match) return fromParts(match, ["y", "m", "d"]) ?? "not-a-date";
  match = DOTTED.exec(text) ?? DAY_NAME.exec(text);
  if (match) return fromParts(match, ["d", "m", "y"]) ?? "not-a-date";
  match = NAME_DAY.exec(text);
  if (match) return fromParts(match, ["m", "d", "y"]) ?? "not-a-date";
  match = SLASHED.exec(text);
  if (match === null) return "not-a-date";
  const dayFirst = fromParts(match, ["d", "m", "y"]);
  const monthFirst = fromParts(match, ["m", "d", "y"]);
  if (dayFirst !== undefined && monthFirst !== undefined && dayFirst.day !== monthFirst.day) return "ambiguous-date";
  return dayFirst ?? monthFirst ?? "not-a-date";
}

const TOKENS: Readonly<Record<string, { readonly part: "y" | "m" | "d"; readonly form: string }>> = {
  YYYY: { part: "y", form: "(\\d{4})" },
  MMM: { part: "m", form: "([A-Za-z]{3,9})" },
  MM: { part: "m", form: "(\\d{2})" },
  M: { part: "m", form: "(\\d{1,2})" },
  DD: { part: "d", form: "(\\d{2})" },
  D: { part: "d", form: "(\\d{1,2})" },
};

/** A reader of one written form: `MM/DD/YYYY`, `D.M.YYYY`, `DD-MMM-YYYY`. Undefined where it names no whole date. */
export function datePattern(pattern: string): ((text: string) => Day | DateFault) | undefined {
  const order: ("y" | "m" | "d")[] = [];
  const form = pattern.replace(/YYYY|MMM|MM|M|DD|D|[^YMD]+|[YMD]/g, (token) => {
    const known = Object.hasOwn(TOKENS, token) ? TOKENS[token] : undefined;
    if (known === undefined) return token.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    order.push(known.part);
    return known.form;
  });
  const [first, second, third] = order;
  if (first === undefined || second === undefined || third === undefined) return undefined;
  if (order.length !== 3 || new Set(order).size !== 3) return undefined;
  const exact = new RegExp(`^${form}$`);
  return (text) => {
    const match = exact.exec(text);
    return (match && fromParts(match, [first, second, third])) ?? "not-a-date";
  };
}

/** `YYYY-MM-DD`. */
export function dayText({ year, month, day }: Day): string {
  return `${String(year).padStart(4, "0")}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;
}

const INSTANT =
  /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)$/i;
/** Nine or ten digits are seconds from 1973 to 2286, thirteen milliseconds from 2001 on. `20260131` is neither. */
const EPOCH_SECONDS = /^\d{9,10}(?:\.\d{1,9})?$/;
const EPOCH_MILLISECONDS = /^\d{13}(?:\.\d{1,9})?$/;

/**
 * Epoch ms of ISO 8601 with a zone (`2026-01-31T18:42:00+0000`), or of epoch seconds or milliseconds; what is finer than
 * a millisecond is rounded down. Undefined for
 * anything else, and for a time without a zone: it could be half a day off.
 */
export function parseInstant(text: string): number | undefined {
  if (EPOCH_SECONDS.test(text)) return Math.floor(Number(text) * 1000);
  if (EPOCH_MILLISECONDS.test(text)) return Math.floor(Number(text));
  const match = INSTANT.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour = "", minute = "", second = "0", fraction = "", zone = ""] = match;
  const date = dayOf(Number(year), Number(month), Number(day));
  if (date === undefined || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined;
  const offset = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone);
  const offsetMinutes =
    offset === null ? 0 : (offset[1] === "-" ? -1 : 1) * (Number(offset[2]) * 60 + Number(offset[3] ?? 0));
  const milliseconds = Number(fraction.slice(0, 3).padEnd(3, "0"));
  const at = Date.UTC(
    date.year,
    date.month - 1,
    date.day,
    Number(hour),
    Number(minute) - offsetMinutes,
    Number(second),
    milliseconds,
  );
  return at >= 0 ? at : undefined;
}
