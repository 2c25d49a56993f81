/**
 * A version orders the changes of one unit: source time in epoch ms, then the source's own sequence, then arrival.
 * All three are fixed-width digits, so that text order is version order in Lua, in SQL (`COLLATE "C"`) and here.
 *
 *     001795478400000.0000000000000042.0000000000001337
 *     time (15)       sequence (16)    arrival (16)
 *
 * The first two parts are the *ordinal*, which the source says. The arrival is given by the store when a change is
 * put, and stays with it for ever.
 */

/** The width of the time in a version. */
export const TIME_DIGITS = 15;
/** The width of the sequence and of the arrival in a version. */
export const COUNT_DIGITS = 16;

/** True for a whole version: all that its parts are read from. */
export function isVersion(text: string): boolean {
  return VERSION.test(text);
}
const VERSION = new RegExp(`^\\d{${TIME_DIGITS}}(?:\\.\\d{${COUNT_DIGITS}}){2}$`);

/** How far ahead of the store's clock a version may lie. Beyond it the change is invalid. */
export const MAX_LEAD_MS = 5 * 60_000;

export interface Ordinal {
  /** Epoch milliseconds, by the source's clock. */
  readonly timeMs: number;
  /** Breaks ties within one millisecond: a row number, a sequence number. */
  readonly sequence: number;
}

/** True for what can be the time of a version. */
export function isTime(timeMs: number): boolean {
  return Number.isSafeInteger(timeMs) && timeMs >= 0 && timeMs < 10 ** TIME_DIGITS;
}

function digits(value: number, width: number, name: string): string {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`Expected \`${name}\` to be a whole number from 0, got \`${value}\``);
  }
  const text = String(value).padStart(width, "0");
  if (text.length > width)
    throw new RangeError(`Expected \`${name}\` to have at most ${width} digits, got \`${value}\``);
  return text;
}

/** The ordinal as text. Throws a RangeError for a part that is not a whole number from 0 within its width. */
export function ordinalText({ timeMs, sequence }: Ordinal): string {
  return `${digits(timeMs, TIME_DIGITS, "timeMs")}.${digits(sequence, COUNT_DIGITS, "sequence")}`;
}

/** The whole version as text: what mailbox, ledger and letters hold. */
export function versionText(ordinal: string, arrival: number): string {
  return `${ordinal}.${digits(arrival, COUNT_DIGITS, "arrival")}`;
}

/** The ordinal of a version, or the ordinal itself. */
export function ordinalOf(version: string): string {
  return version.slice(0, TIME_DIGITS + 1 + COUNT_DIGITS);
}

/** Epoch ms of a version or an ordinal, by the source's clock. */
export function timeOf(version: string): number {
  return Number(version.slice(0, TIME_DIGITS));
}

/** True where an ordinal lies more than {@link MAX_LEAD_MS} ahead of the store's clock. */
export function isTooFarAhead(ordinal: string, nowMs: number): boolean {
  return timeOf(ordinal) > nowMs + MAX_LEAD_MS;
}
