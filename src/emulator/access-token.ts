import { z } from "zod";
import { notAuthorized } from "./service-error.ts";

/** The scope without which a token may not change its user (tokens of the hosted UI often lack it). */
const ADMIN_SCOPE = "aws.cognito.signin.user.admin";

export interface TokenOptions {
  /** Default {@link ADMIN_SCOPE}. */
  readonly scope?: string | undefined;
  /** Default 3600; a negative number makes a token that has expired. */
  readonly expiresInSeconds?: number | undefined;
}

export interface TokenSubject {
  readonly pool: string;
  readonly username: string;
  readonly sub: string;
}

const CLAIMS = z.object({
  sub: z.string(),
  username: z.string(),
  iss: z.string(),
  exp: z.number(),
  scope: z.string(),
  token_use: z.literal("access"),
});

function encode(part: unknown): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}

/** A token in the shape of a JWT that nobody signed. The emulator takes it, nothing else should. */
export function mintToken(subject: TokenSubject, id: string, now: number, options: TokenOptions = {}): string {
  const issuedAt = Math.floor(now / 1000);
  const region = subject.pool.slice(0, subject.pool.lastIndexOf("_"));
  const claims = {
    sub: subject.sub,
    iss: `https://cognito-idp.${region}.amazonaws.com/${subject.pool}`,
    client_id: "1example23456789",
    token_use: "access",
    scope: options.scope ?? ADMIN_SCOPE,
    auth_time: issuedAt,
    iat: issuedAt,
    exp: issuedAt + (options.expiresInSeconds ?? 3600),
    jti: id,
    username: subject.username,
  };
  return `${encode({ kid: "emulator", alg: "none" })}.${encode(claims)}.unsigned`;
}

/** The user that a token is for, without a look at its scope or its end. Undefined for what is no token. */
export function subjectOfToken(token: string): TokenSubject | undefined {
  const claims = readClaims(token);
  return (
    claims && { pool: claims.iss.slice(claims.iss.lastIndexOf("/") + 1), username: claims.username, sub: claims.sub }
  );
}

function readClaims(token: string): z.infer<typeof CLAIMS> | undefined {
  const payload = token.split(".")[1];
  if (payload === undefined) return undefined;
  try {
    return CLAIMS.parse(JSON.parse(Buffer.from(payload, "base64url").toString()));
  } catch {
    // Text from outside that is no token is answered as such, whatever the parser thinks of it.
    return undefined;
  }
}

/**
 * The user that a token is for. Throws NotAuthorizedException for one that is malformed, expired or without the scope.
 */
export function verifyToken(token: string, now: number): TokenSubject {
  const claims = readClaims(token);
  const subject = subjectOfToken(token);
  if (claims === undefined || subject === undefined) throw notAuthorized("Invalid Access Token");
  if (claims.exp * 1000 <= now) throw notAuthorized("Access Token has expired");
  if (!claims.scope.split(" ").includes(ADMIN_SCOPE)) throw notAuthorized("Access Token does not have required scopes");
  return subject;
}
