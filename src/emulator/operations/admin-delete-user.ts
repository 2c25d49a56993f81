import { z } from "zod";
import { defineOperation } from "./operation.ts";
import { USERNAME, USER_POOL_ID } from "./request.ts";

export const adminDeleteUser = defineOperation({
  name: "AdminDeleteUser",
  category: "UserUpdate",
  signed: true,
  request: z.object({ UserPoolId: USER_POOL_ID, Username: USERNAME }),
  run({ UserPoolId, Username }, { pools }) {
    pools.demand(UserPoolId).removeUser(Username);
    return {};
  },
});
