/** What a writer of Redis can do with the queue of jobs: a row of the table that test/app/thief.test.ts plays. */
import assert from "node:assert/strict";
import type { Accept } from "../../src/app/events/accept-event.ts";
import { takeJobs } from "../../src/app/events/keep-jobs.ts";
import { readConfig } from "../../src/config/config.ts";
import { defined } from "../../src/core/defined.ts";
import { withScope } from "../../src/lifecycle.ts";
import { createLog } from "../../src/log.ts";
import { openEngine } from "../../src/queues/engine.ts";
import { until } from "../support/condition.ts";
import { testRedis } from "../support/redis.ts";
import type { Play } from "../support/thief.ts";

export const JOB_ROWS: Readonly<Record<string, Play>> = {
  "adds a job to the queue `changes`": async (t, { key }) => {
    const { url: redisUrl, namespace } = testRedis();
    const engine = await openEngine({ redisUrl, namespace, dataDir: "", key });
    t.after(() => engine.close());
    const queue = engine.queues.queue("changes");
    await queue.add("change", { pool: "eu-west-1_A", username: "ann", attributes: { nickname: "forged" } });
    const isTaken = async (jobs?: "on" | "off"): Promise<boolean> => {
      const environment = defined({ POOLSYNC_KEY: key?.toString("base64"), POOLSYNC_JOBS: jobs });
      const config = await readConfig({}, environment, "/nonexistent");
      return withScope(async (scope) => {
        const accepted: string[] = [];
        const accept: Accept = async (feed) => {
          accepted.push(feed);
          return "accepted";
        };
        takeJobs({ engine, config, accept, log: createLog("silent") }, scope);
        const workers = () => engine.store.workers.list();
        if (!config.takesJobs) return (await workers()).length > 0;
        await until("it is taken", () => accepted.length === 1);
        await until("it says that it takes them", async () => (await workers())[0]?.does === "jobs");
        return true;
      });
    };
    assert.equal(await isTaken("off"), false);
    // Nobody else takes it: it lies there as it was.
    if (key) assert.equal(await isTaken(), false);
    assert.equal(await queue.count(), 1);
    assert.equal(await isTaken(key && "on"), true);
    await until("it is gone", async () => (await queue.count()) === 0);
  },
};
