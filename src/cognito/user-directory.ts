/**
 * Looks users up with ListUsers, which unlike AdminGetUser does not make them billed. The list is eventually
 * consistent, pages may be short or blank, and its filters are looser than they look: what comes is compared here.
 */
import { ListUsersCommand } from "@aws-sdk/client-cognito-identity-provider";
import { z } from "zod";
import type { Alias, AliasAttribute } from "../core/alias-claims.ts";
import type { ListedUser } from "../core/comparison.ts";
import { flagOf } from "../core/unit.ts";
import type { CognitoClient } from "./client.ts";
import { refusalOf } from "./fault.ts";
import type { Refusal } from "./fault.ts";

export interface Look {
  readonly signal?: AbortSignal;
  /** True where the pool takes usernames and e-mail addresses without regard to case. */
  readonly ignoresCase?: boolean;
}

/** What a feed may know of a user instead of the username. */
export type LinkAttribute = AliasAttribute | "sub";

export type ResolveAnswer =
  | { readonly ok: true; readonly is: "one"; readonly username: string }
  | { readonly ok: true; readonly is: "none" | "many" }
  | Refusal;

export interface UserDirectory {
  /** `user` is undefined where the list does not show it. */
  readUser(
    poolId: string,
    username: string,
    look?: Look,
  ): Promise<{ readonly ok: true; readonly user: ListedUser | undefined } | Refusal>;
  /**
   * The user who has this value. Several may in an alias pool: then the one who has verified it, if there is just
   * one. A page is a call; the caller paces the first, and there are more only where Cognito gives short pages.
   */
  resolve(poolId: string, attribute: LinkAttribute, value: string, look?: Look): Promise<ResolveAnswer>;
  /**
   * Who has this value as what people sign in with: everybody who has it, or with `verified` who has verified it. A
   * preferred username is nothing that could be verified.
   */
  owners(
    poolId: string,
    alias: Alias,
    look: Look & { readonly verified: boolean },
  ): Promise<{ readonly ok: true; readonly owners: readonly AliasOwner[] } | Refusal>;
}

/** Who has an alias, by both of their names. */
export interface AliasOwner {
  readonly username: string;
  readonly sub: string;
}

/** More pages than this are no listing of one value. */
const MAX_PAGES = 100;

/** The parts of a page that are read. The SDK's types say what Cognito sends, not what came. */
const PAGE = z.object({
  Users: z
    .array(
      z.object({
        Username: z.string().nullish(),
        UserStatus: z.string().nullish(),
        Attributes: z.array(z.object({ Name: z.string(), Value: z.string().nullish() })).nullish(),
      }),
    )
    .nullish(),
  PaginationToken: z.string().nullish(),
});
type User = NonNullable<z.infer<typeof PAGE>["Users"]>[number];

/** An answer that is not in Cognito's form. It says nothing of what was in it. */
class MalformedAnswerError extends Error {
  override readonly name = "MalformedAnswerError";
}

export function createUserDirectory(cognito: CognitoClient): UserDirectory {
  async function list(poolId: string, attribute: string, value: string, signal?: AbortSignal): Promise<User[]> {
    const Filter = `${attribute} = "${value.replace(/[\\"]/g, "\\$&")}"`;
    const users: User[] = [];
    let token: string | undefined;
    for (let pages = 0; pages < MAX_PAGES; pages += 1) {
      const input = { UserPoolId: poolId, Filter, ...(token === undefined ? {} : { PaginationToken: token }) };
      const page = PAGE.safeParse(await cognito.within({ signal }, (sdk) => sdk.send(new ListUsersCommand(input))));
      if (!page.success) throw new MalformedAnswerError("Expected a page of users");
      users.push(...(page.data.Users ?? []));
      token = page.data.PaginationToken || undefined;
      if (token === undefined) return users;
    }
    throw new MalformedAnswerError(`Expected at most ${MAX_PAGES} pages of users with one value`);
  }

  return {
    async readUser(poolId, username, { signal, ignoresCase = false } = {}) {
      try {
        const users = await list(poolId, "username", username, signal);
        const user = users.find(({ Username }) => isSame(Username, username, ignoresCase));
        return { ok: true, user: user && listed(user) };
      } catch (thrown) {
        return refusalOf(thrown, signal);
      }
    },
    async resolve(poolId, attribute, value, { signal, ignoresCase = false } = {}) {
      try {
        const folds = ignoresCase && (attribute === "email" || attribute === "preferred_username");
        const users = await list(poolId, attribute, value, signal);
        return choose(
          users.filter((user) => isSame(attributeOf(user, attribute), value, folds)),
          attribute,
        );
      } catch (thrown) {
        return refusalOf(thrown, signal);
      }
    },
    async owners(poolId, { attribute, value }, { signal, ignoresCase = false, verified }) {
      try {
        const folds = ignoresCase && attribute !== "phone_number";
        const flag = verified ? flagOf(attribute) : undefined;
        const users = await list(poolId, attribute, value, signal);
        const owners = users.flatMap((user) => {
          const { Username: username } = user;
          if (typeof username !== "string" || !isSame(attributeOf(user, attribute), value, folds)) return [];
          if (flag !== undefined && attributeOf(user, flag)?.toLowerCase() !== "true") return [];
          return [{ username, sub: attributeOf(user, "sub") ?? username }];
        });
        return { ok: true, owners };
      } catch (thrown) {
        return refusalOf(thrown, signal);
      }
    },
  };
}

function choose(users: readonly User[], attribute: LinkAttribute): ResolveAnswer {
  const verified = users.filter((user) => attributeOf(user, `${attribute}_verified`) === "true");
  const [user, another] = users.length > 1 ? verified : users;
  if (typeof user?.Username === "string" && another === undefined)
    return { ok: true, is: "one", username: user.Username };
  return { ok: true, is: users.length === 0 ? "none" : "many" };
}

function listed({ Username, UserStatus, Attributes }: User): ListedUser {
  const attributes = new Map((Attributes ?? []).map(({ Name, Value }) => [Name, Value ?? ""]));
  const username = Username ?? "";
  return { username, sub: attributes.get("sub") ?? username, status: UserStatus ?? "", attributes };
}

function attributeOf(user: User, name: string): string | undefined {
  return user.Attributes?.find((attribute) => attribute.Name === name)?.Value ?? undefined;
}

function isSame(one: string | null | undefined, other: string, ignoresCase: boolean): boolean {
  return ignoresCase ? one?.toLowerCase() === other.toLowerCase() : one === other;
}
