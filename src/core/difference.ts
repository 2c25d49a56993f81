/**
 * What kind of difference a change makes, for people who may not see the values. What is said here must not let a value
 * be guessed: no length, no letter, no place. Parts of values are compared only where they are long, so that nothing is
 * said of a word that is one of a few, such as a gender: see docs/operations.md, What a masked plan says.
 */
import { placeholderIn } from "./placeholder.ts";
import type { UnitValue } from "./unit.ts";

export const DIFFERENCES = [
  "set where nothing was",
  "cleared",
  "not compared",
  "only the flag: verified",
  "only the flag: not verified",
  "becomes a placeholder",
  "takes a placeholder's place",
  "wrong encoding",
  "other case",
  "accents lost",
  "other spelling",
  "another domain",
  "same domain, another name",
  "another address",
  "leading zeros lost",
  "leading zeros added",
  "in powers of ten",
  "digits added",
  "digits taken away",
  "other digits",
  "cut off",
  "text added",
  "a letter or two",
  "other value",
] as const;
export type Difference = (typeof DIFFERENCES)[number];

/** So many characters at the least have what is said to be a part of something, or nearly the same. */
const LONG = 12;
/** So many digits at the least have numbers of which one begins with the other. */
const MANY_DIGITS = 7;

/** `before`: what is there; absent or blank where there is nothing, or nobody looked. */
export function differenceOf(value: UnitValue, before: string | undefined, isCompared: boolean): Difference {
  if (value.kind === "as-is") return flag(value.verified);
  if (value.kind === "clear") return "cleared";
  const { text } = value;
  if (placeholderIn(text) !== undefined && placeholderIn(before ?? "") === undefined) return "becomes a placeholder";
  if (!isCompared) return "not compared";
  if (before === undefined || before === "") return "set where nothing was";
  // A value that stays is sent for the sake of its flag.
  if (before === text) return flag(value.verified === "mark");
  if (placeholderIn(before) !== undefined && placeholderIn(text) === undefined) return "takes a placeholder's place";
  return (
    spelling(before, text) ?? addresses(before, text) ?? numbers(before, text) ?? parts(before, text) ?? "other value"
  );
}

function flag(isVerified: boolean): Difference {
  return isVerified ? "only the flag: verified" : "only the flag: not verified";
}

function spelling(before: string, after: string): Difference | undefined {
  if (isMisread(before, after)) return "wrong encoding";
  const [was, is] = [before.normalize("NFC"), after.normalize("NFC")];
  if (was !== is && was.toLowerCase() === is.toLowerCase()) return "other case";
  if (was !== is && withoutAccents(was) === is) return "accents lost";
  if (folded(was) === folded(is)) return "other spelling";
  const isWritten = UMLAUT.test(was + is) && folded(transcribed(was)) === folded(transcribed(is));
  return isWritten ? "other spelling" : undefined;
}

const NOT_ASCII = /[^\p{ASCII}]+/gu;
const ASCII = /^\p{ASCII}*$/u;

/** What a file looks like that was written in one encoding and read in another. */
function isMisread(before: string, after: string): boolean {
  const lost = before.replace(NOT_ASCII, "?");
  if (lost === before) return false;
  if (lost === after.replace(/[?\uFFFD]+/g, "?")) return true;
  return after === new TextDecoder("windows-1252").decode(new TextEncoder().encode(before));
}

/** Letters that no accent makes of others. */
const PLAIN: Readonly<Record<string, string>> = { ß: "ss", ø: "o", Ø: "O", ł: "l", Ł: "L", đ: "d", Đ: "D", ı: "i" };

function withoutAccents(text: string): string {
  // Most text is, and a large plan has a million of them.
  if (ASCII.test(text)) return text;
  return text
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .replace(/[ßøØłŁđĐı]/g, (letter) => PLAIN[letter] ?? letter);
}

const UMLAUT = /[äöü]/i;

/** As German is written without its letters. */
function transcribed(text: string): string {
  return text.replace(/[äöü]/gi, (letter) => `${withoutAccents(letter)}e`);
}

const MARKS = /[.,\-‐–'’`]/;

/** Without case, accents, form and spaces; of what is neither address nor number without dots, hyphens and the like, too. */
function folded(text: string): string {
  const bare = withoutAccents(text.normalize("NFKC"))
    .toLowerCase()
    .replace(/[\s\p{Cf}]/gu, "");
  if (/[@/\d]/.test(bare) || !MARKS.test(bare)) return bare;
  return bare.replace(/(?<=\p{L})[.,\-‐–'’`]|[.,\-‐–'’`](?=\p{L})/gu, "");
}

const ADDRESS = /^([^@\s]+)@([^@\s]+)$/;

function addresses(before: string, after: string): Difference | undefined {
  const [was, is] = [ADDRESS.exec(before.toLowerCase()), ADDRESS.exec(after.toLowerCase())];
  if (!was || !is) return undefined;
  if (was[1] === is[1]) return "another domain";
  return was[2] === is[2] ? "same domain, another name" : "another address";
}

const NUMBER = /^([+-]?)(\d+)$/;

function numbers(before: string, after: string): Difference | undefined {
  const [was, is] = [NUMBER.exec(before), NUMBER.exec(after)];
  const [, sign, digits = ""] = was ?? [];
  const [, otherSign, otherDigits = ""] = is ?? [];
  if (was && is && sign === otherSign) {
    const isShorter = otherDigits.length < digits.length;
    const [less, more] = isShorter ? [otherDigits, digits] : [digits, otherDigits];
    if (more.endsWith(less) && /^0+$/.test(more.slice(0, -less.length))) {
      return isShorter ? "leading zeros lost" : "leading zeros added";
    }
    if (less.length >= MANY_DIGITS && less !== more && more.startsWith(less)) {
      return isShorter ? "digits taken away" : "digits added";
    }
  }
  if (was && /^\d(?:[.,]\d+)?E\+?\d+$/i.test(after)) return "in powers of ten";
  return /\d/.test(before) && pattern(before) === pattern(after) ? "other digits" : undefined;
}

function pattern(text: string): string {
  return text.replace(/\d/g, "0");
}

function parts(before: string, after: string): Difference | undefined {
  if (before.length < LONG || after.length < LONG) return undefined;
  const [was, is] = [Array.from(before), Array.from(after)];
  if (before.startsWith(after)) return "cut off";
  if (after.startsWith(before)) return "text added";
  const shorter = Math.min(was.length, is.length);
  let first = 0;
  while (first < shorter && was[first] === is[first]) first += 1;
  let last = 0;
  while (last < shorter - first && was.at(-1 - last) === is.at(-1 - last)) last += 1;
  const rests = [was.slice(first, was.length - last), is.slice(first, is.length - last)];
  return rests.every((rest) => rest.length <= 2 && !rest.some((sign) => /\d/.test(sign)))
    ? "a letter or two"
    : undefined;
}
