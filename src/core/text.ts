/**
 * What of a text nobody can see, and which texts are one. Files carry marks that come along when somebody copies from a
 * page or a chat; in the middle of a name they make another person of it, or turn what is read around.
 */

/** Letters and signs of Europe, without a mark among them, as most texts are: nothing here changes it, and one test tells. */
const PLAIN = /^[ -~\u00A1-\u00AC\u00AE-\u02FF\u0370-\u0482\u048A-\u058F]*$/;

/** Without a form of its own at either end of a text, beside white space. */
const MARK = /^[\p{DI}\u0085\u2800]$/u;
/**
 * The text without marks that nobody sees at its ends: zero-width ones, byte order marks, marks of direction, fillers.
 * White space there stays: whether it is a part of the text is said elsewhere.
 */
export function withoutMarks(text: string): string {
  if (PLAIN.test(text)) return text;
  let start = 0;
  while (start < text.length) {
    const sign = String.fromCodePoint(text.codePointAt(start) ?? 0);
    if (!MARK.test(sign) && !/\s/.test(sign)) break;
    start += sign.length;
  }
  let end = text.length;
  while (end > start) {
    const isPair = /[\uD800-\uDBFF][\uDC00-\uDFFF]/.test(text.slice(Math.max(start, end - 2), end));
    const sign = text.slice(end - (isPair ? 2 : 1), end);
    if ((!MARK.test(sign) && !/\s/.test(sign)) || !isStray(sign, end - sign.length, text)) break;
    end -= sign.length;
  }
  if (start === 0 && end === text.length) return text;
  return spaces(text.slice(0, start)) + text.slice(start, end) + spaces(text.slice(end));
}

function spaces(text: string): string {
  return text.replace(/[\p{DI}\S]/gu, "");
}

/** The text as it is read and compared: without white space, or marks that nobody sees, at its ends. */
export function tidy(text: string): string {
  return withoutMarks(text).trim();
}

/** May be written in two ways. */
const COMPOSED = /[\u00C0-\u{10FFFF}]/u;

/** One spelling for what looks the same and was typed on another system (`e` with an accent of its own). */
export function composed(text: string): string {
  return COMPOSED.test(text) ? text.normalize("NFC") : text;
}

/** Every spelling in which a system may have a text, the given one first. */
export function spellings(text: string): readonly string[] {
  return COMPOSED.test(text) ? [...new Set([text, text.normalize("NFC"), text.normalize("NFD")])] : [text];
}

/** One spelling for the names of a column: without regard to case, kinds of space and marks that nobody sees. */
export function columnKey(name: string): string {
  return composed(name.replace(/[\p{DI}\u2800]/gu, ""))
    .trim()
    .toLowerCase()
    .replace(/[\s\u0085]+/g, " ");
}

const JOINER = /^[\u200C\u200D]$/;
/** Signs that take a vowel away, after or before which a joiner says in which form letters meet. */
const VIRAMA =
  "\\u094D\\u09CD\\u0A4D\\u0ACD\\u0B4D\\u0BCD\\u0C4D\\u0CCD\\u0D3B\\u0D3C\\u0D4D\\u0DCA\\u0F84\\u1039\\u103A\\u17D2\\u1A60\\u1B44\\u1BAA\\u1BAB\\uA806\\uA8C4\\uA953\\uA9C0\\uAAF6\\uABED\\u{11046}\\u{1107F}\\u{110B9}\\u{11133}\\u{11134}\\u{111C0}\\u{11235}\\u{1134D}\\u{11442}\\u{114C2}\\u{115BF}\\u{1163F}";
const AFTER_VIRAMA = new RegExp(`[${VIRAMA}]$`, "u");
const BEFORE_VIRAMA = new RegExp(`^[${VIRAMA}]`, "u");
/** Scripts whose letters join their neighbours. */
const CURSIVE = ["Arab", "Syrc", "Mong", "Nkoo", "Mand", "Phag", "Mani", "Adlm", "Rohg", "Sogd"]
  .map((script) => `\\p{sc=${script}}`)
  .join("");
const AFTER_CURSIVE = new RegExp(`(?=\\p{L})[${CURSIVE}]\\p{M}*$`, "u");
const BEFORE_CURSIVE = new RegExp(`^(?=\\p{L})[${CURSIVE}]`, "u");
const AFTER_EMOJI = /[\p{ExtPict}\p{EMod}]\uFE0F?$/u;
const BEFORE_EMOJI = /^\p{ExtPict}/u;
/** Between words of scripts that write no spaces, a line may be broken there. */
const AFTER_WORD = /[\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}\p{sc=Tibt}]$/u;
const BEFORE_WORD = /^[\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}\p{sc=Tibt}]/u;
/** Says in which of its forms the sign before is written. */
const SELECTOR = /^[\uFE00-\uFE0F\u180B-\u180D\u180F\u{E0100}-\u{E01EF}]$/u;
const AFTER_FORM = /[\p{ExtPict}\p{S}\p{sc=Hani}\p{sc=Mong}\p{sc=Mymr}\p{sc=Phag}]$/u;
/** Flags of regions: a black flag and the letters of their code, which nobody sees. */
const TAG = /^[\u{E0020}-\u{E007F}]$/u;
const AFTER_FLAG = /[\u{1F3F4}\u{E0020}-\u{E007E}]$/u;

/** So much of a text is looked at to either side: a letter and its marks. */
const BESIDE = 16;

/** Whether a sign without a form of its own does something where it stands. */
function isNeeded(sign: string, before: string, after: string): boolean {
  if (sign === "\u200D" && AFTER_EMOJI.test(before) && BEFORE_EMOJI.test(after)) return true;
  if (JOINER.test(sign)) {
    if (AFTER_VIRAMA.test(before) || BEFORE_VIRAMA.test(after)) return /\p{L}\p{M}*$/u.test(before);
    return AFTER_CURSIVE.test(before) && BEFORE_CURSIVE.test(after);
  }
  if (sign === "\u200B") return AFTER_WORD.test(before) && BEFORE_WORD.test(after);
  if (TAG.test(sign)) return AFTER_FLAG.test(before);
  if (!SELECTOR.test(sign)) return false;
  return AFTER_FORM.test(before) || (/[0-9#*]$/.test(before) && after.startsWith("\u20E3"));
}

/** What no value has in its middle: controls but for tabs and line ends, what nobody sees, and what was lost. */
const SUSPECT = /(?![\t\n\r])[\p{Cc}\p{DI}\uFFFD-\uFFFF]/gu;
/** What a message names: that, and what looks like a space, or moves what is around it. */
const UNSEEN = /(?! )[\p{Cc}\p{Cf}\p{Cs}\p{Z}\p{DI}\u2800\uFFFD-\uFFFF]/gu;

/** The first sign in the middle of a text that nobody sees or means, by name (`<U+202E>`); undefined where all is well. */
export function unseenIn(text: string): string | undefined {
  if (PLAIN.test(text)) return undefined;
  for (const { 0: sign, index } of text.matchAll(SUSPECT)) if (isStray(sign, index, text)) return nameOf(sign);
  return undefined;
}

/** The text for a message: what nobody would see of it is named. */
export function visible(text: string): string {
  if (PLAIN.test(text)) return text;
  return text.replace(UNSEEN, (sign, index: number) => (isStray(sign, index, text) ? nameOf(sign) : sign));
}

function isStray(sign: string, at: number, text: string): boolean {
  const end = at + sign.length;
  return !isNeeded(sign, text.slice(Math.max(0, at - BESIDE), at), text.slice(end, end + BESIDE));
}

function nameOf(sign: string): string {
  return `<U+${(sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}>`;
}
