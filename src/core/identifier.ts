/**
 * What a feed names a user by. Cognito takes aliases and subs for usernames, but one person must have one mailbox: so
 * whatever may be something else than the username is asked of the pool first.
 */
import type { PoolProfile } from "./pool-schema.ts";

export const IDENTIFIERS = ["username", "email", "phone_number", "sub"] as const;
export type Identifier = (typeof IDENTIFIERS)[number];

/** The attribute that is matched, where nobody can be asked for by it: only a scan of the pool finds whom it means. */
export function indexedMatch({ match }: { readonly match?: string | undefined }): string | undefined {
  return IDENTIFIERS.some((one) => one === match) ? undefined : match;
}

/** The attributes by which the pool can be asked for a user. */
export type Question = Identifier | "preferred_username";

type SignIn = Pick<PoolProfile, "usernameAttributes" | "aliasAttributes">;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * What a text that names a user is. `said` is what the feed's mapping says of it; without it, and where it says no more
 * than username, an address or number is taken for one where people sign in with such, because no username may look
 * like that in these pools.
 */
export function identifierOf(
  { usernameAttributes, aliasAttributes }: SignIn,
  text: string,
  given?: Identifier,
): Identifier {
  if (given !== undefined && given !== "username") return given;
  // There the username of every user of the pool's own is its sub.
  if (usernameAttributes.length > 0 && UUID.test(text)) return "username";
  const names = [...usernameAttributes, ...aliasAttributes];
  if (names.includes("email") && text.includes("@")) return "email";
  if (names.includes("phone_number") && /^\+\d+$/.test(text)) return "phone_number";
  return "username";
}

/** What a text may be, in the order in which the pool is asked. The first question that finds a user decides. */
export function questionsOf(profile: SignIn, text: string, given?: Identifier): readonly Question[] {
  const identifier = identifierOf(profile, text, given);
  // A provider's users have what comes after its name in their usernames, which may be an address: AzureAD_jane@….
  if (identifier === "email" && given !== "email")
    return given === "username" ? ["username", "email"] : ["email", "username"];
  if (identifier !== "username") return [identifier];
  const { usernameAttributes, aliasAttributes } = profile;
  // Cognito takes each for a username.
  const sub: Question[] = usernameAttributes.length === 0 && UUID.test(text) ? ["sub"] : [];
  const preferred: Question[] = aliasAttributes.includes("preferred_username") ? ["preferred_username"] : [];
  return [...sub, "username", ...preferred];
}
