/**
 * `npm run soak -- [--minutes 20]`: one worker at a rate that nothing meters, fed without end with changes of the same
 * users. What it and Redis hold must not grow once they are warm: see docs/reliability.md.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Redis } from "ioredis";
import { z } from "zod";
import { createCognitoClient } from "../../src/cognito/client.ts";
import { createLog } from "../../src/log.ts";
import { belowBacklog } from "../../src/delivery/backlog.ts";
import { openEngine } from "../../src/queues/engine.ts";
import { openPool } from "../../src/delivery/pool.ts";
import { createProducer } from "../../src/delivery/producer.ts";
import { PRIORITY } from "../../src/queues/wake-ups.ts";
import { AWS_ENVIRONMENT, exampleAws } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import { openChildren } from "./children.ts";
import { startLoneRedis } from "./lone-redis.ts";
import { POOL, startService } from "./service.ts";

const USERS = 2_000;
const RATE = 5_000;
const CONCURRENCY = 50;
const PAGE = 100;
const NAMESPACE = "soak";
const MB = 1_000_000;
/** What Redis answered is kept for five minutes: until then it grows. */
const WARM_AFTER_MS = 6 * 60_000;
const LOOK_EVERY_MS = 60_000;
const SETTLES_WITHIN_MS = 2_000;
/** By so much the mean of the last third may be above that of the first after the warm-up. */
const MOST_GROWTH = 1.1;

const { values } = parseArgs({ options: { minutes: { type: "string", default: "20" } } });
const forMs = Number(values.minutes) * 60_000;
if (!(forMs > WARM_AFTER_MS)) {
  process.stdout.write(
    `Expected --minutes to be a number above ${WARM_AFTER_MS / 60_000}, got \`${values.minutes}\`\n`,
  );
  process.exit(64);
}

const held = z.object({
  heapUsed: z.number(),
  external: z.number(),
  rss: z.number(),
  resources: z.record(z.string(), z.number()),
  listeners: z.number(),
  warnings: z.number(),
});
interface Look extends z.infer<typeof held> {
  readonly atMs: number;
  readonly redis: number;
  readonly redisKeys: number;
  readonly applied: number;
}

const directory = await mkdtemp(join(tmpdir(), "poolsync-soak-"));
const closers: (() => Promise<unknown> | void)[] = [() => rm(directory, { recursive: true, force: true })];
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
try {
  process.exitCode = await soak();
} finally {
  for (const close of closers.toReversed()) await close();
}

async function soak(): Promise<number> {
  closers.push(exampleAws());
  const children = openChildren(directory);
  closers.push(() => children.close());
  const redis = await startLoneRedis(directory, "everysec");
  closers.push(() => redis.close());
  const users = Array.from({ length: USERS }, (_, index) => `user${index}`);
  const service = await startService(children, directory, users);
  const endpoint = `http://127.0.0.1:${service.port}`;

  let answer: ((line: string) => void) | undefined;
  const worker = children.start({
    name: "worker",
    file: "test/chaos/soak-worker.ts",
    args: [],
    env: {
      ...AWS_ENVIRONMENT,
      REDIS_URL: redis.url,
      POOLSYNC_NAMESPACE: NAMESPACE,
      POOLSYNC_POOLS: POOL,
      NODE_OPTIONS: "--expose-gc",
      POOLSYNC_RATE: String(RATE),
      POOLSYNC_CONCURRENCY: String(CONCURRENCY),
      AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: endpoint,
    },
    stdin: true,
    onLine: (line) => answer?.(line),
  });
  const ask = (): Promise<string> =>
    new Promise((resolve) => {
      answer = resolve;
      worker.tell("");
    });

  const engine = await openEngine({ redisUrl: redis.url, namespace: NAMESPACE, dataDir: "" });
  closers.push(() => engine.close());
  const cognito = createCognitoClient({ endpoint, region: "eu-west-1", concurrency: 2 });
  closers.push(() => cognito.close());
  const log = createLog("silent");
  const pool = await openPool({
    engine,
    cognito,
    pool: POOL,
    ratePerSecond: RATE,
    listsPerSecond: 25,
    concurrency: 2,
    log,
  });
  closers.push(() => pool.close());
  const run = (await engine.store.runs.direct(POOL)).id;
  const producer = createProducer({ engine, profile: pool.profile, run, priority: PRIORITY.direct });
  const asking = new Redis(redis.port, "127.0.0.1");
  closers.push(() => asking.disconnect());

  const startedAt = Date.now();
  const over = new AbortController();
  let count = 0;
  let looking: Promise<unknown> = Promise.resolve();
  const feeding = (async () => {
    while (!over.signal.aborted) {
      await looking;
      await belowBacklog(() => engine.store.mailboxes.dueCount(POOL), { limit: USERS / 2 }, over.signal);
      const changes = Array.from({ length: PAGE }, () => {
        count += 1;
        const units = ["given_name", "family_name"].map(
          (name) => ({ name, value: { kind: "text", text: `${name} ${count}` } }) as const,
        );
        return { username: users[count % USERS] ?? "", units };
      });
      await producer.put(changes, { invalid: 0, rows: { read: PAGE, faulty: 0 } });
    }
  })().catch((error: unknown) => {
    if (!over.signal.aborted) throw error;
  });
  closers.push(() => over.abort());

  const looks: Look[] = [];
  while (Date.now() - startedAt < forMs) {
    await sleep(LOOK_EVERY_MS);
    // With nothing under way what is held is what is kept: sockets and time-outs of calls come and go.
    const { promise, resolve } = Promise.withResolvers<void>();
    looking = promise;
    const isIdle = async () => (await engine.store.runs.books()).pending === 0;
    await until("everything is delivered", isIdle);
    await sleep(SETTLES_WITHIN_MS);
    const info = await asking.info("memory");
    const look = {
      ...held.parse(JSON.parse(await ask())),
      atMs: Date.now() - startedAt,
      redis: Number(/used_memory:(\d+)/.exec(info)?.[1] ?? 0),
      redisKeys: await asking.dbsize(),
      applied: (await engine.store.runs.books()).applied,
    };
    resolve();
    looks.push(look);
    say(lineOf(look));
  }
  over.abort();
  await feeding;
  worker.signal("SIGTERM");
  const end = await worker.ended;
  const wrong = grown(looks.filter(({ atMs }) => atMs > WARM_AFTER_MS));
  if (end !== 0) wrong.push(`the worker ended with ${end}`);
  for (const line of wrong) say(`BROKEN  ${line}`);
  say(wrong.length === 0 ? "Nothing grows." : "Something grows.");
  return wrong.length === 0 ? 0 : 1;
}

function lineOf({
  atMs,
  heapUsed,
  external,
  rss,
  redis,
  redisKeys,
  applied,
  resources,
  listeners,
  warnings,
}: Look): string {
  const mb = (bytes: number): string => `${(bytes / MB).toFixed(1)} MB`;
  const handles = Object.entries(resources).map(([name, many]) => `${name} ${many}`);
  const said = [
    `${Math.round(atMs / 60_000)} min: ${applied} units applied`,
    `heap ${mb(heapUsed)}, external ${mb(external)}, RSS ${mb(rss)}`,
    `Redis ${mb(redis)} in ${redisKeys} keys`,
    `listeners ${listeners}, warnings ${warnings}, ${handles.join(", ")}`,
  ];
  return said.join("; ");
}

/** What is more at the end than when it was warm. */
function grown(looks: readonly Look[]): string[] {
  const third = Math.max(1, Math.floor(looks.length / 3));
  const [first, last] = [looks.slice(0, third), looks.slice(-third)];
  const wrong: string[] = [];
  const compare = (what: string, of: (look: Look) => number, slack: number): void => {
    const mean = (some: readonly Look[]): number => some.reduce((sum, look) => sum + of(look), 0) / some.length;
    const [before, after] = [mean(first), mean(last)];
    if (after > before * MOST_GROWTH + slack)
      wrong.push(`${what} grew from ${before.toFixed(0)} to ${after.toFixed(0)}`);
  };
  compare("heap", ({ heapUsed }) => heapUsed, MB);
  compare("external memory", ({ external }) => external, MB);
  compare("memory of Redis", ({ redis }) => redis, MB);
  compare("listeners", ({ listeners }) => listeners, 0);
  compare("handles", ({ resources }) => Object.values(resources).reduce((sum, many) => sum + many, 0), 2);
  if (looks.some(({ warnings }) => warnings > 0)) wrong.push("Node.js warned");
  return wrong;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
