/** A queue of a real SQS server on this machine, behind a proxy of ours that refuses, cuts and fails as AWS does. */
import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  SendMessageBatchCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { buildApp } from "fauxqs";
import { z } from "zod";
import { listen } from "../../src/http/listen.ts";
import type { Scope } from "../../src/lifecycle.ts";

/** What becomes of a call instead of what the server would do. */
export type QueueFault =
  | { readonly is: "refused"; readonly name: string; readonly status?: number }
  | { readonly is: "reset" }
  /** Not answered. */
  | { readonly is: "silent" }
  /** Answered with 200, and none of the batch is done. */
  | { readonly is: "failed"; readonly code: string; readonly senderFault: boolean };

export interface QueueCall {
  readonly operation: string;
  readonly entries: number;
}

const Entries = z.object({ Entries: z.array(z.object({ Id: z.string() })).default([]) });
const NAME = "crm";

export interface SqsStage {
  /** As `sqs` of a feed has it. */
  readonly url: string;
  /** The calls that the proxy has had. */
  readonly calls: QueueCall[];
  count(operation: string): number;
  /** The next so many calls of this operation meet the fault; all of them until `heal`, where it is not said how many. */
  fail(operation: string, fault: QueueFault, times?: number): void;
  heal(): void;
  /** Sends bodies, ten at a time. */
  send(...bodies: readonly string[]): Promise<void>;
  /** Publishes a text to a topic of SNS that the queue is subscribed to. */
  publish(message: string): Promise<void>;
  /** How many messages may be received, and how many are in somebody's hand. */
  lying(): Promise<{ readonly ready: number; readonly inHand: number }>;
  createQueue(): Promise<void>;
  deleteQueue(): Promise<void>;
}

export async function openSqsStage(scope: Scope): Promise<SqsStage> {
  const app = scope.defer(buildApp({ logger: false, defaultRegion: "eu-west-1" }), (server) => server.close());
  const target = await app.listen({ port: 0, host: "127.0.0.1" });
  const calls: QueueCall[] = [];
  let faults: { readonly operation: string; readonly fault: QueueFault; left: number }[] = [];

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await text(incoming);
    const operation = String(incoming.headers["x-amz-target"]).split(".")[1] ?? "";
    const { Entries: entries } = Entries.parse(JSON.parse(body));
    calls.push({ operation, entries: entries.length });
    const met = faults.find((one) => one.operation === operation && one.left > 0);
    if (met === undefined) return pass(incoming, body, outgoing);
    met.left -= 1;
    const { fault } = met;
    if (fault.is === "reset") return void outgoing.socket?.resetAndDestroy();
    if (fault.is === "silent") return;
    const answer = (status: number, document: unknown): void => {
      outgoing.writeHead(status, { "content-type": "application/x-amz-json-1.0" }).end(JSON.stringify(document));
    };
    if (fault.is === "refused") {
      return answer(fault.status ?? 400, { __type: `com.amazonaws.sqs#${fault.name}`, message: "no, Ana" });
    }
    const { code: Code, senderFault: SenderFault } = fault;
    answer(200, { Successful: [], Failed: entries.map(({ Id }) => ({ Id, Code, SenderFault, Message: "no, Ana" })) });
  }

  function pass({ headers }: IncomingMessage, body: string, outgoing: ServerResponse): void {
    const sent = request(target, { method: "POST", headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    // Who waits no more receives nothing.
    outgoing.once("close", () => sent.destroy());
    sent.once("error", () => outgoing.destroy());
    sent.end(body);
  }

  const proxy = createServer((incoming, outgoing) => void serve(incoming, outgoing).catch(() => outgoing.destroy()));
  scope.defer(proxy, (server) => {
    server.closeAllConnections();
    server.close();
  });
  const port = await listen(proxy, { host: "127.0.0.1", port: 0 });
  const credentials = { accessKeyId: "anybody", secretAccessKey: "anything" };
  const url = `http://127.0.0.1:${port}/000000000000/${NAME}`;
  const client = scope.defer(new SQSClient({ endpoint: target, region: "eu-west-1", credentials }), (sdk) =>
    sdk.destroy(),
  );

  const stage: SqsStage = {
    url,
    calls,
    count: (operation) => calls.filter((call) => call.operation === operation).length,
    fail: (operation, fault, times = Infinity) => void faults.push({ operation, fault, left: times }),
    heal: () => void (faults = []),
    async send(...bodies) {
      for (let from = 0; from < bodies.length; from += 10) {
        const entries = bodies.slice(from, from + 10).map((MessageBody, index) => ({ Id: String(index), MessageBody }));
        await client.send(new SendMessageBatchCommand({ QueueUrl: url, Entries: entries }));
      }
    },
    async publish(message) {
      const topic = `arn:aws:sns:eu-west-1:000000000000:${NAME}`;
      const queue = topic.replace("sns", "sqs");
      for (const request of [
        { Action: "CreateTopic", Name: NAME },
        { Action: "Subscribe", TopicArn: topic, Protocol: "sqs", Endpoint: queue },
        { Action: "Publish", TopicArn: topic, Message: message },
      ]) {
        const response = await fetch(target, { method: "POST", body: new URLSearchParams(request) });
        if (!response.ok) throw new Error(`Expected SNS to take ${request.Action}, got ${await response.text()}`);
      }
    },
    async lying() {
      const names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"] as const;
      const asked = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [...names] });
      const { Attributes: said = {} } = await client.send(asked);
      const [ready = 0, inHand = 0] = names.map((name) => Number(said[name]));
      return { ready, inHand };
    },
    createQueue: async () => void (await client.send(new CreateQueueCommand({ QueueName: NAME }))),
    deleteQueue: async () => void (await client.send(new DeleteQueueCommand({ QueueUrl: url }))),
  };
  await stage.createQueue();
  return stage;
}
