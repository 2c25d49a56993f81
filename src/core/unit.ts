/**
 * A unit is what is merged, sent, buried and counted as one: an attribute; or `email` with its verified flag;
 * or `phone_number` with its flag.
 *
 * A change may also say only "verify (or un-verify) the value that is there". Such a value is *as it is*; it has the
 * flag's own name (`email_verified`), yields to any newer value of the contact it speaks of, and is sent in a call
 * of its own.
 */

/** What becomes of the flag of an e-mail address or phone number when it changes. See docs/operations.md. */
export const VERIFIED = ["mark", "ask", "keep"] as const;
export type Verified = (typeof VERIFIED)[number];

export type UnitValue =
  /** `verified` is there for `email` and `phone_number`, and for nothing else. */
  | { readonly kind: "text"; readonly text: string; readonly verified?: Verified }
  /** Cognito deletes an attribute that is sent blank. */
  | { readonly kind: "clear" }
  /** Sets the flag of the value that is there. */
  | { readonly kind: "as-is"; readonly verified: boolean };

export interface Unit {
  /** An attribute name as Cognito spells it: `given_name`, `custom:cost_center`, `dev:x`, `email`, `email_verified`. */
  readonly name: string;
  readonly value: UnitValue;
}

/** The flag of each contact, by the contact's name. */
export const FLAG_OF: Readonly<Record<string, string>> = {
  email: "email_verified",
  phone_number: "phone_number_verified",
};
/** The contact of each flag, by the flag's name. */
export const CONTACT_OF: Readonly<Record<string, string>> = {
  email_verified: "email",
  phone_number_verified: "phone_number",
};

/** `email_verified` for `email`, `phone_number_verified` for `phone_number`, else undefined. */
export function flagOf(name: string): string | undefined {
  return Object.hasOwn(FLAG_OF, name) ? FLAG_OF[name] : undefined;
}

/** `email` for `email_verified`, `phone_number` for `phone_number_verified`, else undefined. */
export function contactOf(name: string): string | undefined {
  return Object.hasOwn(CONTACT_OF, name) ? CONTACT_OF[name] : undefined;
}

/** True for the units whose writing Cognito may answer with a message to the person. */
export function isContact(name: string): boolean {
  return flagOf(name) !== undefined;
}

/** True for the flag of an address or number, which is a unit where it stands alone. */
export function isFlag(name: string): boolean {
  return contactOf(name) !== undefined;
}

/** True for a unit that is one attribute, and no address, number or flag. */
export function isPlain(name: string): boolean {
  return !isContact(name) && !isFlag(name);
}
