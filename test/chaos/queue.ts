/**
 * A queue that repeats messages and loses receipts: fauxqs behind a proxy that cuts calls before and after they are carried
 * out, gives out again what was given out or deleted before, refuses, and leaves batches undone in whole or in part. Who
 * sends into it goes past the proxy, and knows what was sent; what was received and deleted the proxy sees.
 */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { ChangeMessageVisibilityCommand, SQSClient } from "@aws-sdk/client-sqs";
import { z } from "zod";
import { listen } from "../../src/http/listen.ts";
import type { Scope } from "../../src/lifecycle.ts";
import { openSqsStage } from "../ingest/sqs-stage.ts";
import { until } from "../support/condition.ts";
import type { Random } from "../support/random.ts";
import { QUEUE_LETTER } from "./events.ts";
import { ordinalOf, valueOf, type Model, type SentChange } from "./model.ts";
import { createTally } from "./report.ts";

export interface QueueLoad {
  readonly model: Model;
  readonly random: Random;
  readonly users: readonly string[];
  readonly perSecond: number;
}

export interface SentMessage {
  readonly body: string;
  /** None of one that cannot be read, which is to be parked. */
  readonly change?: Omit<SentChange, "sentAt" | "times">;
  /** How often it was sent: each time by another message of the queue. */
  times: number;
  /** How often it was given out, when first, and when a poller said first that it may go. */
  received: number;
  receivedAt?: number;
  deletedAt?: number;
}

export interface ChaosQueue {
  /** As `sqs` of a feed has it. */
  readonly url: string;
  readonly all: readonly SentMessage[];
  /** How often which fault befell a call. */
  readonly faults: Readonly<Record<string, number>>;
  /** For so long every call is refused. */
  refuse(forMs: number): Promise<void>;
  /** How many messages are there, in somebody's hand or not. */
  left(): Promise<number>;
  /** No more new ones; resolves when the queue is empty. From now on no call fails. */
  finish(): Promise<void>;
  stop(): void;
}

const LATE_MS = 20_000;
const TICK_MS = 250;
const REPEATED_SHARE = 0.15;
const UNREADABLE_SHARE = 0.03;
const MOST_REMEMBERED = 200;
/** Longer than a message is in the hand of one that was killed. */
const EMPTY_WITHIN_MS = 200_000;

const Received = z.looseObject({
  Messages: z.array(z.looseObject({ MessageId: z.string(), ReceiptHandle: z.string(), Body: z.string() })).default([]),
});
type Given = z.infer<typeof Received>["Messages"][number];
const Batch = z.looseObject({
  Entries: z.array(z.looseObject({ Id: z.string(), ReceiptHandle: z.string() })).default([]),
});
type Entries = z.infer<typeof Batch>["Entries"];

/** What its answer says, or that there is none. */
type Answer = { readonly status: number; readonly document: object } | "reset";

export async function openChaosQueue(scope: Scope, load: QueueLoad): Promise<ChaosQueue> {
  const { model, random, users, perSecond } = load;
  const stage = await openSqsStage(scope);
  const behind = new URL(stage.url);
  const all: SentMessage[] = [];
  const byBody = new Map<string, SentMessage>();
  const byReceipt = new Map<string, SentMessage>();
  const given: Given[] = [];
  const tally = createTally();
  let [refusesUntil, isSound] = [0, false];

  const credentials = { accessKeyId: "anybody", secretAccessKey: "anything" };
  const client = scope.defer(new SQSClient({ endpoint: behind.origin, region: "eu-west-1", credentials }), (sdk) =>
    sdk.destroy(),
  );
  /** As if the time in which nobody else gets them had ended. */
  async function expire(messages: readonly Given[]): Promise<void> {
    await sleep(random.next() * 1_500);
    for (const { ReceiptHandle } of messages) {
      const command = new ChangeMessageVisibilityCommand({ QueueUrl: stage.url, ReceiptHandle, VisibilityTimeout: 0 });
      // What was deleted meanwhile stays so.
      await client.send(command).catch(() => undefined);
    }
  }

  async function pass(incoming: IncomingMessage, body: string, signal: AbortSignal): Promise<Answer> {
    const { "content-type": type = "", "x-amz-target": target = "", authorization = "" } = incoming.headers;
    const headers = { "content-type": type, "x-amz-target": String(target), authorization };
    const answer = await fetch(behind.origin, { method: "POST", headers, body, signal });
    return { status: answer.status, document: z.looseObject({}).parse(await answer.json()) };
  }

  const met = (share: number, fault: string): boolean => {
    if (isSound || !random.chance(share)) return false;
    tally.add(fault);
    return true;
  };

  async function receive(forward: () => Promise<Answer>): Promise<Answer> {
    const answer = await forward();
    if (answer === "reset" || answer.status !== 200) return answer;
    const fresh = Received.parse(answer.document).Messages;
    for (const message of fresh) {
      const known = byBody.get(message.Body);
      if (known) byReceipt.set(message.ReceiptHandle, known);
    }
    if (fresh.length > 0 && met(0.06, "an answer with messages is lost")) {
      void expire(fresh);
      return "reset";
    }
    const again: Given[] = [];
    while (fresh.length + again.length < 10 && given.length > 0 && met(0.12, "a message is repeated"))
      again.push(random.pick([given[0] as Given, ...given]));
    given.push(...fresh);
    given.splice(0, given.length - MOST_REMEMBERED);
    const messages = [...again, ...fresh];
    for (const { Body } of messages) {
      const known = byBody.get(Body);
      if (!known) continue;
      known.received += 1;
      known.receivedAt ??= Date.now();
      if (known.received === 1 && known.change) model.sent(known.change, Date.now());
    }
    if (fresh.length > 0 && met(0.08, "messages in hand are given to others")) void expire(fresh);
    return { status: 200, document: { ...answer.document, Messages: messages } };
  }

  /** The entries that are carried out, and what is said of the others. */
  async function remove(incoming: IncomingMessage, body: string, signal: AbortSignal): Promise<Answer> {
    const batch = Batch.parse(JSON.parse(body));
    const at = Date.now();
    for (const { ReceiptHandle } of batch.Entries) {
      const known = byReceipt.get(ReceiptHandle);
      if (!known) continue;
      known.deletedAt ??= at;
      if (known.change) model.acked(known.change.id, at);
    }
    const some = met(0.06, "some are not deleted") ? batch.Entries.filter(() => random.chance(0.5)) : undefined;
    const failed = (entries: Entries, Code: string, SenderFault: boolean): object[] =>
      entries.map(({ Id }) => ({ Id, Code, SenderFault, Message: "no" }));
    if (met(0.06, "none is deleted"))
      return { status: 200, document: { Successful: [], Failed: failed(batch.Entries, "InternalError", false) } };
    if (met(0.06, "receipts have expired")) {
      const Failed = failed(batch.Entries, "ReceiptHandleIsInvalid", true);
      return { status: 200, document: { Successful: [], Failed } };
    }
    if (some === undefined || some.length === 0) return pass(incoming, body, signal);
    const answer = await pass(incoming, JSON.stringify({ ...batch, Entries: some }), signal);
    if (answer === "reset") return answer;
    const others = batch.Entries.filter((entry) => !some.includes(entry));
    const said = z.looseObject({ Failed: z.array(z.unknown()).default([]) }).parse(answer.document);
    const Failed = [...said.Failed, ...failed(others, "InternalError", false)];
    return { status: answer.status, document: { ...answer.document, Failed } };
  }

  async function answerTo(incoming: IncomingMessage, signal: AbortSignal): Promise<Answer> {
    const body = await text(incoming);
    const operation = String(incoming.headers["x-amz-target"]).split(".")[1] ?? "";
    if (Date.now() < refusesUntil) {
      const document = { __type: "com.amazonaws.sqs#AccessDeniedException", message: "no" };
      return { status: 403, document };
    }
    if (met(0.04, `${operation} is cut before`)) return "reset";
    const forward = (): Promise<Answer> => pass(incoming, body, signal);
    if (operation === "ReceiveMessage") return receive(forward);
    const answer = operation === "DeleteMessageBatch" ? await remove(incoming, body, signal) : await forward();
    return met(0.06, `${operation} is cut behind`) ? "reset" : answer;
  }

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    // Who waits no more receives nothing.
    const gone = new AbortController();
    outgoing.once("close", () => gone.abort());
    const answer = await answerTo(incoming, gone.signal);
    if (answer === "reset") return void outgoing.socket?.resetAndDestroy();
    outgoing.writeHead(answer.status, { "content-type": "application/x-amz-json-1.0" });
    outgoing.end(JSON.stringify(answer.document));
  }

  const proxy = createServer((incoming, outgoing) => void serve(incoming, outgoing).catch(() => outgoing.destroy()));
  scope.defer(proxy, (server) => {
    server.closeAllConnections();
    server.close();
  });
  const port = await listen(proxy, { host: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${port}${behind.pathname}`;

  const taken = new Set<number>();
  let count = 0;
  /** A time that no other message has. */
  function version(): number {
    let timeMs = Date.now() - (random.chance(0.3) ? Math.round(random.next() * LATE_MS) : 0);
    while (taken.has(timeMs)) timeMs -= 1;
    taken.add(timeMs);
    return timeMs;
  }

  function next(): SentMessage {
    const times = { times: 0, received: 0 };
    if (random.chance(UNREADABLE_SHARE)) return { ...times, body: `{"no JSON ${(count += 1)}` };
    const timeMs = version();
    const username = random.pick(["", ...users]) || (users[0] ?? "");
    const id = `${QUEUE_LETTER}.${(count += 1)}`;
    const attributes = random.chance(0.5) ? ["given_name"] : ["given_name", "family_name"];
    const change = { id, username, attributes, ordinal: ordinalOf(timeMs, 0), once: true } as const;
    const record = {
      user: username,
      at: new Date(timeMs).toISOString(),
      g: valueOf(id, "given_name"),
      ...(attributes.length > 1 ? { f: valueOf(id, "family_name") } : {}),
    };
    return { ...times, change, body: JSON.stringify(enveloped(random, record, timeMs)) };
  }

  const underWay = new Set<Promise<void>>();
  async function send(message: SentMessage): Promise<void> {
    message.times += 1;
    await stage.send(message.body);
  }
  let owed = 0;
  const timer = setInterval(() => {
    owed += (perSecond * TICK_MS) / 1_000;
    for (; owed >= 1; owed -= 1) {
      const message = next();
      all.push(message);
      byBody.set(message.body, message);
      const isKnownByItself = message.change !== undefined && /specversion|detail-type|MessageId/.test(message.body);
      const sending = [send(message)];
      // A sender that heard no answer: the id that it gave the event is the same.
      if (isKnownByItself && random.chance(REPEATED_SHARE))
        sending.push(sleep(random.next() * 3_000).then(() => send(message)));
      for (const one of sending) {
        const done: Promise<void> = one.finally(() => underWay.delete(done));
        underWay.add(done);
      }
    }
  }, TICK_MS);
  const left = async (): Promise<number> => {
    const { ready, inHand } = await stage.lying();
    return ready + inHand;
  };

  return {
    url,
    all,
    faults: tally.counts,
    async refuse(forMs) {
      refusesUntil = Date.now() + forMs;
      await sleep(forMs);
    },
    left,
    async finish() {
      clearInterval(timer);
      await Promise.all(underWay);
      isSound = true;
      await until("the queue is empty", async () => (await left()) === 0, EMPTY_WITHIN_MS);
    },
    stop: () => clearInterval(timer),
  };
}

/** As one of those who send to queues has it. */
function enveloped(random: Random, record: { readonly at: string }, timeMs: number): object {
  const id = randomUUID();
  const bridge = { version: "0", id, "detail-type": "Changed", time: record.at };
  const ChangeEventHeader = {
    entityName: "Contact",
    recordIds: ["0035g00000AbCdEAAV"],
    changeType: "UPDATE",
    changedFields: Object.keys(record),
    nulledFields: [],
    commitTimestamp: timeMs,
    sequenceNumber: 1,
  };
  const change = { ChangeEventHeader, ...record };
  const TopicArn = "arn:aws:sns:eu-west-1:000000000000:crm";
  const bridged = { ...bridge, source: "com.example.hr", detail: record };
  const notified = (message: object): object => ({
    Type: "Notification",
    MessageId: randomUUID(),
    TopicArn,
    Message: JSON.stringify(message),
    Timestamp: record.at,
  });
  return random.pick([
    record,
    bridged,
    notified(record),
    notified(bridged),
    { specversion: "1.0", type: "t", source: "/hr", id, time: record.at, data: record },
    { ...bridge, source: "aws.partner/salesforce.com/00D/0YL", detail: { payload: change, schemaId: "s" } },
    { ...bridge, source: "aws.partner/appflow/salesforce.com/123456789012/contacts", detail: change },
  ]);
}
