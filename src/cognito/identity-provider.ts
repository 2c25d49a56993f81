/** Reads what an identity provider gives its users at every sign-in, and so overwrites. */
import { DescribeIdentityProviderCommand } from "@aws-sdk/client-cognito-identity-provider";
import { z } from "zod";
import type { CognitoClient } from "./client.ts";
import { refusalOf } from "./fault.ts";

const ANSWER = z.object({
  IdentityProvider: z.object({ AttributeMapping: z.record(z.string(), z.string()).nullish() }),
});

export type ProviderAnswer =
  | { readonly is: "known"; readonly attributes: ReadonlySet<string> }
  /** The call is not allowed, or the provider is gone. */
  | { readonly is: "unknown" }
  | { readonly is: "throttled" };

/** The attributes of the pool that the provider's mapping names. */
export async function readProvider(
  cognito: CognitoClient,
  poolId: string,
  provider: string,
  signal: AbortSignal,
): Promise<ProviderAnswer> {
  try {
    const command = new DescribeIdentityProviderCommand({ UserPoolId: poolId, ProviderName: provider });
    const answer = ANSWER.safeParse(await cognito.within({ signal }, (sdk) => sdk.send(command)));
    if (!answer.success) return { is: "unknown" };
    return { is: "known", attributes: new Set(Object.keys(answer.data.IdentityProvider.AttributeMapping ?? {})) };
  } catch (thrown) {
    signal.throwIfAborted();
    // A plan says that it could not look: for this alone it does not fail.
    return { is: refusalOf(thrown, signal).failure.outcome === "wait" ? "throttled" : "unknown" };
  }
}
