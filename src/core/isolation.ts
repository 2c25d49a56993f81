/**
 * Which unit of a refused call is at fault, so that the others go on: by its name in Cognito's message, else by
 * halving. Messages drift and may echo values, so a name counts only where Cognito puts names.
 */
import type { FailureKind } from "./failure.ts";
import { contactOf } from "./unit.ts";

const ALIASES = ["email", "phone_number", "preferred_username"];
const CONTACTS = ["email", "phone_number"];

/**
 * The units that a failure of this kind can be about, in the order they were sent. `sent` are the names of the
 * call's attributes: `email_verified` beside `email` belongs to the unit `email`, alone it is a unit itself.
 */
export function possibleCulprits(kind: FailureKind, sent: readonly string[]): readonly string[] {
  const units = unitsOf(sent);
  const allowed = kind === "alias-exists" ? ALIASES : kind === "delivery-failed" ? CONTACTS : undefined;
  if (allowed === undefined) return units;
  const found = units.filter((unit) => allowed.includes(contactOf(unit) ?? unit));
  return found.length > 0 ? found : units;
}

/**
 * The units at fault as the message says it, or undefined where it does not say: then the suspects are sent in
 * halves. `sent` as for {@link possibleCulprits}, in the order of the call.
 */
export function culprits(kind: FailureKind, message: string, sent: readonly string[]): readonly string[] | undefined {
  const units = possibleCulprits(kind, sent);
  if (units.length === 1) return units;
  const named = kind === "invalid-value" ? namedInvalid(message, sent) : namedAliases(message);
  const found = units.filter((unit) => named.includes(unit) || named.includes(contactOf(unit) ?? unit));
  if (found.length > 0) return found;
  // The user lacks a required attribute that is not even in the call: every write to this user fails alike.
  if (kind === "invalid-value" && /The attribute is required/.test(message)) return units;
  return undefined;
}

/** Two parts of about the same size, order kept. Throws a RangeError for fewer than two units. */
export function halves(units: readonly string[]): readonly [readonly string[], readonly string[]] {
  if (units.length < 2) throw new RangeError(`Expected at least 2 units to halve, got ${units.length}`);
  const middle = Math.ceil(units.length / 2);
  return [units.slice(0, middle), units.slice(middle)];
}

function unitsOf(sent: readonly string[]): readonly string[] {
  const units = sent.map((name) => {
    const contact = contactOf(name);
    return contact !== undefined && sent.includes(contact) ? contact : name;
  });
  return [...new Set(units)];
}

function namedAliases(message: string): readonly string[] {
  if (/\bpreferred.?username\b/i.test(message)) return ["preferred_username"];
  if (/\bphone\b|\bphone.?number\b|\bSMS\b/i.test(message)) return ["phone_number"];
  if (/\be-?mail\b/i.test(message)) return ["email"];
  return [];
}

const PREFIX = /^(?:Invalid user attributes: |Attributes did not conform to the schema: )/;

function namedInvalid(message: string, sent: readonly string[]): readonly string[] {
  const named = new Set<string>();
  // "1 validation error detected: Value at 'userAttributes.3.member.value' failed to satisfy constraint": from 1.
  for (const [, index] of message.matchAll(/ at 'userAttributes\.(\d+)\.member\.(?:value|name)' failed/g)) {
    const name = sent[Number(index) - 1];
    if (name !== undefined) named.add(name);
  }
  if (/^Invalid phone number format/i.test(message)) named.add("phone_number");
  if (/^Invalid email address format/i.test(message)) named.add("email");
  const lines = message.split("\n").map((line) => line.replace(PREFIX, ""));
  for (const name of sent) {
    const [spelled, braced] = [`${name}: `, `{${name}}`];
    const starts = lines.some((line) => line.startsWith(spelled) || line.startsWith(`user.${spelled}`));
    const typed = lines.some((line) => line.startsWith(`Type for attribute ${braced} `));
    const missing = lines.some((line) => line.startsWith(`Attribute value for ${name} must`));
    // Faults against the schema of several attributes also come in one line, each name before its sentence.
    const inLine = lines.some((line) => SEVERAL.test(line) && line.includes(` ${spelled}The attribute is required`));
    if (starts || typed || missing || inLine) named.add(name);
  }
  return [...named].map((name) => (sent.includes(contactOf(name) ?? name) ? (contactOf(name) ?? name) : name));
}

const SEVERAL = /^[^ ]+: The attribute is required /;
