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

  test("are those that it gives at each sign-in", async () => {
    assert.deepEqual(await readProvider(client, POOL, "Okta", signal), {
      is: "known",
      attributes: new Set(["email", "custom:team"]),
    });
  });

  test("are not known of one that is not there, and are asked for again after a throttle", async () => {
    assert.deepEqual(await readProvider(client, POOL, "Nobody", signal), { is: "unknown" });
    const answers = await Promise.all(Array.from({ length: 5 }, () => readProvider(client, POOL, "Bare", signal)));
    assert.ok(answers.some(({ is }) => is === "throttled"));
  });

  test("are not asked for any more after an abort", async () => {
    await assert.rejects(readProvider(client, POOL, "Okta", AbortSignal.abort()), { name: "AbortError" });
  });
});
