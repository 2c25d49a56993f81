/** Who signs the calls: AWS's own providers, in the AWS CLI's order. */
import { fromEnv } from "@aws-sdk/credential-provider-env";
import { defaultProvider } from "@aws-sdk/credential-provider-node";
import { defined } from "../core/defined.ts";
import type { CallTarget } from "../core/call-target.ts";

/**
 * Where a profile goes before keys in the environment, the provider would print a warning, as if that were a mistake.
 */
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * Keys in the environment go before a profile that the environment names, and after one that was named to poolsync.
 * The rest of the order is the SDK's.
 */
export function credentialsFor({ profile, keysOfEnvironment, roleEndpoint }: CallTarget) {
  if (keysOfEnvironment) return fromEnv();
  return defaultProvider({
    ...defined({ profile, clientConfig: roleEndpoint === undefined ? undefined : { endpoint: roleEndpoint } }),
    logger: SILENT,
  });
}
