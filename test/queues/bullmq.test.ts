import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  openQueues,
  type JobEnd,
  type JobInHand,
  type JobQueue,
  type JobWorker,
  type Queues,
} from "../../src/queues/bullmq.ts";
import { openDatabase, type Database } from "../../src/store/postgres/database.ts";
import { StoreError } from "../../src/store/store-error.ts";
import { putMadeDatabase } from "../support/made-directory.ts";
import { testRedis } from "../support/redis.ts";

interface Work {
  readonly n: number;
}

/** What a worker is given to do, one job after the other: each waits until the test lets it go. */
function createDesk() {
  const waiting: ((arrival: Arrival) => void)[] = [];
  const arrivals: Arrival[] = [];
  return {
    process: (job: JobInHand<Work>) =>
      new Promise<JobEnd<Work> | void>((resolve, reject) => {
        const arrival: Arrival = { job, done: resolve, fails: reject };
        const taker = waiting.shift();
        if (taker) taker(arrival);
        else arrivals.push(arrival);
      }),
    next: () =>
      new Promise<Arrival>((resolve) => {
        const arrival = arrivals.shift();
        if (arrival) resolve(arrival);
        else waiting.push(resolve);
      }),
    get idle() {
      return arrivals.length === 0;
    },
  };
}

interface Arrival {
  readonly job: JobInHand<Work>;
  done(end?: JobEnd<Work>): void;
  fails(error: Error): void;
}

/** Asks until the answer is the one that is wanted, or a deadline has passed. */
async function eventually<T>(ask: () => Promise<T>, wanted: T): Promise<void> {
  const deadline = AbortSignal.timeout(10_000);
  for (;;) {
    const answer = await ask();
    if (answer === wanted) return;
    if (deadline.aborted) assert.equal(answer, wanted);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function wakeUp(id: string, n: number, priority = 10) {
  return { name: "wake-up", data: { n }, opts: { priority, deduplication: { id, keepLastIfActive: true } } };
}

interface Opened {
  readonly queues: Queues;
  readonly database?: Database;
  close(): Promise<void>;
}

function keepsTheRules(open: () => Promise<Opened>): void {
  let opened: Opened;
  let queues: Queues;
  let count = 0;
  before(async () => {
    opened = await open();
    ({ queues } = opened);
  });
  after(() => opened.close());

  const fresh = (): { name: string; queue: JobQueue<Work> } => {
    const name = `queue-${(count += 1)}`;
    return { name, queue: queues.queue<Work>(name) };
  };
  const left = (queue: JobQueue<Work>) => async () =>
    Object.values(await queue.getJobCounts()).reduce((a, b) => a + b, 0);
  async function work(
    name: string,
    act: (desk: ReturnType<typeof createDesk>, worker: JobWorker<Work>) => Promise<void>,
    concurrency = 5,
  ): Promise<void> {
    const desk = createDesk();
    const worker = queues.worker<Work>(name, desk.process, { concurrency });
    try {
      await act(desk, worker);
    } finally {
      await worker.close();
    }
  }

  test("one wake-up waits for each id, and keeps its first data", async () => {
    const { name, queue } = fresh();
    const first = await queue.addBulk([wakeUp("ann", 1), wakeUp("bob", 2)]);
    const second = await queue.addBulk([wakeUp("ann", 3), wakeUp("cem", 4)]);
    assert.equal(second[0]?.id, first[0]?.id);
    assert.equal(await left(queue)(), 3);
    await work(name, async (desk) => {
      const arrived = [await desk.next(), await desk.next(), await desk.next()];
      assert.deepEqual(new Set(arrived.map(({ job }) => job.data.n)), new Set([1, 2, 4]));
      for (const arrival of arrived) arrival.done();
      await eventually(left(queue), 0);
    });
  });

  test("what is added while the job of its id runs, runs once more when that has ended", async () => {
    const { name, queue } = fresh();
    await queue.addBulk([wakeUp("ann", 1)]);
    await work(name, async (desk) => {
      const running = await desk.next();
      await queue.addBulk([wakeUp("ann", 2), wakeUp("ann", 3)]);
      assert.equal((await queue.getJobCounts())["active"], 1);
      assert.ok(desk.idle, "Expected nothing to run beside it");
      running.done();
      const again = await desk.next();
      assert.notEqual(again.job.id, running.job.id);
      assert.equal(again.job.data.n, 3);
      again.done();
      await eventually(left(queue), 0);
    });
  });

  test("what is added while a job runs that then fails, runs as well", async () => {
    const { name, queue } = fresh();
    await queue.addBulk([wakeUp("ann", 1)]);
    await work(name, async (desk) => {
      const running = await desk.next();
      await queue.addBulk([wakeUp("ann", 2)]);
      running.fails(new Error("expected"));
      const again = await desk.next();
      assert.equal(again.job.data.n, 2);
      again.done();
      await eventually(left(queue), 0);
    });
  });

  test("a job that its processor delays keeps its id, and runs again", async () => {
    const { name, queue } = fresh();
    await queue.addBulk([wakeUp("ann", 1)]);
    await work(name, async (desk) => {
      const running = await desk.next();
      running.done({ is: "asleep", forMs: 300 });
      await eventually(async () => (await queue.getJobCounts())["delayed"], 1);
      assert.equal(await queue.getDeduplicationJobId("ann"), running.job.id);
      await queue.addBulk([wakeUp("ann", 2)]);
      assert.equal(await left(queue)(), 1);
      const again = await desk.next();
      assert.equal(again.job.id, running.job.id);
      assert.equal((await queue.getJob(again.job.id ?? ""))?.attemptsMade, 0);
      again.done();
      await eventually(left(queue), 0);
      assert.equal(await queue.getDeduplicationJobId("ann"), null);
    });
  });

  test("what is added while a job runs that then delays itself, is not lost", async () => {
    const { name, queue } = fresh();
    await queue.addBulk([wakeUp("ann", 1)]);
    await work(name, async (desk) => {
      const running = await desk.next();
      await queue.addBulk([wakeUp("ann", 2)]);
      running.done({ is: "asleep", forMs: 100 });
      (await desk.next()).done();
      (await desk.next()).done();
      await eventually(left(queue), 0);
    });
  });

  test("a job that is put back is the next, with what is left of it", async () => {
    const { name, queue } = fresh();
    await queue.addBulk([wakeUp("ann", 1)]);
    await work(name, async (desk) => {
      const running = await desk.next();
      running.done({ is: "put-back", data: { n: 2 } });
      const again = await desk.next();
      assert.deepEqual([again.job.id, again.job.data.n], [running.job.id, 2]);
      again.done({ is: "put-back" });
      const last = await desk.next();
      assert.deepEqual([last.job.id, last.job.data.n], [running.job.id, 2]);
      last.done();
      await eventually(left(queue), 0);
    });
  });

  test("a delayed job that is promoted runs at once", async () => {
    const { name, queue } = fresh();
    await queue.addBulk([wakeUp("ann", 1)]);
    await work(name, async (desk) => {
      const running = await desk.next();
      running.done({ is: "asleep", forMs: 3_600_000 });
      await eventually(async () => (await queue.getJobCounts())["delayed"], 1);
      const [sleeper] = await queue.getDelayed();
      await sleeper?.promote();
      (await desk.next()).done();
      await eventually(left(queue), 0);
    });
  });

  test("a waiting job whose priority is raised overtakes", async () => {
    const { name, queue } = fresh();
    const jobs = await queue.addBulk([wakeUp("ann", 1), wakeUp("bob", 2), wakeUp("cem", 3)]);
    await jobs[2]?.changePriority({ priority: 1 });
    assert.equal((await queue.getJob(jobs[2]?.id ?? ""))?.priority, 1);
    await work(
      name,
      async (desk) => {
        const order = [];
        for (let n = 0; n < 3; n += 1) {
          const arrival = await desk.next();
          order.push(arrival.job.data.n);
          arrival.done();
        }
        assert.deepEqual(order, [3, 1, 2]);
      },
      1,
    );
  });

  test("a letter's job is there once, is listed, and is taken away by its id", async () => {
    const { queue } = fresh();
    const letter = (id: string) => ({ name: "letter", data: { n: 0 }, opts: { jobId: id } });
    await queue.addBulk([letter("letter-a"), letter("letter-b")]);
    await queue.addBulk([letter("letter-b"), letter("letter-c")]);
    assert.equal(await queue.count(), 3);
    const ids = (await queue.getWaiting()).map(({ id }) => id);
    assert.deepEqual(new Set(ids), new Set(["letter-a", "letter-b", "letter-c"]));
    assert.equal(await queue.remove("letter-b"), 1);
    await queue.remove("letter-b");
    assert.equal(await queue.count(), 2);
    await queue.addBulk([letter("letter-b")]);
    assert.equal(await queue.count(), 3);
  });

  test("a worker that is paused takes nothing until it goes on", async () => {
    const { name, queue } = fresh();
    await work(name, async (desk, worker) => {
      await worker.waitUntilReady();
      await worker.pause();
      assert.ok(worker.isPaused());
      await queue.addBulk([wakeUp("ann", 1)]);
      assert.equal(await queue.count(), 1);
      assert.ok(desk.idle);
      await worker.resume();
      (await desk.next()).done();
      await eventually(left(queue), 0);
    });
  });

  test("a worker that is closed lets its job end", async () => {
    const { name, queue } = fresh();
    const desk = createDesk();
    const worker = queues.worker<Work>(name, desk.process, { concurrency: 1 });
    await queue.addBulk([wakeUp("ann", 1), wakeUp("bob", 2)]);
    const running = await desk.next();
    const closed = worker.close();
    running.done();
    await closed;
    assert.equal(await left(queue)(), 1);
    assert.ok(desk.idle);
  });

  test("many jobs and their repeats are all carried out", async () => {
    const { name, queue } = fresh();
    const runs = new Map<string, number>();
    const worker = queues.worker<Work>(
      name,
      async ({ deduplicationId = "" }) => void runs.set(deduplicationId, (runs.get(deduplicationId) ?? 0) + 1),
      { concurrency: 20 },
    );
    let ticks = 0;
    const timer = setInterval(() => (ticks += 1), 5);
    const ids = Array.from({ length: 200 }, (_, n) => `user-${n}`);
    for (let round = 0; round < 3; round += 1) await queue.addBulk(ids.map((id, n) => wakeUp(id, n)));
    await eventually(left(queue), 0);
    clearInterval(timer);
    assert.deepEqual([...runs.keys()].toSorted(), ids.toSorted());
    assert.ok(ticks > 5, `Expected timers to go on under load, and one ticked ${ticks} times`);
    await worker.close();
  });

  test("the same name is the same queue", () => {
    assert.equal(queues.queue("once"), queues.queue("once"));
  });
}

describe("queues on Redis", () => {
  const { url, namespace } = testRedis();
  keepsTheRules(async () => {
    const queues = await openQueues({ kind: "redis", url, namespace });
    return { queues, close: () => queues.close() };
  });

  test("a Redis that is not there is said to be unreachable", async () => {
    const nowhere = openQueues({ kind: "redis", url: "redis://127.0.0.1:1", namespace });
    await assert.rejects(nowhere, (error) => error instanceof StoreError && error.kind === "unreachable");
  });
});

describe("queues in the embedded database", () => {
  keepsTheRules(async () => {
    const directory = await mkdtemp(join(tmpdir(), "poolsync-queues-"));
    putMadeDatabase(directory);
    const database = await openDatabase(directory, "bullmq");
    const queues = await openQueues({ kind: "embedded", database });
    return {
      queues,
      async close() {
        await queues.close();
        await database.close();
        await rm(directory, { recursive: true, force: true });
      },
    };
  });
});
