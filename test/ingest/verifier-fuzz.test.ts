import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { EventsSetting } from "../../src/config/events.ts";
import { createIdReader } from "../../src/ingest/event-id.ts";
import { createVerifier } from "../../src/ingest/verifier.ts";
import { fuzzParameters } from "../support/fuzz.ts";

// Whatever comes, from whoever does not know the secret: nothing is thrown, and nothing is let in.

const NOW = 1_700_000_000_000;
const hmac = { header: "X-Sig", algorithm: "sha256", encoding: "hex", signed: "{body}" } as const;

type Setting = Pick<EventsSetting, "scheme" | "hmac" | "idHeader" | "toleranceMs" | "publicUrl" | "signatureVersion">;
const settings: Setting[] = [
  { scheme: "standard-webhooks" },
  { scheme: "bamboohr" },
  ...(["v1", "v2", "v3"] as const).map((signatureVersion) => ({
    scheme: "hubspot",
    publicUrl: "https://hooks.example.com/a%40b",
    signatureVersion,
  })),
  { scheme: "salesforce-outbound" },
  { scheme: "bearer" },
  { scheme: "hmac", hmac },
  { scheme: "hmac", hmac: { ...hmac, part: "v1", timestampPart: "t", signed: "{timestamp}.{body}" } },
  {
    scheme: "hmac",
    hmac: { ...hmac, prefix: "v0=", encoding: "base64", timestampHeader: "X-Time", signed: "{id}{timestamp}{body}" },
    idHeader: "X-Id",
  },
].map((setting) => ({ ...setting, toleranceMs: 300_000 }) as Setting);

const NAMES = ["webhook", "svix"]
  .flatMap((prefix) => ["id", "timestamp", "signature"].map((name) => `${prefix}-${name}`))
  .concat(
    "x-bamboohr-timestamp",
    "x-bamboohr-signature",
    "authorization",
    "x-hubspot-signature",
    "x-hubspot-signature-version",
  )
  .concat("x-hubspot-signature-v3", "x-hubspot-request-timestamp", "x-sig", "x-time", "x-id", "origin");

describe("the verifier", () => {
  const seconds = String(NOW / 1000);
  const value = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.constantFrom(
      seconds,
      String(NOW),
      `t=${seconds},v1=`,
      "v1,",
      "v1,AAAA v1,AAAA",
      "Bearer ",
      "Bearer x",
      "v0=",
      "",
    ),
    fc.string({ unit: fc.constantFrom(...Array.from("0123456789abcdefAF+/=-_")), minLength: 43, maxLength: 88 }),
    fc
      .string({ unit: fc.constantFrom(...Array.from("0123456789abcdef")), minLength: 64, maxLength: 64 })
      .map((hex) => `v1=${hex},t=${seconds}`),
    fc.base64String({ minLength: 44, maxLength: 44 }).map((text) => `v1,${text}`),
  );
  const headers = fc.dictionary(fc.constantFrom(...NAMES), value, { noNullPrototype: false });
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.json().map((json) => Buffer.from(json)),
  );
  const now = fc.constantFrom(NOW, undefined);
  const token = fc.option(fc.string({ unit: "binary" }), { nil: undefined });

  test("lets nobody in who does not know the secret, and never throws", (t) => {
    fc.assert(
      fc.property(fc.constantFrom(...settings), headers, body, now, token, (setting, given, bytes, nowMs, said) => {
        const request = {
          token: said,
          header: (name: string) => (Object.hasOwn(given, name) ? given[name] : undefined),
          body: bytes,
        };
        const { kind } = createVerifier(setting, ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", undefined]).verify(
          request,
          nowMs,
        );
        assert.notEqual(kind, "authentic");
      }),
      fuzzParameters(t, 3000),
    );
  });

  test("reads an id of any body as a text that is not blank, or none", (t) => {
    fc.assert(
      fc.property(fc.constantFrom("id", "@", "*.id", "length(@)", "[0].id"), body, (id, bytes) => {
        const found = createIdReader({ id })({ header: () => undefined, body: bytes });
        assert.ok(found === undefined || (typeof found === "string" && found !== ""));
      }),
      fuzzParameters(t, 1000),
    );
  });
});
