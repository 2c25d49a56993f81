/** What scenarios share: a Redis, an emulator in a process of its own, and child processes whose CPU time is read. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { z } from "zod";
import { AWS_ENVIRONMENT } from "../test/support/aws-environment.ts";
import { runFile, type TestProcess } from "../test/support/process.ts";
import { GUARDS_OFF } from "../test/chaos/run-settings.ts";
import { provideRedis } from "../test/support/redis-server.ts";

export const POOL = "eu-west-1_Example";

export interface BenchStage {
  /** What a process of poolsync, or a peer, needs to reach the emulator; without REDIS_URL. */
  readonly env: Readonly<Record<string, string>>;
  readonly redisUrl: string;
  readonly namespace: string;
  readonly redis: Redis;
  /** For files; removed at the end. */
  readonly directory: string;
  readonly emulator: TestProcess;
  /** Starts a file of the project, which is killed at the end. */
  start(file: string, args: readonly string[], env?: Readonly<Record<string, string>>): TestProcess;
  /** AdminUpdateUserAttributes: calls that came in, and those of them that were throttled. */
  calls(): Promise<Calls>;
  /** Every write that took effect, in order. */
  log(): Promise<unknown>;
  /** From now on others take this many calls a second from UserUpdate. */
  others(ratePerSecond: number): Promise<void>;
  /** CPU seconds that Redis has used. */
  redisCpu(): Promise<number>;
  close(): Promise<void>;
}

export interface Calls {
  readonly calls: number;
  readonly throttled: number;
}

const counters = z.object({
  operations: z.object({
    AdminUpdateUserAttributes: z.object({ calls: z.number() }).optional(),
  }),
  categories: z.object({ UserUpdate: z.object({ throttled: z.number() }) }),
});

/** `emulator` is what its command is told besides the port and the pool. */
export async function openStage(emulator: readonly string[], say: (line: string) => void): Promise<BenchStage> {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-bench-"));
  const { POOLSYNC_TEST_REDIS_URL: url, POOLSYNC_TEST_REDIS_IMAGE: image } = process.env;
  const provided = await provideRedis({ url, image, install: false, say });
  say(`Redis: ${provided.origin}`);
  const redis = new Redis(provided.url);
  // Other namespaces of the scenario begin like it.
  const namespace = `b${Date.now().toString(36).slice(-5)}`;
  const started: TestProcess[] = [];
  const start: BenchStage["start"] = (file, args, env = {}) => {
    const child = runFile(file, args, env);
    started.push(child);
    return child;
  };
  const close = async (): Promise<void> => {
    await Promise.all(started.map((child) => child.kill("SIGKILL")));
    if (!provided.ours) await removeKeys(redis, namespace);
    redis.disconnect();
    await provided.stop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    // Everybody's values change, and nobody is asked.
    const config = join(directory, "poolsync.yaml");
    await writeFile(config, GUARDS_OFF);
    const all = ["emulator", "--port", "0", "--pool-id", POOL, ...emulator, "--json"];
    const child = start("src/cli/main.ts", all);
    const endpoint = await endpointOf(child);
    return {
      env: {
        ...AWS_ENVIRONMENT,
        AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: endpoint,
        POOLSYNC_CONFIG: config,
        POOLSYNC_NAMESPACE: namespace,
        POOLSYNC_POOLS: POOL,
        POOLSYNC_LOG_LEVEL: "error",
      },
      redisUrl: provided.url,
      namespace,
      redis,
      directory,
      emulator: child,
      start,
      async calls() {
        const told: unknown = await (await fetch(`${endpoint}/_emulator/counters`)).json();
        const { operations, categories } = counters.parse(told);
        return {
          calls: operations.AdminUpdateUserAttributes?.calls ?? 0,
          throttled: categories.UserUpdate.throttled,
        };
      },
      log: async () => (await fetch(`${endpoint}/_emulator/log?since=0`)).json(),
      async others(ratePerSecond) {
        const body = JSON.stringify({ category: "UserUpdate", ratePerSecond });
        const answer = await fetch(`${endpoint}/_emulator/shares`, { method: "POST", body });
        if (!answer.ok) throw new Error(`Expected the emulator to take a share, got ${answer.status}`);
      },
      async redisCpu() {
        const info = await redis.info("cpu");
        const of = (name: string): number => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)?.[1]);
        return of("used_cpu_sys") + of("used_cpu_user");
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** From a Redis that others use as well. */
async function removeKeys(redis: Redis, namespace: string): Promise<void> {
  for await (const keys of redis.scanStream({ match: `{poolsync:${namespace}*`, count: 1000 }) as AsyncIterable<
    string[]
  >) {
    if (keys.length > 0) await redis.unlink(keys);
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

/** Waits until a child ends by itself. Throws where it failed. */
export async function succeeded(child: TestProcess): Promise<void> {
  const code = await child.ended();
  if (code !== 0) throw new Error(`A process of the bench ended with ${code}: ${child.stderr()}`);
}

/** Linux counts in these, whatever the kernel's own tick is. */
const TICKS_PER_SECOND = 100;

/** CPU seconds that a running child has used; NaN where the system does not tell. */
export async function cpuOf({ child }: Pick<TestProcess, "child">): Promise<number> {
  const stat = await readFile(`/proc/${child.pid}/stat`, "utf8").catch(() => undefined);
  if (stat === undefined) return Number.NaN;
  // The name in brackets may hold spaces. utime and stime are the 14th and 15th field.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
