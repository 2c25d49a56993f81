import { FLAGS, isContact } from "./contact.ts";
import type { PoolDefinition } from "./pool-definition.ts";
import { ServiceError } from "./service-error.ts";
import type { Attributes, User } from "./user.ts";
import type { IndexedAttribute, UserDirectory } from "./user-directory.ts";

/**
 * Which value names which user.
 *
 * - Username attributes: a value belongs to one user, verified or not, and a second one is refused.
 * - Alias attributes: many users may have the value, only the one who verified it last is named by it. Verifying it
 *   for another moves it without an error, and the former owner's flag becomes false (boto3 #3213).
 *   `preferred_username` has no flag; it is unique.
 */
export interface Aliases {
  /** The user that an alias names. */
  owner(alias: string): User | undefined;
  /** Throws AliasExistsException where another user has a value that these attributes would need for themselves. */
  refuse(user: User | undefined, attributes: Attributes): void;
  /** Users whose verified value moves to this user, with the name of the attribute. */
  losers(
    user: User | undefined,
    attributes: Attributes,
  ): { readonly user: User; readonly contact: "email" | "phone_number" }[];
}

export function createAliases(definition: PoolDefinition, directory: UserDirectory): Aliases {
  const usernameAttributes: readonly IndexedAttribute[] = definition.usernameAttributes ?? [];
  const aliasAttributes: readonly IndexedAttribute[] = definition.aliasAttributes ?? [];
  const caseSensitive = definition.caseSensitive ?? true;

  /** Users with the value, in the pool's own sense of equal. */
  function holders(name: IndexedAttribute, value: string): readonly User[] {
    const found = directory.withValue(name, value);
    // The directory ignores case, the pool may not.
    return caseSensitive ? found.filter((user) => user.attributes.get(name) === value) : found;
  }

  function active(name: IndexedAttribute, value: string): User | undefined {
    return holders(name, value).find((user) => !isContact(name) || user.attributes.get(FLAGS[name]) === "true");
  }

  return {
    owner(alias) {
      for (const name of usernameAttributes) {
        const [user] = holders(name, alias);
        if (user !== undefined) return user;
      }
      for (const name of aliasAttributes) {
        const user = active(name, alias);
        if (user !== undefined) return user;
      }
      return undefined;
    },

    refuse(user, attributes) {
      const unique = aliasAttributes.includes("preferred_username")
        ? [...usernameAttributes, "preferred_username" as const]
        : usernameAttributes;
      for (const name of unique) {
        const value = attributes.get(name);
        if (value === undefined || value === user?.attributes.get(name)) continue;
        if (holders(name, value).some((holder) => holder !== user)) {
          throw new ServiceError("AliasExistsException", `An account with the given ${name} already exists.`);
        }
      }
    },

    losers(user, attributes) {
      const lost: { user: User; contact: "email" | "phone_number" }[] = [];
      for (const name of aliasAttributes) {
        if (!isContact(name)) continue;
        const value = attributes.get(name);
        if (value === undefined || attributes.get(FLAGS[name]) !== "true") continue;
        for (const holder of holders(name, value)) {
          if (holder !== user && holder.attributes.get(FLAGS[name]) === "true")
            lost.push({ user: holder, contact: name });
        }
      }
      return lost;
    },
  };
}
