import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from "node:crypto";
import { z } from "zod";
import type { CallOptions } from "../core/call-options.ts";
import { accountMark, type Account, type Person } from "../core/person.ts";
import { composed } from "../core/text.ts";
import type { UnitValue } from "../core/unit.ts";

/**
 * The keys of a namespace at work. Users and values are named outside by keyed digests only, so that a log line, a job or
 * a key in Redis tells nobody who or what it is. What is kept of people is sealed at its place: put in another place, or
 * altered, it does not open. namespace-keys.ts says where the keys come from.
 */
export interface Keyring {
  /** Opaque and stable within the namespace: 32 digits of hex, which a command line takes for no option. */
  userKey(pool: string, canonicalUsername: string): string;
  /** Equal for equal values of a unit, however their accents are spelled. */
  valueDigest(unit: string, value: UnitValue): string;
  /** For an e-mail address, a phone number or another name. */
  linkDigest(pool: string, attribute: string, value: string): string;
  /** See core/person.ts. */
  accountMark(pool: string, account: Account): string;
  /**
   * Of a fault of a unit: by account, kind and reason, so that the same fault is the same letter. Before letters were named
   * so, the version was in the place of the fault.
   */
  letterId(user: string, unit: string, ...fault: readonly string[]): string;
  /** Of an event of a feed: see sealed-event.ts. */
  eventId(feed: string, kind: string, text: string): string;
  /**
   * Names the content that the last word of a text says, by every digest key that the namespace ever had, one after the
   * other. What some of them have named before is named on by the others: so content stays known, whoever has the
   * former keys cannot try what it may be, and to name twice is to name once.
   */
  contentName(text: string): string;
  /** Signs what is fed to it: for what leaves the namespace and comes back, such as a plan. */
  signer(purpose: string): Signer;
  /** Names what is fed to it, as it names users and values: proves nothing. Plans before format 3 were signed so. */
  namer(purpose: string): Signer;
  seal(place: Place, content: string | Uint8Array): string;
  /**
   * What was sealed at this place; undefined for anything else. What versions before format 3 have left is opened wherever
   * it lies, until all of it is sealed anew.
   */
  open(place: Place, sealed: string): string | undefined;
  openBytes(place: Place, sealed: string): Buffer | undefined;
  /** What a version before format 3 kept, clear or sealed without a place; undefined for anything else. */
  openFormer(text: string): string | undefined;
  /** True once nothing is left of what was kept before format 3. */
  readonly isSealed: boolean;
  /** True where what is sealed can be read by nobody without POOLSYNC_KEY. */
  readonly encrypts: boolean;
}

/** Where something is kept: what it is, and whose. The namespace comes by itself. */
export type Place = readonly [kind: string, ...where: string[]];

export interface Signer {
  update(text: string): Signer;
  /** Base64, safe in URLs. Ends it. */
  digest(): string;
}

const SEALED = "b:";
/** Before format 3: in clear, and sealed without a place. */
const FORMER_CLEAR = "p:";
const FORMER_SEALED = "s:";

/** The words before, how many keys have named it, and the name that it has by them. */
const CONTENT = /^(?<before>.* )?(?:(?<keys>\d+)\.)?(?<name>[^ ]*)$/;

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** See namespace-keys.ts. */
export interface KeyringKeys {
  readonly data: Buffer;
  readonly digest: Buffer;
  readonly earlier: readonly Buffer[];
  readonly former?: Buffer | undefined;
}

export interface KeyringOptions {
  readonly identity: string;
  readonly keys: KeyringKeys;
  readonly encrypts: boolean;
  /** True once nothing is left of what was kept before format 3. */
  readonly isSealed: () => boolean;
}

export function createKeyring({ identity, keys, encrypts, isSealed }: KeyringOptions): Keyring {
  // Key objects, because Node.js takes many times as long over a key that is given as bytes each time.
  const digestKey = createSecretKey(keys.digest);
  const dataKey = createSecretKey(keys.data);
  const signatureKey = createSecretKey(
    Buffer.from(hkdfSync("sha256", keys.data, "", "poolsync plan signature", keys.data.length)),
  );
  const contentKeys = [...keys.earlier, keys.digest].map((key) => createSecretKey(key));
  const formerKey = keys.former && createSecretKey(keys.former);
  // Its first 16 bytes, as hex: a buffer of the whole would cost nearly as much as the digest.
  const digest = (...parts: readonly string[]) =>
    createHmac("sha256", digestKey).update(JSON.stringify(parts)).digest("hex").slice(0, 32);
  const shortDigest = (...parts: readonly string[]) => Buffer.from(digest(...parts), "hex").toString("base64url");
  const boundTo = (place: Place) => Buffer.from(JSON.stringify([identity, ...place]));

  function openFormer(text: string): string | undefined {
    // Where a key wraps the others none was kept in clear: what lies there so was put there past poolsync.
    if (text.startsWith(FORMER_CLEAR) && !encrypts) return text.slice(FORMER_CLEAR.length);
    if (!text.startsWith(FORMER_SEALED) || formerKey === undefined) return undefined;
    return decrypt(formerKey, text.slice(FORMER_SEALED.length))?.toString("utf8");
  }

  function openBytes(place: Place, sealed: string): Buffer | undefined {
    if (sealed.startsWith(SEALED)) return decrypt(dataKey, sealed.slice(SEALED.length), boundTo(place));
    const former = isSealed() ? undefined : openFormer(sealed);
    return former === undefined ? undefined : Buffer.from(former);
  }

  function contentName(text: string): string {
    const { before = "", keys: by = "0", name = "" } = CONTENT.exec(text)?.groups ?? {};
    const rest = contentKeys.slice(Number(by));
    const named = rest.reduce((former, key) => signer(key, "content").update(former).digest(), name);
    return rest.length === 0 ? text : `${before}${contentKeys.length}.${named}`;
  }

  return {
    contentName,
    userKey: (pool, username) => digest("user", pool, username),
    valueDigest: (unit, value) => shortDigest("value", unit, composed(bodyOf(value))),
    linkDigest: (pool, attribute, value) => shortDigest("link", pool, attribute, value),
    accountMark: (pool, { sub, createdAt }) => accountMark(createdAt, shortDigest("account", pool, sub)),
    letterId: (user, unit, ...fault) => digest("letter", user, unit, ...fault),
    eventId: (feed, kind, text) => digest("event", feed, kind, text),
    signer: (purpose) => signer(signatureKey, purpose),
    namer: (purpose) => signer(digestKey, purpose),
    get isSealed() {
      return isSealed();
    },
    encrypts,
    seal: (place, content) => SEALED + encrypt(dataKey, content, boundTo(place)),
    open: (place, sealed) => openBytes(place, sealed)?.toString("utf8"),
    openBytes,
    openFormer,
  };
}

/** As a version before format 3 kept a text in clear. */
export function clear(text: string): string {
  return FORMER_CLEAR + text;
}

export function isSealed(text: string): boolean {
  return text.startsWith(SEALED);
}

/** True for what a version before format 3 has left. */
export function isFormer(text: string): boolean {
  return text.startsWith(FORMER_CLEAR) || text.startsWith(FORMER_SEALED);
}

function signer(key: KeyObject, purpose: string): Signer {
  const hmac = createHmac("sha256", key).update(`signer ${purpose}\n`);
  const signing: Signer = {
    update(text) {
      hmac.update(text);
      return signing;
    },
    digest: () => hmac.digest("base64url"),
  };
  return signing;
}

/** Asked for so many at once: a trip to the system for each would cost as much as the encryption. */
const NONCES = 256;
let nonces = Buffer.alloc(0);

function freshNonce(): Buffer {
  if (nonces.length === 0) nonces = randomBytes(NONCES * NONCE_BYTES);
  const nonce = nonces.subarray(0, NONCE_BYTES);
  nonces = nonces.subarray(NONCE_BYTES);
  return nonce;
}

/** With AES-256-GCM, as base64: nonce, text, tag. */
export function encrypt(key: KeyObject | Uint8Array, content: string | Uint8Array, bound: Uint8Array): string {
  const nonce = freshNonce();
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(bound);
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  return Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]).toString("base64");
}

/** Undefined where it was altered, or encrypted with another key or for another place. */
export function decrypt(key: KeyObject | Uint8Array, text: string, bound?: Uint8Array): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE_BYTES));
  if (bound !== undefined) decipher.setAAD(bound);
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    // Node.js says no more than that the tag does not fit.
    return undefined;
  }
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
