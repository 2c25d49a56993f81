import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync, randomBytes } from "node:crypto";
import { z } from "zod";
import type { CallOptions } from "../core/call-options.ts";
import { accountMark, type Account, type Person } from "../core/person.ts";
import type { UnitValue } from "../core/unit.ts";

/**
 * The keys of a namespace. Users and values are named outside by keyed digests only, so that a log line, a job or a
 * key in Redis tells nobody who or what it is. With a configured key (`POOLSYNC_KEY`) values and usernames are also
 * encrypted at rest; without one the digest key is made by the first process and kept in the store.
 */
export interface Keyring {
  /** Opaque and stable within the namespace: 32 digits of hex, which a command line takes for no option. */
  userKey(pool: string, canonicalUsername: string): string;
  /** Equal for equal values of a unit. */
  valueDigest(unit: string, value: UnitValue): string;
  /** For an e-mail address, a phone number or another name. */
  linkDigest(pool: string, attribute: string, value: string): string;
  /** See core/person.ts. */
  accountMark(pool: string, account: Account): string;
  letterId(user: string, unit: string, version: string): string;
  /** Signs what is fed to it: for what leaves the namespace and comes back, such as a plan. */
  signer(purpose: string): Signer;
  seal(text: string): string;
  /** True where what is sealed can be read by nobody without the key. */
  readonly encrypts: boolean;
  /** Throws where the text was sealed with another key. */
  open(sealed: string): string;
}

export interface Signer {
  update(text: string): Signer;
  /** Base64, safe in URLs. Ends it. */
  digest(): string;
}

const PLAIN = "p:";
const SEALED = "s:";

/** A fresh digest key, as text for the store. */
export function freshSecret(): string {
  return randomBytes(32).toString("base64url");
}

/**
 * `secret` is the digest key as text; `encryptionKey` is 32 bytes, or absent where values are kept in clear.
 */
export function createKeyring(secret: string, encryptionKey?: Uint8Array): Keyring {
  // A key object, because Node.js takes many times as long over a key that is given as bytes each time.
  const digestKey = createSecretKey(Buffer.from(secret, "base64url"));
  const sealKey = encryptionKey && Buffer.from(hkdfSync("sha256", encryptionKey, "", "poolsync values at rest", 32));
  // Its first 16 bytes, as hex: a buffer of the whole would cost nearly as much as the digest.
  const digest = (...parts: readonly string[]) =>
    createHmac("sha256", digestKey).update(JSON.stringify(parts)).digest("hex").slice(0, 32);
  const shortDigest = (...parts: readonly string[]) => Buffer.from(digest(...parts), "hex").toString("base64url");
  return {
    userKey: (pool, username) => digest("user", pool, username),
    valueDigest: (unit, value) => shortDigest("value", unit, bodyOf(value)),
    linkDigest: (pool, attribute, value) => shortDigest("link", pool, attribute, value),
    accountMark: (pool, { sub, createdAt }) => accountMark(createdAt, shortDigest("account", pool, sub)),
    letterId: (user, unit, version) => digest("letter", user, unit, version),
    signer(purpose) {
      const hmac = createHmac("sha256", digestKey).update(`signer ${purpose}\n`);
      const signer: Signer = {
        update(text) {
          hmac.update(text);
          return signer;
        },
        digest: () => hmac.digest("base64url"),
      };
      return signer;
    },
    encrypts: sealKey !== undefined,
    seal(text) {
      if (!sealKey) return PLAIN + text;
      const nonce = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", sealKey, nonce);
      const bytes = Buffer.concat([nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
      return SEALED + bytes.toString("base64");
    },
    open(sealed) {
      if (sealed.startsWith(PLAIN)) return sealed.slice(PLAIN.length);
      if (!sealKey) {
        throw new Error(
          "The store's values are encrypted, and no key is configured: set POOLSYNC_KEY to the key they were written with",
        );
      }
      const bytes = Buffer.from(sealed.slice(SEALED.length), "base64");
      const decipher = createDecipheriv("aes-256-gcm", sealKey, bytes.subarray(0, 12));
      decipher.setAuthTag(bytes.subarray(-16));
      try {
        return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString("utf8");
      } catch (cause) {
        throw new Error("A value in the store was encrypted with another key: set POOLSYNC_KEY to that key", { cause });
      }
    },
  };
}

/** A value as text, the same text for equal values, and how and to whom it is sent. */
export function bodyOf(
  value: UnitValue,
  { clientMetadata, token }: CallOptions = {},
  { account, name }: Person = {},
): string {
  // JSON leaves out what is undefined.
  const beside = { metadata: clientMetadata, token, account, name };
  switch (value.kind) {
    case "text": {
      const { text, verified } = value;
      return JSON.stringify({ text, verified, ...beside });
    }
    case "clear":
      return JSON.stringify({ clear: true, ...beside });
    case "as-is":
      return JSON.stringify({ asIs: value.verified, ...beside });
  }
}

/** How the value of a body is sent. */
export function callOptionsOf(body: string): CallOptions {
  const parsed: unknown = JSON.parse(body);
  if (typeof parsed !== "object" || parsed === null) return {};
  const metadata = "metadata" in parsed ? parsed.metadata : undefined;
  const token = "token" in parsed && typeof parsed.token === "string" ? { token: parsed.token } : {};
  if (typeof metadata !== "object" || metadata === null) return token;
  const texts = Object.entries(metadata).flatMap(([name, text]: [string, unknown]) =>
    typeof text === "string" ? [[name, text] as const] : [],
  );
  return { clientMetadata: Object.fromEntries(texts), ...token };
}

const PERSON = z.object({
  account: z
    .object({ sub: z.string(), createdAt: z.number(), federated: z.exactOptional(z.literal(true)) })
    .optional()
    .catch(undefined),
  name: z.object({ attribute: z.string(), value: z.string(), askedAt: z.number() }).optional().catch(undefined),
});

/** Whom the value of a body is for. */
export function personOf(body: string): Person {
  const { account, name } = PERSON.parse(JSON.parse(body));
  return { ...(account && { account }), ...(name && { name }) };
}

/** The same body without a user's token, though it goes on saying that there was one; undefined where none is in it. */
export function withoutToken(body: string): string | undefined {
  const callOptions = callOptionsOf(body);
  return callOptions.token ? bodyOf(valueOf(body), { ...callOptions, token: "" }, personOf(body)) : undefined;
}

/** The value of a body. */
export function valueOf(body: string): UnitValue {
  const parsed: unknown = JSON.parse(body);
  if (typeof parsed === "object" && parsed !== null) {
    if ("text" in parsed && typeof parsed.text === "string") {
      const verified = "verified" in parsed ? parsed.verified : undefined;
      if (verified === "mark" || verified === "ask" || verified === "keep")
        return { kind: "text", text: parsed.text, verified };
      return { kind: "text", text: parsed.text };
    }
    if ("asIs" in parsed) return { kind: "as-is", verified: parsed.asIs === true };
    if ("clear" in parsed) return { kind: "clear" };
  }
  throw new Error(
    "Expected a unit's value in the store to be text, clear or as-is: it was written by another version of poolsync",
  );
}
