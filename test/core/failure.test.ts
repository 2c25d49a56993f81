import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  classify,
  decide,
  FAILURE_KINDS,
  invalidReason,
  isExhausted,
  LETTER_KINDS,
  MAX_ATTEMPTS,
  MAX_DEATHS,
  MAX_FAULTS,
} from "../../src/core/failure.ts";
import type { FailureKind, FailureSignal, Outcome } from "../../src/core/failure.ts";

const answered = (name: string, more: Partial<FailureSignal> = {}): FailureSignal => ({
  name,
  status: 400,
  answered: true,
  fateUnknown: false,
  ...more,
});
const unanswered = (name: string): FailureSignal => ({ name, answered: false, fateUnknown: true });
const untried = { attempts: 0, faults: 0, deaths: 0 };

describe("an error's name says what it is", () => {
  const table: readonly (readonly [name: string, kind: FailureKind, outcome: Outcome])[] = [
    // The errors of AdminUpdateUserAttributes.
    ["AliasExistsException", "alias-exists", "bury"],
    ["InternalErrorException", "internal-error", "retry"],
    ["InvalidEmailRoleAccessPolicyException", "email-role", "hold-contacts"],
    ["InvalidLambdaResponseException", "lambda-failed", "retry"],
    ["InvalidParameterException", "invalid-value", "bury"],
    ["InvalidSmsRoleAccessPolicyException", "sms-role", "hold-contacts"],
    ["InvalidSmsRoleTrustRelationshipException", "sms-role", "hold-contacts"],
    ["NotAuthorizedException", "not-authorized", "bury"],
    ["OperationNotEnabledException", "pool-not-writable", "hold-pool"],
    ["ResourceNotFoundException", "pool-not-found", "hold-pool"],
    ["TooManyRequestsException", "throttled", "wait"],
    ["UnexpectedLambdaException", "lambda-failed", "retry"],
    ["UserLambdaValidationException", "refused-by-lambda", "bury"],
    ["UserNotFoundException", "user-not-found", "bury"],
    // Those that only a user's own token meets.
    ["CodeDeliveryFailureException", "delivery-failed", "bury"],
    ["ForbiddenException", "not-authorized", "bury"],
    ["PasswordResetRequiredException", "user-not-ready", "bury"],
    ["UserNotConfirmedException", "user-not-ready", "bury"],
    // A daily limit, which the SDK takes for a throttle.
    ["LimitExceededException", "delivery-failed", "bury"],
    // Common errors.
    ["AccessDeniedException", "access-denied", "hold-process"],
    ["AccessDenied", "access-denied", "hold-process"],
    ["ExpiredToken", "credentials-expired", "hold-process"],
    ["ExpiredTokenException", "credentials-expired", "hold-process"],
    ["UnrecognizedClientException", "credentials-refused", "hold-process"],
    ["InvalidSignatureException", "credentials-refused", "hold-process"],
    ["IncompleteSignature", "credentials-refused", "hold-process"],
    ["IncompleteSignatureException", "credentials-refused", "hold-process"],
    ["MissingAuthenticationToken", "credentials-refused", "hold-process"],
    ["InvalidClientTokenId", "credentials-refused", "hold-process"],
    ["OptInRequired", "access-denied", "hold-process"],
    ["RequestExpired", "clock-wrong", "hold-process"],
    ["ServiceUnavailable", "internal-error", "retry"],
    ["InternalFailure", "internal-error", "retry"],
    ["ThrottlingException", "throttled", "wait"],
    ["Throttling", "throttled", "wait"],
    ["ValidationException", "invalid-value", "bury"],
    ["ValidationError", "invalid-value", "bury"],
    ["SerializationException", "invalid-value", "bury"],
    ["UnknownOperationException", "misconfigured", "hold-process"],
    // Nothing was sent.
    ["CredentialsProviderError", "credentials-missing", "hold-process"],
    ["RegionMissing", "misconfigured", "hold-process"],
    ["ECONNREFUSED", "network", "retry"],
    ["ECONNRESET", "network", "retry"],
    ["EPIPE", "network", "retry"],
    ["ENOTFOUND", "network", "retry"],
    ["EAI_AGAIN", "network", "retry"],
    ["CERT_HAS_EXPIRED", "network", "retry"],
    ["UND_ERR_SOCKET", "network", "retry"],
    ["ETIMEDOUT", "timed-out", "retry"],
    ["UND_ERR_CONNECT_TIMEOUT", "timed-out", "retry"],
    ["UND_ERR_HEADERS_TIMEOUT", "timed-out", "retry"],
    ["TimeoutError", "timed-out", "retry"],
    ["AbortError", "aborted", "wait"],
    ["SomethingNewException", "unknown", "retry"],
    ["", "unknown", "retry"],
  ];
  for (const [name, kind, outcome] of table) {
    test(`${name || "no name"} is ${kind}: ${outcome}`, () => {
      const failure = classify(answered(name));
      assert.equal(failure.kind, kind);
      assert.equal(failure.outcome, outcome);
    });
  }

  test("the name decides, whatever the status", () => {
    assert.equal(classify(answered("UserNotFoundException", { status: 500 })).kind, "user-not-found");
  });

  for (const [status, kind] of [
    [500, "internal-error"],
    [503, "internal-error"],
    [429, "throttled"],
    [413, "unknown"],
  ] as const) {
    test(`an unknown name with status ${status} is ${kind}`, () => {
      assert.equal(classify(answered("SyntaxError", { status })).kind, kind);
    });
  }

  test("a disabled user says nothing of the pool", () => {
    const failure = classify(answered("NotAuthorizedException", { message: "User is disabled." }));
    assert.equal(failure.kind, "user-not-ready");
    assert.equal(failure.holdsWhenRepeated, undefined);
  });

  test("a failure holds nothing of the message", () => {
    const failure = classify(answered("InvalidParameterException", { message: "MARKER is not valid" }));
    assert.doesNotMatch(JSON.stringify(failure), /MARKER/);
    assert.equal(failure.reason, "refused");
  });
});

describe("every kind", () => {
  for (const [kind, { outcome, buryAs, advice }] of Object.entries(FAILURE_KINDS)) {
    test(`${kind} has advice in one sentence, and a letter kind where it may be buried`, () => {
      assert.match(advice, /^[A-Z].+\.$/);
      assert.equal(buryAs !== undefined, outcome === "bury" || outcome === "retry");
      if (buryAs !== undefined) assert.ok(LETTER_KINDS.includes(buryAs));
    });
  }
});

describe("what a failure counts as", () => {
  for (const [signal, counts] of [
    [answered("InternalErrorException"), "attempt"],
    [unanswered("ECONNRESET"), "fault"],
    [unanswered("TimeoutError"), "fault"],
    [answered("TooManyRequestsException"), "nothing"],
    [unanswered("AbortError"), "nothing"],
    [answered("ExpiredTokenException"), "nothing"],
    [answered("ResourceNotFoundException"), "nothing"],
  ] as const) {
    test(`${signal.name} counts as ${counts}`, () => assert.equal(classify(signal).counts, counts));
  }
});

describe("what becomes of a unit", () => {
  const internal = classify(answered("InternalErrorException"));
  const reset = classify(unanswered("ECONNRESET"));
  const throttled = classify(answered("TooManyRequestsException"));
  const refused = classify(answered("NotAuthorizedException"));

  test("it is tried again after a wait that grows with its failures", () => {
    const trials = { attempts: 1, faults: 1, deaths: 0 };
    assert.deepEqual(decide(internal, trials, 0.5), { is: "retry", inMs: 2000, counts: "attempt" });
    assert.deepEqual(decide(reset, trials, 0.5), { is: "retry", inMs: 2000, counts: "fault" });
  });

  test("its last answered failure buries it", () => {
    const before = { ...untried, attempts: MAX_ATTEMPTS - 2 };
    assert.equal(decide(internal, before, 0).is, "retry");
    const last = decide(internal, { ...before, attempts: MAX_ATTEMPTS - 1 }, 0);
    assert.deepEqual(last, { is: "bury", kind: "gave-up", reason: "internal-error" });
  });

  test("its last failure without an answer buries it", () => {
    assert.equal(decide(reset, { ...untried, faults: MAX_FAULTS - 2 }, 0).is, "retry");
    const last = decide(reset, { ...untried, faults: MAX_FAULTS - 1 }, 0);
    assert.deepEqual(last, { is: "bury", kind: "gave-up", reason: "network" });
  });

  test("a throttle never buries it", () => {
    const worn = { attempts: MAX_ATTEMPTS - 1, faults: MAX_FAULTS - 1, deaths: 0 };
    assert.deepEqual(decide(throttled, worn, 0), { is: "retry", inMs: 0, counts: "nothing" });
  });

  test("an invalid value is buried with what Cognito found wrong", () => {
    const failure = classify(
      answered("InvalidParameterException", { message: "user.x: Attribute cannot be updated.\n" }),
    );
    assert.deepEqual(decide(failure, untried, 0), { is: "bury", kind: "invalid-value", reason: "immutable" });
  });

  test("one user's refusal buries, a second user's holds the pool", () => {
    assert.deepEqual(decide(refused, untried, 0), { is: "bury", kind: "not-authorized", reason: "not-authorized" });
    assert.deepEqual(decide(refused, untried, 0, true), { is: "hold", scope: "pool" });
    assert.equal(decide(classify(answered("UserNotFoundException")), untried, 0, true).is, "bury");
  });

  for (const [name, scope] of [
    ["ExpiredTokenException", "process"],
    ["ResourceNotFoundException", "pool"],
    ["InvalidSmsRoleAccessPolicyException", "contacts"],
  ] as const) {
    test(`${name} holds: ${scope}`, () => {
      assert.deepEqual(decide(classify(answered(name)), untried, 0), { is: "hold", scope });
    });
  }

  test("it is exhausted at any of the limits", () => {
    assert.equal(isExhausted(untried), false);
    assert.equal(isExhausted({ attempts: MAX_ATTEMPTS - 1, faults: MAX_FAULTS - 1, deaths: MAX_DEATHS - 1 }), false);
    assert.ok(isExhausted({ ...untried, attempts: MAX_ATTEMPTS }));
    assert.ok(isExhausted({ ...untried, faults: MAX_FAULTS }));
    assert.ok(isExhausted({ ...untried, deaths: MAX_DEATHS }));
  });
});

describe("why a value is invalid", () => {
  for (const [message, reason] of [
    ["user.custom:x: Attribute does not exist in the schema.\n", "attribute-unknown"],
    [
      "Attributes did not conform to the schema: Type for attribute {custom:role} could not be determined",
      "attribute-unknown",
    ],
    ["user.email: Attribute cannot be updated.\n", "immutable"],
    ["user.email: Required attribute cannot be deleted.", "required"],
    ["Attributes did not conform to the schema: name: The attribute is required ", "required-missing"],
    ["Invalid phone number format.", "phone-number-format"],
    ["Invalid email address format", "email-format"],
    ["Attribute value for picture must not be null", "blank-text"],
    [
      "1 validation error detected: Value at 'userAttributes.1.member.value' failed to satisfy constraint: Member must have length less than or equal to 2048",
      "too-long",
    ],
    ["user.custom:x: Attribute value is out of range.", "out-of-range"],
    ["something else", "refused"],
  ] as const) {
    test(`${message.trim()} is ${reason}`, () => assert.equal(invalidReason(message), reason));
  }
});
