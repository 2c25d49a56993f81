import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FAILURE_KINDS, type FailureKind } from "../../src/core/failure.ts";
import { readAdvice } from "../../src/core/read-advice.ts";

const isKind = (kind: string): kind is FailureKind => Object.hasOwn(FAILURE_KINDS, kind);

describe("the advice on a read that was refused", () => {
  for (const [kind, triedMs, wanted] of [
    ["throttled", undefined, /^Others are spending Cognito's quota at the moment: try again in a little while\.$/],
    ["throttled", 30_000, /^It was tried for 30 seconds\. Others are spending/],
    ["internal-error", 800, /^It was tried for 1 second\. Look at the AWS Health Dashboard, and try again/],
    ["network", 29_700, /^It was tried for 30 seconds\. Check name resolution/],
    ["access-denied", undefined, /^Allow the identity .*cognito-idp:ListUsers/],
    ["invalid-value", undefined, /^Check the pool's id and the endpoint\.$/],
  ] as const) {
    test(`by ${kind}${triedMs === undefined ? "" : ` for ${triedMs} ms`} says what to do`, () => {
      assert.match(readAdvice(kind, triedMs), wanted);
    });
  }

  for (const [kind, { outcome }] of Object.entries(FAILURE_KINDS)) {
    if (outcome === "bury" || !isKind(kind)) continue;
    test(`by ${kind} promises nothing that only a delivery has`, () => {
      assert.doesNotMatch(readAdvice(kind), /Nothing to do|by itself|replay|made again/);
    });
  }
});
