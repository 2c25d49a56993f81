import { isEmail, isPhoneNumber } from "./contact.ts";
import type { AttributeSpec, Schema } from "./schema.ts";
import { invalidParameter } from "./service-error.ts";

export interface SentAttribute {
  readonly name: string;
  /** Undefined where the request had none, or null: that is not a deletion but an error. */
  readonly value: string | undefined;
}

function isCalendarDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

/**
 * What is wrong with a value that is not blank, or undefined. The real texts for ranges, lengths and dates are not
 * known: those here keep the form `user.<name>: <sentence>` of the ones that are.
 */
function valueFault(spec: AttributeSpec, value: string): string | undefined {
  switch (spec.type) {
    case "String":
      if (value.length < (spec.minLength ?? 0)) return `Attribute value is shorter than ${spec.minLength} characters.`;
      if (value.length > (spec.maxLength ?? 2048))
        return `Attribute value is longer than ${spec.maxLength} characters.`;
      if (spec.name === "birthdate" && !isCalendarDate(value)) return "Attribute value is not a date (YYYY-MM-DD).";
      return undefined;
    case "Number": {
      if (!/^[+-]?\d+(?:\.\d+)?$/.test(value)) return "Attribute value is not a number.";
      const number = Number(value);
      if (number < (spec.minValue ?? -Infinity) || number > (spec.maxValue ?? Infinity)) {
        return "Attribute value is out of range.";
      }
      return undefined;
    }
    case "Boolean":
      return /^(?:true|false)$/i.test(value) ? undefined : "Attribute value is not true or false.";
    case "DateTime":
      return /^\d+$/.test(value) || !Number.isNaN(Date.parse(value)) ? undefined : "Attribute value is not a time.";
  }
}

function updateFault(spec: AttributeSpec | undefined, value: string): string | undefined {
  if (spec === undefined) return "Attribute does not exist in the schema.";
  // Refused even where the value is the one that is there.
  if (!spec.mutable) return "Attribute cannot be updated.";
  if (value === "") return spec.required ? "Required attribute cannot be deleted." : undefined;
  return valueFault(spec, value);
}

function requirePresent(sent: readonly SentAttribute[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const { name, value } of sent) {
    if (value === undefined) throw invalidParameter(`Attribute value for ${name} must not be null`);
    values.set(name, value);
  }
  return values;
}

function checkFormats(values: ReadonlyMap<string, string>): void {
  const email = values.get("email") ?? "";
  if (email !== "" && !isEmail(email)) throw invalidParameter("Invalid email address format.");
  const phone = values.get("phone_number") ?? "";
  if (phone !== "" && !isPhoneNumber(phone)) throw invalidParameter("Invalid phone number format.");
}

/** Required attributes, but `sub`, that have a value neither in the request nor at the user. */
function missing(schema: Schema, has: (name: string) => boolean): string[] {
  const names: string[] = [];
  for (const spec of schema.values())
    if (spec.required && spec.name !== "sub" && !has(spec.name)) names.push(spec.name);
  return names;
}

/**
 * Checks an update against the schema and gives the values to write, the last one of a repeated name. All faults
 * of the schema come in one message, a line each, before those of e-mail and phone. Throws
 * InvalidParameterException; the caller has written nothing by then.
 */
export function checkUpdate(
  schema: Schema,
  stored: ReadonlyMap<string, string>,
  sent: readonly SentAttribute[],
): Map<string, string> {
  const values = requirePresent(sent);
  const lines: string[] = [];
  for (const [name, value] of values) {
    const fault = updateFault(schema.get(name), value);
    if (fault !== undefined) lines.push(`user.${name}: ${fault}\n`);
  }
  for (const name of missing(schema, (required) => stored.has(required) || values.has(required))) {
    lines.push(`user.${name}: The attribute is required\n`);
  }
  if (lines.length > 0) throw invalidParameter(lines.join(""));
  checkFormats(values);
  return values;
}

/** Checks the attributes of a new user: immutable ones may be set this once, required ones must be. */
export function checkCreation(schema: Schema, sent: readonly SentAttribute[]): Map<string, string> {
  const values = requirePresent(sent);
  for (const [name, value] of values) if (value === "") values.delete(name);
  const lines: string[] = [];
  for (const [name, value] of values) {
    const spec = schema.get(name);
    const fault =
      spec === undefined || name === "sub" ? "Attribute does not exist in the schema." : valueFault(spec, value);
    if (fault !== undefined) lines.push(`${name}: ${fault}\n`);
  }
  for (const name of missing(schema, (required) => values.has(required))) {
    lines.push(`${name}: The attribute is required\n`);
  }
  if (lines.length > 0) throw invalidParameter(`Attributes did not conform to the schema: ${lines.join("")}`);
  checkFormats(values);
  return values;
}
