/**
 * What a failed call means, by the error's *name*: Cognito answers nearly all of them with status 400. One table of
 * names, one table of kinds; docs/operations.md is held against the second by a test.
 */
import { backoffMs } from "./backoff.ts";
import type { InvalidReason } from "./pool-schema.ts";

/**
 * - `wait`: not now; nothing is counted.
 * - `retry`: again later, up to the limits, then bury.
 * - `bury`: set aside as a letter.
 * - `hold-process`: this process cannot make calls at all. Others may.
 * - `hold-pool`: every call to the pool would fail.
 * - `hold-contacts`: every call that writes an e-mail address or phone number of the pool would fail.
 */
export type Outcome = "wait" | "retry" | "bury" | "hold-process" | "hold-pool" | "hold-contacts";

/** The kinds of dead letters; each has a queue. */
export const LETTER_KINDS = [
  "gave-up",
  "alias-exists",
  "user-not-found",
  "invalid-value",
  "refused-by-lambda",
  "delivery-failed",
  "not-authorized",
  "token-expired",
  "altered",
] as const;
export type LetterKind = (typeof LETTER_KINDS)[number];

/** Reasons of letters of the kind `user-not-found` that making the user does not fix. */
export const LOST_PERSON = {
  /** The account that was found when the change was put was deleted since. */
  "account-gone":
    "The account was deleted, and a new one of the same name is another: make the change anew, or sync its file again, and discard the letter.",
  /** The person was named by an address, a number or another name that was not theirs any more at the call. */
  "no-longer-theirs":
    "The address, number or other name that the change was for is no longer that person's: make the change anew for whoever is meant, by the username, and discard the letter. A replay asks again whose it is.",
} as const;
export type LostPerson = keyof typeof LOST_PERSON;

export function isLostPerson(reason: string): reason is LostPerson {
  return Object.hasOwn(LOST_PERSON, reason);
}

/** What is known of a call that failed. */
export interface FailureSignal {
  /** The error's name (`TooManyRequestsException`) or a system error's code (`ECONNRESET`). */
  readonly name: string;
  readonly status?: number;
  /** Cognito echoes values in it: for matching only, never for a log line, an error or a letter. */
  readonly message?: string;
  /** A response came. */
  readonly answered: boolean;
  /** The call may yet be applied. */
  readonly fateUnknown: boolean;
}

export interface Kind {
  readonly outcome: Outcome;
  /** The kind of letter it ends as; absent where it never does. */
  readonly buryAs?: LetterKind;
  /** Whether units of the call may be at fault one by one, or all share its fate. */
  readonly scope: "unit" | "claim";
  /** A second user of the pool that fails alike says that it is the pool's fault. */
  readonly holdsWhenRepeated?: true;
  /** One sentence for the docs and the command line: what to do. */
  readonly advice: string;
}

const kindTable = <K extends string>(table: Record<K, Kind>) => table;

/** Every kind of failure, with what follows from it. */
export const FAILURE_KINDS = kindTable({
  throttled: {
    outcome: "wait",
    scope: "claim",
    advice: "Nothing to do: the pace slows down by itself; lower `rate` if other applications suffer.",
  },
  "internal-error": {
    outcome: "retry",
    buryAs: "gave-up",
    scope: "claim",
    advice: "Look at the AWS Health Dashboard, and replay when Cognito is well again.",
  },
  network: {
    outcome: "retry",
    buryAs: "gave-up",
    scope: "claim",
    advice: "Check name resolution, proxy, certificates and routes from this machine to the endpoint.",
  },
  "timed-out": {
    outcome: "retry",
    buryAs: "gave-up",
    scope: "claim",
    advice: "Check the network's latency; raise the request time-out if Lambda triggers are slow.",
  },
  aborted: {
    outcome: "wait",
    scope: "claim",
    advice: "Nothing to do: the call was cut by a shutdown and is made again.",
  },
  "lambda-failed": {
    outcome: "retry",
    buryAs: "gave-up",
    scope: "claim",
    advice: "Read the logs of the pool's Lambda triggers: one of them crashed, timed out or answered nonsense.",
  },
  unknown: {
    outcome: "retry",
    buryAs: "gave-up",
    scope: "claim",
    advice: "Look the error's name up in Cognito's API reference, and replay once its cause is mended.",
  },
  "alias-exists": {
    outcome: "bury",
    buryAs: "alias-exists",
    scope: "unit",
    advice:
      "Another user has this e-mail address, phone number or preferred username: correct the source, then replay.",
  },
  "user-not-found": {
    outcome: "bury",
    buryAs: "user-not-found",
    scope: "claim",
    advice:
      "Create the user in the pool or correct the username in the source, then replay; a letter with the reason `account-gone` or `no-longer-theirs` is for somebody else by now: make that change anew.",
  },
  "invalid-value": {
    outcome: "bury",
    buryAs: "invalid-value",
    scope: "unit",
    advice: "Correct the value in the source or the pool's schema, then replay or sync again.",
  },
  "refused-by-lambda": {
    outcome: "bury",
    buryAs: "refused-by-lambda",
    scope: "claim",
    advice: "The pool's own Lambda trigger refused the change: read its logs, then replay.",
  },
  "delivery-failed": {
    outcome: "bury",
    buryAs: "delivery-failed",
    scope: "unit",
    advice:
      "Cognito could not send its message: raise the e-mail or SMS limit (Cognito's own e-mail is 50 a day), then replay.",
  },
  "not-authorized": {
    outcome: "bury",
    buryAs: "not-authorized",
    scope: "claim",
    holdsWhenRepeated: true,
    advice: "Check that the user is enabled, and that nothing in front of the pool (AWS WAF) refuses the calls.",
  },
  "token-expired": {
    outcome: "bury",
    buryAs: "token-expired",
    scope: "claim",
    advice:
      "Make the change again with a new token (update-user-attributes), which takes this one's place: without one it cannot be replayed.",
  },
  altered: {
    outcome: "bury",
    buryAs: "altered",
    scope: "unit",
    advice:
      "Somebody wrote to the store past poolsync, so nothing was sent: discard the letter, give the source's value again, and find out who can write to the store.",
  },
  "user-not-ready": {
    outcome: "bury",
    buryAs: "not-authorized",
    scope: "claim",
    advice: "The user must be confirmed or reset the password first, then replay.",
  },
  "credentials-missing": {
    outcome: "hold-process",
    scope: "claim",
    advice: "Give the process AWS credentials: a role, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
  },
  "credentials-expired": {
    outcome: "hold-process",
    scope: "claim",
    advice: "Renew the session (`aws sso login`, or new temporary credentials) and start the process again.",
  },
  "credentials-refused": {
    outcome: "hold-process",
    scope: "claim",
    advice:
      "AWS does not know these credentials or their signature: check the key pair, the session token and the account.",
  },
  "access-denied": {
    outcome: "hold-process",
    scope: "claim",
    advice:
      "Allow the identity cognito-idp:AdminUpdateUserAttributes, cognito-idp:ListUsers and cognito-idp:DescribeUserPool on the pool.",
  },
  "clock-wrong": {
    outcome: "hold-process",
    scope: "claim",
    advice: "Set this machine's clock: AWS refuses signatures that are more than five minutes off.",
  },
  misconfigured: {
    outcome: "hold-process",
    scope: "claim",
    advice: "Set the Region (AWS_REGION or --region), and check the endpoint's address and the AWS configuration file.",
  },
  "pool-not-found": {
    outcome: "hold-pool",
    scope: "claim",
    advice: "Check the pool's id, the Region and the account: the pool is not there.",
  },
  "pool-not-writable": {
    outcome: "hold-pool",
    scope: "claim",
    advice: "The pool takes no writes in this Region, as a replica does: use its primary Region.",
  },
  "sms-role": {
    outcome: "hold-contacts",
    scope: "claim",
    advice:
      "Mend the role with which the pool sends SMS messages: its trust in Cognito, its external id, or sns:Publish.",
  },
  "email-role": {
    outcome: "hold-contacts",
    scope: "claim",
    advice: "Mend the identity with which the pool sends e-mail: its verification in SES, its Region, and its policy.",
  },
});

export type FailureKind = keyof typeof FAILURE_KINDS;

/**
 * The kind by name, without the suffix `Exception`: AWS's services and its gateways spell the same error with and
 * without it. System errors stand under their code.
 */
const NAMES: readonly (readonly [FailureKind, names: string])[] = [
  // AdminUpdateUserAttributes and its sibling for users' own tokens.
  ["throttled", "TooManyRequests"],
  ["internal-error", "InternalError"],
  ["lambda-failed", "UnexpectedLambda InvalidLambdaResponse"],
  ["alias-exists", "AliasExists"],
  ["user-not-found", "UserNotFound"],
  ["invalid-value", "InvalidParameter CodeMismatch ExpiredCode"],
  ["refused-by-lambda", "UserLambdaValidation"],
  // A limit of messages a day: the same call fails until tomorrow, though the SDK takes it for a throttle.
  ["delivery-failed", "CodeDeliveryFailure LimitExceeded"],
  ["not-authorized", "NotAuthorized Forbidden"],
  ["user-not-ready", "UserNotConfirmed PasswordResetRequired"],
  ["pool-not-found", "ResourceNotFound"],
  ["pool-not-writable", "OperationNotEnabled"],
  ["sms-role", "InvalidSmsRoleAccessPolicy InvalidSmsRoleTrustRelationship"],
  ["email-role", "InvalidEmailRoleAccessPolicy"],
  // Common errors of AWS.
  ["throttled", "Throttling Throttled RequestThrottled RequestLimitExceeded BandwidthLimitExceeded"],
  ["throttled", "ProvisionedThroughputExceeded SlowDown PriorRequestNotComplete"],
  ["internal-error", "InternalFailure InternalServer InternalServerError ServiceUnavailable RequestTimeout"],
  ["invalid-value", "Validation ValidationError Serialization InvalidParameterValue"],
  ["invalid-value", "InvalidParameterCombination MissingParameter MalformedQueryString"],
  ["access-denied", "AccessDenied UnauthorizedOperation OptInRequired SubscriptionRequired"],
  ["credentials-expired", "ExpiredToken TokenRefreshRequired"],
  ["credentials-refused", "UnrecognizedClient InvalidClientTokenId InvalidAccessKeyId MissingAuthenticationToken"],
  ["credentials-refused", "InvalidSignature SignatureDoesNotMatch IncompleteSignature AuthFailure"],
  ["credentials-refused", "InvalidIdentityToken IDPRejectedClaim"],
  ["clock-wrong", "RequestExpired RequestTimeTooSkewed RequestInTheFuture"],
  ["misconfigured", "UnknownOperation InvalidAction EndpointError RegionMissing ERR_INVALID_URL"],
  // The SDK's own.
  ["credentials-missing", "CredentialsProviderError TokenProviderError ProviderError"],
  ["timed-out", "TimeoutError ETIMEDOUT UND_ERR_CONNECT_TIMEOUT UND_ERR_HEADERS_TIMEOUT UND_ERR_BODY_TIMEOUT"],
  ["aborted", "AbortError"],
  // The network, from name resolution to what is no HTTP.
  ["network", "ENOTFOUND EAI_AGAIN EAI_FAIL ECONNREFUSED ECONNRESET ECONNABORTED EPIPE EHOSTUNREACH EHOSTDOWN"],
  ["network", "ENETUNREACH ENETDOWN EADDRNOTAVAIL EMFILE EPROTO UND_ERR_SOCKET HTTPParserError"],
  ["network", "ERR_SSL_WRONG_VERSION_NUMBER ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE"],
  ["network", "CERT_HAS_EXPIRED DEPTH_ZERO_SELF_SIGNED_CERT SELF_SIGNED_CERT_IN_CHAIN ERR_TLS_CERT_ALTNAME_INVALID"],
  ["network", "UNABLE_TO_VERIFY_LEAF_SIGNATURE UNABLE_TO_GET_ISSUER_CERT_LOCALLY"],
];

const KIND_BY_NAME: ReadonlyMap<string, FailureKind> = new Map(
  NAMES.flatMap(([kind, names]) => names.split(" ").map((name) => [name, kind] as const)),
);

/** What a failure is and what follows from it. Holds nothing of the person: it may be logged. */
export interface Failure extends Kind {
  readonly kind: FailureKind;
  /** Why, as a word of a bounded set: what is wrong with a value where Cognito says it, else the kind. */
  readonly reason: string;
  readonly answered: boolean;
  readonly fateUnknown: boolean;
  /** What it counts as where the unit stays: an answered failure, one without an answer, or nothing. */
  readonly counts: "attempt" | "fault" | "nothing";
}

/** By name; else by status; else unknown. */
export function classify({ name, status, message = "", answered, fateUnknown }: FailureSignal): Failure {
  const kind = kindOf(name, status, message);
  const { outcome } = FAILURE_KINDS[kind];
  const counts = outcome === "retry" ? (answered ? "attempt" : "fault") : "nothing";
  const reason = kind === "invalid-value" ? invalidReason(message) : kind;
  return { ...FAILURE_KINDS[kind], kind, reason, answered, fateUnknown, counts };
}

function kindOf(name: string, status: number | undefined, message: string): FailureKind {
  const kind = KIND_BY_NAME.get(name.replace(/Exception$/, ""));
  // Cognito says the same error of one user who is disabled and of a pool that refuses everybody.
  if (kind === "not-authorized" && /user is disabled/i.test(message)) return "user-not-ready";
  // Said of a user's own token alone.
  if (kind === "not-authorized" && /access token has expired/i.test(message)) return "token-expired";
  if (kind !== undefined) return kind;
  if (status === 429) return "throttled";
  if (status !== undefined && status >= 500) return "internal-error";
  return "unknown";
}

const INVALID: readonly (readonly [RegExp, InvalidReason])[] = [
  [/Attribute does not exist in the schema|Type for attribute .* could not be determined/, "attribute-unknown"],
  [/Attribute cannot be updated|immutable attribute/, "immutable"],
  [/Required attribute cannot be deleted/, "required"],
  [/The attribute is required/, "required-missing"],
  [/Invalid phone number format/i, "phone-number-format"],
  [/Invalid email address format/i, "email-format"],
  [/must not be null/, "blank-text"],
  [/Member must have length less than or equal to|longer than/i, "too-long"],
  [/Member must have length greater than or equal to|shorter than/i, "too-short"],
  [/Member must have value|out of range/i, "out-of-range"],
];

/** Why Cognito found a value invalid, from its message; `refused` where it does not say. */
export function invalidReason(message: string): InvalidReason {
  return INVALID.find(([pattern]) => pattern.test(message))?.[1] ?? "refused";
}

/** How many answered failures, failures without an answer, and deaths of its worker a unit may have. */
export const MAX_ATTEMPTS = 8;
export const MAX_FAULTS = 40;
export const MAX_DEATHS = 10;

/** What a unit has been through; see `QueuedUnit` in mailbox.ts. */
export interface Trials {
  readonly attempts: number;
  readonly faults: number;
  readonly deaths: number;
}

/** True for a unit that is not to be tried again: it is buried as `gave-up`. Asked before a call is spent on it. */
export function isExhausted({ attempts, faults, deaths }: Trials): boolean {
  return attempts >= MAX_ATTEMPTS || faults >= MAX_FAULTS || deaths >= MAX_DEATHS;
}

/** What becomes of one unit whose call failed. */
export type Decision =
  | { readonly is: "retry"; readonly inMs: number; readonly counts: Failure["counts"] }
  | { readonly is: "bury"; readonly kind: LetterKind; readonly reason: string }
  /** It waits for the hold to be lifted, and nothing is counted. */
  | { readonly is: "hold"; readonly scope: "process" | "pool" | "contacts" };

const HOLDS = { "hold-process": "process", "hold-pool": "pool", "hold-contacts": "contacts" } as const;

/**
 * Decides on one unit. `trials` are its counters before this failure; `random` is from 0 up to 1; `alike` says that
 * another user of the pool failed with the same kind since the last success.
 */
export function decide(failure: Failure, trials: Trials, random: number, alike = false): Decision {
  const { outcome, counts, kind, reason, buryAs = "gave-up" } = failure;
  if (alike && failure.holdsWhenRepeated) return { is: "hold", scope: "pool" };
  if (outcome === "bury") return { is: "bury", kind: buryAs, reason };
  if (outcome !== "wait" && outcome !== "retry") return { is: "hold", scope: HOLDS[outcome] };
  const attempts = trials.attempts + (counts === "attempt" ? 1 : 0);
  const faults = trials.faults + (counts === "fault" ? 1 : 0);
  if (counts !== "nothing" && isExhausted({ ...trials, attempts, faults })) {
    return { is: "bury", kind: buryAs, reason: kind };
  }
  return { is: "retry", inMs: backoffMs(Math.max(1, attempts + faults), random), counts };
}
