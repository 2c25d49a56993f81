import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { Redis } from "ioredis";
import { openQueues, type Queues } from "../../src/queues/bullmq.ts";
import { CHANGES_QUEUE, startChangeJobs, type ChangeJob } from "../../src/queues/change-jobs.ts";
import { until } from "../support/condition.ts";
import { testRedis } from "../support/redis.ts";

describe("jobs of the queue `changes`", () => {
  const opened: Queues[] = [];
  after(async () => {
    for (const each of opened) await each.close();
  });
  async function open(): Promise<Queues> {
    const redis = testRedis();
    const queues = await openQueues({ kind: "redis", url: redis.url, namespace: redis.namespace });
    opened.push(queues);
    return queues;
  }
  const isEmpty = (queues: Queues) => async () => Object.values(await counts(queues)).every((count) => count === 0);
  const counts = (queues: Queues) => queues.queue(CHANGES_QUEUE).getJobCounts();

  test("are handed on as they are, with an id and their time, and are gone when they are kept", async () => {
    const queues = await open();
    const queue = queues.queue(CHANGES_QUEUE);
    await queue.add("change", { username: "ana" }, { timestamp: 1_700_000_000_000 });
    await queue.add("anything", "text", { jobId: "event-7", timestamp: 1_700_000_000_001 });
    const jobs: ChangeJob[] = [];
    const worker = startChangeJobs(queues, (job) => {
      jobs.push(job);
      return Promise.resolve(true);
    });
    await until("both are gone", isEmpty(queues));
    await worker.stop();
    assert.deepEqual(
      jobs.toSorted((a, b) => a.addedAtMs - b.addedAtMs),
      [
        { id: "1@1700000000000", data: { username: "ana" }, addedAtMs: 1_700_000_000_000 },
        { id: "event-7", data: "text", addedAtMs: 1_700_000_000_001 },
      ],
    );
  });

  test("whose data is no JSON, as Python writes a missing number, are handed on as text", async () => {
    const redis = testRedis();
    const { url, namespace } = redis;
    const queues = await openQueues({ kind: "redis", url, namespace });
    opened.push(queues);
    await queues.queue(CHANGES_QUEUE).add("change", {}, { jobId: "nan", delay: 500 });
    const text = '{"username": "ana", "attributes": {"name": NaN}}';
    const client = new Redis(url);
    await client.hset(`{poolsync:${namespace}}:bull:${CHANGES_QUEUE}:nan`, "data", text);
    client.disconnect();
    const jobs: ChangeJob[] = [];
    const worker = startChangeJobs(queues, (job) => {
      jobs.push(job);
      return Promise.resolve(true);
    });
    await until("it is gone", isEmpty(queues));
    await worker.stop();
    assert.deepEqual(
      jobs.map(({ id, data }) => [id, data]),
      [["nan", text]],
    );
  });

  test("that are not kept are asked for again, and wait in the queue when the process stops", async () => {
    const queues = await open();
    await queues.queue(CHANGES_QUEUE).add("change", {});
    let asked = 0;
    const worker = startChangeJobs(queues, () => {
      asked += 1;
      return Promise.resolve(false);
    });
    await until("it is asked for twice", () => asked === 2);
    await worker.stop();
    const { waiting, failed } = await counts(queues);
    assert.deepEqual({ waiting, failed }, { waiting: 1, failed: 0 });
    const ids: string[] = [];
    const next = startChangeJobs(queues, ({ id }) => {
      ids.push(id);
      return Promise.resolve(true);
    });
    await until("it is kept", () => ids.length === 1);
    await next.stop();
    assert.match(ids[0] ?? "", /^1@/);
  });
});
