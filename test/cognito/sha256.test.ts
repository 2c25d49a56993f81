import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { describe, test } from "node:test";
import { createSha256 } from "../../src/cognito/sha256.ts";

const Sha256 = createSha256();
const TEXTS = ["", "Zoë \u{1f600}", "x".repeat(10_000)];

describe("the SDK's SHA-256", () => {
  test("digests what it was fed, in one piece or several", async () => {
    for (const text of TEXTS) {
      const wanted = createHash("sha256").update(text).digest("hex");
      const hash = new Sha256();
      hash.update(text);
      assert.equal(Buffer.from(await hash.digest()).toString("hex"), wanted);
      hash.reset();
      for (const letter of Buffer.from(text)) hash.update(Uint8Array.of(letter));
      assert.equal(Buffer.from(await hash.digest()).toString("hex"), wanted);
    }
  });

  test("signs with a secret of text or bytes, also a part of a buffer, once and again", async () => {
    const key = Buffer.from("..secret..").subarray(2, 8);
    for (const secret of ["secret", key, new Uint8Array(key).buffer, key]) {
      for (const text of TEXTS) {
        const hmac = new Sha256(secret);
        hmac.update(text);
        const wanted = createHmac("sha256", "secret").update(text).digest("hex");
        assert.equal(Buffer.from(await hmac.digest()).toString("hex"), wanted);
      }
    }
  });
});
