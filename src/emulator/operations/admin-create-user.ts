import { z } from "zod";
import { listAttributes } from "../user.ts";
import { defineOperation, epochSeconds } from "./operation.ts";
import { ATTRIBUTES, CLIENT_METADATA, USERNAME, USER_POOL_ID } from "./request.ts";

/** Without `MessageAction: RESEND`, which is for users who are there already. */
export const adminCreateUser = defineOperation({
  name: "AdminCreateUser",
  category: "UserCreation",
  signed: true,
  request: z.object({
    UserPoolId: USER_POOL_ID,
    Username: USERNAME,
    UserAttributes: ATTRIBUTES.nullish(),
    ForceAliasCreation: z.boolean().nullish(),
    MessageAction: z.enum(["SUPPRESS"]).nullish(),
    DesiredDeliveryMediums: z.array(z.enum(["SMS", "EMAIL"])).nullish(),
    ClientMetadata: CLIENT_METADATA,
  }),
  run(request, { pools }) {
    const pool = pools.demand(request.UserPoolId);
    const media = request.MessageAction === "SUPPRESS" ? [] : (request.DesiredDeliveryMediums ?? ["SMS"]);
    const user = pool.create({
      username: request.Username,
      attributes: request.UserAttributes ?? [],
      forceAliasCreation: request.ForceAliasCreation ?? false,
      invite: media.map((medium) => (medium === "EMAIL" ? "email" : "phone_number")),
    });
    return {
      User: {
        Username: user.username,
        Attributes: listAttributes(user, user.attributes),
        UserCreateDate: epochSeconds(user.createdAt),
        UserLastModifiedDate: epochSeconds(user.modifiedAt),
        Enabled: user.enabled,
        UserStatus: user.status,
      },
    };
  },
});
