import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { refusalOf, signalOf } from "../../src/cognito/fault.ts";

const thrown = (name: string, more: object = {}): Error => Object.assign(new Error("MARKER"), { name, ...more });
const answered = (httpStatusCode: number) => ({ $metadata: { httpStatusCode } });

describe("whatever is thrown", () => {
  const table: readonly (readonly [
    title: string,
    thrown: unknown,
    name: string,
    answered: boolean,
    fateUnknown: boolean,
  ])[] = [
    ["an error of the service", thrown("UserNotFoundException", answered(400)), "UserNotFoundException", true, false],
    [
      "a closed connection, which the SDK calls a time-out",
      thrown("RequestTimeout", { code: "UND_ERR_SOCKET" }),
      "UND_ERR_SOCKET",
      false,
      true,
    ],
    ["a request that took too long", thrown("TimeoutError", { code: "ETIMEDOUT" }), "ETIMEDOUT", false, true],
    [
      "a connection that took too long",
      thrown("TimeoutError", { code: "UND_ERR_CONNECT_TIMEOUT" }),
      "UND_ERR_CONNECT_TIMEOUT",
      false,
      false,
    ],
    [
      "a connect that timed out",
      thrown("TimeoutError", { code: "ETIMEDOUT", syscall: "connect" }),
      "ETIMEDOUT",
      false,
      false,
    ],
    ["an answer that broke off", thrown("Error", { code: "ECONNRESET", ...answered(200) }), "ECONNRESET", false, true],
    [
      "a certificate that is not trusted",
      thrown("Error", { code: "DEPTH_ZERO_SELF_SIGNED_CERT" }),
      "DEPTH_ZERO_SELF_SIGNED_CERT",
      false,
      false,
    ],
    [
      "a server that speaks no TLS",
      thrown("Error", { code: "ERR_SSL_WRONG_VERSION_NUMBER" }),
      "ERR_SSL_WRONG_VERSION_NUMBER",
      false,
      false,
    ],
    ["a name that does not resolve", thrown("Error", { code: "ENOTFOUND" }), "ENOTFOUND", false, false],
    ["text", "MARKER", "", false, true],
    ["nothing", undefined, "", false, true],
  ];
  for (const [title, error, name, isAnswered, fateUnknown] of table) {
    test(`is told: ${title}`, () => {
      const failureSignal = signalOf(error);
      assert.deepEqual(
        [failureSignal.name, failureSignal.answered, failureSignal.fateUnknown],
        [name, isAnswered, fateUnknown],
      );
      assert.doesNotMatch(JSON.stringify(refusalOf(error).failure), /MARKER/);
    });
  }

  test("by an abort counts as a time-out only where the signal ended for lateness", () => {
    const late = AbortSignal.abort(new DOMException("late", "TimeoutError"));
    assert.equal(refusalOf(thrown("AbortError"), late).failure.kind, "timed-out");
    assert.equal(refusalOf(thrown("AbortError"), AbortSignal.abort()).failure.kind, "aborted");
  });
});
