/**
 * Wake-ups: BullMQ jobs that say "this mailbox has something". A job carries the user's opaque key and nothing else;
 * deduplication keeps one a user, and one more that is added while it runs. Losing or doubling one does no harm,
 * because the due set in the store is the truth and every delivery sweeps it.
 *
 * A pool has two queues, and workers for each: a bulk run may fill every place of the one, and its jobs wait there for
 * the pace, while a single change is fetched from the other at once. A user may have a job in both: whichever comes
 * first sends everything that is pending, and the other finds nothing to do.
 */
import type { Job } from "bullmq";
import type { Due } from "../store/mailboxes.ts";
import type { JobQueue, Queues } from "./bullmq.ts";

/** Who overtakes whom: a single change a bulk run. Lower goes first. */
export const PRIORITY = { direct: 1, bulk: 10 } as const;

export const LANES = ["urgent", "bulk"] as const;
type Lane = (typeof LANES)[number];

/**
 * How many letters of the user's key a wake-up is deduplicated by. With them the options of a job are 64 letters, up to
 * which Redis packs it: half the memory. Should two users agree in all 44 bits, the second is woken by the sweep.
 */
const DEDUPLICATED_BY = 11;

/** How many sleeping jobs a sweep looks through. Those behind them wake by themselves, if later. */
const DELAYED_PAGE = 1000;

export interface WakeUp {
  readonly user: string;
}

export interface WakeUps {
  /** Adds a wake-up for each user; an urgent one that sleeps already is promoted. */
  wake(pool: string, dues: readonly Due[]): Promise<void>;
  /**
   * Throws all wake-ups of a pool away. For the embedded engine at its start: jobs that are marked as running belong to
   * a process that is gone, and waiting for their locks to end would only lose time. The sweep adds what is due.
   */
  reset(pool: string): Promise<void>;
  /** How many jobs wait or sleep. */
  waiting(pool: string): Promise<number>;
  /** The sweep: adds again what may be lost, and promotes sleepers whose user is due. */
  rewake(pool: string, dues: readonly Due[]): Promise<void>;
}

/** The name of a wake-up queue of a pool. */
export function wakeUpQueue(pool: string, lane: Lane): string {
  return lane === "urgent" ? `wake-up-urgent-${pool}` : `wake-up-${pool}`;
}

export function createWakeUps(queues: Queues): WakeUps {
  const queueOf = (pool: string, lane: Lane): JobQueue<WakeUp> => queues.queue<WakeUp>(wakeUpQueue(pool, lane));
  const ofLane = (dues: readonly Due[], lane: Lane): readonly Due[] =>
    dues.filter(({ priority }) => priority < PRIORITY.bulk === (lane === "urgent"));
  const add = (queue: JobQueue<WakeUp>, dues: readonly Due[], keepLastIfActive: boolean): Promise<Job<WakeUp>[]> =>
    queue.addBulk(
      dues.map(({ user }) => ({
        name: "wake-up",
        data: { user },
        opts: {
          deduplication: { id: user.slice(0, DEDUPLICATED_BY), ...(keepLastIfActive ? { keepLastIfActive } : {}) },
        },
      })),
    );

  return {
    async wake(pool, dues) {
      const [urgent, bulk] = [ofLane(dues, "urgent"), ofLane(dues, "bulk")];
      if (bulk.length > 0) await add(queueOf(pool, "bulk"), bulk, true);
      if (urgent.length === 0) return;
      const jobs = await add(queueOf(pool, "urgent"), urgent, true);
      // Of a user whose job was there already, it is that job: it may sleep until a back-off or a lease ends.
      await Promise.all(jobs.map((job) => ignoreRace(job.promote())));
    },
    async waiting(pool) {
      const counts = await Promise.all(LANES.map((lane) => queueOf(pool, lane).count()));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    async reset(pool) {
      for (const lane of LANES) await queueOf(pool, lane).obliterate({ force: true });
    },
    async rewake(pool, dues) {
      for (const lane of LANES) {
        const some = ofLane(dues, lane);
        if (some.length === 0) continue;
        const queue = queueOf(pool, lane);
        // A job that is running is not asked to run again: it waits for the pace, and whoever is then still due is met by
        // the next sweep. A second job of each would take slots for nothing.
        const jobs = await add(queue, some, false);
        const sleepers = await queue.getDelayed(0, DELAYED_PAGE - 1);
        const asleep =
          sleepers.length < DELAYED_PAGE ? new Set(sleepers.map(({ id }) => id)) : await delayedAmong(queue, jobs);
        await Promise.all(jobs.filter(({ id }) => asleep.has(id)).map((job) => ignoreRace(job.promote())));
      }
    },
  };
}

/** Looked up one by one: so many sleep that a list of all would be long. */
async function delayedAmong(
  queue: JobQueue<WakeUp>,
  jobs: readonly Job<WakeUp>[],
): Promise<ReadonlySet<string | undefined>> {
  const ids = jobs.flatMap(({ id }) => id ?? []);
  const states = await Promise.all(ids.map((id) => queue.getJobState(id)));
  return new Set(ids.filter((_, index) => states[index] === "delayed"));
}

/** The job does not sleep, or has begun or ended meanwhile: then it needs no promoting, and the sweep is behind it. */
async function ignoreRace(act: Promise<unknown>): Promise<void> {
  await act.catch(() => undefined);
}
