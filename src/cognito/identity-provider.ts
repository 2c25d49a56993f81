/** Reads which attributes an identity provider sets, and so overwrites, at every sign-in of its users. */
import { z } from "zod";
import type { CognitoClient } from "./client.ts";
import { refusalOf } from "./fault.ts";
import { retryRead, type ReadCall } from "./read-retry.ts";

const ANSWER = z.object({
  IdentityProvider: z.object({ AttributeMapping: z.record(z.string(), z.string()).nullish() }),
});

/**
 * The attributes of the pool that the provider's mapping names. Undefined where Cognito cannot be asked: the plan then
 * says that it could not look, and does not fail for this alone.
 */
export async function readProvider(
  cognito: CognitoClient,
  provider: string,
  call: Omit<ReadCall, "operation">,
): Promise<ReadonlySet<string> | undefined> {
  const response = await retryRead({ ...call, operation: "DescribeIdentityProvider" }, async (signal) => {
    try {
      const input = { UserPoolId: call.pool, ProviderName: provider };
      return {
        ok: true,
        answer: ANSWER.safeParse(await cognito.within({ signal }, (sdk) => sdk.describeIdentityProvider(input))),
      };
    } catch (thrown) {
      return refusalOf(thrown, signal);
    }
  });
  if (!response.ok || !response.answer.success) return undefined;
  return new Set(Object.keys(response.answer.data.IdentityProvider.AttributeMapping ?? {}));
}
