/**
 * Turns whatever the SDK throws into a failure. Cognito echoes usernames and values in its messages, so nothing of the
 * thrown error goes on but its name, its status and what classify() makes of them. Its words go as far as the code that
 * looks for the attribute at fault, and, scrubbed, to the terminal of the person who typed the values.
 */
import { defined } from "../core/defined.ts";
import { classify } from "../core/failure.ts";
import type { Failure, FailureSignal } from "../core/failure.ts";

/** A call that failed. `failure` may be logged. */
export interface Refusal {
  readonly ok: false;
  readonly failure: Failure;
  /** The error's own name, such as `UserNotFoundException`. */
  readonly name: string;
  /** Cognito's own words, for `culprits()` and nothing else: they may hold people's data. */
  readonly message: string;
}

/** The time to send had passed. Nothing was sent. */
export class TooLateToSend extends Error {}

/** `signal` is the one that the call was made under. */
export function refusalOf(thrown: unknown, signal?: AbortSignal): Refusal {
  if (thrown instanceof TooLateToSend) return notBegun(AbortSignal.abort());
  const failureSignal = signalOf(thrown, signal);
  return {
    ok: false,
    failure: classify(failureSignal),
    name: failureSignal.name,
    message: failureSignal.message ?? "",
  };
}

/** The answer for a call that was not begun, because its signal had ended: nothing can have been applied. */
export function notBegun(signal: AbortSignal): Refusal {
  const name = nameOf({ name: "AbortError" }, "", signal);
  return { ok: false, failure: classify({ name, answered: false, fateUnknown: false }), name, message: "" };
}

/** The codes of faults that happen before a request is out. */
const NOT_SENT = new Set([
  "ENOTFOUND",
  "EAI_AGAIN",
  "EAI_FAIL",
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "EMFILE",
  "ERR_INVALID_URL",
  "UND_ERR_CONNECT_TIMEOUT",
]);
/** The SDK's own errors that no request follows. */
const NOT_TRIED = new Set([
  "CredentialsProviderError",
  "TokenProviderError",
  "ProviderError",
  "EndpointError",
  "RegionMissing",
]);
/** A gateway that gave up on Cognito: behind it the call may go on. */
const GATEWAY_GAVE_UP = new Set([502, 504]);

/** What is known of a call that threw. `signal` is the one that the call was made under. */
export function signalOf(thrown: unknown, signal?: AbortSignal): FailureSignal {
  const message = textAt(thrown, "message") ?? "";
  const status = statusOf(thrown);
  const name = nameOf(thrown, message, signal);
  // A response that broke off has a status, but it says nothing of how the call went.
  const brokeOff = textAt(thrown, "code") !== undefined;
  const answered = status !== undefined && !brokeOff;
  return defined({ name, status, message, answered, fateUnknown: isFateUnknown(thrown, name, status) });
}

function nameOf(thrown: unknown, message: string, signal: AbortSignal | undefined): string {
  const name = textAt(thrown, "name") ?? "";
  const code = textAt(thrown, "code");
  if (name === "AbortError") return textAt(signal?.reason, "name") === "TimeoutError" ? "TimeoutError" : "AbortError";
  // The SDK names a reset connection TimeoutError: the code tells them apart.
  if (code !== undefined) return code;
  if (name === "Error" && message === "Region is missing") return "RegionMissing";
  return name;
}

function isFateUnknown(thrown: unknown, name: string, status: number | undefined): boolean {
  if (status !== undefined) return (status >= 200 && status < 300) || GATEWAY_GAVE_UP.has(status);
  if (NOT_SENT.has(name) || NOT_TRIED.has(name)) return false;
  if (textAt(thrown, "syscall") === "connect") return false;
  // What went wrong with the certificate or in the handshake: no request was written.
  return !/CERT|^UNABLE_TO_|^EPROTO$|^ERR_SSL_(WRONG_VERSION|.*_HANDSHAKE)/.test(name);
}

function statusOf(thrown: unknown): number | undefined {
  const metadata = field(thrown, "$metadata");
  const status = field(metadata, "httpStatusCode");
  return typeof status === "number" ? status : undefined;
}

function textAt(value: unknown, key: string): string | undefined {
  const text = field(value, key);
  return typeof text === "string" ? text : undefined;
}

function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && key in value ? Reflect.get(value, key) : undefined;
}
