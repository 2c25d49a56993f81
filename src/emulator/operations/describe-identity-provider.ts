import { z } from "zod";
import { ServiceError } from "../service-error.ts";
import { defineOperation, epochSeconds } from "./operation.ts";
import { USER_POOL_ID } from "./request.ts";

export const describeIdentityProvider = defineOperation({
  name: "DescribeIdentityProvider",
  category: "UserPoolResourceRead",
  signed: true,
  request: z.object({ UserPoolId: USER_POOL_ID, ProviderName: z.string().min(1).max(32) }),
  run({ UserPoolId, ProviderName }, { pools }) {
    const pool = pools.demand(UserPoolId);
    const providers = new Map(Object.entries(pool.definition.identityProviders ?? {}));
    const mapping = providers.get(ProviderName);
    if (mapping === undefined) {
      throw new ServiceError("ResourceNotFoundException", `Identity provider ${ProviderName} does not exist.`);
    }
    return {
      IdentityProvider: {
        UserPoolId,
        ProviderName,
        ProviderType: "OIDC",
        ProviderDetails: {},
        AttributeMapping: mapping,
        CreationDate: epochSeconds(pool.createdAt),
        LastModifiedDate: epochSeconds(pool.createdAt),
      },
    };
  },
});
