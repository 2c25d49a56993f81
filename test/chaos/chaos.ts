/** A whole chaos run, from its seed to its report. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runEmbedded } from "./embedded-run.ts";
import { makePlan, type ChaosEngine, type Plan, type Topology } from "./plan.ts";
import { runOnRedis } from "./redis-run.ts";
import type { ChaosReport } from "./report.ts";
import { LEASE_MS } from "./run-settings.ts";

export interface ChaosOptions {
  readonly seed: number;
  readonly engine: ChaosEngine;
  /** How long faults go on. */
  readonly forMs: number;
  /** By the seed where it is absent. */
  readonly topology?: Topology;
  readonly users?: number;
  readonly gapMs?: number;
  /** The three ways in which a value may go back are provoked as well; half a minute. */
  readonly provoke?: boolean;
  readonly say?: (line: string) => void;
}

export interface Chaos {
  readonly plan: Plan;
  /** Logs and feeds of its processes. */
  readonly directory: string;
  run(): Promise<ChaosReport>;
  /** Removes the directory. */
  clear(): Promise<void>;
}

const USERS = 300;
const SINGLES_PER_SECOND = { long: 40, short: 20 } as const;
const EVENTS_PER_SECOND = { long: 8, short: 4 } as const;
const FEED_EVERY_MS = 6_000;

export async function openChaos(options: ChaosOptions): Promise<Chaos> {
  const { seed, engine, forMs, topology, gapMs, users = USERS, provoke = false, say = () => undefined } = options;
  const plan = makePlan({
    seed,
    engine,
    forMs,
    leaseMs: LEASE_MS,
    ...(topology === undefined ? {} : { topology }),
    ...(gapMs === undefined ? {} : { gapMs }),
  });
  const directory = await mkdtemp(join(tmpdir(), "poolsync-chaos-"));
  const form = provoke ? "long" : "short";
  const rates = {
    users,
    singlesPerSecond: SINGLES_PER_SECOND[form],
    eventsPerSecond: EVENTS_PER_SECOND[form],
    feedEveryMs: FEED_EVERY_MS,
    provoke,
    isShort: form === "short",
  };
  return {
    plan,
    directory,
    run: () => (engine === "redis" ? runOnRedis : runEmbedded)({ plan, directory, ...rates, say }),
    clear: () => rm(directory, { recursive: true, force: true }),
  };
}
