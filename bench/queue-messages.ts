/** Messages of a queue: how many a second `ingest` takes, beside a bare loop that receives and deletes them, on the same server. */
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import { GUARDS_OFF } from "../test/chaos/run-settings.ts";
import type { TestProcess } from "../test/support/process.ts";
import { startServer } from "./ingest-stage.ts";
import { username } from "./latency.ts";
import type { Outcome } from "./scenario.ts";
import { type BenchStage, cpuOf, POOL } from "./stage.ts";

interface Reading {
  readonly name: string;
  readonly perSecond: number;
  readonly cpuMicros: number;
}

type Taker = Pick<TestProcess, "child"> & { stop(): Promise<void> };

const LOOK_MS = 20;
const SENDERS = 10;
const COUNTS = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"] as const;

const config = (url: string): string => `${GUARDS_OFF}
pools: { people: { id: ${POOL} } }
feeds:
  crm: { pool: people, username: user, attributes: { nickname: nick }, events: { sqs: "${url}" } }
`;

/** `env` is what `ingest` is told. */
export async function queueMessages(
  stage: BenchStage,
  env: Readonly<Record<string, string>>,
  messages: number,
  say: (line: string) => void,
): Promise<Outcome> {
  const server = stage.start("bench/queue-server.ts", []);
  while (!server.stdout().endsWith("\n")) await sleep(LOOK_MS);
  const endpoint = server.stdout().trim();
  const credentials = { accessKeyId: "anybody", secretAccessKey: "anything" };
  const client = new SQSClient({ endpoint, region: "eu-west-1", credentials });

  async function fill(QueueUrl: string): Promise<void> {
    let next = 0;
    const sender = async (): Promise<void> => {
      while (next < messages) {
        const from = next;
        next += 10;
        const Entries = Array.from({ length: 10 }, (_, at) => ({
          Id: String(at),
          MessageBody: eventBody(username((from + at) % 20_000), `n${from + at}`),
        }));
        await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, sender));
  }

  async function left(QueueUrl: string): Promise<number> {
    const { Attributes: said = {} } = await client.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...COUNTS] }),
    );
    return COUNTS.reduce((sum, name) => sum + Number(said[name]), 0);
  }

  let queues = 0;
  /** From when it has taken the first until the queue is empty: one of its own, where nobody waits who has ended. */
  async function measure(name: string, start: (url: string) => Promise<Taker>): Promise<Reading> {
    say(`queue: ${name}`);
    const QueueName = `bench-${(queues += 1)}`;
    const url = `${endpoint}/000000000000/${QueueName}`;
    await client.send(new CreateQueueCommand({ QueueName }));
    await fill(url);
    const taker = await start(url);
    let there = await left(url);
    while (there > messages - 10) {
      await sleep(LOOK_MS);
      there = await left(url);
    }
    const [cpu, at, taken] = [await cpuOf(taker), performance.now(), there];
    while ((await left(url)) > 0) await sleep(LOOK_MS);
    const seconds = (performance.now() - at) / 1000;
    const cpuMicros = (((await cpuOf(taker)) - cpu) / taken) * 1e6;
    await taker.stop();
    return { name, perSecond: taken / seconds, cpuMicros };
  }

  async function startLoop(url: string): Promise<Taker> {
    const loop = stage.start("bench/queue-loop.ts", [url], env);
    return { child: loop.child, stop: () => loop.kill("SIGKILL") };
  }

  async function startIngest(url: string): Promise<Taker> {
    await writeFile(env["POOLSYNC_CONFIG"] ?? "", config(url));
    return startServer(stage, "workers/ingest.ts", { ...env, POOLSYNC_LOG_LEVEL: "info" });
  }

  const readings: Reading[] = [await measure("bare loop", startLoop)];
  readings.push(await measure("ingest", startIngest));
  // Again, because a machine that is shared is not equally fast all the time.
  readings.push(await measure("bare loop, at the end", startLoop));
  client.destroy();
  return outcomeOf(readings, messages);
}

function outcomeOf(readings: readonly Reading[], messages: number): Outcome {
  const bare = readings.filter(({ name }) => name.startsWith("bare"));
  const bareOf = (of: (reading: Reading) => number): number =>
    bare.reduce((sum, reading) => sum + of(reading), 0) / bare.length;
  const columns = ["", "a second", "of bare", "CPU µs", "of bare"];
  return {
    tables: [
      {
        title: `${messages} messages of a queue: received and deleted, and by ingest kept before that`,
        columns: columns.map((title, at) => ({ title, align: at === 0 ? "left" : "right" })),
        rows: readings.map(({ name, perSecond, cpuMicros }) => [
          name,
          perSecond.toFixed(0),
          (perSecond / bareOf((reading) => reading.perSecond)).toFixed(2),
          cpuMicros.toFixed(0),
          (cpuMicros / bareOf((reading) => reading.cpuMicros)).toFixed(2),
        ]),
        notes: ["CPU is the process's for a message; that of `ingest` has draining it from the inbox as well."],
      },
    ],
    figures: { readings },
    failed: 0,
  };
}

/** About as long as a webhook of this bench, in EventBridge's envelope. */
function eventBody(user: string, nick: string): string {
  const time = new Date().toISOString();
  const detail = { user, nick, actor: { name: "nightly job", ip: "192.0.2.17" } };
  return JSON.stringify({
    version: "0",
    id: nick,
    "detail-type": "user.updated",
    source: "com.example.hr",
    time,
    detail,
  });
}
