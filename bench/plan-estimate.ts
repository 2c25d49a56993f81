/**
 * What a plan says of its run beside what the run then takes, at an emulator that meters as Cognito does: calls of both
 * categories, and the time from the first call after the plan to the last write.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { openFeeds } from "../src/app/feeds/open-feeds.ts";
import { runFeeds } from "../src/app/feeds/run-feeds.ts";
import { planFeeds } from "../src/app/plans/make-plans.ts";
import { deliverOwn } from "../src/app/runs/own-deliveries.ts";
import { stopDeliveries } from "../src/app/runs/stop-deliveries.ts";
import { readConfig } from "../src/config/config.ts";
import { reportedReads } from "../src/delivery/reported-reads.ts";
import type { Verified } from "../src/core/unit.ts";
import { startEmulator, type Emulator } from "../src/emulator/emulator.ts";
import type { PoolDefinition } from "../src/emulator/pool-definition.ts";
import { withScope } from "../src/lifecycle.ts";
import { createLog } from "../src/log.ts";
import { provideRedis } from "../test/support/redis-server.ts";
import { AWS_ENVIRONMENT, exampleAws } from "../test/support/aws-environment.ts";

const POOL = "eu-west-1_Example";

interface Scene {
  readonly title: string;
  readonly users: number;
  readonly pool: Omit<PoolDefinition, "id">;
  readonly header: string;
  readonly rows: number;
  readonly row: (nth: number) => string;
  /** `mark` unless said. */
  readonly verified?: Verified;
}

/** 20 calls a second each: seconds of looks, and of writes. */
const SCENES: readonly Scene[] = [
  {
    title: "200 rows of 20,000 users, by looks",
    users: 20_000,
    pool: {},
    header: "username,given_name",
    rows: 200,
    row: (nth) => `u${nth},New ${nth}`,
  },
  {
    title: "3,000 rows of 3,000 users, 300 of them changed, by a scan",
    users: 3000,
    pool: {},
    header: "username,given_name",
    rows: 3000,
    row: (nth) => `u${nth},${nth % 10 === 0 ? `New ${nth}` : "Old"}`,
  },
  {
    title: "200 e-mail addresses of 20,000 users of an alias pool",
    users: 20_000,
    pool: { aliasAttributes: ["email"] },
    header: "username,email",
    rows: 200,
    row: (nth) => `u${nth},new${nth}@example.com`,
  },
  {
    title: "100 e-mail addresses of 20,000 users, whose flags are kept",
    users: 20_000,
    pool: {},
    header: "username,email",
    rows: 100,
    row: (nth) => `u${nth},new${nth}@example.com`,
    verified: "keep",
  },
];

export interface Estimated {
  readonly title: string;
  readonly planned: Readonly<Record<"updates" | "lists" | "ms", number>>;
  readonly taken: Readonly<Record<"updates" | "lists" | "ms", number>>;
  /** Calls that the plan itself took. */
  readonly reading: number;
}

/** Redis is the engine, as where somebody minds the time. */
export async function estimates(say: (line: string) => void): Promise<readonly Estimated[]> {
  const { POOLSYNC_TEST_REDIS_URL: url, POOLSYNC_TEST_REDIS_IMAGE: image } = process.env;
  const provided = await provideRedis({ url, image, install: false, say });
  try {
    const results: Estimated[] = [];
    for (const [nth, scene] of SCENES.entries()) {
      say(`Planning and writing ${scene.title}, at Cognito's quotas`);
      const namespace = `e${Date.now().toString(36).slice(-5)}${nth}`;
      results.push(await estimate(scene, { REDIS_URL: provided.url, POOLSYNC_NAMESPACE: namespace }));
    }
    return results;
  } finally {
    await provided.stop();
  }
}

function callsOf({ counters }: Emulator): { updates: number; lists: number } {
  const of = (operation: string): number => counters.operations[operation]?.calls ?? 0;
  return { updates: of("AdminUpdateUserAttributes"), lists: of("ListUsers") };
}

async function estimate(scene: Scene, engineAt: Readonly<Record<string, string>>): Promise<Estimated> {
  const { title, users, pool: definition, header, rows, row, verified = "mark" } = scene;
  const directory = await mkdtemp(join(tmpdir(), "poolsync-bench-"));
  const emulator = await startEmulator({ shortPages: 0, latencyMs: 20 });
  const endpoint = { AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url };
  const restore = exampleAws(endpoint);
  try {
    const people = emulator.pools.add({ id: POOL, ...definition });
    for (let nth = 0; nth < users; nth += 1) {
      const email = `u${nth}@example.com`;
      people.addUser({ username: `u${nth}`, attributes: { given_name: "Old", email, email_verified: "true" } });
    }
    const file = join(directory, "people.csv");
    await writeFile(file, `${[header, ...Array.from({ length: rows }, (_, nth) => row(nth))].join("\n")}\n`);
    const settings = { dataDir: join(directory, "data") };
    const config = await readConfig(settings, { ...AWS_ENVIRONMENT, ...endpoint, ...engineAt, HOME: directory });
    const log = createLog("silent");
    const opened = { config, log, reads: reportedReads(log) };
    const { signal } = new AbortController();
    return await withScope(async (scope) => {
      const deps = { ...opened, scope, stdin: Readable.from([]), signal };
      const feeds = await openFeeds(deps, { files: [file], userPoolId: POOL, verified });
      const { engine, pool } = feeds;
      const planned = await planFeeds(opened, { scope, engine, pool, signal }, feeds, "live");
      const [{ plan } = { plan: undefined }] = planned;
      if (plan === undefined) throw new Error("Expected a plan");
      const { calls, durationMs } = plan.figures;
      const reading = callsOf(emulator);
      const begunAt = Date.now();
      const own = await deliverOwn(engine, [pool], { runs: [], leftovers: false, onLeft: () => {} });
      const interrupts = { drain: signal, abort: signal };
      scope.defer(own.deliveries, (all) => stopDeliveries(all, interrupts));
      const reportPath = (): string => join(directory, "report.ndjson");
      const context = { ...opened, engine, pool, ...own, detached: false, interrupts, observe: () => {}, reportPath };
      await runFeeds(context, { name: undefined, feeds: feeds.feeds, planned });
      const all = callsOf(emulator);
      const ms = (emulator.log.writes.at(-1)?.at ?? begunAt) - begunAt;
      return {
        title,
        planned: { ...calls, ms: durationMs },
        taken: { updates: all.updates - reading.updates, lists: all.lists - reading.lists, ms },
        reading: reading.lists,
      };
    });
  } finally {
    restore();
    await emulator.close();
    await rm(directory, { recursive: true, force: true });
  }
}
