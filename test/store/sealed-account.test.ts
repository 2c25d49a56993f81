import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { accountName, openAccount, sealAccount } from "../../src/store/sealed-account.ts";
import { testKeyring } from "../support/keyring.ts";

const OF = { pool: "eu-west-1_Example", attribute: "custom:employee_id" };

describe("an account in the account index", () => {
  const keyring = testKeyring();

  test("comes back as it was, whatever its service takes for a sub", () => {
    const uuid = randomUUID();
    for (const sub of [uuid, uuid.toUpperCase(), "", "x", "a".repeat(14), "a".repeat(15), "a".repeat(16), "jané"]) {
      const { name, body } = sealAccount(keyring, OF, { value: "4711", sub });
      assert.equal(openAccount(keyring, OF, name, body), sub);
    }
  });

  test("is short, has nothing in clear, and is found by its value alone", () => {
    const sub = randomUUID();
    const { name, mark, body } = sealAccount(keyring, OF, { value: "4711", sub });
    assert.equal(name, accountName(keyring, OF, "4711"));
    assert.notEqual(name, accountName(keyring, OF, "4712"));
    assert.notEqual(name, accountName(keyring, { ...OF, attribute: "name" }, "4711"));
    assert.equal(mark, sealAccount(keyring, OF, { value: "1", sub }).mark);
    assert.notEqual(mark, sealAccount(keyring, OF, { value: "4711", sub: randomUUID() }).mark);
    assert.ok(name.length + mark.length + body.length <= 78, body);
    for (const text of ["4711", sub, sub.slice(0, 8)]) assert.doesNotMatch(name + mark + body, new RegExp(text));
  });

  test("opens at no other place", () => {
    const { name, body } = sealAccount(keyring, OF, { value: "4711", sub: randomUUID() });
    assert.equal(openAccount(keyring, OF, accountName(keyring, OF, "4712"), body), undefined);
    assert.equal(openAccount(keyring, { ...OF, pool: "eu-west-1_Other" }, name, body), undefined);
    assert.equal(openAccount(keyring, OF, name, "b:"), undefined);
  });
});
