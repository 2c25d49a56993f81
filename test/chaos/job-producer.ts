/**
 * A producer of jobs under chaos: it knows BullMQ and nothing of poolsync. Jobs come in on stdin, a line each, are added to
 * the queue `changes`, and acknowledged on stdout.
 */
import { createInterface } from "node:readline";
import { Queue } from "bullmq";
import { z } from "zod";

const settings = z.object({ url: z.string(), namespace: z.string() });
const order = z.object({ id: z.string(), data: z.looseObject({}), timestamp: z.number().optional() });

const { url, namespace } = settings.parse(JSON.parse(process.argv[2] ?? "{}"));
const changes = new Queue("changes", { connection: { url }, prefix: `{poolsync:${namespace}}:bull` });
// A Redis that is away is waited for.
changes.on("error", () => undefined);
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const underWay = new Set<Promise<void>>();
for await (const line of createInterface({ input: process.stdin })) {
  const { id, data, timestamp } = order.parse(JSON.parse(line));
  // Added again, it has the same id, so it is one change.
  const added = changes
    .add("change", data, { jobId: id, ...(timestamp === undefined ? {} : { timestamp }) })
    .then(
      () => say({ id }),
      (error: unknown) => say({ id, failed: error instanceof Error ? error.message : String(error) }),
    )
    .finally(() => underWay.delete(added));
  underWay.add(added);
}
await Promise.all(underWay);
await changes.close();
