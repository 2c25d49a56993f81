/**
 * What share of a quota is used, and how many calls are throttled: poolsync beside what people use instead, in real
 * processes, on an emulator that meters with a token bucket of one second and answers after 20 ms. A whole run takes
 * about two hours; each cell is kept as soon as it is measured, and the next run goes on with the rest.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { imbalance } from "../src/core/books.ts";
import { openRedisStore } from "../src/store/redis/redis-store.ts";
import type { BenchContext, Outcome, Scenario, Table } from "./scenario.ts";
import { type BenchStage, openStage, POOL, succeeded } from "./stage.ts";

export const quota: Scenario = {
  name: "quota",
  about: "share of the quota and throttles, beside the SDK's retries and p-throttle (--only, --seconds, --again)",
  run,
};

const SCENES = {
  a: "nobody else",
  b: "others take 30 %",
  c: "others take 40 % every other 20 s",
  d: "a ceiling twice the true quota",
} as const;
const SETUPS = ["poolsync", "standard", "adaptive", "p-throttle"] as const;
const QUOTAS = [25, 50, 200] as const;
const PROCESSES = [1, 4] as const;

const WARM_UP_S = 5;
const SQUARE_S = 20;
const IN_FLIGHT = 50;
const USERS = 20_000;
const LATENCY_MS = 20;

interface Plan {
  readonly scene: keyof typeof SCENES;
  readonly quota: number;
  readonly processes: number;
  readonly setup: (typeof SETUPS)[number];
}

const cell = z.object({
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
type Cell = z.infer<typeof cell>;
const kept = z.object({ cells: z.record(z.string(), cell) });

function nameOf({ scene, quota: rate, processes, setup }: Plan): string {
  return `${scene} ${rate}/s ${processes}x ${setup}`;
}

async function run(context: BenchContext): Promise<Outcome> {
  const { values } = parseArgs({
    args: [...context.args],
    options: {
      only: { type: "string", default: "" },
      seconds: { type: "string", default: "60" },
      again: { type: "boolean", default: false },
    },
  });
  const seconds = Number(values.seconds);
  const wanted = values.only.split(",").filter((part) => part !== "");
  const read = kept.safeParse(context.kept);
  const cells: Record<string, Cell> = read.success ? { ...read.data.cells } : {};
  for (const plan of plans()) {
    const name = nameOf(plan);
    if (!wanted.every((part) => name.split(" ").includes(part))) continue;
    if (!values.again && (cells[name]?.seconds ?? 0) >= seconds) continue;
    cells[name] = await measure(plan, seconds, context);
    await context.keep({ cells });
    context.say(`${name}: ${shown(cells[name])}`);
  }
  const failed = Object.entries(cells)
    .filter(([name]) => name.endsWith("poolsync"))
    .reduce((sum, [, each]) => sum + each.failed + each.lost, 0);
  return { tables: tables(cells), figures: { cells }, failed };
}

/** What matters most comes first, so that a run that is cut has told it. */
function plans(): Plan[] {
  return QUOTAS.flatMap((rate) =>
    (["b", "a", "d", "c"] as const).flatMap((scene) =>
      PROCESSES.flatMap((processes) => SETUPS.map((setup) => ({ scene, quota: rate, processes, setup }))),
    ),
  );
}

async function measure(plan: Plan, seconds: number, { say }: BenchContext): Promise<Cell> {
  const { scene, quota: rate } = plan;
  const told = ["--users", String(USERS), "--rate", `UserUpdate=${rate}`, "--latency", String(LATENCY_MS)];
  const stage = await openStage(told, () => undefined);
  try {
    const works = plan.setup === "poolsync" ? await startPoolsync(stage, plan, seconds) : startPeers(stage, plan);
    if (scene === "b") await stage.others(0.3 * rate);
    await until(async () => (await stage.calls()).calls > 0);
    const square = scene === "c" ? beginSquare(stage, 0.4 * rate) : undefined;
    await sleep(WARM_UP_S * 1000);
    const [before, begunAt, takenBefore] = [await stage.calls(), performance.now(), square?.taken() ?? 0];
    await sleep(seconds * 1000);
    const [after, endedAt, takenAfter] = [await stage.calls(), performance.now(), square?.taken() ?? 0];
    square?.stop();
    const passed = (endedAt - begunAt) / 1000;
    const others = scene === "b" ? 0.3 * rate * passed : takenAfter - takenBefore;
    const calls = after.calls - before.calls;
    const throttled = after.throttled - before.throttled;
    const { failed, lost } = await works.stop();
    return { seconds, share: (calls - throttled) / (rate * passed - others), throttled, calls, failed, lost };
  } catch (error) {
    say(`${nameOf(plan)} was not measured`);
    throw error;
  } finally {
    await stage.close();
  }
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
function ceilingOf({ scene, quota: rate }: Plan): number {
  return scene === "d" ? 2 * rate : rate;
}

const peerReport = z.object({ failed: z.number() });

function startPeers(stage: BenchStage, plan: Plan): Works {
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

async function startPoolsync(stage: BenchStage, plan: Plan, seconds: number): Promise<Works> {
  const { processes } = plan;
  const env = {
    ...stage.env,
    REDIS_URL: stage.redisUrl,
    POOLSYNC_RATE: String(ceilingOf(plan)),
    POOLSYNC_RESERVE: "0",
    POOLSYNC_CONCURRENCY: String(Math.ceil(IN_FLIGHT / processes)),
  };
  const rows = Math.min(USERS - 1000, Math.ceil(plan.quota * (seconds + WARM_UP_S + 10)));
  const lines = Array.from(
    { length: rows },
    (_, index) => `user${String(index + 1).padStart(5, "0")},Given ${index},"Family, ${index}",n${index}`,
  );
  const file = join(stage.directory, "users.csv");
  await writeFile(file, ["username,given_name,family_name,nickname", ...lines].join("\n"));
  await succeeded(
    stage.start(
      "src/cli/main.ts",
      ["sync", file, "--user-pool-id", POOL, "--detach", "--baseline", "none", "--json"],
      env,
    ),
  );
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
  pending: z.record(z.string(), z.object({ attempts: z.number(), faults: z.number() })),
});

/** Attempts that were counted in what still waits: a throttle must not count. */
async function* attempts({ redis, namespace }: BenchStage): AsyncGenerator<number> {
  const stream = redis.hscanStream(`{poolsync:${namespace}}:mailboxes`, { count: 500 });
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

function shown(each: Cell | undefined): string {
  if (each === undefined) return "";
  const throttled = ((100 * each.throttled) / Math.max(1, each.calls)).toFixed(2);
  const failed = each.failed + each.lost === 0 ? "" : `, ${each.failed + each.lost} failed`;
  return `${each.share.toFixed(3)} / ${throttled} %${failed}`;
}

function tables(cells: Readonly<Record<string, Cell>>): Table[] {
  const all = QUOTAS.flatMap((rate) => PROCESSES.map((processes) => ({ quota: rate, processes })));
  return (Object.keys(SCENES) as (keyof typeof SCENES)[]).flatMap((scene) => {
    const measured = all.filter((column) => SETUPS.some((setup) => nameOf({ ...column, scene, setup }) in cells));
    if (measured.length === 0) return [];
    return {
      title: `(${scene}) ${SCENES[scene]}: share of what remains to us / our calls that were throttled`,
      columns: [
        { title: "" },
        ...measured.map((column) => ({
          title: `${column.quota}/s, ${column.processes} ${column.processes === 1 ? "process" : "processes"}`,
          align: "right" as const,
        })),
      ],
      rows: SETUPS.map((setup) => [
        setup,
        ...measured.map((column) => shown(cells[nameOf({ ...column, scene, setup })])),
      ]),
    };
  });
}
