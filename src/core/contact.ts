/**
 * What to send for an e-mail address or phone number, given what the pool has. Equal values are never sent: sending
 * one again may take its verification away and message the person.
 */
import type { LetterKind } from "./failure.ts";
import type { InvalidReason, PoolProfile } from "./pool-schema.ts";
import { composed } from "./text.ts";
import { contactOf, flagOf } from "./unit.ts";
import type { UnitValue } from "./unit.ts";

export interface Contact {
  readonly value: string;
  readonly verified: boolean;
}

/** What ListUsers says of a user's contacts; absent are those that the user does not have. */
export interface Contacts {
  readonly email?: Contact;
  readonly phone_number?: Contact;
}

/** The contacts of a user whose attributes `valueOf` gives. */
export function contactsOf(valueOf: (name: string) => string | undefined): Contacts {
  const contact = (name: "email" | "phone_number"): Contact | undefined => {
    const value = valueOf(name);
    // A blank value is one that was deleted.
    if (value === undefined || value === "") return undefined;
    return { value, verified: valueOf(`${name}_verified`)?.toLowerCase() === "true" };
  };
  const [email, phone] = [contact("email"), contact("phone_number")];
  return { ...(email && { email }), ...(phone && { phone_number: phone }) };
}

/** As AdminUpdateUserAttributes takes it; a blank value deletes. */
export interface Attribute {
  readonly Name: string;
  readonly Value: string;
}

export type ContactPlan =
  | { readonly do: "unchanged" }
  | { readonly do: "send"; readonly attributes: readonly Attribute[] }
  | { readonly do: "bury"; readonly kind: LetterKind; readonly reason: InvalidReason | "user-not-listed" };

const UNCHANGED: ContactPlan = { do: "unchanged" };
const NOT_LISTED: ContactPlan = { do: "bury", kind: "user-not-found", reason: "user-not-listed" };

const send = (...pairs: readonly (readonly [name: string, value: string])[]): ContactPlan => ({
  do: "send",
  attributes: pairs.map(([Name, Value]) => ({ Name, Value })),
});

/**
 * `contacts` is undefined where the list does not show the user: it is eventually consistent, so the write then is
 * the authority, unless what is there must be known. Throws a TypeError for a name that is no contact, or a value
 * that does not say what becomes of the flag: `checkUnit` refuses both.
 */
export function planContact(
  profile: Pick<PoolProfile, "caseSensitive">,
  name: string,
  value: UnitValue,
  contacts: Contacts | undefined,
): ContactPlan {
  if (value.kind === "as-is") return planFlag(name, value.verified, contacts);
  const flag = flagOf(name);
  if (flag === undefined || (name !== "email" && name !== "phone_number")) {
    throw new TypeError(`Expected \`${name}\` to be email or phone_number`);
  }
  const current = contacts?.[name];
  if (value.kind === "clear") return contacts && !current ? UNCHANGED : send([name, ""]);
  const equal = current !== undefined && isSame(profile, name, current.value, value.text);
  switch (value.verified) {
    case "mark":
      return equal && current.verified ? UNCHANGED : send([name, value.text], [flag, "true"]);
    case "ask":
      return equal ? UNCHANGED : send([name, value.text]);
    case "keep":
      if (!contacts) return NOT_LISTED;
      // A user without a value has not verified one.
      return equal ? UNCHANGED : send([name, value.text], [flag, String(current?.verified ?? false)]);
    default:
      throw new TypeError(`Expected \`${name}\` to say what becomes of its flag`);
  }
}

/**
 * What is there once these attributes are written. A value that the pool holds back until the person confirms it is not
 * there yet. Undefined stays undefined: a call tells nothing about a user that was not listed.
 */
export function contactsAfter(
  { requireVerificationBeforeUpdate }: Pick<PoolProfile, "requireVerificationBeforeUpdate">,
  contacts: Contacts | undefined,
  written: readonly Attribute[],
): Contacts | undefined {
  if (!contacts) return undefined;
  const sent = new Map(written.map(({ Name, Value }) => [Name, Value]));
  const after = (name: "email" | "phone_number"): Contact | undefined => {
    const value = sent.get(name);
    const flag = sent.get(`${name}_verified`);
    const before = contacts[name];
    if (value === "") return undefined;
    if (value !== undefined && (flag === "true" || !requireVerificationBeforeUpdate.includes(name))) {
      return { value, verified: flag === "true" };
    }
    return before && value === undefined && flag !== undefined ? { ...before, verified: flag === "true" } : before;
  };
  const [email, phone] = [after("email"), after("phone_number")];
  return { ...(email && { email }), ...(phone && { phone_number: phone }) };
}

function planFlag(name: string, verified: boolean, contacts: Contacts | undefined): ContactPlan {
  const contact = contactOf(name);
  if (contact !== "email" && contact !== "phone_number") {
    throw new TypeError(`Expected \`${name}\` to be email_verified or phone_number_verified`);
  }
  if (!contacts) return NOT_LISTED;
  const current = contacts[contact];
  if (!current) return { do: "bury", kind: "invalid-value", reason: "no-value-to-verify" };
  return current.verified === verified ? UNCHANGED : send([name, String(verified)]);
}

function isSame(profile: Pick<PoolProfile, "caseSensitive">, name: string, one: string, other: string): boolean {
  const [was, is] = [composed(one), composed(other)];
  return name === "email" && !profile.caseSensitive ? was.toLowerCase() === is.toLowerCase() : was === is;
}
