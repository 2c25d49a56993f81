/** A user in an answer of ListUsers. The SDK's types say what Cognito sends, not what came: so the parts that are read are checked. */
import { z } from "zod";
import type { ListedUser } from "../core/comparison.ts";
import type { Account } from "../core/person.ts";

/** A page of users. Pages may be short or blank; only a missing token ends a listing. */
export const LISTED_PAGE = z.object({
  Users: z
    .array(
      z.object({
        Username: z.string(),
        UserStatus: z.string().nullish(),
        // Some stand-ins for Cognito leave it out.
        UserCreateDate: z.date().nullish(),
        Attributes: z.array(z.object({ Name: z.string(), Value: z.string().nullish() })).nullish(),
      }),
    )
    .nullish(),
  PaginationToken: z.string().nullish(),
});
export type ListedPage = z.infer<typeof LISTED_PAGE>;

export function listedUsers({ Users }: ListedPage): ListedUser[] {
  return (Users ?? []).map(({ Username, UserStatus, UserCreateDate, Attributes }) => {
    const attributes = new Map((Attributes ?? []).map(({ Name, Value }) => [Name, Value ?? ""]));
    return {
      username: Username,
      sub: attributes.get("sub") ?? Username,
      createdAt: UserCreateDate?.getTime() || 0,
      status: UserStatus ?? "",
      attributes,
    };
  });
}

export function accountOf({ sub, createdAt, status }: ListedUser): Account {
  return { sub, createdAt, ...(status === "EXTERNAL_PROVIDER" ? { federated: true } : {}) };
}

/** What the user has of an attribute, or as username or sub; blank where that is nothing. */
export function valueIn(user: ListedUser, attribute: string): string {
  if (attribute === "username") return user.username;
  return attribute === "sub" ? user.sub : (user.attributes.get(attribute) ?? "");
}
