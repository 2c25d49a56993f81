import { z } from "zod";
import { namedError } from "../service-error.ts";
import { listAttributes } from "../user.ts";
import { defineOperation, epochSeconds } from "./operation.ts";
import { USERNAME, USER_POOL_ID } from "./request.ts";

export const adminGetUser = defineOperation({
  name: "AdminGetUser",
  category: "UserRead",
  signed: true,
  request: z.object({ UserPoolId: USER_POOL_ID, Username: USERNAME }),
  run({ UserPoolId, Username }, { pools }) {
    const user = pools.demand(UserPoolId).find(Username);
    if (user === undefined) throw namedError("UserNotFoundException");
    return {
      Username: user.username,
      UserAttributes: listAttributes(user, user.attributes),
      UserCreateDate: epochSeconds(user.createdAt),
      UserLastModifiedDate: epochSeconds(user.modifiedAt),
      Enabled: user.enabled,
      UserStatus: user.status,
    };
  },
});
