/**
 * What somebody typed, as a message may repeat it: never a token, nor a part of one. A token may be given anywhere: for
 * a file's name, in the wrong order, on standard input, behind a mistyped option.
 */

import { visible } from "./text.ts";

/** A message shows no more of what was typed. */
const LONGEST = 80;

/** `text` between backticks, shortened, without tokens, and with what nobody would see of it by name. */
export function quoted(text: string): string {
  return `\`${visible(withoutTokens(text).slice(0, LONGEST))}\``;
}

/** What stands for a token. */
const HIDDEN = "(a token, not shown)";

/** The text with each token in it, or what is left of one, hidden. */
export function withoutTokens(text: string): string {
  return text.replaceAll(/[\w.~%-]{8,}/g, (word) =>
    BEGINS_JSON.test(word) || FOLDED.test(word) || word.split(".").some(isOpaque) ? HIDDEN : word,
  );
}

/** The same for what is data, in which another long word may have a meaning: what begins like a token is hidden. */
export function withoutJwts(text: string): string {
  return text.replaceAll(/[\w.~%-]{8,}/g, (word) => (BEGINS_JSON.test(word) ? HIDDEN : word));
}

/** How JSON begins in base64: the first two parts of a token, cut off or not. */
const BEGINS_JSON = /(?<![A-Za-z])eyJ[\w-]{5}/;
/** The same where somebody has made all letters small. */
const FOLDED = /(?<![A-Za-z])eyj[\w-]{24}/i;

/** As long as the shortest signature of a token, and longer than any id of AWS's that mixes its letters. */
const OPAQUE_LENGTH = 32;

/** A word that nobody reads or types, as a signature is: capitals, small letters and digits without an order. */
function isOpaque(word: string): boolean {
  if (word.length < OPAQUE_LENGTH || !/[A-Z]/.test(word) || !/[a-z]/.test(word) || !/\d/.test(word)) return false;
  return word.length < 6 * Array.from(word.matchAll(/[a-z][A-Z]|[A-Z]{2}[a-z]|[A-Za-z]\d|\d[A-Za-z]/g)).length;
}
