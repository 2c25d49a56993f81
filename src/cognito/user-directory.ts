/**
 * Looks users up with ListUsers, which unlike AdminGetUser does not make them billed. The list is eventually
 * consistent, pages may be short or blank, and its filters are looser than they look: what comes is compared here.
 */
import { z } from "zod";
import { defined } from "../core/defined.ts";
import type { Alias, AliasAttribute } from "../core/alias-claims.ts";
import type { ListedUser } from "../core/comparison.ts";
import { filterOf } from "../core/pool-reading.ts";
import { flagOf } from "../core/unit.ts";
import type { CognitoClient } from "./client.ts";
import { refusalOf, type Refusal } from "./fault.ts";
import { LISTED_PAGE, listedUsers } from "./listed-user.ts";

export interface Look {
  readonly signal?: AbortSignal;
  /** True where the pool takes usernames and e-mail addresses without regard to case. */
  readonly ignoresCase?: boolean;
}

/** What a feed may know of a user instead of the username. */
export type LinkAttribute = AliasAttribute | "sub";

export type ResolveAnswer =
  | { readonly ok: true; readonly is: "one"; readonly user: ListedUser }
  | { readonly ok: true; readonly is: "none" }
  | { readonly ok: true; readonly is: "many"; readonly usernames: readonly string[] }
  | Refusal;

export interface UserDirectory {
  /** `user` is undefined where the list does not show it. */
  readUser(
    poolId: string,
    name: { readonly username: string } | { readonly sub: string },
    look?: Look,
  ): Promise<{ readonly ok: true; readonly user: ListedUser | undefined } | Refusal>;
  /**
   * The user who has this value. Several may in an alias pool: then the one who has verified it, if there is just
   * one. A page is a call; the caller paces the first, and there are more only where Cognito gives short pages.
   */
  resolve(poolId: string, attribute: LinkAttribute, value: string, look?: Look): Promise<ResolveAnswer>;
  /**
   * The sub of the user that Cognito itself finds by this name: a username, an alias or a sub. AdminGetUser, which
   * makes the user a billed one.
   */
  subBehind(poolId: string, name: string, look?: Look): Promise<{ readonly ok: true; readonly sub: string } | Refusal>;
  /**
   * The users who have this value as a sign-in name: all of them, or with `verified` those who have verified it. A
   * preferred username is nothing that could be verified.
   */
  owners(
    poolId: string,
    alias: Alias,
    look: Look & { readonly verified: boolean },
  ): Promise<{ readonly ok: true; readonly owners: readonly AliasOwner[] } | Refusal>;
}

/** A user who has an alias, by username and sub. */
export interface AliasOwner {
  readonly username: string;
  readonly sub: string;
}

/** More pages are not read: nobody is named by a value of so many. */
const MAX_PAGES = 100;

const GOT = z.object({ UserAttributes: z.array(z.object({ Name: z.string(), Value: z.string().nullish() })) });

const TOO_MANY = `Expected at most ${MAX_PAGES} pages of users with one value`;

interface Listed {
  readonly users: readonly ListedUser[];
  /** There are more. */
  readonly isCut: boolean;
}

/** An answer that is not in Cognito's form. It says nothing of what was in it. */
class MalformedAnswerError extends Error {
  override readonly name = "MalformedAnswerError";
}

export function createUserDirectory(cognito: CognitoClient): UserDirectory {
  async function list(poolId: string, attribute: string, value: string, signal?: AbortSignal): Promise<Listed> {
    const Filter = filterOf(attribute, value);
    const users: ListedUser[] = [];
    let token: string | undefined;
    for (let pages = 0; pages < MAX_PAGES; pages += 1) {
      const input = defined({ UserPoolId: poolId, Filter, PaginationToken: token });
      const page = LISTED_PAGE.safeParse(await cognito.within({ signal }, (sdk) => sdk.listUsers(input)));
      if (!page.success) throw new MalformedAnswerError("Expected a page of users");
      users.push(...listedUsers(page.data));
      token = page.data.PaginationToken || undefined;
      if (token === undefined) return { users, isCut: false };
    }
    return { users, isCut: true };
  }

  return {
    async readUser(poolId, name, { signal, ignoresCase = false } = {}) {
      try {
        if ("sub" in name) {
          return { ok: true, user: found(await list(poolId, "sub", name.sub, signal), ({ sub }) => sub === name.sub) };
        }
        const listed = await list(poolId, "username", name.username, signal);
        return { ok: true, user: found(listed, ({ username }) => isSame(username, name.username, ignoresCase)) };
      } catch (thrown) {
        return refusalOf(thrown, signal);
      }
    },
    async subBehind(poolId, name, { signal } = {}) {
      try {
        const input = { UserPoolId: poolId, Username: name };
        const answer = GOT.safeParse(await cognito.within({ signal }, (sdk) => sdk.adminGetUser(input)));
        const sub = answer.data?.UserAttributes.find(({ Name }) => Name === "sub")?.Value;
        if (typeof sub !== "string") throw new MalformedAnswerError("Expected a user with a sub");
        return { ok: true, sub };
      } catch (thrown) {
        return refusalOf(thrown, signal);
      }
    },
    async resolve(poolId, attribute, value, { signal, ignoresCase = false } = {}) {
      try {
        const folds = ignoresCase && (attribute === "email" || attribute === "preferred_username");
        const { users, isCut } = await list(poolId, attribute, value, signal);
        const theirs = users.filter((user) =>
          isSame(user.attributes.get(attribute), value, folds || attribute === "sub"),
        );
        // Another one may have verified it as well.
        if (isCut && theirs.length > 1)
          return { ok: true, is: "many", usernames: theirs.map(({ username }) => username) };
        if (isCut) throw new MalformedAnswerError(TOO_MANY);
        return choose(theirs, attribute);
      } catch (thrown) {
        return refusalOf(thrown, signal);
      }
    },
    async owners(poolId, { attribute, value }, { signal, ignoresCase = false, verified }) {
      try {
        const folds = ignoresCase && attribute !== "phone_number";
        const flag = verified ? flagOf(attribute) : undefined;
        const { users, isCut } = await list(poolId, attribute, value, signal);
        if (isCut) throw new MalformedAnswerError(TOO_MANY);
        const owners = users.flatMap(({ username, sub, attributes }) => {
          if (!isSame(attributes.get(attribute), value, folds)) return [];
          if (flag !== undefined && attributes.get(flag)?.toLowerCase() !== "true") return [];
          return [{ username, sub }];
        });
        return { ok: true, owners };
      } catch (thrown) {
        return refusalOf(thrown, signal);
      }
    },
  };
}

/** Whoever is not on a list that was cut may be behind it. */
function found({ users, isCut }: Listed, is: (user: ListedUser) => boolean): ListedUser | undefined {
  const user = users.find(is);
  if (user === undefined && isCut) throw new MalformedAnswerError(TOO_MANY);
  return user;
}

function choose(users: readonly ListedUser[], attribute: LinkAttribute): ResolveAnswer {
  const isVerified = ({ attributes }: ListedUser): boolean =>
    attributes.get(`${attribute}_verified`)?.toLowerCase() === "true";
  const [user, another] = users.length > 1 ? users.filter(isVerified) : users;
  if (user !== undefined && another === undefined) return { ok: true, is: "one", user };
  if (users.length === 0) return { ok: true, is: "none" };
  return { ok: true, is: "many", usernames: users.map(({ username }) => username) };
}

function isSame(one: string | undefined, other: string, ignoresCase: boolean): boolean {
  return ignoresCase ? one?.toLowerCase() === other.toLowerCase() : one === other;
}
