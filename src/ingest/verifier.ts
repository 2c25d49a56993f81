/**
 * Whether a request comes from who knows the feed's secret. Pure, but for the hash: settings, headers, raw bytes and
 * the store's time go in. It goes over the bytes as they came, before anything is read in them; signatures are compared
 * in constant time; and a time counts only where it is signed.
 */
import { createHash, createHmac, createSecretKey, timingSafeEqual, type KeyObject } from "node:crypto";
import type { EventsSetting, HmacSetting, Scheme } from "../config/events.ts";
import { hubSpotUrl, signedPieces, touches } from "../config/signed-text.ts";

export interface EventRequest {
  /** By its name in small letters; several of one name are one, with commas between them. A character is a byte. */
  readonly header: (name: string) => string | undefined;
  readonly body: Uint8Array;
  /** The `token` in the query of the address that was called. */
  readonly token?: string | undefined;
}

/** What is wrong with a request that is not let in. */
export type Refusal = "unsigned" | "malformed" | "forged" | "late" | "ahead" | "browser";

export type Verification =
  | {
      readonly kind: "authentic";
      /** The event's own, where the scheme says one; else its signature, where a time is signed with it. */
      readonly id: string | undefined;
      /** When the sender signed it, by the sender's clock. Of a repeat it may be the time of the repeat. */
      readonly signedAtMs: number | undefined;
      /** Which secret it was signed with: 0 is the present one. */
      readonly secret: number | undefined;
    }
  | { readonly kind: "refused"; readonly reason: Refusal }
  | { readonly kind: "unavailable"; readonly reason: "no-secret" | "no-clock" };

export interface Verifier {
  /** Why the feed's requests cannot be verified, where they cannot. */
  readonly fault: SecretFault | undefined;
  /** `nowMs` is the store's time; undefined where it is not known. Never throws. */
  verify(request: EventRequest, nowMs: number | undefined): Verification;
}

export type SecretFault = "not set" | "not base64";

/** What a request says of itself, not verified. */
interface Claim {
  /** Signatures, any of which may be the right one. */
  readonly signatures: readonly string[];
  readonly signed: readonly (string | Uint8Array)[];
  readonly signedAtMs?: number | undefined;
  readonly id?: string | undefined;
}

type ReadClaim = (request: EventRequest) => Claim | Refusal;

interface Signing {
  readonly algorithm: HmacSetting["algorithm"];
  readonly encoding: HmacSetting["encoding"];
  readonly readClaim: ReadClaim;
  /** The secret and what is signed are hashed as one text, as HubSpot did before its v3. */
  readonly isPlainHash?: boolean;
  /** The bytes that a secret stands for; undefined where it is none. */
  readonly keyOf: (secret: string) => Buffer | undefined;
}

type VerifierSetting = Pick<EventsSetting, "scheme" | "hmac" | "idHeader" | "publicUrl" | "signatureVersion">;

/** `secrets` are those that the setting names, in its order; what is not set is undefined. */
export function createVerifier(
  setting: VerifierSetting & Pick<EventsSetting, "toleranceMs">,
  secrets: readonly (string | undefined)[],
): Verifier {
  const { scheme, toleranceMs } = setting;
  if (scheme === "none") return { fault: undefined, verify: verifyNone };
  const signing = scheme === "bearer" || scheme === "salesforce-outbound" ? undefined : signingOf(scheme, setting);
  const keys = secrets.map((secret) => {
    if (secret === undefined) return undefined;
    return signing === undefined ? digestOf(Buffer.from(secret)) : signing.keyOf(secret);
  });
  if (keys[0] === undefined) {
    const verification = { kind: "unavailable", reason: "no-secret" } as const;
    return { fault: secrets[0] === undefined ? "not set" : "not base64", verify: () => verification };
  }
  if (signing === undefined) return { fault: undefined, verify: (request) => verifyBearer(request, scheme, keys) };
  // Of a key that is given as bytes each time Node.js takes as long as of all else here.
  const ready = keys.map((key) => key && createSecretKey(key));
  return { fault: undefined, verify: (request, nowMs) => verifySigned(request, nowMs, signing, ready, toleranceMs) };
}

function refused(reason: Refusal): Verification {
  return { kind: "refused", reason };
}

/** Any page that this machine's browser shows may send a request here, and a browser says so. */
function verifyNone({ header }: EventRequest): Verification {
  if (header("origin") !== undefined || header("sec-fetch-site") !== undefined) return refused("browser");
  return { kind: "authentic", id: undefined, signedAtMs: undefined, secret: undefined };
}

/** Who can set no header has it in the address. */
function verifyBearer(request: EventRequest, scheme: Scheme, keys: readonly (Buffer | undefined)[]): Verification {
  if (scheme === "salesforce-outbound") {
    return request.token === undefined ? refused("unsigned") : verifyToken(Buffer.from(request.token), keys);
  }
  const authorization = request.header("authorization");
  if (authorization === undefined) return refused("unsigned");
  const [, token] = /^bearer +(\S+) *$/i.exec(authorization) ?? [];
  return token === undefined ? refused("malformed") : verifyToken(Buffer.from(token, "latin1"), keys);
}

/** Tokens are compared by their digests, which are equally long. */
function verifyToken(token: Buffer, keys: readonly (Buffer | undefined)[]): Verification {
  const digest = digestOf(token);
  const secret = keys.findIndex((key) => key !== undefined && timingSafeEqual(key, digest));
  return secret < 0 ? refused("forged") : { kind: "authentic", id: undefined, signedAtMs: undefined, secret };
}

function digestOf(token: Buffer): Buffer {
  return createHash("sha256").update(token).digest();
}

/**
 * A signature that does not match is told before the time, so that a time is late only of a request that is genuine.
 *
 * An event that says no id has its signature for one: of the same body at another time it is another, because what
 * changes there and back within four days has the same body twice.
 */
function verifySigned(
  request: EventRequest,
  nowMs: number | undefined,
  { algorithm, encoding, readClaim, isPlainHash = false }: Signing,
  keys: readonly (KeyObject | undefined)[],
  toleranceMs: number,
): Verification {
  const claim = readClaim(request);
  if (typeof claim === "string") return refused(claim);
  const { signatures, signed, signedAtMs } = claim;
  let matched = "";
  const secret = keys.findIndex((key) => {
    if (key === undefined) return false;
    const hash = isPlainHash ? createHash(algorithm).update(key.export()) : createHmac(algorithm, key);
    for (const text of signed) {
      if (typeof text === "string") hash.update(text, "latin1");
      else hash.update(text);
    }
    matched = canonical(hash.digest(encoding), encoding);
    return signatures.some((signature) => isEqual(canonical(signature, encoding), matched));
  });
  if (secret < 0) return refused("forged");
  if (signedAtMs === undefined) return { kind: "authentic", id: claim.id, signedAtMs, secret };
  if (nowMs === undefined) return { kind: "unavailable", reason: "no-clock" };
  if (signedAtMs < nowMs - toleranceMs) return refused("late");
  if (signedAtMs > nowMs + toleranceMs) return refused("ahead");
  return { kind: "authentic", id: claim.id ?? matched, signedAtMs, secret };
}

/** Senders write hex in either case, and base64 with or without what fills it up. */
function canonical(signature: string, encoding: HmacSetting["encoding"]): string {
  return encoding === "hex" ? signature.toLowerCase() : signature.replace(/={1,2}$/, "");
}

function isEqual(given: string, expected: string): boolean {
  const left = Buffer.from(given, "latin1");
  const right = Buffer.from(expected, "latin1");
  return left.length === right.length && timingSafeEqual(left, right);
}

function signingOf(
  scheme: Exclude<Scheme, "salesforce-outbound" | "bearer" | "none">,
  { hmac, idHeader, publicUrl, signatureVersion = "v3" }: VerifierSetting,
): Signing {
  if (scheme === "standard-webhooks") {
    return { algorithm: "sha256", encoding: "base64", readClaim: readStandard, keyOf: standardKey };
  }
  if (scheme === "bamboohr") {
    return { algorithm: "sha256", encoding: "hex", readClaim: readBambooHr, keyOf: (secret) => Buffer.from(secret) };
  }
  if (scheme === "hubspot") {
    const readClaim = hubSpotReader(signatureVersion, publicUrl ?? "");
    const keyOf = (secret: string): Buffer => Buffer.from(secret);
    if (signatureVersion === "v3") return { algorithm: "sha256", encoding: "base64", readClaim, keyOf };
    return { algorithm: "sha256", encoding: "hex", isPlainHash: true, readClaim, keyOf };
  }
  if (hmac === undefined) throw new Error("Expected the settings of the scheme hmac, got none");
  return { ...hmac, readClaim: hmacReader(hmac, idHeader), keyOf: (secret) => Buffer.from(secret) };
}

/** `whsec_` and base64; some senders leave the prefix out. */
function standardKey(secret: string): Buffer | undefined {
  const text = secret.replace(/^whsec_/, "");
  return /^[A-Za-z0-9+/]{2,}={0,2}$/.test(text) ? Buffer.from(text, "base64") : undefined;
}

/**
 * Seconds since 1970; digits and nothing else. With more digits, or a zero before them, it would be the same time or
 * another where a digit moves between it and a body that it is signed with.
 */
function secondsOf(text: string): number | undefined {
  return /^[1-9]\d{0,10}$/.test(text) ? Number(text) * 1000 : undefined;
}

/** The same, or milliseconds. */
function timeOf(text: string): number | undefined {
  return /^[1-9]\d{11,12}$/.test(text) ? Number(text) : secondsOf(text);
}

/**
 * https://www.standardwebhooks.com, and Svix, whose headers have other names. An id has no full stop there: with one, the
 * end of the id could be anywhere in a body.
 */
function readStandard({ header, body }: EventRequest): Claim | Refusal {
  const prefix = header("webhook-signature") === undefined ? "svix" : "webhook";
  const [id, timestamp, signature] = ["id", "timestamp", "signature"].map((name) => header(`${prefix}-${name}`));
  if (signature === undefined) return "unsigned";
  if (id === undefined || id === "" || id.includes(".") || timestamp === undefined) return "malformed";
  const signedAtMs = secondsOf(timestamp);
  const signatures = signature
    .split(" ")
    .filter((versioned) => versioned.startsWith("v1,"))
    .map((versioned) => versioned.slice(3));
  if (signedAtMs === undefined || signatures.length === 0) return "malformed";
  return { signatures, signed: [`${id}.${timestamp}.`, body], signedAtMs, id };
}

/** It gives an event no id. */
function readBambooHr({ header, body }: EventRequest): Claim | Refusal {
  const signature = header("x-bamboohr-signature");
  const timestamp = header("x-bamboohr-timestamp");
  if (signature === undefined) return "unsigned";
  const signedAtMs = secondsOf(timestamp ?? "");
  if (timestamp === undefined || signedAtMs === undefined) return "malformed";
  return { signatures: [signature], signed: [body, timestamp], signedAtMs };
}

/**
 * HubSpot sends signatures of several versions side by side. Only one is looked at, which the setting says: if a request
 * could choose, whoever has seen one would leave out the v3, and with it the time. It gives a request no id.
 */
function hubSpotReader(version: NonNullable<EventsSetting["signatureVersion"]>, publicUrl: string): ReadClaim {
  if (version === "v3") {
    const signedUrl = hubSpotUrl(publicUrl);
    return ({ header, body }) => {
      const signature = header("x-hubspot-signature-v3");
      const timestamp = header("x-hubspot-request-timestamp") ?? "";
      if (signature === undefined) return "unsigned";
      // Of one length, so that it has one beginning behind a body.
      if (!/^[1-9]\d{12}$/.test(timestamp)) return "malformed";
      const signed = [`POST${signedUrl}`, body, timestamp];
      return { signatures: [signature], signed, signedAtMs: Number(timestamp) };
    };
  }
  return ({ header, body }) => {
    const signature = header("x-hubspot-signature");
    if (signature === undefined) return "unsigned";
    if ((header("x-hubspot-signature-version") ?? version) !== version) return "malformed";
    return { signatures: [signature], signed: version === "v1" ? [body] : [`POST${publicUrl}`, body] };
  };
}

function hmacReader(setting: HmacSetting, idHeader: string | undefined): ReadClaim {
  const { header: name, part, prefix = "", signed, timestampHeader, timestampPart } = setting;
  const pieces = signedPieces(signed);
  const isTimed = timestampHeader !== undefined || timestampPart !== undefined;
  return ({ header, body }) => {
    const value = header(name.toLowerCase());
    if (value === undefined) return "unsigned";
    const parts = (key: string) => partsOf(value, key);
    const given = part === undefined ? [value] : parts(part);
    const signatures = given.filter((text) => text.startsWith(prefix)).map((text) => text.slice(prefix.length));
    if (signatures.length === 0) return "malformed";
    const [timestamp = ""] =
      timestampPart === undefined ? [header(timestampHeader?.toLowerCase() ?? "") ?? ""] : parts(timestampPart);
    const signedAtMs = isTimed ? timeOf(timestamp) : undefined;
    if (isTimed && signedAtMs === undefined) return "malformed";
    const id = header(idHeader?.toLowerCase() ?? "") ?? "";
    const isOpen = pieces.some(
      (piece) => "hole" in piece && piece.hole === "id" && (id === "" || id.includes(piece.end)),
    );
    if (isOpen || touches(pieces, body)) return "malformed";
    const holes = { body, timestamp, id };
    return {
      signatures,
      signed: pieces.map((piece) => ("hole" in piece ? holes[piece.hole] : piece.text)),
      signedAtMs,
    };
  };
}

/** The values of a key in `t=1,v1=a,v1=b`. */
function partsOf(value: string, key: string): string[] {
  return value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part.startsWith(`${key}=`))
    .map((part) => part.slice(key.length + 1));
}
