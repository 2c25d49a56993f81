import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createCognitoClient } from "../../src/cognito/client.ts";
import type { CognitoClient } from "../../src/cognito/client.ts";
import { CognitoError } from "../../src/cognito/cognito-error.ts";
import { readPoolProfile } from "../../src/cognito/pool-profile.ts";
import { startEmulator } from "../../src/emulator/emulator.ts";
import type { Emulator } from "../../src/emulator/emulator.ts";
import { exampleAws } from "../support/aws-environment.ts";

const POOL = "eu-west-1_Example";

describe("a pool's profile", () => {
  let emulator: Emulator;
  let client: CognitoClient;
  let restore: () => void;
  before(async () => {
    restore = exampleAws();
    emulator = await startEmulator({ quotas: "unmetered" });
    emulator.pools.add({
      id: POOL,
      schema: [
        { name: "name", required: true },
        { name: "cost_center", minLength: 2, maxLength: 4 },
        { name: "floor", type: "Number", minValue: -2, maxValue: 40 },
        { name: "badge", mutable: false },
        { name: "dev:x" },
      ],
      aliasAttributes: ["email"],
      autoVerified: ["email", "phone_number"],
      requireVerificationBeforeUpdate: ["email"],
      caseSensitive: false,
    });
    emulator.pools.add({ id: "eu-west-1_Plain", usernameAttributes: ["phone_number"] });
    client = createCognitoClient({ endpoint: emulator.url, concurrency: 2, requestTimeoutMs: 2000 });
  });
  after(async () => {
    client.close();
    await emulator.close();
    restore();
  });

  test("is read from its description", async () => {
    const profile = await readPoolProfile(client, POOL);
    const { attributes } = profile;
    assert.equal(profile.id, POOL);
    assert.equal(profile.region, "eu-west-1");
    assert.match(profile.accountId, /^\d{12}$/);
    assert.match(profile.arn, /^arn:aws:cognito-idp:eu-west-1:\d{12}:userpool\/eu-west-1_Example$/);
    assert.equal(profile.caseSensitive, false);
    assert.deepEqual(profile.aliasAttributes, ["email"]);
    assert.deepEqual(profile.usernameAttributes, []);
    assert.deepEqual([...profile.autoVerified].toSorted(), ["email", "phone_number"]);
    assert.deepEqual(profile.requireVerificationBeforeUpdate, ["email"]);
    assert.equal(attributes["name"]?.required, true);
    assert.equal(attributes["sub"]?.mutable, false);
    assert.equal(attributes["email_verified"]?.type, "Boolean");
    assert.equal(attributes["custom:badge"]?.mutable, false);
    assert.equal(attributes["dev:x"]?.developerOnly, true);
    const { minLength, maxLength } = attributes["custom:cost_center"] ?? {};
    assert.deepEqual({ minLength, maxLength }, { minLength: 2, maxLength: 4 });
    const { type, minValue, maxValue } = attributes["custom:floor"] ?? {};
    assert.deepEqual({ type, minValue, maxValue }, { type: "Number", minValue: -2, maxValue: 40 });
  });

  test("has the API's defaults where the description says nothing", async () => {
    const profile = await readPoolProfile(client, "eu-west-1_Plain");
    assert.equal(profile.caseSensitive, true);
    assert.deepEqual(profile.usernameAttributes, ["phone_number"]);
    assert.deepEqual(profile.aliasAttributes, []);
  });

  const failsWith = async (reading: Promise<unknown>, kind: string, message: RegExp): Promise<void> => {
    await assert.rejects(reading, (error) => {
      assert.ok(error instanceof CognitoError);
      assert.equal(error.kind, kind);
      assert.match(error.message, message);
      return true;
    });
  };

  test("of an id that is none is refused without a call", async () => {
    const calls = emulator.counters.categories.UserPoolRead.calls;
    await failsWith(readPoolProfile(client, "Example"), "pool-not-found", /such as eu-west-1_AbCdEfGhI, got `Example`/);
    assert.equal(emulator.counters.categories.UserPoolRead.calls, calls);
  });

  test("of a pool that is not there says what to check", async () => {
    await failsWith(readPoolProfile(client, "eu-west-1_Nowhere"), "pool-not-found", /does not exist\. .*Region/s);
  });

  test("without credentials says how to give them", async () => {
    const undo = exampleAws({ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined });
    const bare = createCognitoClient({ endpoint: emulator.url, concurrency: 1 });
    await failsWith(readPoolProfile(bare, POOL), "credentials-missing", /AWS_PROFILE/);
    bare.close();
    undo();
  });

  test("without a Region says so", async () => {
    const undo = exampleAws({ AWS_REGION: undefined });
    const bare = createCognitoClient({ endpoint: emulator.url, concurrency: 1 });
    await failsWith(readPoolProfile(bare, POOL), "misconfigured", /Region is missing.*AWS_REGION/s);
    bare.close();
    undo();
  });

  test("from something that is no Cognito is refused", async () => {
    emulator.faults.add({ operation: "DescribeUserPool", times: 1, error: { kind: "http", status: 200, body: "{}" } });
    await failsWith(readPoolProfile(client, POOL), "misconfigured", /check the endpoint's address/);
  });
});
