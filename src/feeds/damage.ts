/**
 * Bytes that are no text, in the text that was made of a file. Each stretch of them is a mark that says what it is and
 * at which offset of the file, between two U+FFFF, which is no character: so a row that nobody can read there is found
 * wherever its text has gone, and all others are read. A U+FFFF in the file itself is such a byte, too.
 */
import type { Unreadable } from "./record.ts";

const SIGN = "\uffff";
const ANY = /\uffff([nb])(\d+)\uffff/;
const EVERY = new RegExp(ANY, "g");

export interface DamagedPlace {
  readonly isNul: boolean;
  /** From the beginning of the file, unpacked. */
  readonly offset: number;
}

/** What a pass has met so far. */
export interface Damage {
  /** How many stretches of bytes are no text. */
  places: number;
  /** About how many characters beyond ASCII are text: they show that the encoding is the right one. */
  wellFormed: number;
  first: DamagedPlace | undefined;
}

export function markOf({ isNul, offset }: DamagedPlace): string {
  return `${SIGN}${isNul ? "n" : "b"}${offset}${SIGN}`;
}

/** The bytes in a text that are none. */
export function damagedPlaces(text: string): readonly DamagedPlace[] {
  if (!text.includes(SIGN)) return [];
  return Array.from(text.matchAll(EVERY), ([, kind, offset]) => ({ isNul: kind === "n", offset: Number(offset) }));
}

/** A text with U+FFFD in the place of what is none, for a name that somebody reads. */
export function shownDamage(text: string): string {
  return text.includes(SIGN) ? text.replace(EVERY, "\ufffd") : text;
}

/** What is wrong with a value that has such bytes. */
export function damageFault(text: string): Unreadable | undefined {
  const [, kind, offset] = ANY.exec(text) ?? [];
  if (kind === undefined) return undefined;
  const what = kind === "n" ? "a NUL" : "a byte that is no part of a character";
  return {
    kind: "unreadable",
    reason: "bad-bytes",
    detail: `Expected text, got ${what} at offset ${offset} of the file; correct it in the source.`,
  };
}
