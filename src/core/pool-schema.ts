/**
 * What a pool accepts, from DescribeUserPool, and the checks that are made before a call is spent. They refuse what
 * Cognito is known to refuse; where its rule is not documented they let the value through.
 */
import type { InvalidUnit } from "./change.ts";
import { contactOf, flagOf } from "./unit.ts";
import type { Unit } from "./unit.ts";

export const ATTRIBUTE_TYPES = ["String", "Number", "Boolean", "DateTime"] as const;
export type AttributeType = (typeof ATTRIBUTE_TYPES)[number];

export interface AttributeSchema {
  /** As it is sent: with its `custom:` or `dev:`. */
  readonly name: string;
  readonly type: AttributeType;
  readonly mutable: boolean;
  readonly required: boolean;
  /** Written by administrators only. */
  readonly developerOnly: boolean;
  /** In characters. */
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly minValue?: number | undefined;
  readonly maxValue?: number | undefined;
}

export interface PoolProfile {
  readonly id: string;
  readonly arn: string;
  readonly region: string;
  readonly accountId: string;
  readonly attributes: Readonly<Record<string, AttributeSchema>>;
  /** Whether usernames, preferred usernames and e-mail addresses that differ in case only are different. */
  readonly caseSensitive: boolean;
  /** Users sign in with these instead of a username, which then is a UUID. */
  readonly usernameAttributes: readonly string[];
  /** Users sign in with these beside the username. */
  readonly aliasAttributes: readonly string[];
  /** Cognito asks the person to verify these when they change. */
  readonly autoVerified: readonly string[];
  /** The old value of these stays until the person has verified the new one. */
  readonly requireVerificationBeforeUpdate: readonly string[];
  /** How many users it has, by Cognito's own estimate, which lags. */
  readonly estimatedUsers?: number;
}

/** Why a unit cannot be sent, or was refused as invalid by Cognito: a bounded set, to count and group by. */
export const INVALID_REASONS = [
  "attribute-unknown",
  "custom-prefix-missing",
  "reserved-name",
  "immutable",
  "required",
  "required-missing",
  "blank-text",
  "verified-missing",
  "verified-misplaced",
  "flag-as-value",
  "holds-nul",
  "holds-lone-surrogate",
  "too-short",
  "too-long",
  "not-a-number",
  "out-of-range",
  "not-a-boolean",
  "not-a-date-time",
  "birthdate-format",
  "updated-at-format",
  "phone-number-format",
  "email-format",
  "no-value-to-verify",
  "username-length",
  "username-characters",
  "refused",
] as const;
export type InvalidReason = (typeof INVALID_REASONS)[number];

/** Like `InvalidUnit`, for a username: the fault of a whole row. */
export interface InvalidUsername {
  readonly reason: InvalidReason;
  /** A whole sentence without the username. */
  readonly detail: string;
}

const MAX_VALUE_LENGTH = 2048;
const MAX_USERNAME_LENGTH = 128;

/** One spelling for one user: folded where the pool ignores case. */
export function canonicalUsername(profile: PoolProfile, username: string): string {
  return profile.caseSensitive ? username : username.toLowerCase();
}

/** What is wrong with a username, or undefined. */
export function checkUsername(username: string): InvalidUsername | undefined {
  if (username.length === 0 || username.length > MAX_USERNAME_LENGTH) {
    return {
      reason: "username-length",
      detail: `Expected the username to have 1 to ${MAX_USERNAME_LENGTH} characters, got ${username.length}`,
    };
  }
  if (!username.isWellFormed() || !/^[\p{L}\p{M}\p{S}\p{N}\p{P}]+$/u.test(username)) {
    return {
      reason: "username-characters",
      detail:
        "Expected the username to hold letters, digits, signs and punctuation only: no blanks, no control characters",
    };
  }
  return undefined;
}

/** What is wrong with a unit, or undefined. */
export function checkUnit(profile: PoolProfile, unit: Unit): InvalidUnit | undefined {
  const fault = nameFault(profile, unit) ?? flagFault(unit);
  if (fault) return { name: unit.name, ...fault };
  const schema = attributeOf(profile, unit.name);
  if (schema === undefined) return undefined;
  const next =
    writeFault(schema, unit) ?? (unit.value.kind === "text" ? textFault(schema, unit.value.text) : undefined);
  return next && { name: unit.name, ...next };
}

/** The attribute of the pool whose name is closest to an unknown one, or undefined where none is near. */
export function closestName(profile: PoolProfile, name: string): string | undefined {
  const wanted = bareName(name);
  // A swapped pair of letters is two edits; a short name is near to everything.
  const most = wanted.length < 4 ? Math.floor(wanted.length / 3) : Math.max(2, Math.floor(wanted.length / 3));
  let closest: { name: string; distance: number } | undefined;
  for (const candidate of Object.keys(profile.attributes)) {
    const distance = editDistance(wanted, bareName(candidate));
    if (distance <= most && distance < (closest?.distance ?? Infinity)) {
      closest = { name: candidate, distance };
    }
  }
  return closest?.name;
}

interface Fault {
  readonly reason: InvalidReason;
  readonly detail: string;
}

const fault = (reason: InvalidReason, detail: string): Fault => ({ reason, detail });

function attributeOf(profile: PoolProfile, name: string): AttributeSchema | undefined {
  return Object.hasOwn(profile.attributes, name) ? profile.attributes[name] : undefined;
}

function nameFault(profile: PoolProfile, { name }: Unit): Fault | undefined {
  // `identities` is in every schema and belongs to federation; `cognito:…` are Cognito's own.
  if (name === "sub" || name === "identities" || name.startsWith("cognito:")) {
    return fault("reserved-name", `\`${name}\` is Cognito's own and cannot be set: leave it out`);
  }
  if (attributeOf(profile, name) !== undefined) return undefined;
  if (attributeOf(profile, `custom:${name}`) !== undefined) {
    return fault("custom-prefix-missing", `The pool has no attribute \`${name}\`: write \`custom:${name}\``);
  }
  const closest = closestName(profile, name);
  const hint = closest === undefined ? "add it to the pool, or leave it out" : `did you mean \`${closest}\`?`;
  return fault("attribute-unknown", `The pool has no attribute \`${name}\`: ${hint}`);
}

function flagFault({ name, value }: Unit): Fault | undefined {
  const contact = contactOf(name);
  if (contact !== undefined && value.kind !== "as-is") {
    return fault(
      "flag-as-value",
      `\`${name}\` is not set as an attribute: say with \`${contact}\` what becomes of it (mark, ask or keep), or verify the value that is there`,
    );
  }
  if (contact === undefined && value.kind === "as-is") {
    return fault("verified-misplaced", `\`${name}\` has no verified flag: only email and phone_number have one`);
  }
  if (value.kind !== "text") return undefined;
  const isContact = flagOf(name) !== undefined;
  if (isContact && value.verified === undefined) {
    return fault(
      "verified-missing",
      `Expected \`${name}\` to say what becomes of its verified flag: mark, ask or keep`,
    );
  }
  if (!isContact && value.verified !== undefined) {
    return fault("verified-misplaced", `\`${name}\` has no verified flag: only email and phone_number have one`);
  }
  return undefined;
}

function writeFault({ name, mutable, required }: AttributeSchema, { value }: Unit): Fault | undefined {
  if (!mutable) {
    return fault(
      "immutable",
      `\`${name}\` is immutable in this pool: Cognito refuses every write, even of the value that is there`,
    );
  }
  if (value.kind === "clear" && required) {
    return fault("required", `\`${name}\` is required in this pool and cannot be cleared`);
  }
  return undefined;
}

function textFault(schema: AttributeSchema, text: string): Fault | undefined {
  const { name, type } = schema;
  if (text === "")
    return fault("blank-text", `\`${name}\` is blank, which Cognito takes for a deletion: clear it if that is wanted`);
  if (text.includes("\0")) return fault("holds-nul", `\`${name}\` holds a NUL character`);
  if (!text.isWellFormed())
    return fault("holds-lone-surrogate", `\`${name}\` is not valid Unicode: it holds half of a surrogate pair`);
  const length = lengthFault(schema, text);
  if (length) return length;
  switch (type) {
    case "String":
      return formatFault(name, text);
    case "Number":
      return numberFault(schema, text);
    case "Boolean":
      return text === "true" || text === "false"
        ? undefined
        : fault("not-a-boolean", `Expected \`${name}\` to be true or false`);
    case "DateTime":
      return /^\d+$/.test(text) || !Number.isNaN(Date.parse(text))
        ? undefined
        : fault("not-a-date-time", `Expected \`${name}\` to be a time, as 2026-11-21T09:30:00Z`);
  }
}

/**
 * Cognito's model counts characters, its quota page bytes, and which of them holds is not known: both are checked.
 * Astral characters count as two at the upper end and as one at the lower, so that nothing passes by a spelling.
 */
function lengthFault(
  { name, minLength, maxLength = MAX_VALUE_LENGTH }: AttributeSchema,
  text: string,
): Fault | undefined {
  const most = Math.min(maxLength, MAX_VALUE_LENGTH);
  if (text.length > most)
    return fault("too-long", `Expected \`${name}\` to have at most ${most} characters, got ${text.length}`);
  const bytes = text.length * 3 <= MAX_VALUE_LENGTH ? 0 : new TextEncoder().encode(text).length;
  if (bytes > MAX_VALUE_LENGTH) {
    return fault("too-long", `Expected \`${name}\` to have at most ${MAX_VALUE_LENGTH} bytes in UTF-8, got ${bytes}`);
  }
  if (minLength !== undefined && text.length < 2 * minLength) {
    const length = Array.from(text).length;
    if (length < minLength)
      return fault("too-short", `Expected \`${name}\` to have at least ${minLength} characters, got ${length}`);
  }
  return undefined;
}

function numberFault(
  { name, minValue = -Infinity, maxValue = Infinity }: AttributeSchema,
  text: string,
): Fault | undefined {
  if (name === "updated_at" && !/^\d+$/.test(text)) {
    return fault("updated-at-format", "Expected `updated_at` to be whole seconds since 1970, as 1795478400");
  }
  if (!/^[+-]?\d+(\.\d+)?$/.test(text)) return fault("not-a-number", `Expected \`${name}\` to be a number in digits`);
  const number = Number(text);
  if (number >= minValue && number <= maxValue) return undefined;
  const range =
    maxValue === Infinity
      ? `at least ${minValue}`
      : minValue === -Infinity
        ? `at most ${maxValue}`
        : `${minValue} to ${maxValue}`;
  return fault("out-of-range", `Expected \`${name}\` to be ${range}`);
}

function formatFault(name: string, text: string): Fault | undefined {
  switch (name) {
    case "birthdate":
      return isCalendarDate(text)
        ? undefined
        : fault("birthdate-format", "Expected `birthdate` to be a date, as 1990-12-31");
    case "phone_number":
      return /^\+\d{2,15}$/.test(text)
        ? undefined
        : fault("phone-number-format", "Expected `phone_number` to be + and 2 to 15 digits, as +14325551212");
    case "email":
      return isEmail(text)
        ? undefined
        : fault("email-format", "Expected `email` to be an address, as name@example.com");
    default:
      return undefined;
  }
}

function isCalendarDate(text: string): boolean {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)?.map(Number) ?? [];
  if (year === undefined || month === undefined || day === undefined) return false;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
  return days !== undefined && day >= 1 && day <= days;
}

/** Loose on purpose: a wrong refusal here is worse than a call that Cognito refuses. */
function isEmail(text: string): boolean {
  return /^(?:"[^"\r\n]+"|[^\s@"]+)@[^\s@.]+(?:\.[^\s@.]+)*$/u.test(text);
}

function bareName(name: string): string {
  return name
    .replace(/^(?:custom|dev):/, "")
    .replace(/[^\p{L}\p{N}]/gu, "")
    .toLowerCase();
}

/** Levenshtein's distance, a row at a time. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (const [line, letter] of Array.from(one).entries()) {
    const next = [line + 1];
    for (let column = 0; column < other.length; column += 1) {
      const replaced = (row[column] ?? 0) + (letter === other[column] ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
