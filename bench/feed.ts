/**
 * How fast a feed is read, mapped, checked and put, and what memory that takes: `sync --detach`, which reads the file
 * twice, beside csv-parse alone, which reads it once. Nobody delivers: the rows are of 15,000 users, each row newer
 * than the one before, so that what waits stays below the mark at which a producer would wait for the workers. Then
 * what one user costs in Redis, who waits and who is done.
 */
import { createWriteStream } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import type { TestProcess } from "../test/support/process.ts";
import { openRedisStore } from "../src/store/redis/redis-store.ts";
import { GUARDS_OFF } from "../test/chaos/run-settings.ts";
import type { BenchContext, Outcome, Scenario } from "./scenario.ts";
import { type BenchStage, openStage, POOL, succeeded } from "./stage.ts";

export const feed: Scenario = {
  name: "feed",
  about: "rows a second and memory from 50,000 to a million rows, beside csv-parse; bytes in Redis (--rows)",
  run,
};

const USERS = 15_000;
const UNITS = 3;
const FEW_ROWS = 50_000;
const DONE_WITHIN_MS = 10 * 60_000;
const csvReport = z.object({ rows: z.number(), seconds: z.number() });
const syncReport = z.object({ rows: z.object({ read: z.number(), faulty: z.number() }) });

interface Reading {
  readonly rows: number;
  readonly seconds: number;
  readonly peakMiB: number;
}

async function run({ args, say }: BenchContext): Promise<Outcome> {
  const { values } = parseArgs({ args: [...args], options: { rows: { type: "string", default: "1000000" } } });
  const stage = await openStage(["--users", String(USERS), "--rate", "unmetered"], say);
  try {
    const config = join(stage.directory, "poolsync.yaml");
    await writeFile(config, CONFIG);
    const env = {
      ...stage.env,
      REDIS_URL: stage.redisUrl,
      POOLSYNC_CONFIG: config,
      // As `npm run poolsync` starts it.
      NODE_OPTIONS: "--max-semi-space-size=16",
    };
    const readings: { rows: number; csv: Reading; poolsync: Reading }[] = [];
    let failed = 0;
    for (const rows of [FEW_ROWS, Number(values.rows)]) {
      const file = join(stage.directory, `${rows}.csv`);
      await pipeline(Readable.from(lines(rows)), createWriteStream(file));
      say(`${rows} rows: csv-parse`);
      const csv = stage.start("bench/csv-loop.ts", [file], {});
      const csvPeak = await peakOf(csv);
      const { seconds } = csvReport.parse(JSON.parse(csv.stdout()));
      say(`${rows} rows: poolsync`);
      const namespace = `${stage.namespace}-${rows}`;
      const begunAt = performance.now();
      const sync = stage.start(
        "bin/poolsync.js",
        ["sync", file, "--feed", "hr", "--detach", "--baseline", "none", "--json"],
        { ...env, POOLSYNC_NAMESPACE: namespace },
      );
      const peakMiB = await peakOf(sync);
      const took = (performance.now() - begunAt) / 1000;
      const { read, faulty } = syncReport.parse(JSON.parse(sync.stdout())).rows;
      failed += Math.abs(read - rows) + faulty + (await lost(stage.redisUrl, namespace, rows));
      readings.push({
        rows,
        csv: { rows, seconds, peakMiB: csvPeak },
        poolsync: { rows, seconds: took, peakMiB },
      });
    }
    const bytes = await bytesInRedis(stage, env, say);
    return outcome(readings, bytes, failed);
  } finally {
    await stage.close();
  }
}

const CONFIG = `${GUARDS_OFF}
pools:
  people: { id: ${POOL} }
feeds:
  hr:
    pool: people
    username: Login
    version: Changed
    attributes: { given_name: First, family_name: Last, nickname: Nick }
`;

function* lines(rows: number): Generator<string> {
  const firstMs = Date.UTC(2026, 0, 1);
  yield "Login,First,Last,Nick,Changed\n";
  for (let row = 0; row < rows; row += 1) {
    const user = `user${String((row % USERS) + 1).padStart(5, "0")}`;
    yield `${user},Given ${row},"Family, ${row}",nick${row},${new Date(firstMs + row * 1000).toISOString()}\n`;
  }
}

/** What the books say is not there. */
async function lost(url: string, namespace: string, rows: number): Promise<number> {
  const store = await openRedisStore({ url, namespace });
  try {
    const { received, invalid } = await store.runs.books();
    return Math.abs(received - rows * UNITS) + invalid;
  } finally {
    await store.close();
  }
}

/** Waits until a child has ended well, and answers the most memory that it ever held, in MiB; NaN off Linux. */
async function peakOf(child: TestProcess): Promise<number> {
  let peakKib = Number.NaN;
  while (child.child.exitCode === null && child.child.signalCode === null) {
    const status = await readFile(`/proc/${child.child.pid}/status`, "utf8").catch(() => "");
    const said = /VmHWM:\s+(\d+)/.exec(status)?.[1];
    if (said !== undefined) peakKib = Number(said);
    await sleep(20);
  }
  await succeeded(child);
  return peakKib / 1024;
}

interface Bytes {
  readonly perDueUser: number;
  readonly perLedgerUser: number;
  readonly perLedgerEntry: number;
}

/** What Redis holds for each of the users while they wait, and when they are done. */
async function bytesInRedis(
  stage: BenchStage,
  env: Readonly<Record<string, string>>,
  say: (line: string) => void,
): Promise<Bytes> {
  const { redis } = stage;
  // Every key bears the namespace: it is as long as the usual one.
  const namespace = `${stage.namespace.slice(0, 6)}by`;
  const own = { ...env, POOLSYNC_NAMESPACE: namespace, POOLSYNC_RATE: "100000", POOLSYNC_CONCURRENCY: "25" };
  const file = join(stage.directory, "bytes.csv");
  await pipeline(Readable.from(lines(USERS)), createWriteStream(file));
  const used = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await redis.info("memory"))?.[1]);
  const empty = await used();
  await succeeded(stage.start("bin/poolsync.js", ["sync", file, "--feed", "hr", "--detach", "--json"], own));
  await sleep(1000);
  const waiting = await used();
  say(`${USERS} users wait in ${((waiting - empty) / 2 ** 20).toFixed(1)} MiB; delivering them`);
  const worker = stage.start("workers/deliver.ts", [], own);
  const store = await openRedisStore({ url: stage.redisUrl, namespace });
  try {
    const deadline = performance.now() + DONE_WITHIN_MS;
    while ((await store.runs.books()).pending > 0) {
      if (performance.now() > deadline) throw new Error(`Expected the worker to finish within ${DONE_WITHIN_MS} ms`);
      await sleep(200);
    }
  } finally {
    await store.close();
  }
  await worker.kill("SIGTERM");
  await succeeded(worker);
  const done = await used();
  return {
    perDueUser: (waiting - empty) / USERS,
    perLedgerUser: (done - empty) / USERS,
    perLedgerEntry: (done - empty) / USERS / UNITS,
  };
}

function outcome(
  readings: readonly { readonly rows: number; readonly csv: Reading; readonly poolsync: Reading }[],
  bytes: Bytes,
  failed: number,
): Outcome {
  const row = (name: string, { rows, seconds, peakMiB }: Reading): string[] => [
    name,
    String(rows),
    (rows / seconds).toFixed(0),
    peakMiB.toFixed(0),
  ];
  const [few, many] = readings;
  const growth = (many?.poolsync.peakMiB ?? 0) / (few?.poolsync.peakMiB ?? 1);
  return {
    tables: [
      {
        title: `Reading a CSV of ${UNITS} attributes and a time: csv-parse alone, once; poolsync twice, mapped, checked and put into Redis`,
        columns: ["", "rows", "rows/s", "peak MiB"].map((title, at) => ({ title, align: at === 0 ? "left" : "right" })),
        rows: readings.flatMap(({ csv, poolsync }) => [row("csv-parse", csv), row("poolsync", poolsync)]),
        notes: [`Peak memory at the most rows is ${growth.toFixed(2)} times that at the fewest.`],
      },
      {
        title: `Bytes in Redis for a user with ${UNITS} attributes`,
        columns: [{ title: "" }, { title: "bytes", align: "right" }],
        rows: [
          ["who waits, wake-up included", bytes.perDueUser.toFixed(0)],
          ["who is done (ledger)", bytes.perLedgerUser.toFixed(0)],
          ["an attribute in the ledger", bytes.perLedgerEntry.toFixed(0)],
        ],
      },
    ],
    figures: { readings, growth, bytes },
    failed,
  };
}
