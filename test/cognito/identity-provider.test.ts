import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createCognitoClient, type CognitoClient } from "../../src/cognito/client.ts";
import { readProvider } from "../../src/cognito/identity-provider.ts";
import { startEmulator, type Emulator } from "../../src/emulator/emulator.ts";
import { exampleAws } from "../support/aws-environment.ts";

const POOL = "eu-west-1_Example";

describe("the attributes of an identity provider", () => {
  let emulator: Emulator;
  let client: CognitoClient;
  let restore: () => void;
  const signal = new AbortController().signal;
  before(async () => {
    restore = exampleAws();
    emulator = await startEmulator({ quotas: { UserPoolResourceRead: 2 }, burstSeconds: 1 });
    emulator.pools.add({
      id: POOL,
      identityProviders: { Okta: { email: "mail", "custom:team": "department" }, Bare: {} },
    });
    client = createCognitoClient({ endpoint: emulator.url, concurrency: 2, requestTimeoutMs: 2000 });
  });
  after(async () => {
    client.close();
    await emulator.close();
    restore();
  });

  const read = (provider: string, ending = signal): Promise<ReadonlySet<string> | undefined> =>
    readProvider(client, provider, { pool: POOL, reads: { withinMs: 10_000 }, signal: ending });

  test("are those that it gives at each sign-in", async () => {
    assert.deepEqual(await read("Okta"), new Set(["email", "custom:team"]));
  });

  test("are not known of one that is not there", async () => {
    const calls = emulator.counters.operations["DescribeIdentityProvider"]?.calls ?? 0;
    assert.equal(await read("Nobody"), undefined);
    assert.equal(emulator.counters.operations["DescribeIdentityProvider"]?.calls, calls + 1);
  });

  test("are asked for again after a throttle", async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => read("Bare")));
    assert.deepEqual(
      answers,
      Array.from({ length: 5 }, () => new Set()),
    );
    assert.ok((emulator.counters.operations["DescribeIdentityProvider"]?.calls ?? 0) > 7);
  });

  test("are not asked for any more after an abort", async () => {
    await assert.rejects(read("Okta", AbortSignal.abort()), { name: "AbortError" });
  });
});
