import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  AdminCreateUserCommand,
  AdminDeleteUserCommand,
  AdminGetUserCommand,
  AdminUpdateUserAttributesCommand,
  ListUsersCommand,
  paginateListUsers,
} from "@aws-sdk/client-cognito-identity-provider";
import type { ListUsersCommandInput, ListUsersCommandOutput } from "@aws-sdk/client-cognito-identity-provider";
import { POOL, stage } from "./sdk-client.ts";
import type { Stage } from "./sdk-client.ts";

function list(on: Stage, input: Partial<ListUsersCommandInput>): Promise<ListUsersCommandOutput> {
  return on.client.send(new ListUsersCommand({ UserPoolId: POOL, ...input }));
}

async function found(on: Stage, Filter: string): Promise<(string | undefined)[]> {
  const names: (string | undefined)[] = [];
  for await (const page of paginateListUsers({ client: on.client }, { UserPoolId: POOL, Filter })) {
    for (const user of page.Users ?? []) names.push(user.Username);
  }
  return names;
}

const people = Array.from({ length: 150 }, (_, index) => ({ username: `user-${index}` }));

describe("pages of ListUsers", () => {
  test("hold 60 users at most and lead to each user once", async () => {
    await using on = await stage({}, people);
    const sizes: (number | undefined)[] = [];
    const names = new Set<string | undefined>();
    for await (const page of paginateListUsers({ client: on.client }, { UserPoolId: POOL })) {
      sizes.push(page.Users?.length);
      for (const user of page.Users ?? []) names.add(user.Username);
    }
    assert.deepEqual(sizes, [60, 60, 30]);
    assert.equal(names.size, 150);
    await assert.rejects(list(on, { Limit: 61 }), {
      name: "InvalidParameterException",
      message:
        "1 validation error detected: Value '61' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 60",
    });
  });

  test("may be short and even empty with a token, and still lead to each user once", async () => {
    await using on = await stage({}, people, { shortPages: 0.9, seed: 7 });
    const sizes: number[] = [];
    const names: (string | undefined)[] = [];
    for await (const page of paginateListUsers({ client: on.client }, { UserPoolId: POOL, Limit: 3 })) {
      sizes.push(page.Users?.length ?? 0);
      for (const user of page.Users ?? []) names.push(user.Username);
    }
    assert.ok(sizes.includes(0) && sizes.includes(1), `seed 7 gave ${sizes.join(" ")}`);
    assert.deepEqual(
      names,
      people.map(({ username }) => username),
    );
  });

  test("end even where every page is cut short", async () => {
    await using on = await stage({}, people.slice(0, 20), { shortPages: 1 });
    assert.equal((await found(on, "")).length, 20);
  });

  test("a user who is deleted between two pages hides nobody else", async () => {
    await using on = await stage({}, people.slice(0, 5));
    const first = await list(on, { Limit: 2 });
    for (const username of ["user-0", "user-3"]) on.pool.removeUser(username);
    const rest = await list(on, { PaginationToken: first.PaginationToken });
    assert.deepEqual(
      rest.Users?.map(({ Username }) => Username),
      ["user-2", "user-4"],
    );
  });

  test("a token holds for its own filter, and for an hour", async () => {
    let now = 0;
    await using on = await stage({}, people, { now: () => now });
    const { PaginationToken } = await list(on, { Filter: 'username ^= "user"' });
    const refusal = { name: "InvalidParameterException", message: "Paging Marker is Invalid for Request" };
    await assert.rejects(list(on, { Filter: 'username ^= "u"', PaginationToken }), refusal);
    await assert.rejects(list(on, { PaginationToken: "nonsense" }), refusal);
    now = 3_600_000;
    await list(on, { Filter: 'username ^= "user"', PaginationToken });
    now += 1;
    await assert.rejects(list(on, { Filter: 'username ^= "user"', PaginationToken }), refusal);
  });

  test("AttributesToGet fails where one user lacks one, and an empty list shows none", async () => {
    await using on = await stage({}, [{ username: "anna", attributes: { name: "Anna" } }, { username: "ben" }]);
    await assert.rejects(list(on, { AttributesToGet: ["name"] }), {
      name: "InvalidParameterException",
      message: "One or more requested attributes do not exist.",
    });
    assert.deepEqual((await list(on, { AttributesToGet: [] })).Users?.[0]?.Attributes, []);
    const { Users } = await list(on, { AttributesToGet: ["name"], Filter: 'username = "anna"' });
    assert.deepEqual(Users?.[0]?.Attributes, [{ Name: "name", Value: "Anna" }]);
  });
});

describe("filters of ListUsers", () => {
  const seeds = [
    {
      username: "Anna",
      sub: "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
      attributes: { email: "Anna@Example.com", phone_number: "+4670", name: 'An "A" na', family_name: "Berg" },
    },
    { username: "annabel", attributes: { email: "bel@example.com", given_name: "Annabel" }, enabled: false },
    { username: "ben", attributes: { email: "ben@example.com" }, status: "UNCONFIRMED" as const },
  ];

  const CASES: readonly (readonly [filter: string, usernames: readonly string[]])[] = [
    ['username = "Anna"', ["Anna"]],
    ['username = "anna"', []],
    ['username ^= "ann"', ["annabel"]],
    ['sub = "1B4E28BA-2fa1-41d2-883f-0016d3cca427"', ["Anna"]],
    ['email = "anna@example.com"', ["Anna"]],
    ['email ^= "BE"', ["annabel", "ben"]],
    ['phone_number = "+4670"', ["Anna"]],
    ['name = "an \\"a\\" NA"', ["Anna"]],
    ['given_name^="anna"', ["annabel"]],
    ['family_name="berg"', ["Anna"]],
    ['status = "Disabled"', ["annabel"]],
    ['status = "disabled"', []],
    ['cognito:user_status = "unconfirmed"', ["ben"]],
    ['email = "nobody@example.com"', []],
  ];
  for (const [filter, usernames] of CASES) {
    test(`${filter} finds ${usernames.join(" and ") || "nobody"}`, async () => {
      await using on = await stage({}, seeds);
      assert.deepEqual(await found(on, filter), usernames);
    });
  }

  test("custom attributes are not searchable, and other forms are none", async () => {
    await using on = await stage({ schema: [{ name: "team" }] }, seeds);
    await assert.rejects(found(on, 'custom:team = "core"'), {
      name: "InvalidParameterException",
      message: "Invalid search attribute: custom:team",
    });
    await assert.rejects(found(on, 'email = "a" and name = "b"'), { name: "InvalidParameterException" });
    await assert.rejects(found(on, `name = "${"x".repeat(256)}"`), /length less than or equal to 256/);
  });

  test("an index follows the values", async () => {
    await using on = await stage({}, seeds);
    const UserAttributes = [{ Name: "email", Value: "new@example.com" }];
    await on.client.send(new AdminUpdateUserAttributesCommand({ UserPoolId: POOL, Username: "ben", UserAttributes }));
    assert.deepEqual(await found(on, 'email = "ben@example.com"'), []);
    assert.deepEqual(await found(on, 'email = "new@example.com"'), ["ben"]);
  });

  test("a lagging list shows and finds what was there before the write", async () => {
    let now = 1_000_000;
    await using on = await stage({}, [], { listLagMs: 500, now: () => now });
    on.pool.addUser({ username: "ben", attributes: { email: "ben@example.com" } });
    assert.deepEqual(await found(on, ""), []);
    now += 500;
    const UserAttributes = [{ Name: "email", Value: "new@example.com" }];
    await on.client.send(new AdminUpdateUserAttributesCommand({ UserPoolId: POOL, Username: "ben", UserAttributes }));
    assert.deepEqual(await found(on, 'email = "ben@example.com"'), ["ben"]);
    assert.deepEqual(await found(on, 'email = "new@example.com"'), []);
    now += 500;
    assert.deepEqual(await found(on, 'email = "ben@example.com"'), []);
    assert.deepEqual(await found(on, 'email = "new@example.com"'), ["ben"]);
  });

  test("a list may lag for some users and not for others", async () => {
    let now = 1_000_000;
    const listLagMs = (username: string): number => (username === "ben" ? 500 : 0);
    await using on = await stage({}, [], { listLagMs, now: () => now });
    for (const username of ["ann", "ben"]) on.pool.addUser({ username, attributes: { given_name: "Its" } });
    assert.deepEqual(await found(on, 'given_name = "Its"'), ["ann"]);
    now += 500;
    for (const Username of ["ann", "ben"])
      await on.client.send(new AdminDeleteUserCommand({ UserPoolId: POOL, Username }));
    assert.deepEqual(await found(on, 'given_name = "Its"'), ["ben"]);
    now += 500;
    assert.deepEqual(await found(on, 'given_name = "Its"'), []);
  });
});

describe("a lagging ListUsers", () => {
  const LAG = 500;
  const seed = (username: string) => ({
    username,
    attributes: { email: `${username}@example.com`, email_verified: "true" },
    createdAt: 0,
  });

  /** The clock of the emulator, which begins with users who were made long ago. */
  async function open(usernames: readonly string[]) {
    let now = 1_000_000;
    const on = await stage({ aliasAttributes: ["email"] }, usernames.map(seed), { listLagMs: LAG, now: () => now });
    return { on, pass: (ms: number) => (now += ms), now: () => now };
  }

  const get = (on: Stage, Username: string) => on.client.send(new AdminGetUserCommand({ UserPoolId: POOL, Username }));
  const sub = async (on: Stage, Filter: string): Promise<(string | undefined)[]> =>
    ((await list(on, { Filter })).Users ?? []).map(
      ({ Attributes }) => Attributes?.find(({ Name }) => Name === "sub")?.Value,
    );

  test("shows who was deleted, by every filter and on every page, for as long, and AdminGetUser does not", async () => {
    const { on, pass } = await open(["ann", "ben", "cem"]);
    await using _ = on;
    const ben = on.pool.user("ben")?.sub;
    const filters = ["", 'username = "ben"', `sub = "${ben}"`, 'email = "ben@example.com"', 'email ^= "ben"'];
    await on.client.send(new AdminDeleteUserCommand({ UserPoolId: POOL, Username: "ben" }));
    await assert.rejects(get(on, "ben"), { name: "UserNotFoundException" });
    for (const filter of filters) assert.ok((await found(on, filter)).includes("ben"), filter);
    const names: (string | undefined)[] = [];
    for await (const page of paginateListUsers({ client: on.client }, { UserPoolId: POOL, Limit: 1 })) {
      assert.ok((page.Users?.length ?? 0) <= 1);
      for (const user of page.Users ?? []) names.push(user.Username);
    }
    assert.deepEqual(names, ["ann", "ben", "cem"]);
    pass(LAG - 1);
    assert.deepEqual(await found(on, 'username = "ben"'), ["ben"]);
    pass(1);
    for (const filter of filters) assert.ok(!(await found(on, filter)).includes("ben"), filter);
  });

  test("shows the former account of a username that was made anew, and never both", async () => {
    const { on, pass } = await open(["ann"]);
    await using _ = on;
    const former = on.pool.user("ann")?.sub;
    on.pool.removeUser("ann");
    pass(200);
    await on.client.send(new AdminCreateUserCommand({ UserPoolId: POOL, Username: "ann" }));
    const later = on.pool.user("ann")?.sub;
    assert.notEqual(later, former);
    assert.deepEqual(await sub(on, 'username = "ann"'), [former]);
    const { UserAttributes } = await get(on, "ann");
    assert.equal(UserAttributes?.[0]?.Value, later);
    pass(300);
    assert.deepEqual(await sub(on, 'username = "ann"'), []);
    pass(200);
    assert.deepEqual(await sub(on, 'username = "ann"'), [later]);
    assert.deepEqual(await sub(on, ""), [later]);
  });

  test("shows a deleted user's values as they were so long ago, each write in its turn", async () => {
    const { on, pass, now } = await open(["ann"]);
    await using _ = on;
    const write = (Value: string): Promise<unknown> =>
      on.client.send(
        new AdminUpdateUserAttributesCommand({
          UserPoolId: POOL,
          Username: "ann",
          UserAttributes: [{ Name: "nickname", Value }],
        }),
      );
    const began = now();
    await write("one");
    pass(100);
    await write("two");
    pass(100);
    on.pool.removeUser("ann");
    const shown = async (): Promise<unknown> => {
      const [user] = (await list(on, { Filter: 'username = "ann"' })).Users ?? [];
      const nickname = user?.Attributes?.find(({ Name }) => Name === "nickname")?.Value;
      return user && [nickname, user.UserLastModifiedDate?.getTime()];
    };
    assert.deepEqual(await shown(), [undefined, 0]);
    pass(300);
    assert.deepEqual(await shown(), ["one", began]);
    pass(100);
    assert.deepEqual(await shown(), ["two", began + 100]);
    pass(100);
    assert.equal(await shown(), undefined);
  });
});
