/**
 * A flood: an event each of many people at once, as a faulty import sends them. When the guard holds, what was written
 * before it, what that takes in memory, and how soon all is written once somebody has approved it; beside the same flood
 * where nothing guards it.
 */
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { runGate } from "../src/core/gate.ts";
import { openRedisStore } from "../src/store/redis/redis-store.ts";
import type { Run } from "../src/store/runs.ts";
import type { Store } from "../src/store/store.ts";
import { sendAll } from "./http-load.ts";
import { CONFIG, drained, envOf, eventRequest, LOGGING, SMALL_HEAP, startServer } from "./ingest-stage.ts";
import { username } from "./latency.ts";
import type { Outcome } from "./scenario.ts";
import { type BenchStage, succeeded } from "./stage.ts";

/** The default of `guards.events.people`; each has a value of their own. */
const GUARD = 500;
const GUARDED = CONFIG.replace("events: off", `events: { people: ${GUARD}, sameValue: off }`);
const CONNECTIONS = 50;
const LOOK_MS = 20;
/** Nothing more was written for so long. */
const PATIENCE_MS = 60_000;
const IDLE_MS = 3000;

interface Reading {
  readonly name: string;
  /** From the first event sent, in seconds; absent where nothing guards. */
  readonly heldAfter?: number;
  readonly writtenBefore?: number;
  readonly sentAfter: number;
  /** Until the inbox is empty: all are written, or wait. */
  readonly drainedAfter: number;
  /** From the approval, or the first event, until everybody is written. */
  readonly writtenAfter: number;
  readonly writtenPerSecond: number;
  readonly idleMiB: number;
  readonly peakMiB: number;
  readonly lost: number;
}

const writes = z.array(z.object({ username: z.string(), attributes: z.record(z.string(), z.string()) }));

export async function ingestFlood(stage: BenchStage, people: number, say: (line: string) => void): Promise<Outcome> {
  const env = envOf(stage, 100_000);
  const store = await openRedisStore({ url: stage.redisUrl, namespace: stage.namespace });
  const worker = stage.start("workers/deliver.ts", [], env);
  try {
    const readings: Reading[] = [];
    for (const guarded of [false, true]) {
      say(`flood of ${people}: ${guarded ? "guarded" : "no guard"}`);
      await writeFile(env["POOLSYNC_CONFIG"] ?? "", guarded ? GUARDED : CONFIG);
      readings.push(await flooded(stage, store, env, people, guarded, say));
    }
    return outcomeOf(readings, people);
  } finally {
    await worker.kill("SIGKILL");
    await store.close();
  }
}

async function flooded(
  stage: BenchStage,
  store: Store,
  env: Readonly<Record<string, string>>,
  people: number,
  guarded: boolean,
  say: (line: string) => void,
): Promise<Reading> {
  const name = guarded ? "guarded" : "no guard";
  const server = await startServer(stage, "workers/ingest.ts", { ...env, ...LOGGING, ...SMALL_HEAP });
  await sleep(IDLE_MS);
  const idleMiB = await server.memoryMiB();
  let next = 0;
  const made = Array.from({ length: people }, (_, at) => eventRequest(username(at), `${name} ${at}`));
  const sentBefore = (await stage.calls()).calls;
  const from = performance.now();
  const since = (at: number): number => (performance.now() - at) / 1000;
  const held = guarded ? heldRun(store, from) : undefined;
  const { refused, seconds } = await sendAll({ ...server, connections: CONNECTIONS, next: () => made[next++] });
  say(`flood: sent in ${seconds.toFixed(1)} s`);
  const left = await drained(stage);
  const drainedAfter = since(from);
  say(`flood: none is in the inbox after ${drainedAfter.toFixed(1)} s`);
  const { run, after: heldAfter } = (await held) ?? {};
  let writtenFrom = from;
  let before: { readonly heldAfter: number; readonly writtenBefore: number } | undefined;
  let beyond = 0;
  if (run !== undefined && heldAfter !== undefined) {
    await untilStill(stage);
    const writtenBefore = (await stage.calls()).calls - sentBefore;
    const kept = await store.gates.kept(runGate(run.id));
    say(`flood: ${writtenBefore} are written, ${kept} wait for ${run.id}`);
    before = { heldAfter, writtenBefore };
    beyond = Math.max(0, writtenBefore - GUARD) + Math.abs(people - writtenBefore - kept);
    writtenFrom = performance.now();
    await succeeded(stage.start("src/cli/main.ts", ["runs", "approve", run.id], { ...env, ...LOGGING }));
  }
  await untilWritten(store, stage);
  const writtenAfter = since(writtenFrom);
  const peakMiB = await server.peakMiB();
  await server.stop();
  const log = writes.parse(await stage.log());
  const at = new Map(log.map(({ username: user, attributes }) => [user, attributes["nickname"]]));
  const unwritten = Array.from({ length: people }, (_, nth) => at.get(username(nth)) === `${name} ${nth}`);
  return {
    name,
    ...before,
    sentAfter: seconds,
    drainedAfter,
    writtenAfter,
    writtenPerSecond: (people - (before?.writtenBefore ?? 0)) / writtenAfter,
    idleMiB,
    peakMiB,
    lost: refused + left + beyond + unwritten.filter((isWritten) => !isWritten).length,
  };
}

/** The run in which a flood waits, and after how many seconds it did. */
async function heldRun({ runs }: Store, from: number): Promise<{ readonly run?: Run; readonly after?: number }> {
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    const run = (await runs.unfinished()).find(({ state }) => state === "needs-approval");
    if (run !== undefined) return { run, after: (performance.now() - from) / 1000 };
    await sleep(LOOK_MS);
  }
  return {};
}

/** What was let through goes on being written for a moment. */
async function untilStill(stage: BenchStage): Promise<void> {
  for (let last = -1; ; await sleep(2000)) {
    const { calls } = await stage.calls();
    if (calls === last) return;
    last = calls;
  }
}

async function untilWritten({ runs }: Store, stage: BenchStage): Promise<void> {
  let [last, deadline] = [-1, 0];
  for (;;) {
    if ((await runs.books()).pending === 0) return;
    const { calls } = await stage.calls();
    if (calls > last) [last, deadline] = [calls, performance.now() + PATIENCE_MS];
    if (performance.now() > deadline) return;
    await sleep(100);
  }
}

function outcomeOf(readings: readonly Reading[], people: number): Outcome {
  const seconds = (of: number | undefined): string => of?.toFixed(2) ?? "–";
  const titles = ["", "held after s", "written before", "sent s", "drained s", "all written s", "a second", "idle MiB"];
  const columns = [...titles, "peak MiB", "of idle", "lost"];
  const [open, guarded] = readings;
  const ratio = (of: (reading: Reading) => number): string =>
    (open && guarded ? of(guarded) / of(open) : Number.NaN).toFixed(2);
  return {
    tables: [
      {
        title: `A flood: an event each of ${people} people over ${CONNECTIONS} connections, with a worker at full pace, a guard of ${GUARD} people, and a heap of 64 MB at most`,
        columns: columns.map((title, at) => ({ title, align: at === 0 ? "left" : "right" })),
        rows: readings.map((reading) => [
          reading.name,
          seconds(reading.heldAfter),
          String(reading.writtenBefore ?? "–"),
          seconds(reading.sentAfter),
          seconds(reading.drainedAfter),
          seconds(reading.writtenAfter),
          reading.writtenPerSecond.toFixed(0),
          reading.idleMiB.toFixed(0),
          reading.peakMiB.toFixed(0),
          (reading.peakMiB / reading.idleMiB).toFixed(2),
          String(reading.lost),
        ]),
        notes: [
          "All written: from the first event, and where it is guarded from `runs approve`.",
          `Guarded, of not: drained in ${ratio(({ drainedAfter }) => drainedAfter)} of the time, written at ${ratio(({ writtenPerSecond }) => writtenPerSecond)} of the pace.`,
        ],
      },
    ],
    figures: { people, guard: GUARD, readings },
    failed: readings.reduce((sum, { lost }) => sum + lost, 0),
  };
}
