/**
 * What spreadsheets and databases leave behind where a value should be. Only known words and forms are told, each of
 * them in docs/feeds.md: whatever else a source means by nothing, it has to say.
 */
import { composed, tidy, withoutMarks } from "../core/text.ts";
import type { Unreadable } from "./record.ts";

/** How a feed's cells are read. */
export interface CellRules {
  /** `nfc`: values are written in this form of Unicode. Else they are as the source has them. */
  readonly normalize?: "nfc";
  /** What spreadsheets leave behind is taken for text. */
  readonly rubble?: "off";
  /** Words that mean nothing, as the source spells them. */
  readonly blank?: readonly string[];
}

export type ReadCell = { readonly kind: "text"; readonly text: string } | { readonly kind: "blank" } | Unreadable;

/** Of Excel, LibreOffice and Google Sheets, in English, German, French and Spanish. */
export const SPREADSHEET_ERRORS: readonly string[] = [
  "#REF!",
  "#N/A",
  "#NAME?",
  "#VALUE!",
  "#DIV/0!",
  "#NULL!",
  "#NUM!",
  "#SPILL!",
  "#CALC!",
  "#FIELD!",
  "#BLOCKED!",
  "#UNKNOWN!",
  "#CONNECT!",
  "#BUSY!",
  "#GETTING_DATA",
  "#ERROR!",
  "#BEZUG!",
  "#NV",
  "#WERT!",
  "#ZAHL!",
  "#VALEUR!",
  "#NOM?",
  "#NOMBRE!",
  "#NUL!",
  "#¡REF!",
  "#N/D",
  "#¡VALOR!",
  "#¿NOMBRE?",
  "#¡DIV/0!",
  "#¡NUM!",
];

/** What databases and pivot tables write where they have nothing; in any case of letters. */
export const WORDS_FOR_NOTHING: readonly string[] = [
  "NULL",
  "(null)",
  "<null>",
  "[null]",
  "\\N",
  "(blank)",
  "(Leer)",
  "(vide)",
  "(en blanco)",
];

const ERRORS: ReadonlySet<string> = new Set(SPREADSHEET_ERRORS);
const NOTHINGS: ReadonlySet<string> = new Set(WORDS_FOR_NOTHING.map((word) => word.toLowerCase()));

/** Neither rubble nor anything that nobody sees, as nearly every cell is. One test tells, for the sake of large files. */
export const ORDINARY =
  /^(?![#='\u2019(<[\\]|[nN][uU][lL][lL] *$|[+-]?\d(?:[.,]\d+)?[eE]\+)[!-~\u00A1-\u00AC\u00AE-\u02FF\u0370-\u0482\u048A-\u058F][ -~\u00A1-\u00AC\u00AE-\u02FF\u0370-\u0482\u048A-\u058F]*$/;
const UNWRAPPED = /^="((?:[^"]|"")*)"$/;
/** A column that was too narrow. */
const HASHES = /^#{4,}$/;
const APOSTROPHE = /^['’][+-]?\d[\d\s.,:/()+-]*$/;
const POWERS = /^[+-]?\d(?:[.,]\d+)?E\+\d+$/i;

/** Spelled as a name is, and not as databases write it: it may be one. */
const NAME = "Null";

/** A word of {@link CellRules.blank}, as cells are compared with it. */
export function blankWord(word: string): string {
  return composed(tidy(word));
}

/** Whether the text is this word, in any case. */
export function isNullWord(text: string): boolean {
  return text.length === NAME.length && text.toLowerCase() === "null";
}

/** `mayBeName`: the attribute is a name, and no other row has this word in the column. */
export function readCell(given: string, { rubble, blank = [] }: CellRules, mayBeName: boolean): ReadCell {
  const isOff = rubble === "off";
  if (blank.length === 0 && isOff) return { kind: "text", text: given };
  const [, wrapped] = isOff ? [] : (UNWRAPPED.exec(given.trim()) ?? []);
  const text = wrapped === undefined ? given : withoutMarks(wrapped.replaceAll('""', '"'));
  const word = tidy(text);
  if (wrapped !== undefined && word === "") return { kind: "blank" };
  if (blank.length > 0 && blank.includes(composed(word))) return { kind: "blank" };
  return (isOff ? undefined : faultOf(word, mayBeName)) ?? { kind: "text", text };
}

function faultOf(word: string, mayBeName: boolean): Unreadable | undefined {
  if (ERRORS.has(word.toUpperCase()) || HASHES.test(word)) {
    return {
      kind: "unreadable",
      reason: "spreadsheet-error",
      detail: `Expected a value, got \`${shown(word)}\`, which a spreadsheet shows where a formula fails or a column is too narrow; mend the sheet and export it again${orBlank(word)}.`,
    };
  }
  if (NOTHINGS.has(word.toLowerCase()) && !(mayBeName && word === NAME)) {
    return {
      kind: "unreadable",
      reason: "word-for-nothing",
      detail: `Expected a value, got \`${word}\`, which a database or pivot table writes for nothing; export it blank${orBlank(word)}.`,
    };
  }
  if (APOSTROPHE.test(word)) {
    return {
      kind: "unreadable",
      reason: "apostrophe-before-digits",
      detail:
        "Expected digits, got an apostrophe before them, by which a spreadsheet is told to keep them as text; export the column without it, or say `rubble: off` where it is meant.",
    };
  }
  if (POWERS.test(word)) {
    return {
      kind: "unreadable",
      reason: "powers-of-ten",
      detail:
        "Expected all digits, got a number in powers of ten such as 1.23E+15, as a spreadsheet shows long ones: the others are lost in this file; format the column as text and export it again, or say `rubble: off` where it is meant.",
    };
  }
  return undefined;
}

function orBlank(word: string): string {
  return `, or say \`blank: [${JSON.stringify(shown(word))}]\` where it means nothing`;
}

function shown(word: string): string {
  return word.slice(0, 20);
}
