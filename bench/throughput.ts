/**
 * How many calls and changes a second go end to end: a CSV file, `sync --detach`, one worker process over Redis, an
 * unmetered emulator; beside a bare SDK loop of the same concurrency on the same emulator. The two take turns, because
 * a machine that is shared is not equally fast all the time, and the middle of each is what counts. As where it is in
 * use, the worker is there before and after: in its first round it is cold. The loop and `sync` are started each time.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { imbalance } from "../src/core/books.ts";
import { openRedisStore } from "../src/store/redis/redis-store.ts";
import type { Store } from "../src/store/store.ts";
import type { TestProcess } from "../test/support/process.ts";
import { middle } from "./figures.ts";
import type { BenchContext, Outcome, Scenario } from "./scenario.ts";
import { type BenchStage, cpuOf, openStage, POOL, succeeded } from "./stage.ts";

export const throughput: Scenario = {
  name: "throughput",
  about: "calls a second end to end, unmetered, beside a bare SDK loop (--users, --rounds)",
  run,
};

interface Round {
  /** From the start of the process: of the loop, or of `sync`. */
  readonly seconds: number;
  /** Of these, until the first call: a process starts, and `sync` checks the whole file before it puts anything. */
  readonly secondsBefore: number;
  readonly calls: number;
  readonly changes: number;
  readonly failed: number;
  /** CPU milliseconds of each process for one call. */
  readonly cpuMs: Readonly<Record<string, number>>;
}

const CONCURRENCY = 25;
const UNITS = 3;
const LIMIT_MS = 10 * 60_000;
/** How often is looked whether the first call was made, or all is done. */
const LOOK_MS = 50;
const loopReport = z.object({
  calls: z.number(),
  failed: z.number(),
  seconds: z.number(),
  secondsBefore: z.number(),
  cpuSeconds: z.number(),
});

async function run(context: BenchContext): Promise<Outcome> {
  const { values } = parseArgs({
    args: [...context.args],
    options: { users: { type: "string", default: "20000" }, rounds: { type: "string", default: "7" } },
  });
  const users = Number(values.users);
  const stage = await openStage(["--users", String(users), "--rate", "unmetered"], context.say);
  try {
    const env = {
      ...stage.env,
      REDIS_URL: stage.redisUrl,
      POOLSYNC_RATE: "100000",
      POOLSYNC_CONCURRENCY: String(CONCURRENCY),
      // As the image and `npm run poolsync` start it.
      NODE_OPTIONS: "--max-semi-space-size=16",
    };
    const store = await openRedisStore({ url: stage.redisUrl, namespace: stage.namespace });
    const worker = stage.start("workers/deliver.ts", [], env);
    // Its start is not to be in the way of the first round.
    await sleep(1500);
    const loops: Round[] = [];
    const ours: Round[] = [];
    try {
      for (let round = 1; round <= Number(values.rounds); round += 1) {
        loops.push(await loopOnce(stage, users));
        ours.push(await poolsyncOnce({ stage, env, store, worker }, users, round));
        const [loop, own] = [loops, ours].map((rounds) => perSecond(rounds.slice(-1)).calls.toFixed(0));
        context.say(`round ${round}: SDK loop ${loop} calls/s, poolsync ${own} calls/s`);
      }
    } finally {
      await worker.kill("SIGTERM");
      await worker.ended();
      await store.close();
    }
    return outcome(users, loops, ours);
  } finally {
    await stage.close();
  }
}

async function loopOnce(stage: BenchStage, users: number): Promise<Round> {
  const before = await cpuOf(stage.emulator);
  const loop = stage.start("bench/sdk-loop.ts", [POOL, String(users), String(CONCURRENCY)], stage.env);
  await succeeded(loop);
  const { calls, failed, seconds, secondsBefore, cpuSeconds } = loopReport.parse(JSON.parse(loop.stdout()));
  const emulator = (await cpuOf(stage.emulator)) - before;
  const cpuMs = { emulator: (emulator * 1000) / calls, client: (cpuSeconds * 1000) / calls };
  return { seconds: seconds + secondsBefore, secondsBefore, calls, changes: calls * UNITS, failed, cpuMs };
}

interface Poolsync {
  readonly stage: BenchStage;
  readonly env: Readonly<Record<string, string>>;
  readonly store: Store;
  readonly worker: TestProcess;
}

async function poolsyncOnce({ stage, env, store, worker }: Poolsync, users: number, round: number): Promise<Round> {
  const rows = Array.from(
    { length: users },
    (_, index) =>
      `user${String(index + 1).padStart(5, "0")},Given ${round}.${index},"Family, ${round}.${index}",s${round}.${index}`,
  );
  const file = join(stage.directory, `users-${round}.csv`);
  await writeFile(file, ["username,given_name,family_name,nickname", ...rows].join("\n"));
  const before = await store.runs.books();
  const used = async () => ({
    emulator: await cpuOf(stage.emulator),
    redis: await stage.redisCpu(),
    worker: await cpuOf(worker),
  });
  const [callsBefore, cpuBefore] = [(await stage.calls()).calls, await used()];
  const begunAt = performance.now();
  const sync = stage.start("bin/poolsync.js", ["sync", file, "--user-pool-id", POOL, "--detach", "--json"], env);
  let producer = 0;
  let firstAt = Infinity;
  const reading = (async () => {
    while (sync.child.exitCode === null) {
      if (firstAt === Infinity && (await stage.calls()).calls > callsBefore) firstAt = performance.now();
      const cpu = await cpuOf(sync);
      producer = Number.isNaN(cpu) ? producer : Math.max(producer, cpu);
      await sleep(LOOK_MS);
    }
  })();
  await succeeded(sync);
  while ((await store.runs.books()).pending > 0) {
    if (performance.now() - begunAt > LIMIT_MS) throw new Error(`Expected the worker to finish within ${LIMIT_MS} ms`);
    await sleep(LOOK_MS);
  }
  const seconds = (performance.now() - begunAt) / 1000;
  await reading;
  const [{ calls: callsAfter }, cpuAfter, books] = [await stage.calls(), await used(), await store.runs.books()];
  const calls = callsAfter - callsBefore;
  const lost = imbalance(books) !== 0 || books.received - before.received !== users * UNITS;
  const perCall = (seconds: number): number => (seconds * 1000) / calls;
  return {
    seconds,
    secondsBefore: Math.min(seconds, (firstAt - begunAt) / 1000),
    calls,
    changes: books.applied - before.applied,
    failed: books.dead - before.dead + books.invalid - before.invalid + (lost ? 1 : 0),
    cpuMs: {
      emulator: perCall(cpuAfter.emulator - cpuBefore.emulator),
      client: perCall(cpuAfter.worker - cpuBefore.worker),
      redis: perCall(cpuAfter.redis - cpuBefore.redis),
      producer: perCall(producer),
    },
  };
}

function perSecond(rounds: readonly Round[]): { readonly calls: number; readonly changes: number } {
  return {
    calls: middle(rounds.map(({ calls, seconds }) => calls / seconds)),
    changes: middle(rounds.map(({ changes, seconds }) => changes / seconds)),
  };
}

/** Calls a second. */
function fromFirstCall({ calls, seconds, secondsBefore }: Round): number {
  return calls / (seconds - secondsBefore);
}

function outcome(users: number, loops: readonly Round[], ours: readonly Round[]): Outcome {
  const ratios = loops.map((loop, at) => perSecond(ours.slice(at, at + 1)).calls / perSecond([loop]).calls);
  const [loopBefore, before] = [loops, ours].map((rounds) => middle(rounds.map(({ secondsBefore }) => secondsBefore)));
  const afterwards = loops.map((loop, at) => middle(ours.slice(at, at + 1).map(fromFirstCall)) / fromFirstCall(loop));
  const failed = [...loops, ...ours].reduce((sum, round) => sum + round.failed, 0);
  const cpu = (rounds: readonly Round[], of: string): number => middle(rounds.map(({ cpuMs }) => cpuMs[of] ?? 0));
  const row = (name: string, rounds: readonly Round[]): string[] => [
    name,
    perSecond(rounds).calls.toFixed(0),
    perSecond(rounds).changes.toFixed(0),
    middle(rounds.map(({ calls }) => calls)).toFixed(0),
    ...["client", "emulator", "redis", "producer"].map((of) => cpu(rounds, of).toFixed(2)),
    String(rounds.reduce((sum, round) => sum + round.failed, 0)),
  ];
  const titles = ["", "calls/s", "changes/s", "calls", "client", "emulator", "redis", "producer", "failed"];
  return {
    tables: [
      {
        title: `${users} users, ${UNITS} attributes each, ${CONCURRENCY} calls in flight, unmetered emulator; middle of ${loops.length} rounds; CPU in ms a call`,
        columns: titles.map((title, index) => ({ title, align: index === 0 ? "left" : "right" })),
        rows: [row("SDK loop", loops), row("poolsync, end to end, one worker over Redis", ours)],
        notes: [
          `Ratio of calls a second, middle of the rounds: ${middle(ratios).toFixed(2)}.`,
          `In the worker's first round, in which it is cold: ${ratios[0]?.toFixed(2)}.`,
          `The time of both begins with the start of a process, the loop's or that of \`sync --detach\`. Before the first call ${loopBefore?.toFixed(2)} s of the loop's pass, and ${before?.toFixed(2)} s of ours: the whole file is checked first. From then on the ratio is ${middle(afterwards).toFixed(2)}.`,
        ],
      },
    ],
    figures: {
      users,
      concurrency: CONCURRENCY,
      ratio: middle(ratios),
      ratios,
      ratioFromFirstCall: middle(afterwards),
      loop: loops,
      poolsync: ours,
    },
    failed,
  };
}
