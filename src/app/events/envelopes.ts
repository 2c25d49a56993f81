/**
 * What events are wrapped in that come by way of a queue. Pure. An envelope is known by its own form alone, so that no
 * setting says which: EventBridge, also where Event Relay or AppFlow have put something of Salesforce into it; SNS;
 * CloudEvents (structured); the form in which Salesforce streams a change. All else is the event itself.
 */
import { z } from "zod";
import { valueIn } from "../../feeds/column-path.ts";
import { parseInstant } from "../../feeds/date.ts";

export interface OpenedEnvelopes {
  /** JSON with the event in it, and the keys that lead to it: so its numbers are as they are written. */
  readonly text: string;
  readonly within: readonly string[];
  /** The event, read; undefined where it is no JSON. */
  readonly event: unknown;
  /** Its own id, as the innermost envelope has it that says one. */
  readonly id: string | undefined;
  /** Epoch ms, likewise: when it occurred. A sender, or a service, that sends it again says the same time again. */
  readonly timeMs: number | undefined;
}

/** What stands within an envelope: where keys lead, or a text that was read out of it. */
interface Content {
  readonly keys: readonly string[];
  readonly text?: string;
  readonly id?: readonly string[];
  readonly time?: string | undefined;
}

/** Nobody makes more layers: EventBridge in SNS, and CloudEvents in either. */
const MOST_LAYERS = 5;
const RELAYED = "aws.partner/salesforce.com/";

const eventBridge = z.object({
  "detail-type": z.string(),
  source: z.string(),
  id: z.string(),
  time: z.string(),
  detail: z.unknown(),
});
const sns = z.object({
  Type: z.literal("Notification"),
  TopicArn: z.string(),
  MessageId: z.string(),
  Message: z.string(),
  Timestamp: z.string().optional(),
});
const cloudEvent = z.object({
  specversion: z.string().regex(/^1\./),
  type: z.string(),
  source: z.string(),
  id: z.string(),
  time: z.string().optional(),
  data: z.unknown().optional(),
  data_base64: z.string().optional(),
});
const withPayload = z.object({ payload: z.record(z.string(), z.unknown()) });
const change = z.object({ ChangeEventHeader: z.object({ commitTimestamp: z.int().positive().optional() }) });
const withChange = z.object({ payload: change });

/** Takes all of them off. Never throws. */
export function openEnvelopes(body: string): OpenedEnvelopes {
  let opened: OpenedEnvelopes = { text: body, within: [], event: parsed(body), id: undefined, timeMs: undefined };
  for (let layer = 0; layer < MOST_LAYERS; layer += 1) {
    const content = contentOf(opened.event);
    if (content === undefined) break;
    opened = entered(opened, content);
  }
  const committedMs = change.safeParse(opened.event).data?.ChangeEventHeader.commitTimestamp;
  return { ...opened, timeMs: committedMs ?? opened.timeMs };
}

function contentOf(event: unknown): Content | undefined {
  const bridged = eventBridge.safeParse(event).data;
  if (bridged !== undefined) {
    const { id, time, source, detail } = bridged;
    const isRelayed = source.startsWith(RELAYED) && withPayload.safeParse(detail).success;
    return { keys: isRelayed ? ["detail", "payload"] : ["detail"], id: ["eventbridge", id], time };
  }
  const notified = sns.safeParse(event).data;
  if (notified !== undefined) return { keys: ["Message"], id: ["sns", notified.MessageId], time: notified.Timestamp };
  const cloud = cloudEvent.safeParse(event).data;
  if (cloud !== undefined) {
    const { id, source, time, data, data_base64: packed } = cloud;
    const said = { keys: ["data"], id: ["cloudevents", source, id], time };
    if (data !== undefined) return said;
    return packed === undefined ? undefined : { ...said, text: Buffer.from(packed, "base64").toString("utf8") };
  }
  return withChange.safeParse(event).success ? { keys: ["payload"] } : undefined;
}

function entered({ text, within, event, id, timeMs }: OpenedEnvelopes, content: Content): OpenedEnvelopes {
  const { keys, time } = content;
  const said = {
    id: content.id === undefined ? id : JSON.stringify(content.id),
    timeMs: (time === undefined ? undefined : parseInstant(time.trim())) ?? timeMs,
  };
  const value = content.text ?? keys.reduce(valueIn, event);
  if (typeof value === "string") return { ...said, text: value, within: [], event: parsed(value) };
  return { ...said, text, within: [...within, ...keys], event: value };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The message of the parser quotes the text.
    return undefined;
  }
}
