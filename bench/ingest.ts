/**
 * Events: how fast and how soon they are acknowledged, beside a bare hono server that checks the same signature and does one
 * write to Redis a request, and with a worker at full pace beside `ingest`; how long one takes until Cognito has applied it,
 * idle and under a bulk run, on Redis and embedded; and whether memory stays as it is over many. What is counted has been
 * acknowledged, and is in the inbox; the same process drains it meanwhile. On a machine that others use as well the ratios
 * and the CPU time of a request say more than what was reached.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { quantile } from "./figures.ts";
import { sendAll } from "./http-load.ts";
import { ingestFlood } from "./ingest-flood.ts";
import { ingestPeople } from "./ingest-people.ts";
import {
  drained,
  envOf,
  eventRequest,
  LOGGING,
  openIngestStage,
  SMALL_HEAP,
  startServer,
  type Server,
} from "./ingest-stage.ts";
import { beginBulk, username, USERS } from "./latency.ts";
import { queueMessages } from "./queue-messages.ts";
import type { BenchContext, Outcome, Scenario, Table } from "./scenario.ts";
import { type BenchStage, cpuOf } from "./stage.ts";

export const ingest: Scenario = {
  name: "ingest",
  about:
    "events acknowledged a second, event to applied, memory, a queue, many people a request, a flood (--parts, --seconds, --rate, --changes, --events, --users, --messages, --requests, --flood)",
  run,
};

const CONNECTIONS = 50;
/** As `bench -- latency` has them. */
const [RATE, LATENCY_MS, EVERY_MS] = [25, 20, 200];
const PATIENCE_MS = 60_000;
/** Requests that are made before they are sent: signing them takes longer than sending. */
const AHEAD = 20_000;

interface Part {
  readonly tables: readonly Table[];
  readonly figures: object;
  readonly failed: number;
}

interface Sizes {
  readonly seconds: number;
  /** Requests a second whose times are measured. */
  readonly rate: number;
  readonly changes: number;
  readonly events: number;
  readonly users: number;
  /** Of a queue. */
  readonly messages: number;
  /** Of 20 people each. */
  readonly requests: number;
  /** People of whom an event each comes at once. */
  readonly flood: number;
}

const PARTS: Readonly<Record<string, (sizes: Sizes, say: BenchContext["say"]) => Promise<Part>>> = {
  answers,
  redis: (sizes, say) => applied("Redis", sizes, say),
  embedded: (sizes, say) => applied("embedded", sizes, say),
  memory,
  queue: (sizes, say) =>
    onStage(20_000, (stage) => queueMessages(stage, envOf(stage, 100_000), sizes.messages, say), say),
  people: (sizes, say) => onStage(20_000, (stage) => ingestPeople(stage, sizes.requests, say), say),
  flood: (sizes, say) => onStage(sizes.flood, (stage) => ingestFlood(stage, sizes.flood, say), say),
};

async function run({ args, say }: BenchContext): Promise<Outcome> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      parts: { type: "string", default: Object.keys(PARTS).join(",") },
      seconds: { type: "string", default: "8" },
      rate: { type: "string", default: "2000" },
      changes: { type: "string", default: "150" },
      events: { type: "string", default: "300000" },
      users: { type: "string", default: String(USERS) },
      messages: { type: "string", default: "20000" },
      requests: { type: "string", default: "3000" },
      flood: { type: "string", default: "50000" },
    },
  });
  const sizes = {
    seconds: Number(values.seconds),
    rate: Number(values.rate),
    changes: Number(values.changes),
    events: Number(values.events),
    users: Number(values.users),
    messages: Number(values.messages),
    requests: Number(values.requests),
    flood: Number(values.flood),
  };
  const done: Record<string, Part> = {};
  for (const name of values.parts.split(",")) {
    const part = PARTS[name];
    if (part === undefined) throw new Error(`Expected parts of ${Object.keys(PARTS).join(", ")}, got ${name}`);
    done[name] = await part(sizes, say);
  }
  const parts = Object.values(done);
  return {
    tables: parts.flatMap(({ tables }) => tables),
    figures: Object.fromEntries(Object.entries(done).map(([name, { figures }]) => [name, figures])),
    failed: parts.reduce((sum, { failed }) => sum + failed, 0),
  };
}

interface Reading {
  readonly name: string;
  readonly perSecond: number;
  readonly cpuMicros: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly refused: number;
}

async function answers({ seconds, rate }: Sizes, say: BenchContext["say"]): Promise<Part> {
  const stage = await openIngestStage(["--users", "20000", "--rate", "unmetered"], say);
  try {
    const env = envOf(stage, 100_000);
    const readings: Reading[] = [];
    const bare = await startServer(stage, "bench/bare-server.ts", { ...env, STREAM: `{poolsync:${stage.namespace}}s` });
    const measure = async (name: string, server: Server): Promise<void> => {
      say(`answers: ${name}`);
      const settled = server === bare ? undefined : () => drained(stage);
      readings.push({ name, ...(await answersOf(server, seconds, rate, settled)) });
    };
    await measure("bare hono", bare);
    const server = await startServer(stage, "workers/ingest.ts", { ...env, ...LOGGING });
    await measure("ingest", server);
    const worker = stage.start("workers/deliver.ts", [], env);
    await sleep(2000);
    await measure("ingest, a worker beside it", server);
    await worker.kill("SIGKILL");
    // Again, because a machine that is shared is not equally fast all the time.
    await measure("bare hono, at the end", bare);
    await Promise.all([bare.stop(), server.stop()]);
    return answersPart(readings, seconds, rate);
  } finally {
    await stage.close();
  }
}

async function onStage(users: number, part: (stage: BenchStage) => Promise<Part>, say: BenchContext["say"]) {
  const stage = await openIngestStage(["--users", String(users), "--rate", "unmetered"], say);
  try {
    return await part(stage);
  } finally {
    await stage.close();
  }
}

/** `settled` resolves once what was acknowledged is done with. */
async function answersOf(
  server: Server,
  seconds: number,
  rate: number,
  settled: () => Promise<unknown> = () => Promise.resolve(),
): Promise<Omit<Reading, "name">> {
  await sendAll({ port: server.port, connections: CONNECTIONS, next: requests(1000) });
  await settled();
  const before = await cpuOf(server);
  const next = requests(seconds * rate);
  const open = await sendAll({ port: server.port, connections: 200, next, ratePerSecond: rate });
  const many = Array.from({ length: AHEAD }, (_, at) => eventRequest(username(at % 20_000), `n${at}`));
  const endAt = performance.now() + seconds * 1000;
  const full = await sendAll({
    port: server.port,
    connections: CONNECTIONS,
    next: () => (performance.now() < endAt ? many.pop() : undefined),
  });
  await settled();
  const cpu = (await cpuOf(server)) - before;
  const [p50 = 0, p95 = 0, p99 = 0] = [0.5, 0.95, 0.99].map((at) => quantile(open.ms, at));
  return {
    perSecond: full.ms.length / full.seconds,
    cpuMicros: (cpu / (open.ms.length + full.ms.length)) * 1e6,
    p50,
    p95,
    p99,
    refused: open.refused + full.refused,
  };
}

/** So many requests, about different users, each about 250 bytes long. */
function requests(count: number): () => Buffer | undefined {
  const made = Array.from({ length: count }, (_, at) => eventRequest(username(at % 20_000), `n${at}`));
  return () => made.pop();
}

function answersPart(readings: readonly Reading[], seconds: number, rate: number): Part {
  const bare = readings.filter(({ name }) => name.startsWith("bare"));
  const bareOf = (of: (reading: Reading) => number): number =>
    bare.reduce((sum, reading) => sum + of(reading), 0) / bare.length;
  const columns = ["", "a second", "of bare", "CPU µs", "of bare", "p50 ms", "p95", "p99", "refused"];
  return {
    tables: [
      {
        title: `Acknowledged: as many as go over ${CONNECTIONS} connections for ${seconds} s, and the times of ${rate} a second`,
        columns: columns.map((title, at) => ({ title, align: at === 0 ? "left" : "right" })),
        rows: readings.map(({ name, perSecond, cpuMicros, p50, p95, p99, refused }) => [
          name,
          perSecond.toFixed(0),
          (perSecond / bareOf((reading) => reading.perSecond)).toFixed(2),
          cpuMicros.toFixed(0),
          (cpuMicros / bareOf((reading) => reading.cpuMicros)).toFixed(2),
          ...[p50, p95, p99].map((ms) => ms.toFixed(1)),
          String(refused),
        ]),
        notes: ["CPU is the server process's for a request; that of `ingest` has draining it from the inbox as well."],
      },
    ],
    figures: { readings },
    failed: readings.reduce((sum, { refused }) => sum + refused, 0),
  };
}

interface Applied {
  readonly name: string;
  readonly ms: readonly number[];
  readonly lost: number;
}

const writes = z.array(z.object({ at: z.number(), attributes: z.record(z.string(), z.string()) }));

async function applied(
  engine: "Redis" | "embedded",
  { changes, users }: Sizes,
  say: BenchContext["say"],
): Promise<Part> {
  const samples: Applied[] = [];
  const metered = ["--users", String(users), "--rate", `UserUpdate=${RATE}`, "--latency", String(LATENCY_MS)];
  const stage = await openIngestStage(metered, say);
  try {
    for (const load of ["idle", "bulk"] as const) {
      const name = `${engine}, ${load === "bulk" ? `under a bulk run of ${users}` : load}`;
      say(`event to applied: ${name}`);
      samples.push({ name, ...(await appliedOn(stage, engine, load, changes, users)) });
    }
  } finally {
    await stage.close();
  }
  return {
    tables: [
      {
        title: `${changes} events, one every ${EVERY_MS} ms, ${RATE} calls a second, ${LATENCY_MS} ms a call: sent to applied, in ms`,
        columns: ["", "p50", "p95", "p99", "lost"].map((title, at) => ({ title, align: at === 0 ? "left" : "right" })),
        rows: samples.map(({ name, ms, lost }) => [
          name,
          ...[0.5, 0.95, 0.99].map((at) => quantile(ms, at).toFixed(0)),
          String(lost),
        ]),
      },
    ],
    figures: {
      changes,
      samples: samples.map(({ name, ms, lost }) => {
        const [p50, p95, p99] = [0.5, 0.95, 0.99].map((at) => quantile(ms, at));
        return { name, p50, p95, p99, lost };
      }),
    },
    failed: samples.reduce((sum, { lost }) => sum + lost, 0),
  };
}

async function appliedOn(
  stage: BenchStage,
  engine: "Redis" | "embedded",
  load: "idle" | "bulk",
  changes: number,
  users: number,
): Promise<Omit<Applied, "name">> {
  const shared = envOf(stage, RATE);
  const { REDIS_URL: _, ...alone } = shared;
  const env = engine === "Redis" ? shared : { ...alone, POOLSYNC_DATA_DIR: join(stage.directory, "embedded") };
  const worker = engine === "Redis" ? stage.start("workers/deliver.ts", [], env) : undefined;
  if (load === "bulk") {
    const flags = ["--baseline", "none", ...(engine === "Redis" ? ["--detach"] : [])];
    const sync = await beginBulk(stage, env, flags, users);
    if (engine === "embedded") {
      // What was put stays queued, and goes on in the process that takes the events.
      await sync.kill("SIGTERM");
      await sync.ended();
    }
  }
  const server = await startServer(stage, "workers/ingest.ts", { ...env, ...LOGGING });
  try {
    // The first one opens the pool.
    await sendAll({ port: server.port, connections: 1, next: requests(1) });
    await sleep(3000);
    return await timesOf(stage, server, load, changes, users);
  } finally {
    await server.stop();
    await worker?.kill("SIGKILL");
  }
}

async function timesOf(
  stage: BenchStage,
  server: Server,
  load: string,
  changes: number,
  users: number,
): Promise<Omit<Applied, "name">> {
  const sent = new Map<string, number>();
  const answered: Promise<{ readonly refused: number }>[] = [];
  for (let nth = 0; nth < changes; nth += 1) {
    const value = `${load}-${nth}`;
    // Under the bulk run every other one is about somebody who waits in it.
    const user = nth % 2 === 0 ? Math.floor(users / 10) + nth : users - 2 - nth;
    let request: Buffer | undefined = eventRequest(username(user), value);
    const next = (): Buffer | undefined => {
      const only = request;
      request = undefined;
      return only;
    };
    sent.set(value, Date.now());
    answered.push(sendAll({ port: server.port, connections: 1, next }));
    await sleep(EVERY_MS);
  }
  await Promise.all(answered);
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const log = writes.parse(await stage.log());
    const at = new Map(log.map((write) => [write.attributes["nickname"] ?? "", write.at]));
    const lost = [...sent.keys()].filter((value) => !at.has(value)).length;
    if (lost === 0 || performance.now() > deadline) {
      return { lost, ms: [...sent].map(([value, from]) => (at.get(value) ?? Infinity) - from) };
    }
    await sleep(500);
  }
}

async function memory({ events }: Sizes, say: BenchContext["say"]): Promise<Part> {
  const stage = await openIngestStage(["--users", "20000", "--rate", "unmetered"], say);
  try {
    const env = { ...envOf(stage, 100_000), ...LOGGING, ...SMALL_HEAP };
    const server = await startServer(stage, "workers/ingest.ts", env);
    const sizes: { readonly events: number; readonly mib: number }[] = [];
    const step = Math.ceil(events / 12);
    let [sent, refused] = [0, 0];
    while (sent < events) {
      const count = Math.min(step, events - sent);
      let made = 0;
      const next = (): Buffer | undefined =>
        made++ < count ? eventRequest(username((sent + made) % 20_000), `n${sent + made}`) : undefined;
      refused += (await sendAll({ port: server.port, connections: CONNECTIONS, next })).refused;
      sent += count;
      sizes.push({ events: sent, mib: await server.memoryMiB() });
      say(`memory: ${sent} events, ${(sizes.at(-1)?.mib ?? 0).toFixed(0)} MiB`);
    }
    const left = await drained(stage);
    await server.stop();
    const most = (of: typeof sizes): number => Math.max(...of.map(({ mib }) => mib));
    const growth = most(sizes.slice(-4)) / most(sizes.slice(0, 4));
    return {
      tables: [
        {
          title: `Memory of \`ingest\`, with a heap of 64 MB at most, while it takes and drains ${events} events`,
          columns: [
            { title: "events", align: "right" },
            { title: "MiB", align: "right" },
          ],
          rows: sizes.map((size) => [String(size.events), size.mib.toFixed(0)]),
          notes: [`The most in the last third is ${growth.toFixed(2)} times that in the first.`],
        },
      ],
      figures: { events, sizes, growth },
      failed: refused + left,
    };
  } finally {
    await stage.close();
  }
}
