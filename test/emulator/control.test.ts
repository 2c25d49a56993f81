import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  AdminUpdateUserAttributesCommand,
  UpdateUserAttributesCommand,
} from "@aws-sdk/client-cognito-identity-provider";
import { z } from "zod";
import { POOL, stage } from "./sdk-client.ts";
import type { Stage } from "./sdk-client.ts";

async function call(on: Stage, name: string, input?: unknown): Promise<{ status: number; answer: unknown }> {
  const [method = "GET", path = ""] = name.split(" ");
  const body = input === undefined ? {} : { body: JSON.stringify(input) };
  const response = await fetch(`${on.emulator.url}/_emulator/${path}`, { method, ...body });
  return { status: response.status, answer: await response.json() };
}

describe("the control endpoint", () => {
  test("adds pools and users and reads them", async () => {
    await using on = await stage();
    const id = "eu-west-1_Second";
    assert.deepEqual(await call(on, "POST pools", { id, schema: [{ name: "team" }] }), {
      status: 200,
      answer: { id, arn: `arn:aws:cognito-idp:eu-west-1:123456789012:userpool/${id}` },
    });
    const users = [{ username: "anna", attributes: { "custom:team": "core" } }, { username: "ben" }];
    assert.deepEqual(await call(on, "POST users", { pool: id, users }), { status: 200, answer: { added: 2 } });
    assert.deepEqual((await call(on, "GET pools")).answer, [POOL, id]);
    assert.partialDeepStrictEqual((await call(on, `GET users?pool=${id}&username=anna`)).answer, {
      username: "anna",
      attributes: { "custom:team": "core" },
    });
    assert.equal((await call(on, `GET users?pool=${id}&username=eve`)).status, 404);
  });

  test("scripts faults and takes them back", async () => {
    await using on = await stage({}, [{ username: "anna" }]);
    const rule = { username: "anna", error: "InternalErrorException" };
    assert.deepEqual((await call(on, "POST faults", rule)).answer, { id: 1, rule, fired: 0 });
    const update = new AdminUpdateUserAttributesCommand({
      UserPoolId: POOL,
      Username: "anna",
      UserAttributes: [{ Name: "name", Value: "Anna" }],
    });
    await assert.rejects(on.client.send(update), { name: "InternalErrorException" });
    assert.deepEqual((await call(on, "GET faults")).answer, [{ id: 1, rule, fired: 1 }]);
    assert.equal((await call(on, "DELETE faults")).status, 200);
    await on.client.send(update);
    const { answer: writes } = await call(on, "GET log");
    assert.partialDeepStrictEqual(writes, [{ seq: 1, username: "anna", attributes: { name: "Anna" } }]);
    assert.deepEqual((await call(on, "GET log?since=1")).answer, []);
    assert.partialDeepStrictEqual((await call(on, "GET counters")).answer, {
      operations: { AdminUpdateUserAttributes: { calls: 2, errors: { InternalErrorException: 1 } } },
      categories: { UserUpdate: { calls: 2, throttled: 0 } },
    });
  });

  test("mints tokens, confirms addresses and takes a share for others", async () => {
    const definition = { autoVerified: ["email"], requireVerificationBeforeUpdate: ["email"] } as const;
    await using on = await stage(definition, [{ username: "anna" }], { quotas: { UserUpdate: 2 }, now: () => 0 });
    const { answer } = await call(on, "POST access-tokens", { pool: POOL, username: "anna" });
    const { accessToken } = z.object({ accessToken: z.string() }).parse(answer);
    const UserAttributes = [{ Name: "email", Value: "anna@example.com" }];
    await on.client.send(new UpdateUserAttributesCommand({ AccessToken: accessToken, UserAttributes }));
    await call(on, "POST confirmations", { pool: POOL, username: "anna", attribute: "email" });
    assert.equal(on.pool.user("anna")?.attributes["email_verified"], "true");
    assert.equal((await call(on, "POST shares", { category: "UserUpdate", ratePerSecond: 1 })).status, 200);
  });

  test("says what it expected", async () => {
    await using on = await stage();
    for (const [name, input] of [
      ["POST faults", { error: { kind: "explode" } }],
      ["POST pools", { id: POOL }],
      ["POST pools", { schema: [{ name: "a-name-that-is-much-too-long" }] }],
      ["POST pools", { usernameAttributes: ["email"], aliasAttributes: ["email"] }],
      ["POST pools", { requireVerificationBeforeUpdate: ["email"] }],
      ["POST users", { pool: "eu-west-1_None", users: [{ username: "anna" }] }],
      ["POST users", { pool: POOL, users: [{ username: "anna", attributes: { "custom:none": "x" } }] }],
      ["POST access-tokens", { pool: POOL, username: "nobody" }],
    ] as const) {
      const { status, answer } = await call(on, name, input);
      assert.equal(status, 400, name);
      assert.match(z.object({ error: z.string() }).parse(answer).error, /[Ee]xpected|Invalid|must exist/, name);
    }
    const { status, answer } = await call(on, "GET nothing");
    assert.equal(status, 404);
    assert.match(z.object({ error: z.string() }).parse(answer).error, /Expected one of GET log, .* got GET nothing/);
  });
});
