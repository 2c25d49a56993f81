import { createRequire } from "node:module";
import type * as PhoneNumbers from "libphonenumber-js/min";
import { datePattern, dayText, parseDay, parseInstant } from "./date.ts";
import { applyValueTransform, valueTransformFault, type Outcome, type ValueTransform } from "./value-transform.ts";

/**
 * What is done to a text before it is sent. Each is a pure function of the text, and each either succeeds or says why
 * not; a text is never passed on half done.
 */
export type Transform =
  | { readonly kind: "trim" }
  | { readonly kind: "lower" }
  | { readonly kind: "upper" }
  /** To `+` and digits. A number without its country code is read as one of `region` (`DE`, `US`). */
  | { readonly kind: "e164"; readonly region?: string }
  /** To YYYY-MM-DD. With a pattern (`MM/DD/YYYY`) only that form is read. */
  | { readonly kind: "date"; readonly pattern?: string }
  /** To epoch seconds, from ISO 8601 with a zone, a plain date (its midnight in UTC) or an epoch number. */
  | { readonly kind: "epoch" }
  | ValueTransform;

const require: (name: "libphonenumber-js/min") => typeof PhoneNumbers = createRequire(import.meta.url);

/** Loaded with the first number: few feeds have one, and it is a sixth of a command's start. */
function phoneNumbers(): typeof PhoneNumbers {
  return require("libphonenumber-js/min");
}

/** What is wrong with a transform as it is configured, as a sentence, or undefined. */
export function transformFault(transform: Transform): string | undefined {
  switch (transform.kind) {
    case "trim":
    case "lower":
    case "upper":
    case "epoch":
      return undefined;
    case "e164":
      return transform.region === undefined || isRegion(transform.region)
        ? undefined
        : `Expected \`region\` to be a two-letter country code in capitals such as DE or US, got \`${transform.region}\``;
    case "date":
      return transform.pattern === undefined || datePattern(transform.pattern) !== undefined
        ? undefined
        : `Expected \`pattern\` to have YYYY, one of MM, M, MMM and one of DD, D, got \`${transform.pattern}\``;
    default:
      return valueTransformFault(transform);
  }
}

function isRegion(region: string): region is PhoneNumbers.CountryCode {
  // The metadata is a plain object: `isSupportedCountry("constructor")` would say yes.
  return /^[A-Z]{2}$/.test(region) && phoneNumbers().isSupportedCountry(region);
}

/** Applies one transform. Blank text stays as it is: what becomes of it is the mapping's `onBlank`. */
export function applyTransform(transform: Transform, text: string): Outcome {
  if (text === "") return { ok: true, text };
  switch (transform.kind) {
    case "trim":
      return { ok: true, text: text.trim() };
    case "lower":
      return { ok: true, text: text.toLowerCase() };
    case "upper":
      return { ok: true, text: text.toUpperCase() };
    case "e164":
      return toE164(text, transform.region);
    case "date":
      return toDate(text, transform.pattern);
    case "epoch":
      return toEpoch(text);
    default:
      return applyValueTransform(transform, text);
  }
}

function toE164(text: string, region: string | undefined): Outcome {
  const trimmed = text.trim();
  if (trimmed === "") return { ok: true, text: "" };
  // Longer is no number, and not worth a search by patterns.
  const number =
    trimmed.length > 64
      ? undefined
      : phoneNumbers().parsePhoneNumberFromString(trimmed, {
          extract: false,
          ...(region !== undefined && isRegion(region) && { defaultCountry: region }),
        });
  if (number === undefined) {
    return region === undefined && !trimmed.startsWith("+")
      ? {
          ok: false,
          reason: "phone-without-country",
          detail: "Expected a phone number with + and its country code, or a `region` for the e164 transform.",
        }
      : { ok: false, reason: "bad-phone-number", detail: "Expected a phone number such as +14325551212." };
  }
  if (number.ext !== undefined) {
    return {
      ok: false,
      reason: "phone-extension",
      detail: "Expected a phone number without an extension, which E.164 cannot hold.",
    };
  }
  if (!number.isPossible()) {
    return {
      ok: false,
      reason: "bad-phone-number",
      detail: "Expected a phone number with as many digits as its country has.",
    };
  }
  return { ok: true, text: number.number };
}

function toDate(text: string, pattern: string | undefined): Outcome {
  const trimmed = text.trim();
  if (trimmed === "") return { ok: true, text: "" };
  const read = pattern === undefined ? parseDay : datePattern(pattern);
  const day = read === undefined ? "not-a-date" : read(trimmed);
  if (typeof day !== "string") return { ok: true, text: dayText(day) };
  if (day === "ambiguous-date") {
    return {
      ok: false,
      reason: day,
      detail: "Expected a date with one reading; give the date transform a pattern such as MM/DD/YYYY or DD/MM/YYYY.",
    };
  }
  return { ok: false, reason: day, detail: `Expected a date such as ${pattern ?? "2020-08-29"}.` };
}

function toEpoch(text: string): Outcome {
  const trimmed = text.trim();
  if (trimmed === "") return { ok: true, text: "" };
  let atMs = parseInstant(trimmed);
  if (atMs === undefined && /^\d{4}-\d{2}-\d{2}$/.test(trimmed)) {
    const day = parseDay(trimmed);
    if (typeof day !== "string") atMs = Date.UTC(day.year, day.month - 1, day.day);
  }
  if (atMs === undefined) {
    return {
      ok: false,
      reason: "not-a-time",
      detail:
        "Expected a time with its zone such as 2026-01-31T18:42:00Z, a date such as 2026-01-31, or epoch seconds.",
    };
  }
  return { ok: true, text: String(Math.floor(atMs / 1000)) };
}

/** Applies transforms from left to right, up to the first that refuses. */
export function applyTransforms(transforms: readonly Transform[], text: string): Outcome {
  let outcome: Outcome = { ok: true, text };
  for (const transform of transforms) {
    if (!outcome.ok) break;
    outcome = applyTransform(transform, outcome.text);
  }
  return outcome;
}

const PLACE = /\{([^{}]+)\}/g;

/** The columns that a template such as `{First} {Last}` names. */
export function templateColumns(template: string): string[] {
  return Array.from(template.matchAll(PLACE), (match) => match[1] ?? "");
}

/** Fills a template in. The function gives a column's text. */
export function fillTemplate(template: string, textOf: (column: string) => string): string {
  return template.replace(PLACE, (_place, column: string) => textOf(column));
}
