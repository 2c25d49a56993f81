import { z } from "zod";
import { describeAttribute } from "../schema.ts";
import { defineOperation, epochSeconds } from "./operation.ts";
import { USER_POOL_ID } from "./request.ts";

/** A list that nobody set is absent from the answer. */
function unlessEmpty(name: string, values: readonly string[] | undefined): object {
  return values === undefined || values.length === 0 ? {} : { [name]: values };
}

export const describeUserPool = defineOperation({
  name: "DescribeUserPool",
  category: "UserPoolRead",
  signed: true,
  request: z.object({ UserPoolId: USER_POOL_ID }),
  run({ UserPoolId }, { pools }) {
    const pool = pools.demand(UserPoolId);
    const { definition } = pool;
    return {
      UserPool: {
        Id: pool.id,
        Name: pool.name,
        Arn: pool.arn,
        Policies: {
          PasswordPolicy: {
            MinimumLength: 8,
            RequireUppercase: true,
            RequireLowercase: true,
            RequireNumbers: true,
            RequireSymbols: true,
            TemporaryPasswordValidityDays: 7,
          },
          SignInPolicy: { AllowedFirstAuthFactors: ["PASSWORD"] },
        },
        DeletionProtection: "INACTIVE",
        LambdaConfig: {},
        CreationDate: epochSeconds(pool.createdAt),
        LastModifiedDate: epochSeconds(pool.createdAt),
        SchemaAttributes: Array.from(pool.schema.values(), describeAttribute),
        ...unlessEmpty("AutoVerifiedAttributes", definition.autoVerified),
        ...unlessEmpty("AliasAttributes", definition.aliasAttributes),
        ...unlessEmpty("UsernameAttributes", definition.usernameAttributes),
        UserAttributeUpdateSettings: {
          AttributesRequireVerificationBeforeUpdate: definition.requireVerificationBeforeUpdate ?? [],
        },
        VerificationMessageTemplate: { DefaultEmailOption: "CONFIRM_WITH_CODE" },
        MfaConfiguration: "OFF",
        EstimatedNumberOfUsers: pool.size,
        EmailConfiguration: { EmailSendingAccount: "COGNITO_DEFAULT" },
        AdminCreateUserConfig: { AllowAdminCreateUserOnly: false, UnusedAccountValidityDays: 7 },
        UsernameConfiguration: { CaseSensitive: definition.caseSensitive ?? true },
        AccountRecoverySetting: { RecoveryMechanisms: [{ Priority: 1, Name: "verified_email" }] },
        UserPoolTier: "ESSENTIALS",
      },
    };
  },
});
