/**
 * What a user's own access token says of itself, unverified: Cognito alone verifies it. It is read for the order of
 * changes and for the end of the token, never for leave to do anything, and nothing of it goes into a message.
 */

export interface TokenClaims {
  /** From the issuer: `https://cognito-idp.<region>.amazonaws.com/<pool>`. */
  readonly pool: string;
  readonly region: string;
  readonly sub: string;
  readonly username: string;
  /** Epoch ms. */
  readonly expiresAt: number;
}

const ISSUER = /^https:\/\/cognito-idp\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\/([\w-]+_[0-9a-zA-Z]+)$/;

/** Undefined for what is no access token of a user pool. */
export function claimsOf(token: string): TokenClaims | undefined {
  const claims = payloadOf(token);
  if (claims === undefined) return undefined;
  const text = (name: string): string | undefined => {
    const value = claims.get(name);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const [, region, pool] = ISSUER.exec(text("iss") ?? "") ?? [];
  const sub = text("sub");
  const username = text("username");
  const end = claims.get("exp");
  if (region === undefined || pool === undefined || sub === undefined || username === undefined) return undefined;
  if (typeof end !== "number" || !Number.isFinite(end)) return undefined;
  return { pool, region, sub, username, expiresAt: end * 1000 };
}

/** A token is not used any more this long before its end, in ms: its call takes time, and clocks differ. */
const TOKEN_MARGIN_MS = 5000;

/** True where the token says that it has ended, or is about to. One that says nothing is for Cognito to judge. */
export function hasEnded(token: string, nowMs: number): boolean {
  const claims = claimsOf(token);
  return token === "" || (claims !== undefined && claims.expiresAt - TOKEN_MARGIN_MS <= nowMs);
}

function payloadOf(token: string): ReadonlyMap<string, unknown> | undefined {
  const [, payload, ...rest] = token.split(".");
  if (payload === undefined || rest.length !== 1) return undefined;
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (byte) =>
      byte.charCodeAt(0),
    );
    const claims: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return typeof claims === "object" && claims !== null ? new Map(Object.entries(claims)) : undefined;
  } catch {
    // The parser's message quotes what it read, and that is somebody's token.
    return undefined;
  }
}
