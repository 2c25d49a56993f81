/** What is wrong with a value or a row that was not written, and what to do, for a person who asks why. */
import { isPlanFault, PLAN_FAULTS } from "./plan-fault.ts";
import type { InvalidReason } from "./pool-schema.ts";

/** Faults of rows and values that are in no plan. */
type RowFault =
  | "stale"
  | "version-ahead"
  | "not-text"
  | "hidden-character"
  | "spreadsheet-error"
  | "word-for-nothing"
  | "apostrophe-before-digits"
  | "powers-of-ten"
  | "not-true-or-false"
  | "verified-not-said"
  | "bad-phone-number"
  | "phone-without-country"
  | "phone-extension"
  | "not-a-date"
  | "ambiguous-date"
  | "not-a-time"
  | "not-in-map"
  | "no-such-part"
  | "bad-version";

const CORRECT = "Correct it in the source.";

const ADVICE: Readonly<Record<InvalidReason | RowFault, string>> = {
  "attribute-unknown": "The pool has no attribute of that name: add it to the pool, or leave it out.",
  "custom-prefix-missing": "The pool has it as `custom:…`: write the prefix.",
  "reserved-name": "The name is Cognito's own: leave it out.",
  immutable: "The attribute is immutable: Cognito never changes it.",
  required: "The attribute is required, and cannot be cleared.",
  "required-missing":
    "The user lacks a required attribute, without which Cognito refuses every write: give that one too.",
  "blank-text": "A blank text would delete it: clear it explicitly, or leave it out.",
  "verified-missing": "Nothing says what becomes of its verified flag: say `mark`, `ask` or `keep`.",
  "verified-misplaced": "A verified flag was said of an attribute that has none.",
  "flag-as-value": "A flag is no text: say `mark`, `ask` or `keep`.",
  "holds-nul": `It holds a character that Cognito refuses (NUL). ${CORRECT}`,
  "holds-lone-surrogate": `It is no valid Unicode. ${CORRECT}`,
  "too-short": "It is shorter than the pool's schema allows: correct the source, or the schema.",
  "too-long": "It is longer than the pool's schema, or Cognito, allows: correct the source, or the schema.",
  "not-a-number": `The attribute is a number, and this is none. ${CORRECT}`,
  "out-of-range": "It is outside of the range in the pool's schema: correct the source, or the schema.",
  "not-a-boolean": `The attribute is \`true\` or \`false\`, and this is neither. ${CORRECT}`,
  "not-a-date-time": `The attribute is a time, and this is none. ${CORRECT}`,
  "birthdate-format": "It is no date such as 1990-12-31: correct the source, or use the transform `date`.",
  "updated-at-format": "It is no count of seconds since 1970: use the transform `epoch`.",
  "phone-number-format": "It is no number such as +14325551212: correct the source, or use the transform `e164`.",
  "email-format": `It is no e-mail address. ${CORRECT}`,
  "no-value-to-verify": "The user has no address or number that could be verified: give it too.",
  "username-length": "The username has not 1 to 128 characters.",
  "username-characters": "The username holds white space or control characters.",
  refused: "Cognito refused it: look the attribute up in the pool's schema.",
  stale: "Something newer was there before: where the file is right, give it a later time with `touch` or `--as-of`.",
  "version-ahead": "The row is of a time that has not come yet: look at the clock of the source.",
  "not-text": `It is an object or a list, and no text. ${CORRECT}`,
  "hidden-character": `It holds a control, or a character that nobody sees, in its middle. ${CORRECT}`,
  "spreadsheet-error": `It is an error of a spreadsheet. ${CORRECT}`,
  "word-for-nothing": "It is a word for nothing: export it blank, or list it under `blank`.",
  "apostrophe-before-digits": `A spreadsheet's apostrophe stands before the digits. ${CORRECT}`,
  "powers-of-ten": "It is a number in powers of ten, as spreadsheets show long ones: format the column as text.",
  "not-true-or-false": `The flag says neither yes nor no. ${CORRECT}`,
  "verified-not-said": "The flag's column is blank, and nothing else says what becomes of the flag.",
  "bad-phone-number": `It is no phone number. ${CORRECT}`,
  "phone-without-country": "The number has no country: write it with its +, or set a region for `e164`.",
  "phone-extension": "The number has an extension, which Cognito does not take: leave the extension out.",
  "not-a-date": `It is no date. ${CORRECT}`,
  "ambiguous-date": "The date has two readings: give `date` a pattern.",
  "not-a-time": `It is no time. ${CORRECT}`,
  "not-in-map": 'The map of the feed\'s configuration does not name it. Add it there, or `"*": keep`.',
  "no-such-part": `It has fewer parts than \`split\` asks for. ${CORRECT}`,
  "bad-version": `The row's version is no time with its zone. ${CORRECT}`,
};

function isKnown(reason: string): reason is InvalidReason | RowFault {
  return Object.hasOwn(ADVICE, reason);
}

/** Blank where the reason is not known. */
export function adviceOfRow(reason: string): string {
  if (isPlanFault(reason)) return PLAN_FAULTS[reason];
  return isKnown(reason) ? ADVICE[reason] : "";
}
