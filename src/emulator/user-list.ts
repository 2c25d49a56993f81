import { z } from "zod";
import type { Random } from "./random.ts";
import { invalidParameter } from "./service-error.ts";
import type { Attributes, User } from "./user.ts";
import { isIndexed } from "./user-directory.ts";
import type { UserDirectory } from "./user-directory.ts";
import { matchesFilter, parseFilter } from "./user-filter.ts";
import type { UserFilter } from "./user-filter.ts";

/** ListUsers as it may be: short pages, empty pages with a token, and users as they were a moment ago. */
export interface ListOptions {
  /** The chance that a page is cut short, perhaps to nothing, with a token for the rest. */
  readonly shortPages: number;
  /** How long a write stays invisible. */
  readonly lagMs: number;
  readonly now: () => number;
  readonly random: Random;
}

export interface ListRequest {
  readonly filter: string;
  readonly limit: number;
  readonly token: string | undefined;
}

export interface ListedUser {
  readonly user: User;
  /** The attributes to show, which may be older than the user's own. */
  readonly attributes: Attributes;
}

const TOKEN_LIFE_MS = 3_600_000;
const TOKEN = z.strictObject({
  offset: z.int().min(0),
  filter: z.string(),
  at: z.number(),
  empty: z.boolean(),
});
type Token = z.infer<typeof TOKEN>;

function writeToken(token: Token): string {
  return Buffer.from(JSON.stringify(token)).toString("base64url");
}

function readToken(text: string, filter: string, now: number): Token {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(text, "base64url").toString());
  } catch (cause) {
    throw new Error("Expected a token of an earlier page", { cause });
  }
  const token = TOKEN.parse(json);
  if (token.filter !== filter || token.at + TOKEN_LIFE_MS < now) throw new Error("Expected a token of this listing");
  return token;
}

function shownAttributes(user: User, now: number): Attributes {
  return user.past.find((past) => past.until > now)?.attributes ?? user.attributes;
}

/** Users among whom all matches are, found without a scan where the filter allows it. */
function candidates(directory: UserDirectory, filter: UserFilter | undefined, lagMs: number): readonly User[] {
  if (filter?.kind === "equal") {
    const { name, value } = filter;
    const one = name === "username" ? directory.byUsername(value) : directory.bySub(value);
    if (name === "username" || name === "sub") return one === undefined ? [] : [one];
    // The index knows values as they are, a lagging list shows them as they were.
    if (isIndexed(name) && lagMs === 0) return directory.withValue(name, value);
  }
  return directory.users;
}

/** One page, and the token of the next where there is more to look at. Throws InvalidParameterException. */
export function listUsers(
  directory: UserDirectory,
  { filter: text, limit, token: sentToken }: ListRequest,
  { shortPages, lagMs, now, random }: ListOptions,
): { readonly page: readonly ListedUser[]; readonly token: string | undefined } {
  const filter = parseFilter(text);
  const at = now();
  let from: Token = { offset: 0, filter: text, at, empty: false };
  if (sentToken !== undefined) {
    try {
      from = readToken(sentToken, text, at);
    } catch {
      // Cognito says no more than this, whatever is wrong with the token.
      throw invalidParameter("Paging Marker is Invalid for Request");
    }
  }

  const users = candidates(directory, filter, lagMs);
  const short = shortPages > 0 && random() < shortPages;
  // Two empty pages in a row would let an unlucky listing go on for ever.
  const take = short ? Math.max(from.empty ? 1 : 0, Math.floor(random() * limit)) : limit;
  const page: ListedUser[] = [];
  let offset = from.offset;
  for (; offset < users.length && page.length < take; offset++) {
    const user = users[offset];
    if (user === undefined || user.createdAt + lagMs > at) continue;
    const attributes = shownAttributes(user, at);
    if (filter === undefined || matchesFilter(filter, user, attributes)) page.push({ user, attributes });
  }
  const more = offset < users.length;
  return {
    page,
    token: more ? writeToken({ offset, filter: text, at, empty: page.length === 0 }) : undefined,
  };
}
