import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  AdminCreateUserCommand,
  AdminDeleteUserCommand,
  AdminGetUserCommand,
  AdminUpdateUserAttributesCommand,
  UpdateUserAttributesCommand,
} from "@aws-sdk/client-cognito-identity-provider";
import { POOL, stage } from "./sdk-client.ts";
import type { Stage } from "./sdk-client.ts";

const NAME = [{ Name: "name", Value: "Anna" }];

describe("AdminDeleteUser", () => {
  const remove = (on: Stage, Username: string): Promise<object> =>
    on.client.send(new AdminDeleteUserCommand({ UserPoolId: POOL, Username }));

  test("answers nothing, spends UserUpdate's quota, and the user is gone", async () => {
    await using on = await stage({}, [{ username: "anna" }, { username: "ben" }], {
      quotas: { UserUpdate: 2 },
      now: () => 0,
    });
    assert.deepEqual(Object.keys(await remove(on, "anna")), ["$metadata"]);
    assert.equal(on.pool.user("anna"), undefined);
    assert.equal(on.pool.size, 1);
    await assert.rejects(remove(on, "anna"), { name: "UserNotFoundException", message: "User does not exist." });
    await assert.rejects(remove(on, "ben"), { name: "TooManyRequestsException" });
    assert.deepEqual(on.emulator.counters.categories.UserUpdate, { calls: 3, throttled: 1 });
  });

  test("a username that is made anew is another account, and the log tells the two apart", async () => {
    await using on = await stage({}, [{ username: "anna", attributes: { name: "Anna" } }]);
    const first = on.pool.user("anna")?.sub;
    const AccessToken = on.emulator.mintAccessToken(POOL, "anna");
    await remove(on, "anna");
    await on.client.send(new AdminCreateUserCommand({ UserPoolId: POOL, Username: "anna" }));
    const second = on.pool.user("anna")?.sub;
    assert.ok(second !== undefined && second !== first);
    assert.deepEqual(on.pool.user("anna")?.attributes, {});
    await on.client.send(
      new AdminUpdateUserAttributesCommand({ UserPoolId: POOL, Username: "anna", UserAttributes: NAME }),
    );
    assert.deepEqual(
      on.emulator.log.writes.map(({ operation, username, sub }) => [operation, username, sub]),
      [
        ["AdminDeleteUser", "anna", first],
        ["AdminCreateUser", "anna", second],
        ["AdminUpdateUserAttributes", "anna", second],
      ],
    );
    for (const Username of [first, `${first}`.toUpperCase()]) {
      await assert.rejects(on.client.send(new AdminGetUserCommand({ UserPoolId: POOL, Username })), {
        name: "UserNotFoundException",
      });
    }
    await assert.rejects(on.client.send(new UpdateUserAttributesCommand({ AccessToken, UserAttributes: NAME })), {
      name: "UserNotFoundException",
    });
  });

  test("frees the alias at once, and leaves the unverified copies of others as they are", async () => {
    const address = (verified: string): Record<string, string> => ({
      email: "a@example.com",
      email_verified: verified,
    });
    await using on = await stage({ aliasAttributes: ["email"] }, [
      { username: "anna", attributes: address("true") },
      { username: "ben", attributes: address("false") },
    ]);
    await remove(on, "a@example.com");
    assert.equal(on.pool.user("anna"), undefined);
    assert.equal(on.pool.user("a@example.com"), undefined, "an unverified copy names nobody");
    assert.deepEqual(on.pool.user("ben")?.attributes, address("false"));
    await on.client.send(
      new AdminCreateUserCommand({
        UserPoolId: POOL,
        Username: "cem",
        UserAttributes: [
          { Name: "email", Value: "a@example.com" },
          { Name: "email_verified", Value: "true" },
        ],
      }),
    );
    assert.equal(on.pool.user("a@example.com")?.username, "cem");
  });

  test("frees the address that people sign in with", async () => {
    await using on = await stage({ usernameAttributes: ["email"] }, [{ username: "a@example.com" }]);
    const first = on.pool.user("a@example.com")?.sub;
    await remove(on, "a@example.com");
    await on.client.send(new AdminCreateUserCommand({ UserPoolId: POOL, Username: "a@example.com" }));
    assert.notEqual(on.pool.user("a@example.com")?.sub, first);
  });
});

describe("a user's sub as Username", () => {
  const [LOCAL, FEDERATED] = ["1b4e28ba-2fa1-41d2-883f-0016d3cca427", "6fa459ea-ee8a-4ca4-894e-db77e160355e"];
  const named = (Username: string) => ({ UserPoolId: POOL, Username });
  const calls = (on: Stage, name: string): (() => Promise<object>)[] => [
    () => on.client.send(new AdminGetUserCommand(named(name))),
    () => on.client.send(new AdminUpdateUserAttributesCommand({ ...named(name), UserAttributes: NAME })),
    () => on.client.send(new AdminDeleteUserCommand(named(name))),
  ];

  test("names a local user in every administrator's call", async () => {
    await using on = await stage({}, [{ username: "anna", sub: LOCAL }]);
    for (const call of calls(on, LOCAL)) await call();
    assert.deepEqual(
      on.emulator.log.writes.map(({ username, sub }) => [username, sub]),
      [
        ["anna", LOCAL],
        ["anna", LOCAL],
      ],
    );
    assert.equal(on.pool.size, 0);
  });

  test("names nobody of another identity provider, whom the username names", async () => {
    await using on = await stage({}, [{ username: "Okta_anna", sub: FEDERATED, status: "EXTERNAL_PROVIDER" }]);
    for (const call of calls(on, FEDERATED)) await assert.rejects(call, { name: "UserNotFoundException" });
    for (const call of calls(on, "Okta_anna")) await call();
    assert.equal(on.pool.size, 0);
  });
});

describe("a service that takes no subs", () => {
  test("finds users by username and alias alone, for both calls, and where the username is the sub by that", async () => {
    const ann = { username: "anna", attributes: { email: "anna@example.com", email_verified: "true" } };
    await using on = await stage({ aliasAttributes: ["email"] }, [ann], { takesSubs: false });
    const emails = on.emulator.pools.add({ usernameAttributes: ["email"] });
    const { sub } = emails.addUser({ username: "anna@example.com" });
    const both = (UserPoolId: string, Username: string): Promise<object>[] => [
      on.client.send(new AdminGetUserCommand({ UserPoolId, Username })),
      on.client.send(new AdminUpdateUserAttributesCommand({ UserPoolId, Username, UserAttributes: NAME })),
    ];
    await Promise.all([...both(POOL, "anna"), ...both(POOL, "anna@example.com"), ...both(emails.id, sub)]);
    for (const call of both(POOL, on.pool.user("anna")?.sub ?? "")) {
      await assert.rejects(call, { name: "UserNotFoundException", message: "User does not exist." });
    }
  });
});
