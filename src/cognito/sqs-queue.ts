/**
 * A queue of Amazon SQS, as events are polled from it. The client is another package than Cognito's, loaded only where a
 * feed has a queue, so that poolsync works without it. What passes by itself is tried again by the SDK.
 */
import type * as Sqs from "@aws-sdk/client-sqs";
import { defined } from "../core/defined.ts";
import type { CallTarget } from "../core/call-target.ts";
import { credentialsFor } from "./credentials.ts";
import { codeOf } from "../feeds/web-file.ts";

export interface QueueMessage {
  readonly messageId: string;
  /** For what is done with it until it is received again. */
  readonly receipt: string;
  readonly body: string;
  /** Epoch ms: when the queue took it. */
  readonly sentAtMs: number | undefined;
}

/** A message that a batch did not do to what was asked, although the batch was answered. */
export interface FailedMessage {
  readonly message: QueueMessage;
  /** SQS's own word. */
  readonly code: string;
  /** The fault is the request's: its receipt has expired, or the message is not in hand any more. To ask again is of no use. */
  readonly isFinal: boolean;
}

/** Each call rejects with a QueueError, or with the reason of `signal`. */
export interface SqsQueue {
  /** Waits until there are some, for so many seconds at most (20). Nobody else has them in hand for `handSeconds`. */
  receive(
    limits: { readonly waitSeconds: number; readonly handSeconds: number },
    signal: AbortSignal,
  ): Promise<readonly QueueMessage[]>;
  /** Takes them out of the queue. */
  remove(messages: readonly QueueMessage[], signal: AbortSignal): Promise<readonly FailedMessage[]>;
  /** They stay in hand for so many seconds from now; 0 gives them back. */
  hold(messages: readonly QueueMessage[], seconds: number, signal: AbortSignal): Promise<readonly FailedMessage[]>;
  close(): void;
}

export interface QueueOptions {
  readonly url: string;
  /** With the endpoint: that of the URL may be meant for somebody else. */
  readonly target: CallTarget & { readonly endpoint: string };
}

/** A queue that was not answered for, or refused. `code` is the name of what was wrong. */
export class QueueError extends Error {
  readonly code: string;

  constructor(code: string, next: string, options?: ErrorOptions) {
    super(`${code}: ${next}`, options);
    this.code = code;
  }
}

/** SQS gives, and takes, so many at a time. */
const MOST_MESSAGES = 10;
const CONNECT_TIMEOUT_MS = 5_000;
/** Of a call with all that the SDK tries; receiving waits on top of it. */
const CALL_MS = 20_000;

/** Undefined where the client is not installed. */
export async function loadSqs(): Promise<typeof Sqs | undefined> {
  try {
    return await import("@aws-sdk/client-sqs");
  } catch {
    // Whoever asked says which package is missing.
    return undefined;
  }
}

/** Opens nothing: the first call does. */
export function createSqsQueue(sdk: typeof Sqs, { url, target }: QueueOptions): SqsQueue {
  const { region, profile, endpoint } = target;
  const client = new sdk.SQSClient({
    ...defined({ region, profile, endpoint }),
    ignoreConfiguredEndpointUrls: true,
    credentials: credentialsFor(target),
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS },
    userAgentAppId: "poolsync",
  });

  async function within<T>(
    ms: number,
    call: (limit: { readonly abortSignal: AbortSignal }) => Promise<T>,
    signal: AbortSignal,
  ) {
    const late = AbortSignal.timeout(ms);
    const abortSignal = AbortSignal.any([signal, late]);
    try {
      return await call({ abortSignal });
    } catch (cause) {
      signal.throwIfAborted();
      const code = late.aborted ? "TimeoutError" : wordOf(codeOf(cause));
      throw new QueueError(code, adviceOf(code), { cause });
    }
  }

  /** One batch: what is not said to have failed was done. */
  async function inBatch(
    messages: readonly QueueMessage[],
    send: (
      entries: { Id: string; ReceiptHandle: string }[],
      limit: { readonly abortSignal: AbortSignal },
    ) => Promise<{ readonly Failed?: Sqs.BatchResultErrorEntry[] | undefined }>,
    signal: AbortSignal,
  ): Promise<readonly FailedMessage[]> {
    if (messages.length === 0) return [];
    const entries = messages.map(({ receipt }, index) => ({ Id: String(index), ReceiptHandle: receipt }));
    const { Failed: failed = [] } = await within(CALL_MS, (limit) => send(entries, limit), signal);
    return failed.flatMap(({ Id: id, Code: code, SenderFault: isFinal = false }) => {
      const message = messages[Number(id)];
      return message === undefined ? [] : [{ message, code: wordOf(code), isFinal }];
    });
  }

  return {
    async receive({ waitSeconds, handSeconds }, signal) {
      const command = new sdk.ReceiveMessageCommand({
        QueueUrl: url,
        MaxNumberOfMessages: MOST_MESSAGES,
        WaitTimeSeconds: waitSeconds,
        VisibilityTimeout: handSeconds,
        MessageSystemAttributeNames: ["SentTimestamp"],
      });
      const waitMs = waitSeconds * 1000 + CALL_MS;
      const { Messages: messages = [] } = await within(waitMs, (limit) => client.send(command, limit), signal);
      return messages.map(
        ({ MessageId: messageId = "", ReceiptHandle: receipt = "", Body: body = "", Attributes: said }) => {
          return { messageId, receipt, body, sentAtMs: sentAt(said?.SentTimestamp) };
        },
      );
    },
    remove: (messages, signal) =>
      inBatch(
        messages,
        (entries, limit) => client.send(new sdk.DeleteMessageBatchCommand({ QueueUrl: url, Entries: entries }), limit),
        signal,
      ),
    hold: (messages, seconds, signal) =>
      inBatch(
        messages,
        (entries, limit) => {
          const held = entries.map((entry) => ({ ...entry, VisibilityTimeout: seconds }));
          return client.send(new sdk.ChangeMessageVisibilityBatchCommand({ QueueUrl: url, Entries: held }), limit);
        },
        signal,
      ),
    close: () => client.destroy(),
  };
}

/** Epoch ms, as the queue writes it; undefined for anything else. */
function sentAt(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{12,14}$/.test(text) ? Number(text) : undefined;
}

/** What stands in the log and in `/readyz`: a word, whatever a server sends. */
function wordOf(code: string | undefined): string {
  return code !== undefined && /^[\w.-]{1,100}$/.test(code) ? code : "unknown";
}

function adviceOf(code: string): string {
  if (/NonExistentQueue|QueueDoesNotExist|QueueDeletedRecently/.test(code)) return "check the queue's URL";
  if (/AccessDenied|NotAuthorized/.test(code)) {
    return "allow the identity sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility on the queue, and kms:Decrypt on its key";
  }
  if (/Credentials|Token|Signature|UnrecognizedClient|AccessKey|ProviderError/.test(code)) {
    return "check the credentials of the process, and the queue's Region";
  }
  return "check the network, and the queue's URL";
}
