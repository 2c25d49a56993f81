/**
 * Looks users up with ListUsers, which unlike AdminGetUser does not make them billed. The list is eventually
 * consistent, pages may be short or blank, and its filters are looser than they look: what comes is compared here.
 */
import { ListUsersCommand } from "@aws-sdk/client-cognito-identity-provider";
import type { UserType } from "@aws-sdk/client-cognito-identity-provider";
import type { Contact, Contacts } from "../core/contact.ts";
import type { CognitoClient } from "./client.ts";
import { refusalOf } from "./fault.ts";
import type { Refusal } from "./fault.ts";

export interface Look {
  readonly signal?: AbortSignal;
  /** True where the pool takes usernames and e-mail addresses without regard to case. */
  readonly ignoresCase?: boolean;
}

/** What a feed may know of a user instead of the username. */
export type LinkAttribute = "email" | "phone_number" | "sub" | "preferred_username";

export type ResolveAnswer =
  | { readonly ok: true; readonly is: "one"; readonly username: string }
  | { readonly ok: true; readonly is: "none" | "many" }
  | Refusal;

export interface UserDirectory {
  /** `contacts` is undefined where the list does not show the user. */
  readContacts(
    poolId: string,
    username: string,
    look?: Look,
  ): Promise<{ readonly ok: true; readonly contacts: Contacts | undefined } | Refusal>;
  /**
   * The user who has this value. Several may in an alias pool: then the one who has verified it, if there is just
   * one. A page is a call; the caller paces the first, and there are more only where Cognito gives short pages.
   */
  resolve(poolId: string, attribute: LinkAttribute, value: string, look?: Look): Promise<ResolveAnswer>;
}

export function createUserDirectory(cognito: CognitoClient): UserDirectory {
  async function list(poolId: string, attribute: string, value: string, signal?: AbortSignal): Promise<UserType[]> {
    const Filter = `${attribute} = "${value.replace(/[\\"]/g, "\\$&")}"`;
    const users: UserType[] = [];
    let token: string | undefined;
    do {
      const input = { UserPoolId: poolId, Filter, ...(token === undefined ? {} : { PaginationToken: token }) };
      const page = await cognito.sdk.send(new ListUsersCommand(input), signal ? { abortSignal: signal } : {});
      users.push(...(page.Users ?? []));
      token = page.PaginationToken;
    } while (token !== undefined);
    return users;
  }

  return {
    async readContacts(poolId, username, { signal, ignoresCase = false } = {}) {
      try {
        const users = await list(poolId, "username", username, signal);
        const user = users.find(({ Username }) => isSame(Username, username, ignoresCase));
        return { ok: true, contacts: user && contactsOf(user) };
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
  };
}

function choose(users: readonly UserType[], attribute: LinkAttribute): ResolveAnswer {
  const verified = users.filter((user) => attributeOf(user, `${attribute}_verified`) === "true");
  const [user, another] = users.length > 1 ? verified : users;
  if (user?.Username !== undefined && another === undefined) return { ok: true, is: "one", username: user.Username };
  return { ok: true, is: users.length === 0 ? "none" : "many" };
}

function contactsOf(user: UserType): Contacts {
  const email = contactOf(user, "email");
  const phone = contactOf(user, "phone_number");
  return { ...(email && { email }), ...(phone && { phone_number: phone }) };
}

function contactOf(user: UserType, name: "email" | "phone_number"): Contact | undefined {
  const value = attributeOf(user, name);
  // A blank value is one that was deleted.
  if (value === undefined || value === "") return undefined;
  return { value, verified: attributeOf(user, `${name}_verified`)?.toLowerCase() === "true" };
}

function attributeOf(user: UserType, name: string): string | undefined {
  return user.Attributes?.find((attribute) => attribute.Name === name)?.Value;
}

function isSame(one: string | undefined, other: string, ignoresCase: boolean): boolean {
  return ignoresCase ? one?.toLowerCase() === other.toLowerCase() : one === other;
}
