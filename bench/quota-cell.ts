/**
 * One measurement of the quota bench: a setup in real processes, on an emulator of its own that meters with a token
 * bucket and answers after 20 ms.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { imbalance } from "../src/core/books.ts";
import { openRedisStore } from "../src/store/redis/redis-store.ts";
import { type BenchStage, openStage, POOL, succeeded } from "./stage.ts";

export const SCENES = {
  a: "nobody else",
  b: "others take 30 %",
  c: "others take 40 % every other 20 s",
  d: "a ceiling twice the true quota",
  e: "others take 30 %, and the bucket holds a fifth of a second",
  f: "nobody else, from 10 s after Redis paused for 2 s",
  g: "nobody else, from 10 s after others took 80 % for 5 s",
} as const;
export type Scene = keyof typeof SCENES;
export type Setup = "poolsync" | "standard" | "adaptive" | "p-throttle";

const WARM_UP_S = 5;
const SQUARE_S = 20;
const PAUSE_S = 2;
const SPELL_S = 5;
const RECOVERY_S = 10;
const IN_FLIGHT = 50;
const USERS = 20_000;
const LATENCY_MS = 20;

export interface CellPlan {
  readonly scene: Scene;
  /** Calls a second. */
  readonly quota: number;
  readonly processes: number;
  readonly setup: Setup;
}

export const CELL = z.object({
  seconds: z.number(),
  /** Of what remains to us: granted calls over the quota less what others took. */
  share: z.number(),
  throttled: z.number(),
  calls: z.number(),
  /** Calls or changes that ended in a failure. */
  failed: z.number(),
  /** Changes of poolsync that are not in the books where they must be. */
  lost: z.number(),
});
export type Cell = z.infer<typeof CELL>;

/**
 * `begun` is called once the setup makes calls and resolves when every cell that is measured beside this one does:
 * what it costs to start must not be in another's figures.
 */
export async function measureCell(plan: CellPlan, seconds: number, begun: () => Promise<void>): Promise<Cell> {
  const { scene, quota: rate } = plan;
  const burst = scene === "e" ? "0.2" : "1";
  const metered = ["--rate", `UserUpdate=${rate}`, "--burst", burst, "--latency", String(LATENCY_MS)];
  const stage = await openStage(["--users", String(USERS), ...metered], () => undefined);
  try {
    const works = plan.setup === "poolsync" ? await startPoolsync(stage, plan, seconds) : startPeers(stage, plan);
    const constant = scene === "b" || scene === "e" ? 0.3 * rate : 0;
    await stage.others(constant);
    await until(async () => (await stage.calls()).calls > 0);
    await begun();
    const square = scene === "c" ? beginSquare(stage, 0.4 * rate) : undefined;
    await sleep(WARM_UP_S * 1000);
    await disturb(stage, plan);
    const [before, begunAt, takenBefore] = [await stage.calls(), performance.now(), square?.taken() ?? 0];
    await sleep(seconds * 1000);
    const [after, endedAt, takenAfter] = [await stage.calls(), performance.now(), square?.taken() ?? 0];
    square?.stop();
    const passed = (endedAt - begunAt) / 1000;
    const others = constant * passed + takenAfter - takenBefore;
    const calls = after.calls - before.calls;
    const throttled = after.throttled - before.throttled;
    const { failed, lost } = await works.stop();
    return { seconds, share: (calls - throttled) / (rate * passed - others), throttled, calls, failed, lost };
  } finally {
    await stage.close();
  }
}

/** What scenes f and g are about, and the time that they leave to get over it. */
async function disturb(stage: BenchStage, { scene, quota: rate }: CellPlan): Promise<void> {
  if (scene === "f") await stage.redis.call("CLIENT", "PAUSE", String(PAUSE_S * 1000), "ALL");
  else if (scene === "g") await stage.others(0.8 * rate);
  else return;
  await sleep((scene === "f" ? PAUSE_S : SPELL_S) * 1000);
  if (scene === "g") await stage.others(0);
  await sleep(RECOVERY_S * 1000);
}

/** Others who come and go. What they took is theirs by the emulator's bucket: their rate times the time. */
function beginSquare(stage: BenchStage, ratePerSecond: number): { taken(): number; stop(): void } {
  let takes = false;
  let since = performance.now();
  let sum = 0;
  const sofar = (): number => sum + (takes ? ((performance.now() - since) / 1000) * ratePerSecond : 0);
  const timer = setInterval(() => {
    sum = sofar();
    since = performance.now();
    takes = !takes;
    void stage.others(takes ? ratePerSecond : 0);
  }, SQUARE_S * 1000);
  return { taken: sofar, stop: () => clearInterval(timer) };
}

interface Works {
  stop(): Promise<{ readonly failed: number; readonly lost: number }>;
}

/** The rate that a setup is told: all it can know. */
function ceilingOf({ scene, quota: rate }: CellPlan): number {
  return scene === "d" ? 2 * rate : rate;
}

const peerReport = z.object({ failed: z.number() });

function startPeers(stage: BenchStage, plan: CellPlan): Works {
  const { processes, setup } = plan;
  const mode = setup === "p-throttle" ? "throttle" : setup;
  const rate = String(ceilingOf(plan) / processes);
  const args = [POOL, String(USERS), String(Math.ceil(IN_FLIGHT / processes)), mode, rate];
  const peers = Array.from({ length: processes }, () => stage.start("bench/sdk-loop.ts", args, stage.env));
  return {
    async stop() {
      let failed = 0;
      for (const peer of peers) {
        await peer.kill("SIGTERM");
        await succeeded(peer);
        failed += peerReport.parse(JSON.parse(peer.stdout())).failed;
      }
      return { failed, lost: 0 };
    },
  };
}

async function startPoolsync(stage: BenchStage, plan: CellPlan, seconds: number): Promise<Works> {
  const { processes } = plan;
  const env = {
    ...stage.env,
    REDIS_URL: stage.redisUrl,
    POOLSYNC_RATE: String(ceilingOf(plan)),
    POOLSYNC_RESERVE: "0",
    POOLSYNC_LIST_RATE: "25",
    POOLSYNC_CONCURRENCY: String(Math.ceil(IN_FLIGHT / processes)),
  };
  const rows = Math.min(USERS - 1000, Math.ceil(plan.quota * (seconds + WARM_UP_S + SPELL_S + RECOVERY_S + 10)));
  const lines = Array.from(
    { length: rows },
    (_, index) => `user${String(index + 1).padStart(5, "0")},Given ${index},"Family, ${index}",n${index}`,
  );
  const file = join(stage.directory, "users.csv");
  await writeFile(file, ["username,given_name,family_name,nickname", ...lines].join("\n"));
  await succeeded(stage.start("src/cli/main.ts", ["sync", file, "--user-pool-id", POOL, "--detach", "--json"], env));
  const workers = Array.from({ length: processes }, () => stage.start("workers/deliver.ts", [], env));
  return {
    async stop() {
      for (const worker of workers) await worker.kill("SIGTERM");
      for (const worker of workers) await succeeded(worker);
      const store = await openRedisStore({ url: stage.redisUrl, namespace: stage.namespace });
      try {
        const books = await store.runs.books();
        let failed = books.dead + books.invalid;
        for await (const user of attempts(stage)) failed += user;
        return { failed, lost: Math.abs(imbalance(books)) + Math.abs(books.received - rows * 3) };
      } finally {
        await store.close();
      }
    },
  };
}

const mailbox = z.object({
  // Counts that are 0 are left out.
  pending: z.record(z.string(), z.object({ attempts: z.number().default(0), faults: z.number().default(0) })),
});

/** Attempts that were counted in what still waits: a throttle must not count. */
async function* attempts({ redis, namespace }: BenchStage): AsyncGenerator<number> {
  const stream = redis.hscanStream(`{poolsync:${namespace}}:2:mailboxes`, { count: 500 });
  for await (const page of stream as AsyncIterable<string[]>) {
    for (let at = 1; at < page.length; at += 2) {
      const { pending } = mailbox.parse(JSON.parse(page[at] ?? ""));
      yield Object.values(pending).reduce((sum, unit) => sum + unit.attempts + unit.faults, 0);
    }
  }
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error("Expected calls to begin within a minute");
    await sleep(50);
  }
}
