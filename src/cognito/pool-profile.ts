/** Reads what a pool accepts: one DescribeUserPool that is answered. */
import { z } from "zod";
import { defined } from "../core/defined.ts";
import { networkWords } from "../core/network-words.ts";
import { ATTRIBUTE_TYPES } from "../core/pool-schema.ts";
import type { AttributeSchema, PoolProfile } from "../core/pool-schema.ts";
import type { CognitoClient } from "./client.ts";
import { CognitoError } from "./cognito-error.ts";
import { refusalOf } from "./fault.ts";
import { READS_WITHIN_MS, retryRead, type Reads } from "./read-retry.ts";

const NAMES = z.array(z.string()).nullish();
const LIMIT = z.string().nullish();
const ATTRIBUTE = z.object({
  Name: z.string().nullish(),
  AttributeDataType: z.string().nullish(),
  Mutable: z.boolean().nullish(),
  Required: z.boolean().nullish(),
  DeveloperOnlyAttribute: z.boolean().nullish(),
  StringAttributeConstraints: z.object({ MinLength: LIMIT, MaxLength: LIMIT }).nullish(),
  NumberAttributeConstraints: z.object({ MinValue: LIMIT, MaxValue: LIMIT }).nullish(),
});
/** The parts of a description that are read. The SDK's types say what Cognito sends, not what came. */
const DESCRIPTION = z.object({
  Id: z.string().nullish(),
  Arn: z.string(),
  SchemaAttributes: z.array(ATTRIBUTE),
  UsernameConfiguration: z.object({ CaseSensitive: z.boolean().nullish() }).nullish(),
  UsernameAttributes: NAMES,
  AliasAttributes: NAMES,
  AutoVerifiedAttributes: NAMES,
  EstimatedNumberOfUsers: z.number().nullish(),
  UserAttributeUpdateSettings: z.object({ AttributesRequireVerificationBeforeUpdate: NAMES }).nullish(),
});
/** How much of the endpoint's own words a message repeats. */
const MAX_REPEATED = 300;

export interface ReadingOptions {
  readonly reads?: Reads;
  readonly signal?: AbortSignal;
  /** Among the reads of this process: 0 (first) to 9 (last). */
  readonly priority?: number;
}

const FIRST = 0;

/**
 * Throws a CognitoError that says what to do, or the signal's reason. Nothing of a person is in a pool's description, so
 * it names its cause.
 */
export async function readPoolProfile(
  cognito: CognitoClient,
  poolId: string,
  { reads = { withinMs: READS_WITHIN_MS }, signal, priority = FIRST }: ReadingOptions = {},
): Promise<PoolProfile> {
  if (!/^[\w-]+_[0-9a-zA-Z]+$/.test(poolId) || poolId.length > 55) {
    throw new CognitoError(
      "pool-not-found",
      `Expected a user pool's id such as eu-west-1_AbCdEfGhI, got \`${poolId}\``,
    );
  }
  let cause: unknown;
  let endpoint: string | undefined;
  const toldWhere: Reads = { ...reads, onWait: (waiting) => reads.onWait?.({ ...waiting, endpoint }) };
  const pace = { governor: cognito.controlPlane, priority };
  const call = { operation: "DescribeUserPool", pool: poolId, reads: toldWhere, pace, signal } as const;
  const answer = await retryRead(call, async (ending) => {
    try {
      const input = { UserPoolId: poolId };
      const { UserPool: described } = await cognito.within({ signal: ending }, (sdk) => sdk.describeUserPool(input));
      return { ok: true, described };
    } catch (thrown) {
      cause = thrown;
      // Where it cannot be told the Region is missing, of which the fault speaks.
      endpoint ??= await cognito.endpointHost().catch(() => undefined);
      return refusalOf(thrown, ending);
    }
  });
  if (!answer.ok) {
    const { failure, message } = answer;
    // The SDK's messages go on about response objects in further lines, and for a bare status it has no words.
    const [firstSentence] = /^[^\n]*[^\n.]/.exec(message.slice(0, MAX_REPEATED)) ?? [];
    const said = firstSentence === undefined || firstSentence === "UnknownError" ? failure.kind : firstSentence;
    const words = networkWords(answer.name);
    const why = words === undefined ? said : `${words}${endpoint === undefined ? "" : ` at ${endpoint}`}`;
    throw new CognitoError(failure.kind, `Cannot read user pool ${poolId}: ${why}. ${failure.advice}`, { cause });
  }
  const pool = DESCRIPTION.safeParse(answer.described);
  if (!pool.success) {
    throw new CognitoError(
      "misconfigured",
      `The endpoint answered for pool ${poolId} without its ARN and schema, or not in Cognito's form: check the endpoint's address`,
    );
  }
  return profileOf(pool.data.Id ?? poolId, pool.data);
}

function profileOf(id: string, pool: z.infer<typeof DESCRIPTION>): PoolProfile {
  const arn = pool.Arn;
  // arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_AbCdEfGhI
  const [, , , region = "", accountId = ""] = arn.split(":");
  const attributes = pool.SchemaAttributes.flatMap((attribute) => {
    const schema = schemaOf(attribute);
    return schema === undefined ? [] : [[schema.name, schema] as const];
  });
  const estimate = pool.EstimatedNumberOfUsers ?? undefined;
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
    ...defined({ estimatedUsers: estimate }),
  };
}

function schemaOf(attribute: z.infer<typeof ATTRIBUTE>): AttributeSchema | undefined {
  const { Name: name, AttributeDataType, StringAttributeConstraints, NumberAttributeConstraints } = attribute;
  if (!name) return undefined;
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
function numberOf(text: string | null | undefined): number | undefined {
  const value = !text || text.trim() === "" ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}
