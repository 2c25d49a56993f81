/**
 * BullMQ's queues and workers, on Redis or in the embedded database, all made here so that all keep the same rules:
 *
 * - `maxStalledCount` is a million on every worker. At BullMQ's own 1 a job whose workers died twice is failed without
 *   being run, and swallows what was added meanwhile. Any worker's check decides, so it must hold for all of them.
 * - `stalledInterval` is the same everywhere: the check is throttled by whoever ran it last.
 * - What has ended is removed. Nothing reads it, and an id that is kept would be in the way.
 * - A processor says what becomes of its job (`JobEnd`); the errors by which BullMQ is told so are thrown here alone.
 * - Nobody sets a limit of BullMQ's on a queue: the pace is poolsync's own, and a global concurrency makes idle workers
 *   of the embedded engine spin.
 *
 * A user's own wake-ups are added with `deduplication: { id, keepLastIfActive: true }` and without a `jobId`, which would
 * be looked at first and drop what is added while the job runs.
 */
import {
  createPostgresBackend,
  DelayedError,
  type Job,
  Queue,
  runMigrations,
  withBackend,
  WaitingError,
  Worker,
  type Processor,
  type QueueOptions,
  type WorkerOptions,
} from "bullmq";
import type { Database } from "../store/postgres/database.ts";
import { closeRedis, redisConnection } from "../store/redis/connection.ts";
import { withFaults } from "../store/redis/redis-error.ts";
import { connectRedis } from "../store/redis/server-check.ts";

export type QueueEngine =
  | { readonly kind: "redis"; readonly url: string; readonly namespace: string }
  | { readonly kind: "embedded"; readonly database: Database };

/** A queue of either engine: what BullMQ's `Queue` does without saying on what. */
export type JobQueue<Data> = Pick<
  Queue<Data>,
  | "name"
  | "add"
  | "addBulk"
  | "getJob"
  | "getJobs"
  | "getJobState"
  | "getJobCounts"
  | "getWaiting"
  | "getPrioritized"
  | "getDelayed"
  | "getActive"
  | "getDeduplicationJobId"
  | "count"
  | "remove"
  | "obliterate"
  | "upsertJobScheduler"
  | "getJobScheduler"
  | "getJobSchedulers"
  | "removeJobScheduler"
>;

/** A job as its processor has it. */
export type JobInHand<Data> = Pick<Job<Data>, "id" | "data" | "timestamp" | "deduplicationId" | "updateData">;

/** What becomes of a job whose processor is through with it; nothing: it is done, and removed. */
export type JobEnd<Data> =
  /** It is processed again after so many ms. */
  | { readonly is: "asleep"; readonly forMs: number }
  /**
   * Somebody else is to process it, or this worker when it goes on; `data` is what is left of it. On Redis it goes to the
   * head of the queue; on the embedded engine to its end, but there nobody else works.
   */
  | { readonly is: "put-back"; readonly data?: Data };

export type Process<Data> = (job: JobInHand<Data>) => Promise<JobEnd<Data> | void>;

export interface JobWorkerOptions {
  /** Jobs at a time. */
  readonly concurrency: number;
  /** What is added by others may be no JSON: then it is handed on as text. BullMQ would take it again and again, and say nothing. */
  readonly takesText?: boolean;
  /** Told where a job could not be put back. It stays with its worker then, until its lock ends and it is stalled. */
  readonly onStuck?: (error: unknown) => void;
}

/** A worker of either engine. */
export type JobWorker<Data> = Pick<
  Worker<Data>,
  "name" | "concurrency" | "pause" | "resume" | "isPaused" | "isRunning" | "waitUntilReady" | "close"
>;

export interface Queues {
  /** The same object for the same name. It is closed with the others. */
  queue<Data>(name: string): JobQueue<Data>;
  /** Begins to work at once. Its maker closes it; otherwise it is closed before the queues are. */
  worker<Data>(name: string, process: Process<Data>, options: JobWorkerOptions): JobWorker<Data>;
  /** Waits for the jobs that are under way. */
  close(): Promise<void>;
}

/**
 * How long a job is taken for running after its worker last said so, and how often that is looked at. Together they
 * are how long the wake-ups of a killed process sleep. A lock that is lost too early does no harm: the claim in the
 * store, not the job, says who may send.
 */
const LOCK_MS = 10_000;
const STALLED_LOOK_MS = 5_000;
const WORKER_RULES = {
  lockDuration: LOCK_MS,
  stalledInterval: STALLED_LOOK_MS,
  maxStalledCount: 1_000_000,
  removeOnComplete: { count: 0 },
  removeOnFail: { count: 0 },
} as const;

/**
 * BullMQ's processor: it ends the job as ours says.
 *
 * Why a job failed stays in BullMQ's events long after the job. An error that is not ours may quote somebody's data, so
 * its name is all that BullMQ gets; the processor of the job logs what may be logged.
 */
function processorOf<Data>(process: Process<Data>, onStuck: (error: unknown) => void): Processor<Data> {
  return async (job, token): Promise<void> => {
    try {
      const end = await process(job);
      if (end) await endJob(job, token, end, onStuck);
    } catch (error) {
      if (error instanceof DelayedError || error instanceof WaitingError) throw error;
      // oxlint-disable-next-line eslint/preserve-caught-error -- BullMQ would keep the cause's text with the stack
      throw new Error(`The job failed with ${error instanceof Error ? error.name : typeof error}`);
    }
  };
}

/** Moves a job to where it is to wait, and throws the error by which BullMQ knows that it was moved. */
async function endJob<Data>(
  job: Job<Data>,
  token: string | undefined,
  end: JobEnd<Data>,
  onStuck: (error: unknown) => void,
): Promise<never> {
  if (end.is === "asleep") {
    await job.moveToDelayed(Date.now() + end.forMs, token);
    throw new DelayedError();
  }
  // Where this fails the job is processed once more as it was: what was done of it already finds nothing to do.
  if (end.data !== undefined) await job.updateData(end.data).catch(onStuck);
  await job.moveToWait(token).catch(onStuck);
  throw new WaitingError();
}

/**
 * BullMQ and ioredis try again by themselves when a connection is lost, and a call that cannot be carried out fails where
 * it was made. BullMQ wants a listener all the same.
 */
function ignoreLostConnection(): void {}

/** Connects to Redis, or makes BullMQ's tables in the embedded database. */
export async function openQueues(engine: QueueEngine): Promise<Queues> {
  const maker =
    engine.kind === "redis" ? await makeOnRedis(engine.url, engine.namespace) : await makeOnPostgres(engine.database);
  const queues = new Map<string, JobQueue<unknown> & Closable>();
  const workers = new Set<Closable>();
  return {
    queue<Data>(name: string): JobQueue<Data> {
      const known = queues.get(name) ?? maker.queue<unknown>(name, {});
      if (!queues.has(name)) known.on("error", ignoreLostConnection);
      queues.set(name, known);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a queue's jobs carry is known to who names it
      return known as JobQueue<Data>;
    },
    worker(name, process, { concurrency, takesText = false, onStuck = () => {} }) {
      const options = { ...WORKER_RULES, concurrency };
      const worker = maker.worker(name, processorOf(process, onStuck), options, takesText);
      worker.on("error", ignoreLostConnection);
      workers.add(worker);
      return worker;
    },
    async close() {
      try {
        await Promise.all([...workers].map((worker) => worker.close()));
        await Promise.all([...queues.values()].map((queue) => queue.close()));
      } finally {
        await maker.close();
      }
    },
  };
}

interface Closable {
  on(event: "error", listener: (error: Error) => void): unknown;
  close(): Promise<void>;
}

/** What makes BullMQ's objects on one engine, and what is closed after them. */
interface Maker {
  queue<Data>(name: string, options: Omit<QueueOptions, "connection">): JobQueue<Data> & Closable;
  worker<Data>(
    name: string,
    process: Processor<Data>,
    options: Omit<WorkerOptions, "connection">,
    takesText: boolean,
  ): JobWorker<Data> & Closable;
  close(): Promise<void>;
}

async function makeOnRedis(url: string, namespace: string): Promise<Maker> {
  const connection = await connectRedis(redisConnection(url));
  // The store's hash tag: a deployment is on one node of a cluster.
  const shared = { connection, prefix: `{poolsync:${namespace}}:bull` };
  return {
    queue: <Data>(name: string, options: Omit<QueueOptions, "connection">) =>
      withFaults(new Queue<Data>(name, { ...options, ...shared })),
    worker: <Data>(
      name: string,
      process: Processor<Data>,
      options: Omit<WorkerOptions, "connection">,
      takesText: boolean,
    ) => {
      const given = { ...options, ...shared };
      return takesText ? new TextWorker<Data>(name, process, given) : new Worker<Data>(name, process, given);
    },
    close: () => closeRedis(connection),
  };
}

/** Python's BullMQ writes `NaN`, which is no JSON. */
class TextWorker<Data> extends Worker<Data> {
  protected override createJob(...[json, id]: Parameters<Worker<Data>["createJob"]>) {
    try {
      return super.createJob(json, id);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return super.createJob({ ...json, data: JSON.stringify(json.data) }, id);
    }
  }
}

async function makeOnPostgres(database: Database): Promise<Maker> {
  const client = await database.pool.connect();
  try {
    await runMigrations(client);
  } finally {
    client.release();
  }
  const connection = database.pool;
  const embedded = withBackend(createPostgresBackend);
  return {
    queue: <Data>(name: string, options: Omit<QueueOptions, "connection">) =>
      new embedded.Queue<Data>(name, { ...options, connection }),
    worker: <Data>(name: string, process: Processor<Data>, options: Omit<WorkerOptions, "connection">) =>
      new embedded.Worker<Data>(name, process, { ...options, connection }),
    // The session is the store's.
    async close() {},
  };
}
