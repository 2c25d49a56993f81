import { z } from "zod";
import { defined } from "../../core/defined.ts";
import { invalidParameter } from "../service-error.ts";
import { listAttributes } from "../user.ts";
import type { ListedUser } from "../user-list.ts";
import { listUsers as readPage } from "../user-list.ts";
import { defineOperation, epochSeconds } from "./operation.ts";
import { ATTRIBUTE_NAME, USER_POOL_ID } from "./request.ts";

const MAX_PAGE = 60;

/** The attributes asked for. Cognito fails the whole page where one user lacks one of them. */
function chosenAttributes({ user, attributes }: ListedUser, wanted: readonly string[] | undefined): object[] {
  const all = listAttributes(user, attributes);
  if (wanted === undefined) return all;
  return wanted.map((name) => {
    const found = all.find((attribute) => attribute.Name === name);
    if (found === undefined) throw invalidParameter("One or more requested attributes do not exist.");
    return found;
  });
}

export const listUsers = defineOperation({
  name: "ListUsers",
  category: "UserList",
  signed: true,
  request: z.object({
    UserPoolId: USER_POOL_ID,
    AttributesToGet: z.array(ATTRIBUTE_NAME).nullish(),
    Limit: z.number().min(0).max(MAX_PAGE).nullish(),
    PaginationToken: z.string().min(1).regex(/^\S+$/, { error: "[\\S]+" }).nullish(),
    Filter: z.string().max(256).nullish(),
  }),
  run({ UserPoolId, AttributesToGet, Limit, PaginationToken, Filter }, { pools, list }) {
    const pool = pools.demand(UserPoolId);
    const limit = Limit === null || Limit === undefined || Limit === 0 ? MAX_PAGE : Limit;
    const request = { filter: Filter ?? "", limit, token: PaginationToken ?? undefined };
    const { page, token } = readPage(pool.directory, request, list);
    return defined({
      Users: page.map((listed) => ({
        Username: listed.user.username,
        Attributes: chosenAttributes(listed, AttributesToGet ?? undefined),
        UserCreateDate: epochSeconds(listed.user.createdAt),
        UserLastModifiedDate: epochSeconds(listed.modifiedAt),
        Enabled: listed.user.enabled,
        UserStatus: listed.user.status,
      })),
      PaginationToken: token,
    });
  },
});
