/** Reads what a pool accepts: one DescribeUserPool. */
import { DescribeUserPoolCommand } from "@aws-sdk/client-cognito-identity-provider";
import type { SchemaAttributeType, UserPoolType } from "@aws-sdk/client-cognito-identity-provider";
import { ATTRIBUTE_TYPES } from "../core/pool-schema.ts";
import type { AttributeSchema, PoolProfile } from "../core/pool-schema.ts";
import type { CognitoClient } from "./client.ts";
import { CognitoError } from "./cognito-error.ts";
import { refusalOf } from "./fault.ts";

/** Throws a CognitoError that says what to do. Nothing of a person is in a pool's description, so it names its cause. */
export async function readPoolProfile(
  cognito: CognitoClient,
  poolId: string,
  signal?: AbortSignal,
): Promise<PoolProfile> {
  if (!/^[\w-]+_[0-9a-zA-Z]+$/.test(poolId) || poolId.length > 55) {
    throw new CognitoError(
      "pool-not-found",
      `Expected a user pool's id such as eu-west-1_AbCdEfGhI, got \`${poolId}\``,
    );
  }
  let pool: UserPoolType | undefined;
  try {
    const options = signal ? { abortSignal: signal } : {};
    ({ UserPool: pool } = await cognito.sdk.send(new DescribeUserPoolCommand({ UserPoolId: poolId }), options));
  } catch (cause) {
    const { failure, message } = refusalOf(cause, signal);
    // The SDK's messages go on about response objects in further lines.
    const said = /^[^\n]*[^\n.]/.exec(message)?.[0] ?? failure.kind;
    throw new CognitoError(failure.kind, `Cannot read user pool ${poolId}: ${said}. ${failure.advice}`, { cause });
  }
  if (pool?.Arn === undefined || pool.SchemaAttributes === undefined) {
    throw new CognitoError(
      "misconfigured",
      `The endpoint answered for pool ${poolId} without its ARN and schema: check the endpoint's address`,
    );
  }
  return profileOf(pool.Id ?? poolId, pool.Arn, pool);
}

function profileOf(id: string, arn: string, pool: UserPoolType): PoolProfile {
  // arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_AbCdEfGhI
  const [, , , region = "", accountId = ""] = arn.split(":");
  const attributes = (pool.SchemaAttributes ?? []).flatMap((attribute) => {
    const schema = schemaOf(attribute);
    return schema === undefined ? [] : [[schema.name, schema] as const];
  });
  return {
    id,
    arn,
    region,
    accountId,
    attributes: Object.fromEntries(attributes),
    // The API's default, and that of pools from before the setting.
    caseSensitive: pool.UsernameConfiguration?.CaseSensitive ?? true,
    usernameAttributes: pool.UsernameAttributes ?? [],
    aliasAttributes: pool.AliasAttributes ?? [],
    autoVerified: pool.AutoVerifiedAttributes ?? [],
    requireVerificationBeforeUpdate: pool.UserAttributeUpdateSettings?.AttributesRequireVerificationBeforeUpdate ?? [],
  };
}

function schemaOf(attribute: SchemaAttributeType): AttributeSchema | undefined {
  const { Name: name, AttributeDataType, StringAttributeConstraints, NumberAttributeConstraints } = attribute;
  if (name === undefined) return undefined;
  return {
    name,
    // A type of the future is treated as text: Cognito will say what it wants.
    type: ATTRIBUTE_TYPES.find((type) => type === AttributeDataType) ?? "String",
    mutable: attribute.Mutable ?? true,
    required: attribute.Required ?? false,
    developerOnly: attribute.DeveloperOnlyAttribute ?? false,
    minLength: numberOf(StringAttributeConstraints?.MinLength),
    maxLength: numberOf(StringAttributeConstraints?.MaxLength),
    minValue: numberOf(NumberAttributeConstraints?.MinValue),
    maxValue: numberOf(NumberAttributeConstraints?.MaxValue),
  };
}

/** Constraints come as text, and may be absent or blank. */
function numberOf(text: string | undefined): number | undefined {
  const value = text === undefined || text.trim() === "" ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}
