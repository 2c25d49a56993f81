import { CONTACTS, FLAGS, isContact, isFlag } from "./contact.ts";
import type { Contact } from "./contact.ts";
import { invalidParameter } from "./service-error.ts";
import type { Attributes } from "./user.ts";

export interface ContactRules {
  /** Contacts to which a verification message goes when their value changes. */
  readonly autoVerified: ReadonlySet<Contact>;
  /** Contacts whose new value is held back until it is confirmed. A subset of `autoVerified`. */
  readonly heldBack: ReadonlySet<Contact>;
}

/** What an update that passed the schema would do. Nothing has happened yet. */
export interface UpdatePlan {
  readonly attributes: Attributes;
  readonly held: ReadonlyMap<Contact, string>;
  /** Contacts whose new value this very request holds back. */
  readonly holds: readonly Contact[];
  /** Contacts to whose new value a message goes. */
  readonly messages: readonly Contact[];
}

const LABELS: Readonly<Record<Contact, string>> = { email: "Email", phone_number: "Phone number" };

/**
 * Carries out a request's values on a user's attributes:
 * - blank deletes; a deleted contact loses its flag;
 * - a contact that changes without its flag becomes unverified, and a message goes out where the pool verifies it;
 * - the same contact again changes nothing: no flag, no message;
 * - a flag alone speaks of the value that is there;
 * - where verification comes before the update, a new value without a true flag is held back.
 */
export function planUpdate(
  rules: ContactRules,
  user: { readonly attributes: Attributes; readonly held: ReadonlyMap<Contact, string> },
  sent: ReadonlyMap<string, string>,
): UpdatePlan {
  const attributes = new Map(user.attributes);
  const held = new Map(user.held);
  const holds: Contact[] = [];
  const messages: Contact[] = [];

  const write = (name: string, value: string): void => {
    if (value === "") attributes.delete(name);
    else attributes.set(name, isFlag(name) ? value.toLowerCase() : value);
  };

  for (const [name, value] of sent) if (!isContact(name) && !isFlag(name)) write(name, value);

  for (const contact of CONTACTS) {
    const value = sent.get(contact);
    const flag = sent.get(FLAGS[contact]);
    const stored = user.attributes.get(contact);

    if (value === undefined) {
      if (flag === undefined) continue;
      if (stored === undefined) {
        throw invalidParameter(`${LABELS[contact]} is required to verify/un-verify ${an(contact)}`);
      }
      write(FLAGS[contact], flag);
    } else if (value === "") {
      attributes.delete(contact);
      attributes.delete(FLAGS[contact]);
      held.delete(contact);
    } else if (value !== stored && rules.heldBack.has(contact) && flag?.toLowerCase() !== "true") {
      if (held.get(contact) !== value) messages.push(contact);
      held.set(contact, value);
      holds.push(contact);
    } else {
      held.delete(contact);
      if (value !== stored) {
        write(contact, value);
        write(FLAGS[contact], flag ?? "false");
        if (flag === undefined && rules.autoVerified.has(contact)) messages.push(contact);
      } else if (flag !== undefined) {
        write(FLAGS[contact], flag);
      }
    }
  }
  return { attributes, held, holds, messages };
}

function an(contact: Contact): string {
  return contact === "email" ? "an email" : "a phone number";
}
