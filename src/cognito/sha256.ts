/**
 * SHA-256, and its HMAC where there is a secret, for the SDK's signatures. The SDK's own makes a key of the secret for
 * each use, which costs more than all of its hashing; here a key is made once.
 */
import { createHmac, createSecretKey, hash, type KeyObject } from "node:crypto";

type Data = string | ArrayBuffer | ArrayBufferView;

/** The signing keys of a day, which the SDK keeps and gives again. */
const keys = new WeakMap<object, KeyObject>();
/** The credentials' own secret, which comes as text. */
let latest: { readonly secret: string; readonly key: KeyObject } | undefined;

export class Sha256 {
  readonly #key: KeyObject | undefined;
  #chunks: Buffer[] = [];

  constructor(secret?: Data) {
    this.#key = secret === undefined ? undefined : keyOf(secret);
  }

  update(chunk: Data): void {
    this.#chunks.push(bytesOf(chunk));
  }

  async digest(): Promise<Uint8Array> {
    const [first, ...rest] = this.#chunks;
    const data = first && rest.length === 0 ? first : Buffer.concat(this.#chunks);
    return this.#key ? createHmac("sha256", this.#key).update(data).digest() : hash("sha256", data, "buffer");
  }

  reset(): void {
    this.#chunks = [];
  }
}

function keyOf(secret: Data): KeyObject {
  if (typeof secret === "string") {
    if (latest?.secret !== secret) latest = { secret, key: createSecretKey(secret, "utf8") };
    return latest.key;
  }
  const key = keys.get(secret) ?? createSecretKey(bytesOf(secret));
  keys.set(secret, key);
  return key;
}

function bytesOf(data: Data): Buffer {
  if (typeof data === "string") return Buffer.from(data, "utf8");
  return ArrayBuffer.isView(data) ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.from(data);
}
