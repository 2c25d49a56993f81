/**
 * How long a single user's change takes from `enqueue` until Cognito has applied it: idle and while a bulk run of
 * 100,000 users is under way, on Redis (a worker process of its own) and embedded (this process). The emulator is
 * metered as Cognito is, 25 calls a second, answers after 20 ms, and its log says when a write took effect. Under the
 * bulk run every other change is of a user who waits in it.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { openPoolsync, type Poolsync } from "../src/index.ts";
import { exampleAws } from "../test/support/aws-environment.ts";
import { quantile } from "./figures.ts";
import type { BenchContext, Outcome, Scenario } from "./scenario.ts";
import { type BenchStage, openStage, POOL } from "./stage.ts";

export const latency: Scenario = {
  name: "latency",
  about: "from enqueue to applied, idle and under a bulk run, on Redis and embedded (--changes)",
  run,
};

const RATE = 25;
const LATENCY_MS = 20;
export const USERS = 100_000;
/** Single changes come this far apart, so that they take a fifth of the rate. */
const EVERY_MS = 200;
const PATIENCE_MS = 60_000;
/** How long a bulk run is under way before the changes begin. */
const PUT_MS = 15_000;
const UNITS = 3;

interface Sample {
  readonly engine: string;
  readonly load: string;
  /** From the call of `enqueue` to the write's effect, in ms. */
  readonly ms: readonly number[];
  /** Writes of others that took effect between the two. */
  readonly overtakenBy: readonly number[];
  readonly lost: number;
}

const writes = z.array(z.object({ at: z.number(), attributes: z.record(z.string(), z.string()) }));

async function run({ args, say }: BenchContext): Promise<Outcome> {
  const { values } = parseArgs({ args: [...args], options: { changes: { type: "string", default: "200" } } });
  const changes = Number(values.changes);
  const samples: Sample[] = [];
  for (const engine of ["Redis", "embedded"] as const) {
    const stage = await openStage(
      ["--users", String(USERS), "--rate", `UserUpdate=${RATE}`, "--latency", String(LATENCY_MS)],
      say,
    );
    const restore = exampleAws(stage.env);
    try {
      for (const load of ["idle", "bulk"] as const) {
        say(`${engine}, ${load}`);
        const measured = await (engine === "Redis" ? onRedis(stage, load, changes) : embedded(stage, load, changes));
        samples.push({ engine, load, ...measured });
      }
    } finally {
      restore();
      await stage.close();
    }
  }
  return outcome(samples, changes);
}

type Load = "idle" | "bulk";
type Measured = Omit<Sample, "engine" | "load">;

const settingsOf = ({ namespace }: BenchStage) => ({ namespace, ratePerSecond: RATE, logLevel: "error" });

async function onRedis(stage: BenchStage, load: Load, changes: number): Promise<Measured> {
  const env = { ...stage.env, REDIS_URL: stage.redisUrl, POOLSYNC_RATE: String(RATE) };
  const worker = stage.start("workers/deliver.ts", [], env);
  if (load === "bulk") await beginBulk(stage, env, ["--detach"]);
  const poolsync = await openPoolsync({ ...settingsOf(stage), redisUrl: stage.redisUrl });
  try {
    await sleep(2000);
    return await measure(stage, poolsync, load, changes);
  } finally {
    await poolsync.close();
    await worker.kill("SIGKILL");
  }
}

async function embedded(stage: BenchStage, load: Load, changes: number): Promise<Measured> {
  const dataDir = join(stage.directory, "embedded");
  if (load === "bulk") {
    const sync = await beginBulk(stage, { ...stage.env, POOLSYNC_DATA_DIR: dataDir, POOLSYNC_RATE: String(RATE) }, []);
    // What was put stays queued, and goes on in this process.
    await sync.kill("SIGTERM");
    await sync.ended();
  }
  const poolsync = await openPoolsync({ ...settingsOf(stage), dataDir });
  try {
    await poolsync.deliver(POOL);
    await sleep(2000);
    return await measure(stage, poolsync, load, changes);
  } finally {
    await poolsync.close();
  }
}

/** Answers once a bulk run of all users has been under way for a while. */
export async function beginBulk(
  stage: BenchStage,
  env: Readonly<Record<string, string>>,
  flags: readonly string[],
  users = USERS,
) {
  const rows = Array.from({ length: users }, (_, at) => `${username(at)},Given ${at},"Family, ${at}",bulk${at}`);
  const file = join(stage.directory, "bulk.csv");
  await writeFile(file, ["username,given_name,family_name,nickname", ...rows].join("\n"));
  const args = ["sync", file, "--user-pool-id", POOL, "--json", ...flags];
  const before = (await stage.calls()).calls;
  const sync = stage.start("src/cli/main.ts", args, env);
  while ((await stage.calls()).calls === before) {
    if (sync.child.exitCode !== null && sync.child.exitCode !== 0)
      throw new Error(`The bulk run failed: ${sync.stderr()}`);
    await sleep(100);
  }
  await sleep(PUT_MS);
  return sync;
}

export const username = (at: number): string => `user${String(at + 1).padStart(5, "0")}`;

async function measure(stage: BenchStage, poolsync: Poolsync, load: Load, changes: number): Promise<Measured> {
  const waiting = Math.floor((await poolsync.books()).pending / UNITS);
  if (load === "bulk" && waiting < 1000) throw new Error(`Expected a bulk run to be under way, and ${waiting} wait`);
  // The first change opens the pool.
  await poolsync.enqueue({ pool: POOL, username: username(USERS - 1), attributes: { nickname: "first" } });
  await sleep(1000);
  const submitted = new Map<string, number>();
  const enqueued: Promise<unknown>[] = [];
  for (let nth = 0; nth < changes; nth += 1) {
    // In the middle of those who wait, or of those who do not.
    const inBulk = load === "bulk" && nth % 2 === 0;
    const user = inBulk ? Math.floor(waiting / 2) + nth : USERS - 2 - nth;
    const value = `${load}-${nth}`;
    submitted.set(value, Date.now());
    enqueued.push(poolsync.enqueue({ pool: POOL, username: username(user), attributes: { nickname: value } }));
    await sleep(EVERY_MS);
  }
  await Promise.all(enqueued);
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const log = writes.parse(await stage.log());
    const applied = new Map(log.map(({ at, attributes }) => [attributes["nickname"] ?? "", at]));
    const lost = [...submitted.keys()].filter((value) => !applied.has(value)).length;
    if (lost > 0 && performance.now() < deadline) {
      await sleep(500);
      continue;
    }
    const times = [...submitted].map(([value, from]) => ({ from, to: applied.get(value) ?? Infinity }));
    return {
      lost,
      ms: times.map(({ from, to }) => to - from),
      overtakenBy: times.map(({ from, to }) => log.filter(({ at }) => at > from && at < to).length),
    };
  }
}

function outcome(samples: readonly Sample[], changes: number): Outcome {
  const quantiles = (values: readonly number[]): string[] =>
    [0.5, 0.95, 0.99].map((at) => quantile(values, at).toFixed(0));
  const bound = (2 * 1000) / RATE + LATENCY_MS;
  return {
    tables: [
      {
        title: `${changes} single changes, one every ${EVERY_MS} ms, ${RATE} calls a second, ${LATENCY_MS} ms a call: enqueue to applied, in ms`,
        columns: ["", "p50", "p95", "p99", "calls before, p50", "p95", "p99", "lost"].map((title, at) => ({
          title,
          align: at === 0 ? "left" : "right",
        })),
        rows: samples.map(({ engine, load, ms, overtakenBy, lost }) => [
          `${engine}, ${load}`,
          ...quantiles(ms),
          ...quantiles(overtakenBy),
          String(lost),
        ]),
        notes: [`Two calls' time and the latency are ${bound} ms.`],
      },
    ],
    figures: {
      changes,
      boundMs: bound,
      samples: samples.map(({ ms, overtakenBy, ...sample }) => ({
        ...sample,
        p50: quantile(ms, 0.5),
        p95: quantile(ms, 0.95),
        p99: quantile(ms, 0.99),
        callsBeforeP95: quantile(overtakenBy, 0.95),
      })),
    },
    failed: samples.reduce((sum, { lost }) => sum + lost, 0),
  };
}
