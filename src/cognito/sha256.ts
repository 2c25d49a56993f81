/**
 * SHA-256 for the SDK's signer. The SDK's own makes a key object of the signing key for each call, which takes longer
 * than the digest: this one makes it once a key, and a key lasts a day.
 */
import { createHmac, createSecretKey, hash, type KeyObject } from "node:crypto";

type Bytes = string | ArrayBuffer | ArrayBufferView;

/** One digest: what it is fed counts in one piece. */
export interface Sha256 {
  update(data: Bytes, encoding?: "utf8" | "ascii" | "latin1"): void;
  digest(): Promise<Uint8Array>;
  reset(): void;
}

/** A constructor as the SDK's `sha256` is: of a hash, or with a secret of an HMAC. */
export function createSha256(): new (secret?: Bytes) => Sha256 {
  const known = new WeakMap<object, KeyObject>();
  const keyOf = (secret: Bytes): KeyObject => {
    if (typeof secret === "string") return createSecretKey(secret, "utf8");
    const key = known.get(secret) ?? createSecretKey(bytesOf(secret));
    known.set(secret, key);
    return key;
  };
  return class implements Sha256 {
    readonly #secret: Bytes | undefined;
    #data: Uint8Array[] = [];

    constructor(secret?: Bytes) {
      this.#secret = secret;
    }

    update(data: Bytes, encoding?: "utf8" | "ascii" | "latin1"): void {
      this.#data.push(typeof data === "string" ? Buffer.from(data, encoding ?? "utf8") : bytesOf(data));
    }

    async digest(): Promise<Uint8Array> {
      const data = Buffer.concat(this.#data);
      if (this.#secret === undefined) return hash("sha256", data, "buffer");
      return createHmac("sha256", keyOf(this.#secret)).update(data).digest();
    }

    reset(): void {
      this.#data = [];
    }
  };
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}
