/** A pool at an emulator of its own, which the AWS SDK of this process finds. */
import assert from "node:assert/strict";
import { createAttributeWriter } from "../../src/cognito/attribute-writer.ts";
import { createCognitoClient } from "../../src/cognito/client.ts";
import { startEmulator, type Emulator, type EmulatorOptions } from "../../src/emulator/emulator.ts";
import type { PoolDefinition } from "../../src/emulator/pool-definition.ts";
import type { UserPool } from "../../src/emulator/user-pool.ts";
import type { Scope } from "../../src/lifecycle.ts";
import { exampleAws } from "./aws-environment.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

export const POOL = "eu-west-1_Example";

/** What the test has set for AWS; the rest of this process's environment is nobody's business. */
export function awsVariables(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith("AWS_")));
}

/** A pool that this process's environment points to, and a directory. */
export interface OnePool {
  readonly emulator: Emulator;
  readonly pool: UserPool;
  readonly directory: string;
}

/** An empty pool and an empty directory, until the scope is closed. */
export async function openOnePool(
  scope: Scope,
  definition: Omit<PoolDefinition, "id"> = {},
  options: EmulatorOptions = {},
): Promise<OnePool> {
  const directory = scope.defer(await temporaryDirectory(), (made) => made.remove());
  const started = await startEmulator({ quotas: "unmetered", ...options });
  const emulator = scope.defer(started, (running) => running.close());
  scope.defer(exampleAws({ AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url }), (restore) => restore());
  return { emulator, pool: emulator.pools.add({ id: POOL, ...definition }), directory: directory.path };
}

/** Adds users `u0`, `u1` and so on, whose e-mail addresses are verified. */
export function addUsers(pool: UserPool, users: number): void {
  for (let number = 0; number < users; number++) {
    pool.addUser({
      username: `u${number}`,
      attributes: { given_name: "Old", email: `u${number}@example.com`, email_verified: "true" },
    });
  }
}

/** An emulator with a pool of such users. */
export async function emulatorWith(users: number, options: EmulatorOptions = {}): Promise<Emulator> {
  const emulator = await startEmulator({ quotas: "unmetered", ...options });
  addUsers(emulator.pools.add({ id: POOL, schema: [{ name: "team" }] }), users);
  return emulator;
}

/** Writes past poolsync, as somebody in the console would. */
export async function byHand(
  emulator: Emulator,
  username: string,
  attributes: Readonly<Record<string, string>>,
  pool = POOL,
): Promise<void> {
  const cognito = createCognitoClient({ endpoint: emulator.url, region: "eu-west-1", concurrency: 1 });
  const sent = Object.entries(attributes).map(([Name, Value]) => ({ Name, Value }));
  const options = { notAfter: Number.POSITIVE_INFINITY, signal: new AbortController().signal };
  const written = await createAttributeWriter(cognito).write(pool, username, sent, options);
  cognito.close();
  assert.ok(written.ok);
}
