/**
 * What it takes to bring a directory of which one percent changed into a pool: a plan and the writes of the
 * difference, beside a loop that writes every row. Time at Cognito's quotas is simulated, because waiting for it
 * teaches nothing; how fast a plan is worked out and its memory are measured, with nothing metered. What a plan says of
 * its run is held against the run, in real time.
 */
import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { ceilingsOf } from "../src/config/ceilings.ts";
import { fullBucket, takeToken } from "../src/emulator/bucket.ts";
import { AWS_ENVIRONMENT } from "../test/support/aws-environment.ts";
import { runFile } from "../test/support/process.ts";
import { estimates, type Estimated } from "./plan-estimate.ts";
import { userOf } from "./generated-pool.ts";
import type { BenchContext, Outcome, Scenario } from "./scenario.ts";

export const plan: Scenario = {
  name: "plan",
  about: "calls and time of a plan and its writes, beside writing every row; rows a second and memory",
  run,
};

const CHANGED_OF = 100;
/** Cognito's quotas, and the share that poolsync takes of them unless it is told otherwise. */
const DEFAULTS = ceilingsOf([]);
const UPDATES = { quota: 25, poolsync: DEFAULTS.ratePerSecond };
const LISTS = { quota: 30, poolsync: DEFAULTS.listsPerSecond };

const measured = z.object({
  rows: z.number(),
  matched: z.number(),
  changed: z.number(),
  updates: z.number(),
  pages: z.number(),
  scanMs: z.number(),
  checkMs: z.number(),
  planMs: z.number(),
  walkMs: z.number(),
  put: z.number(),
  broken: z.number(),
  peakMegabytes: z.number(),
});
type Measured = z.infer<typeof measured>;

async function run({ args, say }: BenchContext): Promise<Outcome> {
  const { values } = parseArgs({ args: [...args], options: { rows: { type: "string", multiple: true } } });
  const sizes = (values.rows ?? ["100000", "1000000"]).map(Number);
  const runs: Measured[] = [];
  for (const size of sizes) {
    say(`Planning ${size} rows against a pool of as many users, unmetered`);
    runs.push(await measure(size));
  }
  const estimated = await estimates(say);
  const last = runs.at(-1);
  if (!last) throw new Error("Expected at least one size");
  const poolsync = {
    lists: last.pages,
    updates: last.updates,
    seconds: spend(last.pages, LISTS.poolsync, LISTS.quota) + spend(last.updates, UPDATES.poolsync, UPDATES.quota),
    active: last.changed,
  };
  const loop = {
    lists: 0,
    updates: last.rows,
    seconds: spend(last.rows, UPDATES.quota, UPDATES.quota),
    active: last.rows,
  };
  const wrong = runs.filter((one) => one.matched !== one.rows || one.changed !== Math.ceil(one.rows / CHANGED_OF));
  const number = (value: number): string => Math.round(value).toLocaleString("en-US");
  const hours = (seconds: number): string =>
    `${Math.floor(seconds / 3600)}h ${String(Math.round((seconds % 3600) / 60)).padStart(2, "0")}m`;
  const row = (name: string, of: typeof loop): string[] => [
    name,
    number(of.lists),
    number(of.updates),
    hours(of.seconds),
    number(of.active),
  ];
  const figures = { changedShare: 1 / CHANGED_OF, runs, simulated: { poolsync, loop }, estimated };
  return {
    tables: [
      {
        title: `${number(last.rows)} users, 1 % of them changed, at Cognito's quotas (simulated clock)`,
        columns: ["", "ListUsers", "AdminUpdate", "time", "billed as active"].map(right),
        rows: [
          row("a loop that writes every row, at 25/s", loop),
          row(`poolsync: plan, then the difference at ${UPDATES.poolsync}/s`, poolsync),
        ],
        notes: [
          `Calls: ${(loop.updates / (poolsync.lists + poolsync.updates)).toFixed(1)} times fewer. No call was throttled by the simulated buckets.`,
          "A scan is one chain of pages: where an answer takes longer than 40 ms, that and not the quota is its pace.",
        ],
      },
      {
        title: "Unmetered, on this machine: the whole plan, scan included",
        columns: ["rows", "rows/s", "first pass", "plan", "of that the scan", "walk to put", "peak memory"].map(right),
        rows: runs.map((one) => [
          number(one.rows),
          number((one.rows / (one.checkMs + one.planMs)) * 1000),
          seconds(one.checkMs),
          seconds(one.planMs),
          seconds(one.scanMs),
          seconds(one.walkMs),
          `${one.peakMegabytes} MB`,
        ]),
      },
      {
        title: "What a plan says of its run, and what the run then took, at Cognito's quotas",
        columns: ["", "read by the plan", "AdminUpdate", "took", "ListUsers", "took", "time", "took"].map(right),
        rows: estimated.map(({ title, planned, taken, reading }) => [
          title,
          number(reading),
          ...(["updates", "lists"] as const).flatMap((what) => [number(planned[what]), number(taken[what])]),
          seconds(planned.ms),
          seconds(taken.ms),
        ]),
      },
    ],
    figures,
    failed: wrong.length + estimated.filter((one) => !isNear(one)).length,
  };
}

/** Calls within 10 %. The time is told, and not judged: a busy machine adds to it. */
function isNear({ planned, taken }: Estimated): boolean {
  return (["updates", "lists"] as const).every((what) => Math.abs(planned[what] - taken[what]) <= taken[what] / 10);
}

const right = (title: string, index: number) => ({
  title,
  align: index === 0 ? ("left" as const) : ("right" as const),
});
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)}s`;

/** Seconds that so many calls take at a steady rate. Throws where the quota would throttle one. */
function spend(calls: number, ratePerSecond: number, quotaPerSecond: number): number {
  const rule = { refillPerSecond: quotaPerSecond, capacity: 1, othersPerSecond: 0 };
  let now = 0;
  let bucket = fullBucket(rule, now);
  for (let call = 0; call < calls; call += 1) {
    now = (call * 1000) / ratePerSecond;
    const taken = takeToken(bucket, rule, now);
    if (!taken.granted) throw new Error(`Expected no throttle at ${ratePerSecond} a second, got one at call ${call}`);
    bucket = taken.bucket;
  }
  return now / 1000;
}

async function measure(size: number): Promise<Measured> {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-bench-"));
  const pool = runFile("bench/generated-pool.ts", [String(size)], {});
  try {
    const path = join(directory, "export.csv");
    await writeFeed(path, size);
    while (pool.stdout() === "" && pool.child.exitCode === null) await sleep(20);
    // As the command is run in a checkout: see `poolsync` in package.json.
    const env = { ...AWS_ENVIRONMENT, NODE_OPTIONS: "--max-semi-space-size=16" };
    const process = runFile("bench/plan-process.ts", [path, pool.stdout().trim()], env);
    if ((await process.ended()) !== 0) throw new Error(`The plan failed: ${process.stderr()}`);
    return measured.parse(JSON.parse(process.stdout()));
  } finally {
    await pool.kill("SIGKILL");
    await rm(directory, { recursive: true, force: true });
  }
}

/** Everybody as the pool has them, but that each hundredth has another department. */
async function writeFeed(path: string, size: number): Promise<void> {
  const file = createWriteStream(path);
  file.write("username,given_name,family_name,custom:department,custom:manager\n");
  for (let nth = 0; nth < size; nth += 1) {
    const { username, attributes: a } = userOf(nth);
    const department = nth % CHANGED_OF === 0 ? `Moved ${nth}` : a["custom:department"];
    const line = [username, a["given_name"], a["family_name"], department, a["custom:manager"]].join(",");
    if (!file.write(`${line}\n`)) await once(file, "drain");
  }
  file.end();
  await once(file, "close");
}
