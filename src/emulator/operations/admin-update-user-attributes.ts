import { z } from "zod";
import { namedError } from "../service-error.ts";
import { defineOperation } from "./operation.ts";
import { ATTRIBUTES, CLIENT_METADATA, USERNAME, USER_POOL_ID } from "./request.ts";

export const adminUpdateUserAttributes = defineOperation({
  name: "AdminUpdateUserAttributes",
  category: "UserUpdate",
  signed: true,
  request: z.object({
    UserPoolId: USER_POOL_ID,
    Username: USERNAME,
    UserAttributes: ATTRIBUTES,
    ClientMetadata: CLIENT_METADATA,
  }),
  run({ UserPoolId, Username, UserAttributes, ClientMetadata }, { pools }) {
    const pool = pools.demand(UserPoolId);
    const user = pool.find(Username);
    if (user === undefined) throw namedError("UserNotFoundException");
    pool.update(user, UserAttributes, { operation: "AdminUpdateUserAttributes", clientMetadata: ClientMetadata });
    return {};
  },
});
