/** A queue of Amazon SQS for a soak: the server of the bench in a process of its own, filled and counted by the SDK. */
import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import { AWS_ENVIRONMENT } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import type { Children } from "./children.ts";

export interface SoakQueue {
  readonly url: string;
  /** Ten bodies at most; resolves when all are acknowledged. */
  send(bodies: readonly string[]): Promise<void>;
  /** How many messages lie there, those in somebody's hand included. */
  left(): Promise<number>;
  close(): void;
}

const COUNTS = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"] as const;

export async function startSoakQueue(children: Children): Promise<SoakQueue> {
  let endpoint = "";
  children.start({
    name: "queue",
    file: "bench/queue-server.ts",
    args: [],
    env: {},
    onLine: (line) => (endpoint = line.trim()),
  });
  await until("the queue's server listens", () => endpoint !== "");
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_REGION: region,
  } = AWS_ENVIRONMENT;
  const client = new SQSClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey } });
  await client.send(new CreateQueueCommand({ QueueName: "soak" }));
  const QueueUrl = `${endpoint}/000000000000/soak`;
  return {
    url: QueueUrl,
    async send(bodies) {
      const Entries = bodies.map((MessageBody, at) => ({ Id: String(at), MessageBody }));
      const { Failed: failed = [] } = await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
      if (failed.length > 0)
        throw new Error(`Expected the queue to take ${bodies.length} messages, it failed ${failed.length}`);
    },
    async left() {
      const ask = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...COUNTS] });
      const { Attributes: said = {} } = await client.send(ask);
      return COUNTS.reduce((sum, name) => sum + Number(said[name]), 0);
    },
    close: () => client.destroy(),
  };
}
