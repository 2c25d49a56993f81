import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { z } from "zod";
import { runDeliveryWorker } from "../../src/app/workers/delivery-worker.ts";
import { runFeedWorker } from "../../src/app/workers/feed-worker.ts";
import type { WorkerDeps } from "../../src/app/workers/worker-process.ts";
import { readConfig } from "../../src/config/config.ts";
import type { EmulatorOptions } from "../../src/emulator/emulator.ts";
import { createLog } from "../../src/log.ts";
import { openQueues } from "../../src/queues/bullmq.ts";
import { AWS_ENVIRONMENT } from "../support/aws-environment.ts";
import { runFile, type TestProcess } from "../support/process.ts";
import { testRedis } from "../support/redis.ts";
import { POOL, runCommand, setStage, type Said } from "./command-run.ts";

const runShown = z.object({
  run: z.string(),
  feed: z.string(),
  state: z.string(),
  rows: z.object({ read: z.number(), faulty: z.number() }),
  books: z.object({ received: z.number(), applied: z.number(), unchanged: z.number(), pending: z.number() }),
  balanced: z.boolean(),
  healed: z.exactOptional(z.number()),
  plan: z
    .object({
      plan: z.string(),
      users: z.object({ changed: z.number() }),
      guards: z.array(z.object({ guard: z.string() })),
    })
    .optional(),
});
export type RunShown = z.infer<typeof runShown>;
const listed = z.object({ runs: z.array(runShown) });

type Values = Readonly<Record<string, string>>;

/** A worker without a process of its own. */
export interface WorkerHere {
  /** What it logged so far. */
  readonly stderr: () => string;
  /** Drains it, as the first signal does. Rejects with what ended it, where something did. */
  stop(): Promise<void>;
}

/** A pool of `users` users, whose given name is `Old`, and a feed `hr` of them over a namespace of its own. */
export async function setDirectoryStage(users: number, options: EmulatorOptions = {}) {
  const { url, namespace } = testRedis();
  const environment = { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace };
  const stage = await setStage(users, options, false);
  const { emulator, at } = stage;
  const processes: TestProcess[] = [];
  const here: WorkerHere[] = [];
  const variablesOf = (name: string, rest: Values): Values => ({
    ...AWS_ENVIRONMENT,
    ...environment,
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url,
    POOLSYNC_POOLS: POOL,
    POOLSYNC_CONFIG: at("poolsync.yaml"),
    POOLSYNC_DATA_DIR: at(name),
    ...rest,
  });

  function startHere(run: (deps: WorkerDeps) => Promise<void>, rest: Values): WorkerHere {
    const drain = new AbortController();
    const name = `here-${here.length}`;
    const log = at(`${name}.log`);
    const fd = openSync(log, "a");
    const ended = (async () => {
      try {
        const config = await readConfig({}, variablesOf(name, rest));
        const interrupts = { drain: drain.signal, abort: new AbortController().signal };
        await run({ config, log: createLog("info", fd), interrupts });
      } finally {
        closeSync(fd);
      }
    })();
    // Whoever stops it is told.
    ended.catch(() => undefined);
    const worker: WorkerHere = {
      stderr: () => readFileSync(log, "utf8"),
      stop() {
        drain.abort();
        return ended;
      },
    };
    here.push(worker);
    return worker;
  }

  const command = (...words: readonly string[]): Promise<Said> => runCommand([...words, "--json"], { environment });
  const runs = async (): Promise<readonly RunShown[]> => {
    const { stdout } = await command("runs", "list");
    return listed.parse(JSON.parse(stdout)).runs.filter(({ feed }) => feed !== "direct");
  };

  return {
    environment,
    emulator,
    at,
    command,
    runs,
    configure: async (feed: string, name = "hr"): Promise<void> => {
      const rest = `pool: ${POOL}, username: username, attributes: { given_name: given_name }`;
      await writeFile(at("poolsync.yaml"), `feeds: { ${name}: { ${rest}, ${feed} } }\n`);
    },
    exported: async (row: (nth: number) => string, name = "hr.csv"): Promise<void> => {
      const rows = Array.from({ length: users }, (_, nth) => row(nth));
      await writeFile(at(name), `${["username,given_name", ...rows].join("\n")}\n`);
    },
    /** A worker as a process: to be killed, or for how it begins and ends. The others cost a tenth of it. */
    start: (file: string, rest: Values = {}): TestProcess => {
      const started = runFile(file, [], variablesOf(`data-${processes.length}`, rest));
      processes.push(started);
      return started;
    },
    /** Runs feeds by their schedule. */
    directoryHere: (rest: Values = {}): WorkerHere => startHere(runFeedWorker, rest),
    /** Delivers. */
    deliverHere: (rest: Values = {}): WorkerHere => startHere(runDeliveryWorker, rest),
    /** What the feed's schedule puts into the queue when its time has come. */
    timeComes: async (): Promise<void> => {
      const queues = await openQueues({ kind: "redis", url, namespace });
      try {
        await queues.queue<object>("directory").add("feed", { feed: "hr" });
      } finally {
        await queues.close();
      }
    },
    /** A `sync` of the feed by hand. */
    byHand: (...words: readonly string[]): string[] =>
      ["sync", "--feed", "hr", "--config", at("poolsync.yaml"), "--detach", "--data-dir", at("sync")].concat(words),
    show: async (run: string): Promise<RunShown> =>
      runShown.parse(JSON.parse((await command("runs", "show", run)).stdout)),
    stateOf: async (nth = 0): Promise<string | undefined> => (await runs())[nth]?.state,
    nameOf: (user: string): string | undefined => emulator.pools.get(POOL)?.user(user)?.attributes["given_name"],
    updates: (): number => emulator.counters.operations["AdminUpdateUserAttributes"]?.calls ?? 0,
    clear: async (): Promise<void> => {
      for (const item of processes) await item.kill("SIGKILL");
      await Promise.all(here.map((worker) => worker.stop()));
      await stage.clear();
    },
  };
}
export type DirectoryStage = Awaited<ReturnType<typeof setDirectoryStage>>;

/** The only run there is. */
export async function onlyRun({ runs }: DirectoryStage): Promise<RunShown> {
  const [run, ...others] = await runs();
  assert.deepEqual(others, []);
  return run ?? assert.fail("Expected a run");
}
