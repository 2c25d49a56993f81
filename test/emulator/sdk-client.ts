import { CognitoIdentityProviderClient } from "@aws-sdk/client-cognito-identity-provider";
import { startEmulator } from "../../src/emulator/emulator.ts";
import type { Emulator, EmulatorOptions } from "../../src/emulator/emulator.ts";
import type { PoolDefinition, UserSeed } from "../../src/emulator/pool-definition.ts";
import type { UserPool } from "../../src/emulator/user-pool.ts";

export const POOL = "eu-west-1_Example";

/** AWS's documented example keys; without static ones the SDK would look for a metadata service. */
export const EXAMPLE_KEYS = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};

/** The real SDK, one attempt a call. */
export function createClient(url: string, credentials = EXAMPLE_KEYS): CognitoIdentityProviderClient {
  return new CognitoIdentityProviderClient({ endpoint: url, region: "eu-west-1", credentials, maxAttempts: 1 });
}

export interface Stage extends AsyncDisposable {
  readonly emulator: Emulator;
  readonly pool: UserPool;
  readonly client: CognitoIdentityProviderClient;
}

/** An emulator with one pool and a client, all closed at the end of the scope. Unmetered and whole-paged unless said. */
export async function stage(
  definition: PoolDefinition = {},
  users: readonly UserSeed[] = [],
  options: EmulatorOptions = {},
): Promise<Stage> {
  const emulator = await startEmulator({ quotas: "unmetered", shortPages: 0, ...options });
  const pool = emulator.pools.add({ id: POOL, name: "people", ...definition });
  for (const user of users) pool.addUser(user);
  const client = createClient(emulator.url);
  return {
    emulator,
    pool,
    client,
    async [Symbol.asyncDispose]() {
      client.destroy();
      await emulator.close();
    },
  };
}
