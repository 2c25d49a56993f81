import { z } from "zod";
import type { Random } from "./random.ts";
import { invalidParameter } from "./service-error.ts";
import type { ShownState, User } from "./user.ts";
import { isIndexed } from "./user-directory.ts";
import type { UserDirectory } from "./user-directory.ts";
import { matchesFilter, parseFilter } from "./user-filter.ts";
import type { UserFilter } from "./user-filter.ts";

/** ListUsers as it may be: short pages, empty pages with a token, and users as they were a moment ago. */
export interface ListOptions {
  /** The chance that a page is cut short, perhaps to nothing, with a token for the rest. */
  readonly shortPages: number;
  /** Whether what becomes of a user may stay invisible for a while, be it a value, a new user or the end of one. */
  readonly lags: boolean;
  readonly now: () => number;
  readonly random: Random;
}

export interface ListRequest {
  readonly filter: string;
  readonly limit: number;
  readonly token: string | undefined;
}

/** A user in the state to show, which may be older than the user's own. */
export interface ListedUser extends ShownState {
  readonly user: User;
}

const TOKEN_LIFE_MS = 3_600_000;
const TOKEN = z.strictObject({
  /** The ordinal of the last user looked at: a user who is deleted between two pages moves nobody past the next. */
  after: z.int().min(0),
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

/** The user as the pool had it its lag ago; undefined where it had no such user then. */
function shownState(user: User, now: number): ShownState | undefined {
  const { createdAt, deletedAt, listLagMs } = user;
  if (createdAt + listLagMs > now) return undefined;
  if (deletedAt !== undefined && deletedAt + listLagMs <= now) return undefined;
  return user.past.find((past) => past.until > now) ?? user;
}

const byOrdinal = (one: User, other: User): number => one.ordinal - other.ordinal;

/**
 * A set of users that contains all matches, in the order of their creation, found without a scan where the filter
 * allows it.
 */
function candidates(directory: UserDirectory, filter: UserFilter | undefined, lags: boolean): readonly User[] {
  const { users, deleted } = directory;
  if (filter?.kind === "equal") {
    const { name, value } = filter;
    const one = name === "username" ? directory.byUsername(value) : directory.bySub(value);
    if (name === "username" || name === "sub")
      return one === undefined ? deleted : [...deleted, one].toSorted(byOrdinal);
    // The index knows values as they are, a lagging list shows them as they were.
    if (isIndexed(name) && !lags) return directory.withValue(name, value).toSorted(byOrdinal);
  }
  return deleted.length === 0 ? users : [...users, ...deleted].toSorted(byOrdinal);
}

/** The place of the first user beyond an ordinal, by halving: a pool of 100,000 users has 1,667 pages. */
function firstAfter(users: readonly User[], ordinal: number): number {
  let [least, most] = [0, users.length];
  while (least < most) {
    const middle = (least + most) >>> 1;
    if ((users[middle]?.ordinal ?? 0) > ordinal) most = middle;
    else least = middle + 1;
  }
  return least;
}

/** One page, and the token of the next where there is more to look at. Throws InvalidParameterException. */
export function listUsers(
  directory: UserDirectory,
  { filter: text, limit, token: sentToken }: ListRequest,
  { shortPages, lags, now, random }: ListOptions,
): { readonly page: readonly ListedUser[]; readonly token: string | undefined } {
  const filter = parseFilter(text);
  const at = now();
  let from: Token = { after: 0, filter: text, at, empty: false };
  if (sentToken !== undefined) {
    try {
      from = readToken(sentToken, text, at);
    } catch {
      // Cognito says no more than this, whatever is wrong with the token.
      throw invalidParameter("Paging Marker is Invalid for Request");
    }
  }

  const users = candidates(directory, filter, lags);
  const short = shortPages > 0 && random() < shortPages;
  // Two empty pages in a row would let an unlucky listing go on for ever.
  const take = short ? Math.max(from.empty ? 1 : 0, Math.floor(random() * limit)) : limit;
  const page: ListedUser[] = [];
  let { after } = from;
  const rest = users.slice(firstAfter(users, after));
  const last = rest.at(-1)?.ordinal ?? after;
  for (const user of rest) {
    if (page.length >= take) break;
    after = user.ordinal;
    const shown = shownState(user, at);
    if (shown === undefined) continue;
    const { attributes, modifiedAt } = shown;
    if (filter === undefined || matchesFilter(filter, user, attributes)) page.push({ user, attributes, modifiedAt });
  }
  const more = after < last;
  return {
    page,
    token: more ? writeToken({ after, filter: text, at, empty: page.length === 0 }) : undefined,
  };
}
