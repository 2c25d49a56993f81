/**
 * Wake-ups: BullMQ jobs that say "these mailboxes have something". A job carries opaque keys of users and nothing else.
 * Losing or doubling one does no harm, because the due set in the store is the truth and every delivery sweeps it.
 *
 * A pool has two queues, and workers for each: a bulk run may fill every place of the one, and its jobs wait there for
 * the pace, while a single change is fetched from the other at once. A user may be in jobs of both: whichever comes
 * first sends everything that is pending, and the other finds nothing to do.
 *
 * The users of a bulk run share jobs, because a job costs Redis more than a claim does. Every other job is one user's
 * own: deduplication keeps one a user and queue, and one more that is added while it runs.
 */
import type { Job } from "bullmq";
import type { Due, Swept } from "../store/mailboxes.ts";
import type { JobQueue, Queues } from "./bullmq.ts";

/** The priorities: a single change overtakes a bulk run, and so do events. Lower goes first. */
export const PRIORITY = { direct: 1, event: 5, bulk: 10 } as const;

export const LANES = ["urgent", "bulk"] as const;
export type Lane = (typeof LANES)[number];

const NAME = "wake-up";

/**
 * How many letters of the user's key a wake-up is deduplicated by. With them the options of a job are 64 letters, up to
 * which Redis packs it: half the memory. Should two users agree in all 44 bits, the second is woken by the sweep.
 */
const DEDUPLICATED_BY = 11;

/** How many jobs share the users of a page, so that as many calls may be made at a time. */
const JOBS_A_PAGE = 25;
/** How many users a job has at most: nobody else takes them while it runs. */
const USERS_A_JOB = 25;

/** How many waiting jobs a sweep looks through for one that is shared. */
const WAITING_PAGE = 100;

/** How many sleeping jobs a sweep looks through. Those behind them wake by themselves, if later. */
const DELAYED_PAGE = 1000;

export interface WakeUp {
  readonly users: readonly string[];
}

/** True for the job of a single user. It may sleep, and no second one is added beside it. */
export function isSingleUserJob(job: Partial<Pick<Job<WakeUp>, "deduplicationId">>): boolean {
  return job.deduplicationId !== undefined;
}

export interface WakeUps {
  /** Adds a wake-up of each user; an urgent one that sleeps already is promoted. */
  wake(pool: string, dues: readonly (Due | Swept)[]): Promise<void>;
  /** Adds one that sleeps, to a bulk run's queue, where the user has none of their own there. */
  sleep(pool: string, user: string, forMs: number): Promise<void>;
  /**
   * At the start of a process that alone works the queues, as on the embedded engine: throws all wake-ups of a pool away,
   * and answers true. Jobs that are marked as running belong to a process that is gone, and waiting for their locks to
   * end would only lose time. Who is due is to be woken then. Where others work it does nothing, and answers false.
   */
  reset(pool: string): Promise<boolean>;
  /**
   * When the oldest shared job that waits or is worked on was added, epoch ms by the clock of the process that added
   * it; or since when its users have been due, where that was known. A user of a bulk run who has been due for longer
   * is in no shared job. Jobs of one user do not count: a sweep does not double them.
   */
  oldest(pool: string): Promise<number | undefined>;
  /** The sweep: adds again what may be lost, and promotes sleepers whose user is due. */
  rewake(pool: string, dues: readonly Due[]): Promise<void>;
}

/** The name of a wake-up queue of a pool. */
export function wakeUpQueue(pool: string, lane: Lane): string {
  return lane === "urgent" ? `wake-up-urgent-${pool}` : `wake-up-${pool}`;
}

/** `worksAlone`: no other process has workers for the queues. */
export function createWakeUps(queues: Queues, worksAlone: boolean): WakeUps {
  const queueOf = (pool: string, lane: Lane): JobQueue<WakeUp> => queues.queue<WakeUp>(wakeUpQueue(pool, lane));
  const ofLane = <Wanted extends Due>(dues: readonly Wanted[], lane: Lane): readonly Wanted[] =>
    dues.filter(({ priority }) => priority < PRIORITY.bulk === (lane === "urgent"));
  const addSingleUserJobs = (
    queue: JobQueue<WakeUp>,
    dues: readonly Due[],
    keepLastIfActive: boolean,
  ): Promise<Job<WakeUp>[]> =>
    queue.addBulk(
      dues.map(({ user }) => ({
        name: NAME,
        data: { users: [user] },
        opts: { deduplication: { ...deduplicationOf(user), ...(keepLastIfActive ? { keepLastIfActive } : {}) } },
      })),
    );
  async function addShared(queue: JobQueue<WakeUp>, dues: readonly (Due | Swept)[]): Promise<void> {
    const usersPerJob = Math.min(USERS_A_JOB, Math.ceil(dues.length / JOBS_A_PAGE));
    if (usersPerJob <= 1) return void (await addSingleUserJobs(queue, dues, true));
    const jobs = Array.from({ length: Math.ceil(dues.length / usersPerJob) }, (_, index) =>
      dues.slice(index * usersPerJob, (index + 1) * usersPerJob),
    );
    await queue.addBulk(
      jobs.map((jobDues) => {
        const times = jobDues.flatMap((due) => ("dueAt" in due ? due.dueAt : []));
        const opts = times.length === 0 ? {} : { timestamp: Math.min(...times) };
        return { name: NAME, data: { users: jobDues.map(({ user }) => user) }, opts };
      }),
    );
  }

  return {
    async wake(pool, dues) {
      const [urgent, bulk] = [ofLane(dues, "urgent"), ofLane(dues, "bulk")];
      if (bulk.length > 0) await addShared(queueOf(pool, "bulk"), bulk);
      if (urgent.length === 0) return;
      const jobs = await addSingleUserJobs(queueOf(pool, "urgent"), urgent, true);
      // Where a user had a job already, this is that job: it may sleep until a back-off or a lease ends.
      await Promise.all(jobs.map((job) => ignoreRace(job.promote())));
    },
    async sleep(pool, user, forMs) {
      await queueOf(pool, "bulk").add(NAME, { users: [user] }, { delay: forMs, deduplication: deduplicationOf(user) });
    },
    async oldest(pool) {
      const queue = queueOf(pool, "bulk");
      const jobs = await Promise.all([queue.getWaiting(0, WAITING_PAGE - 1), queue.getActive()]);
      const times = jobs.flat().flatMap((job) => (isSingleUserJob(job) ? [] : job.timestamp));
      return times.length === 0 ? undefined : Math.min(...times);
    },
    async reset(pool) {
      if (!worksAlone) return false;
      for (const lane of LANES) await queueOf(pool, lane).obliterate({ force: true });
      return true;
    },
    async rewake(pool, dues) {
      for (const lane of LANES) {
        const laneDues = ofLane(dues, lane);
        if (laneDues.length === 0) continue;
        const queue = queueOf(pool, lane);
        // A job that is running is not asked to run again: it waits for the pace, and the next sweep meets every user
        // who is still due then. A second job of each would take slots for nothing.
        const jobs = await addSingleUserJobs(queue, laneDues, false);
        const sleepers = await queue.getDelayed(0, DELAYED_PAGE - 1);
        const asleep =
          sleepers.length < DELAYED_PAGE ? new Set(sleepers.map(({ id }) => id)) : await delayedAmong(queue, jobs);
        await Promise.all(jobs.filter(({ id }) => asleep.has(id)).map((job) => ignoreRace(job.promote())));
      }
    },
  };
}

function deduplicationOf(user: string): { readonly id: string } {
  return { id: user.slice(0, DEDUPLICATED_BY) };
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
