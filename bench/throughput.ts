/**
 * How many calls and changes a second go end to end: a CSV file, `sync --detach`, one worker process over Redis, an
 * unmetered emulator; beside a bare SDK loop of the same concurrency on the same emulator in the same run.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { imbalance } from "../src/core/books.ts";
import { openRedisStore } from "../src/store/redis/redis-store.ts";
import { AWS_ENVIRONMENT } from "../test/support/aws-environment.ts";
import { runFile, type TestProcess } from "../test/support/process.ts";
import { provideRedis } from "../test/support/redis-server.ts";
import type { BenchContext, Outcome, Scenario } from "./scenario.ts";

const POOL = "eu-west-1_Example";
const USERS = 10_000;
const CONCURRENCY = 25;
const LIMIT_MS = 10 * 60_000;

export const throughput: Scenario = {
  name: "throughput",
  about: "calls a second end to end, unmetered, beside a bare SDK loop",
  run,
};

async function run({ say }: BenchContext): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-bench-"));
  const redis = await provideRedis({ url: process.env["REDIS_URL"], image: undefined, install: false, say });
  const started: TestProcess[] = [];
  const start = (file: string, args: readonly string[], env: Readonly<Record<string, string>>): TestProcess => {
    const process = runFile(file, args, env);
    started.push(process);
    return process;
  };
  try {
    say(`Redis: ${redis.origin}`);
    const emulator = start(
      "src/cli/main.ts",
      ["emulator", "--port", "0", "--pool-id", POOL, "--users", String(USERS), "--rate", "unmetered", "--json"],
      {},
    );
    const endpoint = await endpointOf(emulator);
    const env = {
      ...AWS_ENVIRONMENT,
      AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: endpoint,
      REDIS_URL: redis.url,
      POOLSYNC_NAMESPACE: `bench-${process.pid}`,
      POOLSYNC_POOLS: POOL,
      POOLSYNC_RATE: "100000",
      POOLSYNC_CONCURRENCY: String(CONCURRENCY),
      POOLSYNC_LOG_LEVEL: "error",
    };

    say(`SDK loop: ${USERS} users, ${CONCURRENCY} in flight`);
    const loop = start("bench/sdk-loop.ts", [POOL, String(USERS), String(CONCURRENCY)], env);
    await succeeded(loop);
    const looped: unknown = JSON.parse(loop.stdout());
    const loopSeconds = numberAt(looped, "seconds");

    say(`poolsync: the same users, three attributes each, from a CSV file through Redis and one worker`);
    const rows = Array.from(
      { length: USERS },
      (_, index) => `user${String(index + 1).padStart(5, "0")},Given ${index},"Family, ${index}",sync${index}`,
    );
    const file = join(directory, "users.csv");
    await writeFile(file, ["username,given_name,family_name,nickname", ...rows].join("\n"));
    const worker = start("workers/deliver.ts", [], env);
    const store = await openRedisStore({ url: redis.url, namespace: env.POOLSYNC_NAMESPACE });
    const callsBefore = await callsAt(endpoint);
    const begunAt = performance.now();
    try {
      await succeeded(start("src/cli/main.ts", ["sync", file, "--user-pool-id", POOL, "--detach", "--json"], env));
      while ((await store.runs.books()).pending > 0) {
        if (performance.now() - begunAt > LIMIT_MS)
          throw new Error(`Expected the worker to finish within ${LIMIT_MS} ms`);
        await sleep(20);
      }
      const seconds = (performance.now() - begunAt) / 1000;
      const calls = (await callsAt(endpoint)) - callsBefore;
      const books = await store.runs.books();
      const lost = imbalance(books) !== 0 || books.received !== USERS * 3;
      const callsPerSecond = calls / seconds;
      const loopCallsPerSecond = USERS / loopSeconds;
      const figures = {
        users: USERS,
        concurrency: CONCURRENCY,
        loop: {
          callsPerSecond: loopCallsPerSecond,
          changesPerSecond: loopCallsPerSecond * 3,
          calls: USERS,
          changes: USERS * 3,
          failed: numberAt(looped, "failed"),
        },
        poolsync: {
          callsPerSecond,
          changesPerSecond: books.applied / seconds,
          calls,
          changes: books.applied,
          failed: books.dead + books.invalid + (lost ? 1 : 0),
        },
        ratio: callsPerSecond / loopCallsPerSecond,
      };
      const row = (name: string, of: typeof figures.loop): string[] => [
        name,
        of.callsPerSecond.toFixed(0),
        of.changesPerSecond.toFixed(0),
        String(of.calls),
        String(of.changes),
        String(of.failed),
      ];
      return {
        tables: [
          {
            title: `${USERS} users, three attributes each, ${CONCURRENCY} calls in flight, unmetered emulator, one worker over Redis`,
            columns: ["", "calls/s", "changes/s", "calls", "changes", "failed"].map((title, index) => ({
              title,
              align: index === 0 ? "left" : "right",
            })),
            rows: [row("SDK loop", figures.loop), row("poolsync, end to end", figures.poolsync)],
            notes: [`Ratio of calls a second: ${figures.ratio.toFixed(2)}`],
          },
        ],
        figures,
        failed: figures.poolsync.failed + figures.loop.failed,
      };
    } finally {
      await store.close();
      await worker.kill("SIGTERM");
      await worker.ended();
    }
  } finally {
    await Promise.all(started.map((process) => process.kill("SIGKILL")));
    await redis.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function endpointOf(emulator: TestProcess): Promise<string> {
  for (;;) {
    const said = /http:\/\/127\.0\.0\.1:\d+/.exec(emulator.stdout());
    if (said) return said[0];
    if (emulator.child.exitCode !== null) throw new Error(`The emulator did not start: ${emulator.stderr()}`);
    await sleep(50);
  }
}

async function callsAt(endpoint: string): Promise<number> {
  const counters: unknown = await (await fetch(`${endpoint}/_emulator/counters`)).json();
  const operations = at(counters, "operations");
  return numberAt(at(operations, "AdminUpdateUserAttributes"), "calls");
}

async function succeeded(process: TestProcess): Promise<void> {
  const code = await process.ended();
  if (code !== 0) throw new Error(`A process of the bench ended with ${code}: ${process.stderr()}`);
}

function at(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
}

function numberAt(value: unknown, key: string): number {
  const found = at(value, key);
  if (typeof found !== "number") throw new TypeError(`Expected a number at \`${key}\``);
  return found;
}
