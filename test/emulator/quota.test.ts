import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  AdminCreateUserCommand,
  AdminGetUserCommand,
  AdminUpdateUserAttributesCommand,
  DescribeIdentityProviderCommand,
  DescribeUserPoolCommand,
  ListUsersCommand,
} from "@aws-sdk/client-cognito-identity-provider";
import { startEmulator } from "../../src/emulator/emulator.ts";
import { POOL, stage } from "./sdk-client.ts";
import type { Stage } from "./sdk-client.ts";

function rename(client: Stage["client"]): Promise<unknown> {
  const UserAttributes = [{ Name: "name", Value: "Anna" }];
  return client.send(new AdminUpdateUserAttributesCommand({ UserPoolId: POOL, Username: "anna", UserAttributes }));
}

async function countGranted(calls: Promise<unknown>[]): Promise<number> {
  const settled = await Promise.allSettled(calls);
  return settled.filter(({ status }) => status === "fulfilled").length;
}

describe("the quotas", () => {
  test("a category beyond its rate answers 400 TooManyRequestsException, Rate exceeded", async () => {
    let now = 1_000_000;
    await using on = await stage({}, [{ username: "anna" }], { quotas: {}, now: () => now });
    assert.equal(await countGranted(Array.from({ length: 40 }, () => rename(on.client))), 25);
    await assert.rejects(rename(on.client), (error: Error & { $metadata?: { httpStatusCode?: number } }) => {
      assert.equal(error.name, "TooManyRequestsException");
      assert.equal(error.message, "Rate exceeded");
      assert.equal(error.$metadata?.httpStatusCode, 400);
      return true;
    });
    assert.deepEqual(on.emulator.counters.categories.UserUpdate, { calls: 41, throttled: 16 });
    now += 400;
    assert.equal(await countGranted(Array.from({ length: 20 }, () => rename(on.client))), 10);
  });

  test("each operation draws from its own category", async () => {
    await using on = await stage({}, [{ username: "anna" }], { quotas: {}, now: () => 0 });
    const { client, emulator } = on;
    await rename(client);
    await client.send(new ListUsersCommand({ UserPoolId: POOL }));
    await client.send(new AdminGetUserCommand({ UserPoolId: POOL, Username: "anna" }));
    await client.send(new DescribeUserPoolCommand({ UserPoolId: POOL }));
    await client.send(new AdminCreateUserCommand({ UserPoolId: POOL, Username: "ben" }));
    const provider = new DescribeIdentityProviderCommand({ UserPoolId: POOL, ProviderName: "Corporate" });
    await assert.rejects(client.send(provider), { name: "ResourceNotFoundException" });
    for (const count of Object.values(emulator.counters.categories))
      assert.deepEqual(count, { calls: 1, throttled: 0 });
  });

  test("others' traffic leaves the rest of the category and nothing of another is touched", async () => {
    let now = 0;
    await using on = await stage({}, [{ username: "anna" }], { quotas: { UserUpdate: 10 }, now: () => now });
    on.emulator.takeShare("UserUpdate", 6);
    assert.equal(await countGranted(Array.from({ length: 20 }, () => rename(on.client))), 10);
    now += 1000;
    assert.equal(await countGranted(Array.from({ length: 20 }, () => rename(on.client))), 4);
    on.emulator.takeShare("UserUpdate", 0);
    now += 500;
    assert.equal(await countGranted(Array.from({ length: 20 }, () => rename(on.client))), 5);
  });

  test("the burst is a setting", async () => {
    const options = { quotas: { UserUpdate: 10 }, burstSeconds: 0.2, now: () => 0 };
    await using on = await stage({}, [{ username: "anna" }], options);
    assert.equal(await countGranted(Array.from({ length: 10 }, () => rename(on.client))), 2);
  });

  test("a throttled call writes nothing", async () => {
    await using on = await stage({}, [{ username: "anna" }], { quotas: { UserUpdate: 1 }, now: () => 0 });
    await countGranted([rename(on.client), rename(on.client), rename(on.client)]);
    assert.equal(on.emulator.log.writes.length, 1);
  });

  test("a rate that is not above 0 is refused", async () => {
    await assert.rejects(
      startEmulator({ quotas: { UserList: 0 } }),
      /Expected `quotas.UserList` to be a number above 0/,
    );
  });
});
