/** What a queue invokes a function with (AWS Lambda): its messages go into the inbox, for the `ingest` that drains it. */
import { z } from "zod";
import type { InboxLimits } from "../../core/inbox.ts";
import type { Log } from "../../log.ts";
import type { Engine } from "../../queues/engine.ts";
import { createAcceptAll } from "./accept-event.ts";
import { messageEvent } from "./queue-message.ts";

export interface SqsResponse {
  /** Those that are not kept: the queue hands them over again. */
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
}

export interface SqsInvocation {
  readonly feed: string;
  /** Where in an event its own id is. */
  readonly id?: string | undefined;
  readonly limits: InboxLimits;
}

/** As many as a poll brings fit into one step; a function may be invoked with ten thousand. */
const AT_A_TIME = 100;

const invocation = z.object({
  Records: z.array(
    z.object({
      messageId: z.string().min(1),
      body: z.string(),
      attributes: z.object({
        SentTimestamp: z
          .string()
          .regex(/^\d{12,14}$/)
          .optional(),
      }),
      eventSource: z.literal("aws:sqs"),
    }),
  ),
});

/** Throws a TypeError for what is no invocation by a queue, of which nothing is kept. */
export async function acceptInvocation(
  deps: { readonly engine: Pick<Engine, "store" | "keyring">; readonly log: Log },
  event: unknown,
  { feed, id, limits }: SqsInvocation,
): Promise<SqsResponse> {
  // Lambda itself gives a handler its context in the second place.
  if (typeof feed !== "string" || feed === "") {
    throw new TypeError("Expected `feed`: the feed of poolsync.yaml whose events the queue has");
  }
  const parsed = invocation.safeParse(event);
  if (!parsed.success) {
    throw new TypeError(
      "Expected the event that Amazon SQS invokes a function with: `Records`, each with messageId and body",
    );
  }
  const { Records: records } = parsed.data;
  const acceptAll = createAcceptAll({ ...deps, limits });
  const failed: string[] = [];
  for (let from = 0; from < records.length; from += AT_A_TIME) {
    const part = records.slice(from, from + AT_A_TIME);
    const events = part.map(({ messageId, body, attributes: { SentTimestamp: sentAt } }) =>
      messageEvent({ messageId, body, sentAtMs: sentAt === undefined ? undefined : Number(sentAt) }, id),
    );
    const answer = await acceptAll(feed, events);
    if (typeof answer === "string") failed.push(...part.map(({ messageId }) => messageId));
  }
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
}
