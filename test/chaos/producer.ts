/**
 * An application under chaos: changes come in on stdin, a line each, are queued through the library, and acknowledged on
 * stdout; of those that wait for their outcome, it is told as
 * well, and when they were begun. With a data directory it delivers as well, because then nobody else can.
 */
import { createInterface } from "node:readline";
import { z } from "zod";
import { openPoolsync } from "../../src/index.ts";

const order = z.object({
  id: z.string(),
  username: z.string(),
  attributes: z.record(z.string(), z.string()),
  version: z.object({ timeMs: z.number(), sequence: z.number() }).optional(),
  waits: z.literal(true).optional(),
  despitePause: z.literal(true).optional(),
});
const settings = z.object({
  pool: z.string(),
  redisUrl: z.string().optional(),
  dataDir: z.string().optional(),
  namespace: z.string(),
  ratePerSecond: z.number(),
  /** This machine's clock is so much fast, or slow. */
  clockOffMs: z.number(),
});

const { pool, redisUrl, dataDir, namespace, ratePerSecond, clockOffMs } = settings.parse(
  JSON.parse(process.argv[2] ?? "{}"),
);
const realNow = Date.now.bind(Date);
if (clockOffMs !== 0) Date.now = () => realNow() + clockOffMs;

/** What is pending after it stays queued. */
const WAIT_MS = 10_000;
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const poolsync = await openPoolsync({
  namespace,
  ratePerSecond,
  logLevel: "debug",
  ...(redisUrl === undefined ? {} : { redisUrl }),
  ...(dataDir === undefined ? {} : { dataDir }),
});
if (dataDir !== undefined) {
  for (;;) {
    try {
      await poolsync.deliver(pool);
      break;
    } catch (error) {
      say({ waiting: error instanceof Error ? error.message : String(error) });
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}
say({ ready: true });

const underWay = new Set<Promise<void>>();
for await (const line of createInterface({ input: process.stdin })) {
  const { id, username, attributes, version, waits, despitePause = false } = order.parse(JSON.parse(line));
  const change = { pool, username, attributes, verified: "mark" } as const;
  const begunAt = realNow();
  const told = waits
    ? poolsync
        .update(change, { waitMs: WAIT_MS, despitePause })
        .then(({ attributes: outcomes }) => ({ id, outcomes, begunAt }))
    : poolsync.enqueue({ ...change, ...(version ? { version } : {}) }).then(() => ({ id }));
  const put = told
    .then(say, (error: unknown) => say({ id, failed: error instanceof Error ? error.message : String(error) }))
    .finally(() => underWay.delete(put));
  underWay.add(put);
}
await Promise.all(underWay);
await poolsync.close();
