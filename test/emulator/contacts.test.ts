import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AdminUpdateUserAttributesCommand } from "@aws-sdk/client-cognito-identity-provider";
import { POOL, stage } from "./sdk-client.ts";
import type { Stage } from "./sdk-client.ts";

function update(on: Stage, username: string, values: Readonly<Record<string, string>>): Promise<unknown> {
  const UserAttributes = Object.entries(values).map(([Name, Value]) => ({ Name, Value }));
  return on.client.send(new AdminUpdateUserAttributesCommand({ UserPoolId: POOL, Username: username, UserAttributes }));
}

const ANNA = { username: "anna", attributes: { email: "anna@example.com", email_verified: "true" } };
const BEN = { username: "ben", attributes: { email: "ben@example.com", email_verified: "true" } };

describe("e-mail and phone", () => {
  test("a new address without its flag becomes unverified and is sent one message", async () => {
    await using on = await stage({ autoVerified: ["email"] }, [ANNA]);
    await update(on, "anna", { email: "anna@example.org" });
    assert.deepEqual(on.pool.user("anna")?.attributes, { email: "anna@example.org", email_verified: "false" });
    await update(on, "anna", { email: "anna@example.org" });
    assert.deepEqual(on.pool.messages, [{ username: "anna", attribute: "email" }]);
    assert.equal(on.emulator.counters.messages.email, 1);
  });

  test("a pool that verifies nothing by itself sends nothing", async () => {
    await using on = await stage({}, [ANNA]);
    await update(on, "anna", { email: "anna@example.org", phone_number: "+46701234567" });
    assert.equal(on.pool.user("anna")?.attributes["email_verified"], "false");
    assert.equal(on.pool.messages.length, 0);
  });

  test("each contact that changes is sent a message of its own", async () => {
    await using on = await stage({ autoVerified: ["email", "phone_number"] }, [ANNA]);
    await update(on, "anna", { email: "anna@example.org", phone_number: "+46701234567" });
    assert.deepEqual(on.emulator.counters.messages, { email: 1, phone_number: 1 });
  });

  test("the flag in the same request is taken as it is, and no message goes out", async () => {
    await using on = await stage({ autoVerified: ["email"] }, [ANNA]);
    await update(on, "anna", { email: "anna@example.org", email_verified: "true" });
    assert.deepEqual(on.pool.user("anna")?.attributes, { email: "anna@example.org", email_verified: "true" });
    await update(on, "anna", { email: "anna@example.net", email_verified: "false" });
    assert.deepEqual(on.pool.user("anna")?.attributes, { email: "anna@example.net", email_verified: "false" });
    assert.equal(on.pool.messages.length, 0);
  });

  test("the same address without its flag keeps the flag", async () => {
    await using on = await stage({ autoVerified: ["email"] }, [ANNA]);
    await update(on, "anna", { email: "anna@example.com" });
    assert.equal(on.pool.user("anna")?.attributes["email_verified"], "true");
  });

  test("the flag alone speaks of the value that is there", async () => {
    await using on = await stage({}, [ANNA]);
    await update(on, "anna", { email_verified: "false" });
    assert.equal(on.pool.user("anna")?.attributes["email_verified"], "false");
    await update(on, "anna", { email_verified: "true" });
    assert.equal(on.pool.user("anna")?.attributes["email_verified"], "true");
  });

  test("a blank deletes the value and its flag", async () => {
    await using on = await stage({}, [ANNA]);
    await update(on, "anna", { email: "" });
    assert.deepEqual(on.pool.user("anna")?.attributes, {});
    assert.deepEqual(on.emulator.log.writes[0]?.attributes, { email: "" });
  });
});

describe("verification before update", () => {
  const definition = { autoVerified: ["email"], requireVerificationBeforeUpdate: ["email"] } as const;

  test("success does not mean applied: the new address waits for its confirmation", async () => {
    await using on = await stage(definition, [ANNA]);
    await update(on, "anna", { email: "anna@example.org", name: "Anna" });
    assert.deepEqual(on.pool.user("anna"), {
      ...on.pool.user("anna"),
      attributes: { email: "anna@example.com", email_verified: "true", name: "Anna" },
      held: { email: "anna@example.org" },
    });
    assert.partialDeepStrictEqual(on.emulator.log.writes, [{ attributes: { name: "Anna" }, held: ["email"] }]);

    on.pool.confirm("anna", "email");
    assert.partialDeepStrictEqual(on.pool.user("anna"), {
      attributes: { email: "anna@example.org", email_verified: "true" },
      held: {},
    });
    assert.equal(on.emulator.log.writes[1]?.operation, "VerifyUserAttribute");
  });

  test("the same address while it waits is sent no second message, another is", async () => {
    await using on = await stage(definition, [ANNA]);
    await update(on, "anna", { email: "anna@example.org" });
    await update(on, "anna", { email: "anna@example.org" });
    assert.equal(on.pool.messages.length, 1);
    await update(on, "anna", { email: "anna@example.net" });
    assert.equal(on.pool.messages.length, 2);
  });

  test("a true flag in the same request skips the wait", async () => {
    await using on = await stage(definition, [ANNA]);
    await update(on, "anna", { email: "anna@example.org" });
    await update(on, "anna", { email: "anna@example.net", email_verified: "true" });
    assert.partialDeepStrictEqual(on.pool.user("anna"), {
      attributes: { email: "anna@example.net", email_verified: "true" },
      held: {},
    });
  });
});

describe("aliases", () => {
  test("an alias pool moves a verified address from its owner without an error", async () => {
    await using on = await stage({ aliasAttributes: ["email"] }, [ANNA, BEN]);
    await update(on, "ben", { email: "anna@example.com" });
    assert.equal(on.pool.user("anna@example.com")?.username, "anna", "an unverified value names nobody");
    await update(on, "ben", { email_verified: "true" });
    assert.equal(on.pool.user("anna@example.com")?.username, "ben");
    assert.deepEqual(on.pool.user("anna")?.attributes, { email: "anna@example.com", email_verified: "false" });
  });

  test("an alias pool moves the address with its flag in one request", async () => {
    await using on = await stage({ aliasAttributes: ["email"] }, [ANNA, BEN]);
    await update(on, "ben", { email: "anna@example.com", email_verified: "true" });
    assert.equal(on.pool.user("anna")?.attributes["email_verified"], "false");
  });

  test("a pool without alias attributes lets two users verify one address", async () => {
    await using on = await stage({}, [ANNA, BEN]);
    await update(on, "ben", { email: "anna@example.com", email_verified: "true" });
    assert.equal(on.pool.user("anna")?.attributes["email_verified"], "true");
    assert.equal(on.pool.user("anna@example.com"), undefined);
  });

  test("a username-attribute pool refuses an address that another user has, verified or not", async () => {
    await using on = await stage({ usernameAttributes: ["email"] }, [
      { username: "anna@example.com" },
      { username: "ben@example.com" },
    ]);
    const ben = on.pool.user("ben@example.com");
    assert.equal(ben?.username, ben?.sub);
    const taken = { email: "anna@example.com", email_verified: "true" };
    await assert.rejects(update(on, "ben@example.com", taken), {
      name: "AliasExistsException",
      message: "An account with the given email already exists.",
    });
    await update(on, "ben@example.com", { email: "benny@example.com" });
    assert.equal(on.pool.user("ben@example.com"), undefined);
    assert.equal(on.pool.user("benny@example.com")?.sub, ben?.sub);
  });

  test("a held-back address that is taken is refused at once", async () => {
    const definition = {
      usernameAttributes: ["email"],
      autoVerified: ["email"],
      requireVerificationBeforeUpdate: ["email"],
    } as const;
    await using on = await stage(definition, [{ username: "anna@example.com" }, { username: "ben@example.com" }]);
    await assert.rejects(update(on, "ben@example.com", { email: "anna@example.com" }), {
      name: "AliasExistsException",
    });
    assert.equal(on.pool.messages.length, 0);
  });

  test("preferred_username as an alias is unique", async () => {
    await using on = await stage({ aliasAttributes: ["preferred_username"] }, [ANNA, BEN]);
    await update(on, "anna", { preferred_username: "captain" });
    await assert.rejects(update(on, "ben", { preferred_username: "captain" }), {
      name: "AliasExistsException",
      message: "An account with the given preferred_username already exists.",
    });
    assert.equal(on.pool.user("captain")?.username, "anna");
  });

  test("case counts unless the pool says that it does not", async () => {
    await using strict = await stage({ usernameAttributes: ["email"] }, [
      { username: "anna@example.com" },
      { username: "ben@example.com" },
    ]);
    await update(strict, "ben@example.com", { email: "Anna@example.com" });
    await using folding = await stage({ usernameAttributes: ["email"], caseSensitive: false }, [
      { username: "anna@example.com" },
      { username: "ben@example.com" },
    ]);
    await assert.rejects(update(folding, "BEN@example.com", { email: "Anna@example.com" }), {
      name: "AliasExistsException",
    });
  });

  test("a user answers to username, sub and verified alias", async () => {
    await using on = await stage({ aliasAttributes: ["email", "phone_number"] }, [ANNA]);
    const sub = on.pool.user("anna")?.sub ?? "";
    for (const name of ["anna", sub, "anna@example.com"]) await update(on, name, { name });
    assert.deepEqual(
      on.emulator.log.writes.map(({ username, attributes }) => [username, attributes["name"]]),
      [
        ["anna", "anna"],
        ["anna", sub],
        ["anna", "anna@example.com"],
      ],
    );
    await assert.rejects(update(on, "ANNA", { name: "x" }), { name: "UserNotFoundException" });
  });
});
