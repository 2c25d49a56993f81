import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { openQueues, type Queues } from "../../src/queues/bullmq.ts";
import {
  orderSpaced,
  placeSchedules,
  startFeedWorker,
  type FeedOrder,
  type Schedule,
} from "../../src/queues/schedules.ts";
import { until } from "../support/condition.ts";
import { testRedis } from "../support/redis.ts";

describe("schedules of feeds", () => {
  const opened: Queues[] = [];
  after(async () => {
    for (const each of opened) await each.close();
  });
  /** In a namespace of their own. */
  async function open(): Promise<Queues> {
    const redis = testRedis();
    const queues = await openQueues({ kind: "redis", url: redis.url, namespace: redis.namespace });
    opened.push(queues);
    return queues;
  }
  const place = (queues: Queues, schedules: Readonly<Record<string, Schedule>>) =>
    placeSchedules(queues, new Map(Object.entries(schedules)));
  const ending = new AbortController().signal;
  function worker(queues: Queues, handle: (order: FeedOrder) => Promise<void>) {
    return startFeedWorker(queues, { concurrency: 2, ending, handle, onUnreadable: () => {} });
  }

  test("are placed once, changed, and removed when their feed has left", async () => {
    const queues = await open();
    const cron = { cron: "30 2 * * *", timezone: "Europe/Berlin" };
    assert.deepEqual(await place(queues, { hr: cron, "c:r m": { everyMs: 3_600_000 } }), {
      placed: ["hr", "c:r m"],
      removed: [],
    });
    assert.deepEqual(await place(queues, { hr: cron, "c:r m": { everyMs: 3_600_000 } }), { placed: [], removed: [] });
    const later = { ...cron, timezone: "Europe/London" };
    assert.deepEqual(await place(queues, { hr: later }), { placed: ["hr"], removed: ["c:r m"] });
    const scheduler = await queues.queue("directory").getJobSchedulers();
    assert.deepEqual(
      scheduler.map(({ key, pattern, tz }) => [key, pattern, tz]),
      [["hr", "30 2 * * *", "Europe/London"]],
    );
    assert.deepEqual(await place(queues, {}), { placed: [], removed: ["hr"] });
    assert.deepEqual(await queues.queue("directory").getDelayed(), []);
  });

  test("catch up once on what they have missed while nobody was there, by cron as well", async () => {
    const queues = await open();
    const [everySecond, everyTime]: [Schedule, Schedule] = [
      { cron: "* * * * * *", timezone: "UTC" },
      { everyMs: 1000 },
    ];
    for (const schedule of [everySecond, everyTime]) {
      await place(queues, { hr: schedule });
      const queue = queues.queue<FeedOrder>("directory");
      const missed = (await queue.getJobScheduler("hr"))?.next ?? 0;
      // Three times pass by.
      await until("they are missed", () => Date.now() > missed + 3000);
      assert.deepEqual(await place(queues, { hr: schedule }), { placed: [], removed: [] });
      assert.equal((await queue.getJobScheduler("hr"))?.next, missed);
      let orders = 0;
      const working = worker(queues, async () => void (orders += 1));
      await until("it has run", () => orders > 0);
      // One for all that was missed: the next is in its time.
      assert.ok(((await queue.getJobScheduler("hr"))?.next ?? 0) > missed + 2000);
      await until("it runs on", () => orders > 1);
      await working.stop();
      await place(queues, {});
    }
  });

  test("may be asked for at once, and for whoever asks after that a span later", async () => {
    const queues = await open();
    const span = 3_600_000;
    const seen: string[] = [];
    const working = worker(queues, async ({ feed }) => void seen.push(feed));
    await orderSpaced(queues, "hr", span);
    await until("it has run", () => seen.length === 1);
    for (let asked = 0; asked < 3; asked += 1) await orderSpaced(queues, "hr", span);
    await orderSpaced(queues, "crm", span);
    await until("the other feed has run", () => seen.length === 2);
    await working.stop();
    assert.deepEqual(seen, ["hr", "crm"]);
    const delayed = await queues.queue<FeedOrder>("directory").getDelayed();
    assert.deepEqual(
      delayed.map(({ data, delay }) => [data, delay]),
      [[{ feed: "hr" }, span]],
    );
  });

  test("give an order to another worker when theirs was stopped", async () => {
    const queues = await open();
    const seen: string[] = [];
    const gate = Promise.withResolvers<void>();
    const first = startFeedWorker(queues, {
      concurrency: 1,
      ending,
      handle: (order, signal) => {
        seen.push(order.feed);
        gate.resolve();
        return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("cut"))));
      },
      onUnreadable: () => {},
    });
    await place(queues, { hr: { everyMs: 3_600_000 } });
    await gate.promise;
    await first.stop();
    const second = worker(queues, async ({ feed }) => void seen.push(feed));
    await until("another has taken it", () => seen.length === 2);
    await second.stop();
    await place(queues, {});
  });
});
