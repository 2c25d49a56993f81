/**
 * What a sender is answered. A wrong status loses an event for ever: some senders never send again what was answered
 * with a 4xx, so that one is for what is proven to be no event of this feed's, and never for a fault of ours.
 */
import type { Scheme } from "../config/events.ts";
import type { Refusal } from "./verifier.ts";

export type Reason =
  | Refusal
  | "accepted"
  | "repeated"
  | "probe"
  | "bad-request"
  | "unknown-path"
  | "wrong-method"
  | "too-long"
  | "unreadable-type"
  | "long-headers"
  | "full"
  | "busy"
  | "slow"
  | "no-secret"
  | "no-clock"
  | "store-away"
  | "failed"
  | "cut";

interface Answer {
  /** Undefined where nobody is there to be answered. */
  readonly status: number | undefined;
  /** What the sender is told besides the reason. */
  readonly text: string;
}

export const ANSWERS: Readonly<Record<Reason, Answer>> = {
  accepted: { status: 200, text: "the event is kept" },
  repeated: { status: 200, text: "this event came before, and is kept as it came then" },
  probe: { status: 200, text: "events are taken here by POST" },
  "bad-request": { status: 400, text: "this is no HTTP/1" },
  unsigned: { status: 401, text: "the request has no signature or token of the feed's scheme" },
  malformed: { status: 401, text: "signature, token, time or id have another form than the feed's scheme" },
  forged: { status: 401, text: "the signature or token does not match the feed's secret" },
  late: { status: 401, text: "the request was signed too long ago" },
  ahead: { status: 401, text: "the request was signed at a time that has not come yet" },
  browser: { status: 401, text: "a feed without a secret takes nothing from a browser" },
  "unknown-path": { status: 404, text: "no feed takes events here" },
  "wrong-method": { status: 405, text: "events are taken by POST" },
  "too-long": { status: 413, text: "the body is longer than the feed takes" },
  "unreadable-type": { status: 415, text: "events are JSON or forms, not packed" },
  "long-headers": { status: 431, text: "the headers are longer than 16 kB" },
  full: { status: 503, text: "the inbox is full" },
  busy: { status: 503, text: "too much is in hand at this moment" },
  slow: { status: 503, text: "the body did not come in time" },
  "no-secret": { status: 503, text: "the feed's secret is not set" },
  "no-clock": { status: 503, text: "the store's time is not known" },
  "store-away": { status: 503, text: "the event could not be kept" },
  failed: { status: 503, text: "the request could not be answered" },
  cut: { status: undefined, text: "" },
};

/** In seconds, for what is to be sent again. */
export const RETRY_AFTER = 30;

/**
 * What senders are told while the inbox is full. A 429 says it best, but is final to some (BambooHR); whoever heeds the
 * rules of Standard Webhooks slows down and sends again.
 */
export const WHILE_FULL: Readonly<Record<Scheme, 429 | 503>> = {
  "standard-webhooks": 429,
  bamboohr: 503,
  hmac: 503,
  bearer: 503,
  none: 503,
};

export function statusOf(reason: Reason, scheme: Scheme | undefined): number | undefined {
  return reason === "full" && scheme !== undefined ? WHILE_FULL[scheme] : ANSWERS[reason].status;
}
