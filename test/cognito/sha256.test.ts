import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { test } from "node:test";
import { Sha256 } from "../../src/cognito/sha256.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

async function digestOf(secret: string | Uint8Array | undefined, chunks: readonly (string | Uint8Array)[]) {
  const digest = new Sha256(secret);
  for (const chunk of chunks) digest.update(chunk);
  return hex(await digest.digest());
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
/** A view into the middle of a larger buffer. */
const view = (text: string): Uint8Array => Buffer.from(`--${text}--`).subarray(2, -2);

const DATA: readonly (readonly [what: string, chunks: readonly (string | Uint8Array)[], whole: string])[] = [
  ["nothing", [], ""],
  ["an empty text", [""], ""],
  ["text", ["Zoë"], "Zoë"],
  ["bytes", [bytes("Zoë")], "Zoë"],
  ["a view into more", [view("Zoë")], "Zoë"],
  ["several chunks", ["Z", bytes("o"), view("ë")], "Zoë"],
];
const SECRETS: readonly (readonly [what: string, secret: string | Uint8Array | undefined])[] = [
  ["no secret", undefined],
  ["a text", "sécret"],
  ["bytes", bytes("sécret")],
  ["a view into more", view("sécret")],
  ["more than a block", "x".repeat(100)],
  ["an empty text", ""],
];

for (const [secretIs, secret] of SECRETS) {
  for (const [dataIs, chunks, whole] of DATA) {
    test(`digests ${dataIs} with ${secretIs} as a secret`, async () => {
      const wanted = secret === undefined ? createHash("sha256") : createHmac("sha256", secret);
      assert.equal(await digestOf(secret, chunks), wanted.update(whole).digest("hex"));
    });
  }
}

test("a secret is not taken for the one before", async () => {
  const wanted = (secret: string): string => createHmac("sha256", secret).update("data").digest("hex");
  for (const secret of ["one", "other", "one"]) {
    assert.equal(await digestOf(secret, ["data"]), wanted(secret));
    assert.equal(await digestOf(bytes(secret), ["data"]), wanted(secret));
  }
});

test("what was told before a reset is forgotten", async () => {
  const digest = new Sha256();
  digest.update("one");
  digest.reset();
  digest.update("other");
  assert.equal(hex(await digest.digest()), createHash("sha256").update("other").digest("hex"));
});
