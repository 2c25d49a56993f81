import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkAdminRequest, checkTokenRequest } from "../../src/core/attribute-request.ts";
import type { Unit } from "../../src/core/unit.ts";

const GOOD = {
  UserPoolId: "eu-west-1_Example",
  Username: "jane",
  UserAttributes: [{ Name: "nickname", Value: "Dan" }],
};
const TOKEN = { AccessToken: "aaa.bbb.ccc", UserAttributes: GOOD.UserAttributes };
const attributes = (...pairs: [name: string, value?: unknown][]): object => ({
  UserAttributes: pairs.map(([Name, Value]) => (Value === undefined ? { Name } : { Name, Value })),
});

function faultsOf(input: object): string[] {
  const checked = checkAdminRequest({ ...GOOD, ...input });
  return "faults" in checked ? checked.faults.map(({ at, detail }) => `${at}: ${detail}`) : [];
}

describe("the members of a request", () => {
  // Lengths, patterns and requirements of Cognito's service model.
  const sound: [title: string, input: object][] = [
    ["a pool's id of 1 character before the underscore", { UserPoolId: "a_1" }],
    ["a pool's id of 55 characters", { UserPoolId: `eu-west-1_${"a".repeat(45)}` }],
    ["a username of 1 character", { Username: "j" }],
    ["a username of 128 characters", { Username: "j".repeat(128) }],
    ["a username of letters, marks, signs, numbers and punctuation", { Username: "日本é+①€@example.com" }],
    ["a name of 32 characters", attributes([`custom:${"a".repeat(25)}`, "x"])],
    ["a name with a blank in it", attributes(["custom:a b", "x"])],
    ["a blank value", attributes(["nickname", ""])],
    ["a value of 2048 characters", attributes(["nickname", "x".repeat(2048)])],
    [
      "more attributes than a pool has",
      attributes(...Array.from({ length: 200 }, (_, i): [string, string] => [`a${i}`, "x"])),
    ],
    ["metadata of 131072 characters", { ClientMetadata: { a: "x".repeat(131_072) } }],
    ["blank metadata", { ClientMetadata: { "": "" } }],
    ["no metadata", { ClientMetadata: null }],
  ];
  for (const [title, input] of sound) test(`may be ${title}`, () => assert.deepEqual(faultsOf(input), []));

  const faulty: [title: string, input: object, fault: RegExp][] = [
    ["no pool", { UserPoolId: undefined }, /^UserPoolId: Expected `UserPoolId`, which is required$/],
    ["a blank pool", { UserPoolId: "" }, /1 to 55 characters, got 0$/],
    ["a pool's id of 56 characters", { UserPoolId: `eu-west-1_${"a".repeat(46)}` }, /1 to 55 characters, got 56$/],
    ["a pool's id without underscore", { UserPoolId: "eu-west-1" }, /a user pool's id such as eu-west-1_AbCdEfGhI$/],
    ["no username", { Username: null }, /which is required$/],
    ["a blank username", { Username: "" }, /1 to 128 characters, got 0$/],
    ["a username of 129 characters", { Username: "j".repeat(129) }, /1 to 128 characters, got 129$/],
    ["a username with a blank", { Username: "jane doe" }, /no blanks, no control characters$/],
    ["a username with a line's end", { Username: "jane\n" }, /no blanks, no control characters$/],
    ["a username that is a number", { Username: 7 }, /to be text, got a number$/],
    ["no attributes", { UserAttributes: undefined }, /^UserAttributes: .*required$/],
    ["a list of none", { UserAttributes: [] }, /at least one attribute, got none$/],
    ["an object for a list", { UserAttributes: {} }, /a list of at least one attribute, got an object$/],
    [
      "a text for an attribute",
      { UserAttributes: ["nickname"] },
      /^UserAttributes\[0\]: .*Name and Value, got a string$/,
    ],
    ["an attribute without a name", { UserAttributes: [{ Value: "x" }] }, /^UserAttributes\[0\]\.Name: .*required$/],
    ["a blank name", attributes(["", "x"]), /1 to 32 characters, got 0$/],
    ["a name of 33 characters", attributes(["a".repeat(33), "x"]), /1 to 32 characters, got 33$/],
    ["a name with a control character", attributes(["a\u0001", "x"]), /an attribute's name such as/],
    ["no value", attributes(["nickname"]), /^UserAttributes\[0\]\.Value: .*a blank value deletes it$/],
    ["null for a value", { UserAttributes: [{ Name: "a", Value: null }] }, /a blank value deletes it$/],
    ["a number for a value", attributes(["custom:n", 7]), /to be text, got a number$/],
    ["a list for a value", attributes(["nickname", ["a", "b"]]), /quote a value that holds a comma/],
    ["a value of 2049 characters", attributes(["nickname", "x".repeat(2049)]), /at most 2048 characters, got 2049$/],
    [
      "a member that no attribute has",
      { UserAttributes: [{ Name: "a", Value: "b", Values: "c" }] },
      /Values: Expected Name and Value/,
    ],
    [
      "an attribute twice",
      attributes(["nickname", "a"], ["nickname", "b"]),
      /each attribute once, got `nickname` twice$/,
    ],
    ["a flag that is neither true nor false", attributes(["email_verified", "yes"]), /to be true or false$/],
    ["a flag that is cleared", attributes(["email_verified", ""]), /to be true or false$/],
    [
      "a flag for a contact that is cleared",
      attributes(["email", ""], ["email_verified", "true"]),
      /not to be true where `email` is cleared$/,
    ],
    ["text for metadata", { ClientMetadata: "a=b" }, /^ClientMetadata: .*texts by their names, got a string$/],
    ["a list for metadata", { ClientMetadata: [] }, /got a list$/],
    ["a number in metadata", { ClientMetadata: { a: 1 } }, /to be text, got a number$/],
    [
      "metadata of 131073 characters",
      { ClientMetadata: { a: "x".repeat(131_073) } },
      /at most 131072 characters, got 131073$/,
    ],
    [
      "a name in metadata of 131073 characters",
      { ClientMetadata: { ["x".repeat(131_073)]: "" } },
      /at most 131072 characters/,
    ],
    ["another operation's member", { AccessToken: "a.b.c" }, /^AccessToken: Expected one of UserPoolId, Username/],
  ];
  for (const [title, input, fault] of faulty) {
    test(`may not be ${title}`, () => {
      const faults = faultsOf(input);
      assert.equal(faults.length, 1, faults.join("; "));
      assert.match(faults[0] ?? "", fault);
    });
  }

  test("are told all at once, and no value with them", () => {
    const faults = faultsOf({
      Username: "secret name",
      ...attributes(["secret\u0001", "x"], ["a", "secret".repeat(400)]),
    });
    assert.equal(faults.length, 3);
    assert.doesNotMatch(faults.join(), /secret/);
  });
});

describe("a request", () => {
  const text = (name: string, value: string): Unit => ({ name, value: { kind: "text", text: value } });
  const meant: [title: string, list: object, units: Unit[]][] = [
    [
      "a standard and a custom attribute",
      attributes(["name", "Jane"], ["custom:team", "a"]),
      [text("name", "Jane"), text("custom:team", "a")],
    ],
    ["what administrators write", attributes(["dev:custom:x", "a"]), [text("dev:custom:x", "a")]],
    ["a blank value as clear", attributes(["nickname", ""]), [{ name: "nickname", value: { kind: "clear" } }]],
    [
      "a verified address as marked",
      attributes(["email_verified", "true"], ["email", "j@e.com"]),
      [{ name: "email", value: { kind: "text", text: "j@e.com", verified: "mark" } }],
    ],
    [
      "an unverified address as asked",
      attributes(["email", "j@e.com"], ["email_verified", "false"]),
      [{ name: "email", value: { kind: "text", text: "j@e.com", verified: "ask" } }],
    ],
    [
      "an address alone as asked",
      attributes(["email", "j@e.com"]),
      [{ name: "email", value: { kind: "text", text: "j@e.com", verified: "ask" } }],
    ],
    [
      "a number's own flag only",
      attributes(["phone_number", "+1432"], ["email_verified", "true"]),
      [
        { name: "phone_number", value: { kind: "text", text: "+1432", verified: "ask" } },
        { name: "email_verified", value: { kind: "as-is", verified: true } },
      ],
    ],
    [
      "a flag alone as of the value that is there",
      attributes(["phone_number_verified", "false"]),
      [{ name: "phone_number_verified", value: { kind: "as-is", verified: false } }],
    ],
    [
      "a cleared address whose flag is false as cleared",
      attributes(["email", ""], ["email_verified", "false"]),
      [{ name: "email", value: { kind: "clear" } }],
    ],
    [
      "any name as one",
      attributes(["__proto__", "a"], ["constructor", "b"]),
      [text("__proto__", "a"), text("constructor", "b")],
    ],
  ];
  for (const [title, list, units] of meant) {
    test(`means ${title}`, () => {
      const checked = checkAdminRequest({ ...GOOD, ...list });
      assert.deepEqual(checked, { request: { pool: GOOD.UserPoolId, username: "jane", units } });
    });
  }

  test("carries its metadata", () => {
    const checked = checkAdminRequest({ ...GOOD, ClientMetadata: { a: "b" } });
    assert.ok("request" in checked);
    assert.deepEqual(checked.request.clientMetadata, { a: "b" });
  });
});

describe("a request with a user's own token", () => {
  const refused: [title: string, input: object, fault: RegExp][] = [
    ["no token", { AccessToken: undefined }, /which is required$/],
    ["a blank token", { AccessToken: "" }, /^Expected `AccessToken` to have at least 1 characters, got 0$/],
    ["a token with a blank", { AccessToken: "a b" }, /^Expected `AccessToken` to be a user's access token/],
    ["a token with a line's end", { AccessToken: "a.b.c\n" }, /^Expected `AccessToken` to be a user's access token/],
    ["a token with a plus", { AccessToken: "a+b" }, /^Expected `AccessToken` to be a user's access token/],
    ["a token that is a number", { AccessToken: 7 }, /^Expected `AccessToken` to be text, got a number$/],
    ["no attributes", { UserAttributes: undefined }, /^Expected `UserAttributes`, which is required$/],
    ["a value of 2049 characters", attributes(["nickname", "x".repeat(2049)]), /at most 2048 characters, got 2049$/],
    ["a name of 33 characters", attributes(["a".repeat(33), "x"]), /1 to 32 characters, got 33$/],
    ["metadata of 131073 characters", { ClientMetadata: { a: "x".repeat(131_073) } }, /at most 131072 characters/],
    ["a pool", { UserPoolId: "eu-west-1_A" }, /^Expected one of AccessToken, UserAttributes, ClientMetadata/],
    ["a flag", attributes(["email", "j@e.com"], ["email_verified", "true"]), /set by administrators only/],
    ["what administrators write", attributes(["dev:custom:x", "a"]), /set by administrators only/],
  ];
  for (const [title, input, fault] of refused) {
    test(`is refused with ${title}`, () => {
      const checked = checkTokenRequest({ ...TOKEN, ...input });
      assert.ok("faults" in checked);
      assert.match(checked.faults.map(({ detail }) => detail).join("; "), fault);
    });
  }
  test("may be of any letter, digit, dash, underscore, equals sign and dot, however long, and carries its metadata", () => {
    const token = `Az09-_=.${"x".repeat(10_000)}`;
    const checked = checkTokenRequest({ ...TOKEN, AccessToken: token, ClientMetadata: { a: "b" } });
    assert.ok("request" in checked);
    assert.deepEqual([checked.request.token, checked.request.clientMetadata], [token, { a: "b" }]);
  });
  test("asks for its addresses to be verified", () => {
    assert.deepEqual(checkTokenRequest({ ...TOKEN, ...attributes(["email", "j@e.com"]) }), {
      request: {
        token: "aaa.bbb.ccc",
        units: [{ name: "email", value: { kind: "text", text: "j@e.com", verified: "ask" } }],
      },
    });
  });
});
