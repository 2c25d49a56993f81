import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { claimsOf, hasEnded } from "../../src/core/access-token.ts";
import { mintToken } from "../../src/emulator/access-token.ts";

const encode = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString("base64url");
const CLAIMS = {
  iss: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example",
  sub: "0d0e85",
  username: "jané",
  exp: 1_795_478_400,
};
const tokenOf = (claims: unknown): string => `${encode({ alg: "RS256" })}.${encode(claims)}.signature`;

describe("an access token", () => {
  test("says its pool, its user and its end", () => {
    assert.deepEqual(claimsOf(tokenOf(CLAIMS)), {
      pool: "eu-west-1_Example",
      region: "eu-west-1",
      sub: "0d0e85",
      username: "jané",
      expiresAt: 1_795_478_400_000,
    });
  });

  test("of the emulator says the same", () => {
    const token = mintToken({ pool: "eu-west-1_Example", username: "jane", sub: "s" }, "id", 1000);
    assert.equal(claimsOf(token)?.pool, "eu-west-1_Example");
  });

  const others: [title: string, token: string][] = [
    ["text", "abc"],
    ["two parts", "a.b"],
    ["four parts", `${tokenOf(CLAIMS)}.more`],
    ["what is no base64", "a.%%%.c"],
    ["what is no JSON", `a.${Buffer.from("{").toString("base64url")}.c`],
    ["a list", tokenOf([])],
    ["another issuer", tokenOf({ ...CLAIMS, iss: "https://example.com/eu-west-1_Example" })],
    ["no user", tokenOf({ ...CLAIMS, username: "" })],
    ["no sub", tokenOf({ ...CLAIMS, sub: undefined })],
    ["an end that is no number", tokenOf({ ...CLAIMS, exp: "soon" })],
  ];
  for (const [title, token] of others) test(`is not ${title}`, () => assert.equal(claimsOf(token), undefined));

  const end = CLAIMS.exp * 1000;
  const ends: [title: string, token: string, nowMs: number, ended: boolean][] = [
    ["more than five seconds before its end", tokenOf(CLAIMS), end - 5001, false],
    ["five seconds before its end", tokenOf(CLAIMS), end - 5000, true],
    ["after its end", tokenOf(CLAIMS), end + 1, true],
    ["that is gone", "", 0, true],
    ["that says nothing, which is for Cognito to judge", "abc", end, false],
  ];
  for (const [title, token, nowMs, ended] of ends) {
    test(`${ended ? "has" : "has not"} ended ${title}`, () => assert.equal(hasEnded(token, nowMs), ended));
  }
});
