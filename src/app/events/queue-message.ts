/** A message of a queue as an event: polled by `ingest`, or handed to a function that a queue invokes. */
import { findRecords } from "../../feeds/records-expression.ts";
import type { AcceptableEvent } from "./accept-event.ts";
import { openEnvelopes } from "./envelopes.ts";

/** How an entry came that was a message. */
export const QUEUE_SCHEME = "sqs";
/** In bytes: as long as a message may be. */
const LONGEST_MESSAGE = 2 ** 20;
const LONGEST_ID = 256;

export interface ArrivedMessage {
  /** The queue's own name of it: another one where it is sent again, or moved back from the queue of dead letters. */
  readonly messageId: string;
  readonly body: string;
  /** Epoch ms: when the queue took it. */
  readonly sentAtMs: number | undefined;
}

/**
 * The event, whole and in its envelopes, which are taken off when it is drained. Its id is what the expression finds in
 * it, else its envelope's, else the message's.
 */
export function messageEvent(
  { messageId, body, sentAtMs }: ArrivedMessage,
  expression?: string,
): AcceptableEvent & { readonly id: string } {
  const { event, id } = openEnvelopes(body);
  const own = expression === undefined ? undefined : ownId(expression, event);
  const whole = Buffer.from(body);
  return {
    id: own ?? id ?? JSON.stringify(["message", messageId]),
    signedAtMs: sentAtMs,
    scheme: QUEUE_SCHEME,
    // Nothing that SQS sends is longer. It is parked without its text, and the inbox need not have room for it.
    body: whole.length > LONGEST_MESSAGE ? Buffer.alloc(0) : whole,
    contentType: "application/json",
  };
}

function ownId(expression: string, event: unknown): string | undefined {
  const answer = findRecords(expression, event);
  const found = "found" in answer ? answer.found : undefined;
  // Of a number with more digits the last are not the sender's, and two events would have one id.
  const text = Number.isSafeInteger(found) ? String(found) : found;
  return typeof text === "string" && text !== "" && text.length <= LONGEST_ID
    ? JSON.stringify(["own", text])
    : undefined;
}
