import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";

/** What looks like a user's access token, made up anew each time. */
export function madeUpToken(pool = "eu-west-1_Example"): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const header = { kid: randomBytes(32).toString("base64"), alg: "RS256" };
  const payload = {
    sub: randomBytes(16).toString("hex"),
    iss: `https://cognito-idp.eu-west-1.amazonaws.com/${pool}`,
    token_use: "access",
    exp: Math.floor(Date.now() / 1000) + 600,
    jti: randomBytes(16).toString("hex"),
    username: randomBytes(6).toString("hex"),
  };
  return `${part(header)}.${part(payload)}.${randomBytes(256).toString("base64url")}`;
}

/** So long a piece of a token is no chance. */
const PIECE = 12;

/** Fails where a piece of the token is in the text. */
export function assertNoToken(text: string, token: string, where: string): void {
  for (let at = 0; at + PIECE <= token.length; at++) {
    const found = text.indexOf(token.slice(at, at + PIECE));
    if (found === -1) continue;
    assert.fail(`A piece of the token shows in ${where}: ${text.slice(Math.max(0, found - 200), found + 40)}`);
  }
}
