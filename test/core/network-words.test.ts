import assert from "node:assert/strict";
import { test } from "node:test";
import { networkWords } from "../../src/core/network-words.ts";

test("what goes wrong on the way to an endpoint is told in words, with its code", () => {
  const cases = [
    ["ECONNREFUSED", "the connection was refused, as where nothing listens (ECONNREFUSED)"],
    ["ENOTFOUND", "its name does not resolve (ENOTFOUND)"],
    ["EHOSTUNREACH", "no way leads there from this machine (EHOSTUNREACH)"],
    ["ECONNRESET", "the connection was cut (ECONNRESET)"],
    ["EPROTO", "no TLS is spoken there (EPROTO)"],
    ["HPE_INVALID_CONSTANT", "no HTTP is spoken there (HPE_INVALID_CONSTANT)"],
    ["CERT_HAS_EXPIRED", "its certificate is not trusted here (CERT_HAS_EXPIRED)"],
    ["UserNotFoundException", undefined],
  ] as const;
  for (const [name, words] of cases) assert.equal(networkWords(name), words);
});
