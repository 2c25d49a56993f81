/** What to do where a pool could not be read: nothing was begun that would go on by itself, or could be replayed. */
import { FAILURE_KINDS, type FailureKind } from "./failure.ts";

/** Where the advice of the failure table speaks of deliveries. Of a single call that left nothing behind it holds too. */
export const TRY_AGAIN = {
  throttled: "Others are spending Cognito's quota at the moment: try again in a little while.",
  "internal-error": "Look at the AWS Health Dashboard, and try again when Cognito is well.",
  unknown: "Look the error's name up in Cognito's API reference, and try again once its cause is mended.",
  "credentials-expired": "Renew the session (`aws sso login`, or new temporary credentials), and try again.",
} as const satisfies Partial<Record<FailureKind, string>>;

const OF_READS: Partial<Record<FailureKind, string>> = {
  ...TRY_AGAIN,
  aborted: "The call was cut off: try again.",
  "timed-out": "Check the network's latency to the endpoint, and try again.",
  // Nothing in the request is a person's: the table's advice is about values.
  "invalid-value": "Check the pool's id and the endpoint.",
};

/** One or two sentences; `triedMs`: how long it was tried, where that was more than once. */
export function readAdvice(kind: FailureKind, triedMs?: number): string {
  const advice = OF_READS[kind] ?? FAILURE_KINDS[kind].advice;
  if (triedMs === undefined) return advice;
  const seconds = Math.max(1, Math.round(triedMs / 1000));
  return `It was tried for ${seconds} second${seconds === 1 ? "" : "s"}. ${advice}`;
}
