/**
 * What `ingest` is held against where it polls: a bare loop over the SDK, as its documentation says, that receives ten
 * messages, deletes them, and keeps nothing. It runs until it is killed.
 *
 *   queue-loop.ts <queue's URL>
 */
import { DeleteMessageBatchCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const [QueueUrl = ""] = process.argv.slice(2);
const client = new SQSClient({ endpoint: new URL(QueueUrl).origin });
for (;;) {
  const receive = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 });
  const { Messages: messages = [] } = await client.send(receive);
  if (messages.length === 0) continue;
  const Entries = messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
  await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
}
