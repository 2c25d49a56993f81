/**
 * The transforms of flags, numbers, codes and lists. Each takes time in proportion to the text: no setting is a
 * regular expression.
 */

export type Outcome =
  | { readonly ok: true; readonly text: string }
  /** The words are those of InvalidUnit: a bounded reason, and a sentence without the value. */
  | { readonly ok: false; readonly reason: string; readonly detail: string };

export type ValueTransform =
  /** To `true` or `false`, from the words below. */
  | { readonly kind: "boolean" }
  /** To digits and a point, from a number whose decimal sign is `decimal` and whose groups of three may be set apart. */
  | { readonly kind: "number"; readonly decimal: "." | "," }
  /** One text for another. `*` stands for every other text, which `keep` leaves as it is. */
  | { readonly kind: "map"; readonly texts: Readonly<Record<string, string>> }
  /** The part `take` of what stands between the signs `at`: 1 is the first, -1 the last. */
  | { readonly kind: "split"; readonly at: string; readonly take: number }
  /** Every `text` becomes `by`. */
  | { readonly kind: "replace"; readonly text: string; readonly by: string }
  /** Zeros before a number of fewer digits. */
  | { readonly kind: "pad"; readonly digits: number };

const TRUE: ReadonlySet<string> = new Set(["true", "t", "yes", "y", "on", "1"]);
const FALSE: ReadonlySet<string> = new Set(["false", "f", "no", "n", "off", "0"]);

/** What `replace` takes, so that what it makes has a bound: Cognito holds 2,048 signs. */
const REPLACED_LENGTH = 10_000;
const BY_LENGTH = 100;
const DIGITS = 128;

/** What is wrong with a transform as it is configured, as a sentence, or undefined. */
export function valueTransformFault(transform: ValueTransform): string | undefined {
  switch (transform.kind) {
    case "boolean":
    case "number":
      return undefined;
    case "map":
      return Object.keys(transform.texts).length === 0
        ? "Expected `map` to have at least one text, got none"
        : undefined;
    case "split":
      if (transform.at === "") return "Expected `at` of `split` to be the signs between the parts, got none";
      return Number.isSafeInteger(transform.take) && transform.take !== 0
        ? undefined
        : `Expected \`take\` of \`split\` to be 1 for the first part, 2 for the second or -1 for the last, got \`${transform.take}\``;
    case "replace":
      if (transform.text === "") return "Expected `text` of `replace` to be what is replaced, got nothing";
      return transform.by.length <= BY_LENGTH
        ? undefined
        : `Expected \`with\` of \`replace\` to have at most ${BY_LENGTH} signs, got ${transform.by.length}`;
    case "pad":
      return Number.isSafeInteger(transform.digits) && transform.digits >= 1 && transform.digits <= DIGITS
        ? undefined
        : `Expected \`pad\` to be a number of digits from 1 to ${DIGITS}, got \`${transform.digits}\``;
  }
}

/** Applies one transform to a text that is not "". White space at the ends says nothing. */
export function applyValueTransform(transform: ValueTransform, given: string): Outcome {
  const text = given.trim();
  if (text === "") return { ok: true, text };
  switch (transform.kind) {
    case "boolean":
      return toBoolean(text);
    case "number":
      return toNumber(text, transform.decimal);
    case "map":
      return toMapped(text, transform.texts);
    case "split":
      return toPart(text, transform.at, transform.take);
    case "replace":
      return text.length > REPLACED_LENGTH
        ? refused("too-long", `Expected a text of at most ${REPLACED_LENGTH} signs to replace in.`)
        : { ok: true, text: text.replaceAll(transform.text, () => transform.by) };
    case "pad":
      // What has letters lost no zeros to a spreadsheet.
      return { ok: true, text: /^\d+$/.test(text) ? text.padStart(transform.digits, "0") : text };
  }
}

function toBoolean(text: string): Outcome {
  const word = text.toLowerCase();
  if (TRUE.has(word)) return { ok: true, text: "true" };
  if (FALSE.has(word)) return { ok: true, text: "false" };
  return refused(
    "not-a-boolean",
    "Expected one of true, t, yes, y, on, 1, false, f, no, n, off, 0; give other words to a `map` before `boolean`.",
  );
}

/** Each with the sign of its groups: an apostrophe, a space (three kinds of them), or the other of point and comma. */
const NUMBERS = {
  ".": /^([+-]?)(\d+|\d{1,3}(?:([,'’ \u00a0\u202f])\d{3})(?:\3\d{3})*)(?:\.(\d+))?$/,
  ",": /^([+-]?)(\d+|\d{1,3}(?:([.'’ \u00a0\u202f])\d{3})(?:\3\d{3})*)(?:,(\d+))?$/,
} as const;

/** The digits stay as they are: a floating point number would round them. */
function toNumber(text: string, decimal: "." | ","): Outcome {
  const match = text.length > 2048 ? null : NUMBERS[decimal].exec(text);
  if (match === null) {
    const example = decimal === "." ? "`1234.5` or `1,234.5`" : "`1234,5` or `1.234,5`";
    return refused("not-a-number", `Expected a number such as ${example}; say its decimal sign with \`number\`.`);
  }
  const [, sign = "", whole = "", , fraction] = match;
  const digits = whole.replace(/\D/g, "").replace(/^0+(?=\d)/, "");
  return { ok: true, text: `${sign === "-" ? "-" : ""}${digits}${fraction === undefined ? "" : `.${fraction}`}` };
}

function toMapped(text: string, texts: Readonly<Record<string, string>>): Outcome {
  if (text !== "*" && Object.hasOwn(texts, text)) return { ok: true, text: texts[text] ?? "" };
  const other = Object.hasOwn(texts, "*") ? texts["*"] : undefined;
  if (other !== undefined) return { ok: true, text: other === "keep" ? text : other };
  const detail = 'Expected one of the texts of `map`; add it, or `"*": keep` for all others.';
  return { ok: false, reason: "not-in-map", detail };
}

function toPart(text: string, at: string, take: number): Outcome {
  const part = text.split(at).at(take > 0 ? take - 1 : take);
  if (part !== undefined) return { ok: true, text: part.trim() };
  const detail = `Expected the text to have a part ${take} as \`split\` divides it.`;
  return { ok: false, reason: "no-such-part", detail };
}

/** As the pool's schema refuses such a value. */
type SchemaReason = "not-a-boolean" | "not-a-number" | "too-long";

function refused(reason: SchemaReason, detail: string): Outcome {
  return { ok: false, reason, detail };
}
