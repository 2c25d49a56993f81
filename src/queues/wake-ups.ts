/**
 * Wake-ups: the jobs that say "this mailbox has something". They carry the opaque user key and no value, and there is
 * at most one a user: a second one is dropped while the first waits, and remembered while it runs. Losing or doubling
 * one does no harm, because the due set in the store is the truth and every delivery sweeps it.
 */
import type { Job } from "bullmq";
import type { Due } from "../store/mailboxes.ts";
import type { JobQueue, Queues } from "./bullmq.ts";

/** Who overtakes whom: a single change a bulk run. Lower goes first. */
export const PRIORITY = { direct: 1, bulk: 10 } as const;

/** How many sleeping jobs a sweep looks through. Those behind them wake by themselves, if later. */
const DELAYED_PAGE = 1000;

export interface WakeUp {
  readonly user: string;
}

export interface WakeUps {
  /** Adds a wake-up for each user; one that exists already and is less urgent is raised, one that sleeps is promoted. */
  wake(pool: string, dues: readonly Due[]): Promise<void>;
  /**
   * Throws all wake-ups of a pool away. For the embedded engine at its start: jobs that are marked as running belong to
   * a process that is gone, and waiting for their locks to end would only lose time. The sweep adds what is due.
   */
  reset(pool: string): Promise<void>;
  /** The sweep: adds again what may be lost, and promotes sleepers whose user is due. */
  rewake(pool: string, dues: readonly Due[]): Promise<void>;
}

/** The name of a pool's wake-up queue. */
export function wakeUpQueue(pool: string): string {
  return `wake-up-${pool}`;
}

export function createWakeUps(queues: Queues): WakeUps {
  const add = (queue: JobQueue<WakeUp>, dues: readonly Due[]): Promise<Job<WakeUp>[]> =>
    queue.addBulk(
      dues.map(({ user, priority }) => ({
        name: "wake-up",
        data: { user },
        opts: {
          priority,
          deduplication: { id: user, keepLastIfActive: true },
          removeOnComplete: true,
          removeOnFail: true,
        },
      })),
    );

  return {
    async wake(pool, dues) {
      if (dues.length === 0) return;
      const queue = queues.queue<WakeUp>(wakeUpQueue(pool));
      const jobs = await add(queue, dues);
      const urgent = jobs.filter((_, index) => (dues[index]?.priority ?? PRIORITY.bulk) < PRIORITY.bulk);
      await Promise.all(urgent.map((job) => hurry(queue, job.id)));
    },
    async reset(pool) {
      await queues.queue<WakeUp>(wakeUpQueue(pool)).obliterate({ force: true });
    },
    async rewake(pool, dues) {
      if (dues.length === 0) return;
      const queue = queues.queue<WakeUp>(wakeUpQueue(pool));
      const jobs = await add(queue, dues);
      const sleepers = await queue.getDelayed(0, DELAYED_PAGE - 1);
      const asleep =
        sleepers.length < DELAYED_PAGE ? new Set(sleepers.map(({ id }) => id)) : await delayedAmong(queue, jobs);
      await Promise.all(jobs.filter(({ id }) => asleep.has(id)).map((job) => ignoreRace(job.promote())));
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

async function hurry(queue: JobQueue<WakeUp>, id: string | undefined): Promise<void> {
  if (id === undefined) return;
  const job = await queue.getJob(id);
  if (!job) return;
  if (job.priority > PRIORITY.direct) await ignoreRace(job.changePriority({ priority: PRIORITY.direct }));
  if (await job.isDelayed()) await ignoreRace(job.promote());
}

/** The job may have begun or ended between the look and the act: then it needs no hurrying, and the sweep is behind it. */
async function ignoreRace(act: Promise<unknown>): Promise<void> {
  await act.catch(() => undefined);
}
