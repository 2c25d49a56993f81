/**
 * When feeds run by themselves. BullMQ's job schedulers put one order of a feed into the queue at a time: while nobody
 * takes it, it stays one, so that a fleet that was down catches up once. Any directory worker takes it; where that
 * worker is killed, another one takes it.
 */
import { z } from "zod";
import type { JobQueue, Queues } from "./bullmq.ts";

const QUEUE = "directory";

const orderData = z.object({
  feed: z.string(),
  /** The run whose plan was approved; absent where the feed is to be read. */
  run: z.exactOptional(z.string()),
});
export type FeedOrder = z.infer<typeof orderData>;

export type Schedule = { readonly cron: string; readonly timezone: string } | { readonly everyMs: number };

/** What cannot be done now may work a little later; then the next time comes. */
const ORDER_RULES = { attempts: 4, backoff: { type: "exponential", delay: 30_000 } } as const;

export interface Placed {
  readonly placed: readonly string[];
  readonly removed: readonly string[];
}

/**
 * Schedules these feeds and no other. A scheduler that is right already stays, and with it the time that it has missed.
 */
export async function placeSchedules(queues: Queues, schedules: ReadonlyMap<string, Schedule>): Promise<Placed> {
  const queue = queues.queue<FeedOrder>(QUEUE);
  const [placed, removed]: [string[], string[]] = [[], []];
  for (const { key, template } of await queue.getJobSchedulers()) {
    const feed = template?.data?.feed;
    if (feed !== undefined && schedules.has(feed) && key === idOf(feed)) continue;
    await queue.removeJobScheduler(key);
    removed.push(feed ?? key);
  }
  for (const [feed, schedule] of schedules) {
    // Placed anew it would forget the time that it has missed.
    if (await isPlaced(queue, feed, schedule)) continue;
    const repeat = "cron" in schedule ? { pattern: schedule.cron, tz: schedule.timezone } : { every: schedule.everyMs };
    await queue.upsertJobScheduler(idOf(feed), repeat, { name: "feed", data: { feed }, opts: ORDER_RULES });
    placed.push(feed);
  }
  return { placed, removed };
}

/** True where the scheduler is as it should be, and its next order is there: a Redis that lost its last writes may lack it. */
async function isPlaced(queue: JobQueue<FeedOrder>, feed: string, schedule: Schedule): Promise<boolean> {
  const scheduler = await queue.getJobScheduler(idOf(feed));
  if (scheduler?.next === undefined) return false;
  const isSame =
    "cron" in schedule
      ? scheduler.pattern === schedule.cron && scheduler.tz === schedule.timezone
      : scheduler.every === schedule.everyMs;
  return isSame && (await queue.getJob(`repeat:${idOf(feed)}:${scheduler.next}`)) !== undefined;
}

/** A colon has a meaning in BullMQ's ids. */
function idOf(feed: string): string {
  return encodeURIComponent(feed);
}

/** The feeds that have a schedule, and when their next order is due (epoch ms), which may be past. */
export async function scheduledTimes(
  queues: Queues,
): Promise<readonly { readonly feed: string; readonly next: number | undefined }[]> {
  const schedulers = await queues.queue<FeedOrder>(QUEUE).getJobSchedulers();
  return schedulers.flatMap(({ template, next }) => {
    const feed = template?.data?.feed;
    return feed === undefined ? [] : [{ feed, next }];
  });
}

/** Gives the order that a feed's schedule would give. */
export async function orderNow(queues: Queues, feed: string): Promise<void> {
  await queues.queue<FeedOrder>(QUEUE).add("now", { feed }, ORDER_RULES);
}

/** How much earlier a later order takes in no more: clocks differ, and it may be begun already. */
const CLOSED_MS = 60_000;

/**
 * The same, for whoever asks again and again: an order now, and for all who ask after it one more, a span later. Orders
 * are about a span apart at least.
 */
export async function orderSpaced(queues: Queues, feed: string, spanMs: number): Promise<void> {
  const now = `asked ${idOf(feed)}`;
  if (await orderUnless(queues, feed, { id: now, ttl: spanMs })) return;
  const later = { id: `later ${idOf(feed)}`, ttl: Math.max(1, spanMs - CLOSED_MS) };
  if (!(await orderUnless(queues, feed, later, spanMs))) return;
  // The next span begins with the later order.
  await orderUnless(queues, feed, { id: now, ttl: 2 * spanMs, extend: true });
}

/** False where an order under this id keeps another one out. */
async function orderUnless(
  queues: Queues,
  feed: string,
  deduplication: { readonly id: string; readonly ttl: number; readonly extend?: boolean },
  delay = 0,
): Promise<boolean> {
  const queue = queues.queue<FeedOrder>(QUEUE);
  const before = await queue.getDeduplicationJobId(deduplication.id);
  // Kept out, it is answered with the id of the other. One that was put between these two lines is as good as ours.
  const { id } = await queue.add("asked", { feed }, { ...ORDER_RULES, delay, deduplication });
  return id !== before;
}

/** Has the fleet go on with an approved run. */
export async function orderApproved(queues: Queues, order: FeedOrder & { readonly run: string }): Promise<void> {
  await queues.queue<FeedOrder>(QUEUE).add("approved", order, ORDER_RULES);
}

export interface FeedWorker {
  /** Stops between two pages; what is under way stays an order, for another worker or for the next start. */
  stop(): Promise<void>;
}

export interface FeedWorkerOptions {
  /** How many feeds at a time. */
  readonly concurrency: number;
  /** Ends what is under way, as a stop does. */
  readonly ending: AbortSignal;
  /** One that rejects is tried again, a few times. `signal` aborts when the worker stops. */
  readonly handle: (order: FeedOrder, signal: AbortSignal) => Promise<void>;
  /** Called for an order that cannot be read: another version wrote it. */
  readonly onUnreadable: (job: string | undefined) => void;
}

export function startFeedWorker(queues: Queues, options: FeedWorkerOptions): FeedWorker {
  const stopping = new AbortController();
  const signal = AbortSignal.any([stopping.signal, options.ending]);
  const worker = queues.worker<FeedOrder>(
    QUEUE,
    async (job) => {
      const order = orderData.safeParse(job.data);
      if (!order.success) return options.onUnreadable(job.id);
      try {
        return await options.handle(order.data, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
        return { is: "asleep", forMs: 0 };
      }
    },
    { concurrency: options.concurrency },
  );
  return {
    async stop() {
      stopping.abort();
      await worker.close();
    },
  };
}
