import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { z } from "zod";
import type { EmulatorOptions } from "../../src/emulator/emulator.ts";
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

/** A pool of `users` users, whose given name is `Old`, and a feed `hr` of them over a namespace of its own. */
export async function setDirectoryStage(users: number, options: EmulatorOptions = {}) {
  const { url, namespace } = testRedis();
  const environment = { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace };
  const stage = await setStage(users, options, false);
  const { emulator, at } = stage;
  const processes: TestProcess[] = [];
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
    start: (file: string, rest: Readonly<Record<string, string>> = {}): TestProcess => {
      const started = runFile(file, [], {
        ...AWS_ENVIRONMENT,
        ...environment,
        AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url,
        POOLSYNC_POOLS: POOL,
        POOLSYNC_CONFIG: at("poolsync.yaml"),
        POOLSYNC_DATA_DIR: at(`data-${processes.length}`),
        ...rest,
      });
      processes.push(started);
      return started;
    },
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
