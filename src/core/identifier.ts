/**
 * What a feed names a user by. Cognito takes aliases and subs for usernames, but one person must have one mailbox: so
 * whatever is not the username is looked up first.
 */
import type { PoolProfile } from "./pool-schema.ts";

export const IDENTIFIERS = ["username", "email", "phone_number", "sub"] as const;
export type Identifier = (typeof IDENTIFIERS)[number];

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * What a text that names a user is. `said` is what the feed's mapping says of it; without it, an address or number is
 * taken for one where people sign in with such, because no username may look like that in these pools.
 */
export function identifierOf(
  profile: Pick<PoolProfile, "usernameAttributes" | "aliasAttributes">,
  text: string,
  said?: Identifier,
): Identifier {
  const { usernameAttributes, aliasAttributes } = profile;
  // There the username of every user is its sub.
  if (usernameAttributes.length > 0 && UUID.test(text)) return "username";
  if (said !== undefined) return said;
  const names = [...usernameAttributes, ...aliasAttributes];
  if (names.includes("email") && text.includes("@")) return "email";
  if (names.includes("phone_number") && /^\+\d+$/.test(text)) return "phone_number";
  return "username";
}
