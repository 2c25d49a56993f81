import { isContact, isEmail, isPhoneNumber, type Contact } from "./contact.ts";
import type { PoolDefinition } from "./pool-definition.ts";
import { ServiceError, invalidParameter } from "./service-error.ts";
import type { UserDirectory } from "./user-directory.ts";

/** What usernames a pool takes for a new user, and what it makes of them. */
export interface SignInNames {
  /** What the username is where people sign in with a contact; undefined where they sign in with a name. */
  contactOf(username: string): Contact | undefined;
  /** The username to keep: where people sign in with a contact it is the sub, and the contact becomes an attribute. */
  nameUser(username: string, attributes: Map<string, string>, sub: string): string;
  /** Throws where the username has the form of a contact that is an alias in the pool. */
  refuseAliasForm(username: string): void;
}

export function createSignInNames(definition: PoolDefinition, directory: UserDirectory): SignInNames {
  const { usernameAttributes = [], aliasAttributes = [] } = definition;

  function contactOf(username: string): Contact | undefined {
    if (usernameAttributes.length === 0) return undefined;
    const contact = usernameAttributes.find((candidate) => hasForm(candidate, username));
    if (contact !== undefined) return contact;
    const forms = usernameAttributes.map((name) => (name === "email" ? "an email" : "a phone number"));
    throw invalidParameter(`Username should be ${forms.length > 1 ? "either " : ""}${forms.join(" or ")}.`);
  }

  return {
    contactOf,
    nameUser(username, attributes, sub) {
      const contact = contactOf(username);
      if (contact !== undefined) {
        attributes.set(contact, username);
        return sub;
      }
      if (directory.byUsername(username) !== undefined) throw usernameExists();
      return username;
    },
    refuseAliasForm(username) {
      for (const alias of aliasAttributes) {
        if (!isContact(alias) || !hasForm(alias, username)) continue;
        const form = alias === "email" ? "email" : "phone number";
        throw invalidParameter(
          `Username cannot be of ${form} format, since user pool is configured for ${form} alias.`,
        );
      }
    },
  };
}

export function usernameExists(): ServiceError {
  return new ServiceError("UsernameExistsException", "User account already exists");
}

function hasForm(contact: Contact, text: string): boolean {
  return contact === "email" ? isEmail(text) : isPhoneNumber(text);
}
