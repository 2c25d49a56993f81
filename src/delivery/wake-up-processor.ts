/**
 * Processes the wake-ups of a pool: takes turns of the users of a job in their order, and says what becomes of the job.
 * What this process does not get to it puts back, for another or for itself when it takes work again.
 */
import type { Log } from "../log.ts";
import type { JobEnd, JobInHand } from "../queues/bullmq.ts";
import { isSingleUserJob, PRIORITY, type Lane, type WakeUp, type WakeUps } from "../queues/wake-ups.ts";
import { redisFault } from "../store/redis/redis-error.ts";
import type { Intake } from "./intake.ts";
import type { UserTurn } from "./user-turn.ts";

export interface ProcessorDeps {
  readonly pool: string;
  readonly wakeUps: Pick<WakeUps, "wake" | "sleep">;
  readonly turn: UserTurn;
  readonly intake: Intake;
  readonly log: Log;
  /** Those that this process works. */
  readonly lanes: readonly Lane[];
}

/** What a user's turns left: nothing, a time to look again in ms, or everything, as this process takes no work just now. */
type Next = number | "put-back" | undefined;

/** When a user is looked at again about whom the store failed. */
const STORE_FAILED_MS = 2_000;
/** A delayed job wakes a little after the time it waits for, so that it does not come a millisecond too early. */
const LATE_BY_MS = 5;

export type WakeUpProcessor = (
  job: Pick<JobInHand<WakeUp>, "data"> & Partial<Pick<JobInHand<WakeUp>, "deduplicationId">>,
  priority: number,
) => Promise<JobEnd<WakeUp> | undefined>;

export function createWakeUpProcessor({ pool, wakeUps, turn, intake, log, lanes }: ProcessorDeps): WakeUpProcessor {
  /** The job is shared, so the user gets one of their own. Where that fails a sweep wakes them: the others go on. */
  async function sleepAlone(user: string, forMs: number): Promise<void> {
    try {
      await wakeUps.sleep(pool, user, forMs);
    } catch (error) {
      log.warn({ pool, user, err: redisFault(error) }, "wake-up failed");
    }
  }

  /** What goes wrong here is the store's fault, not Cognito's. */
  async function tryDeliver(user: string, priority: number, goesOn: boolean): Promise<Next> {
    try {
      return await deliver(user, priority, goesOn);
    } catch (error) {
      if (intake.isStopped || intake.calls.aborted || intake.waitsForMemory(error)) return "put-back";
      log.warn({ pool, user, err: error }, "delivery failed");
      return STORE_FAILED_MS;
    }
  }

  /**
   * Delivers what a user has, and `goesOn` while there is more at once: not where others wait in the same job, but there
   * what is urgent has a job of its own.
   */
  async function deliver(user: string, wokenAs: number, goesOn: boolean): Promise<Next> {
    for (let priority = wokenAs; ;) {
      const end = await turn.take({ user, priority, waiting: intake.waiting, calls: intake.calls });
      switch (end.is) {
        case "on-hold":
          intake.waitForHold(end.retryInMs);
          return "put-back";
        case "kept-back":
          return "put-back";
        case "idle":
          return undefined;
        case "busy":
        case "later":
          return end.retryInMs;
        case "delivered":
      }
      const { dueInMs, priority: left = priority } = end.result;
      if (dueInMs === undefined || dueInMs > 0) return dueInMs;
      if (!goesOn) {
        if (left >= PRIORITY.bulk || !lanes.includes("urgent")) return dueInMs;
        await wakeUps.wake(pool, [{ user, priority: left }]);
        return undefined;
      }
      if (!intake.takesWork || intake.calls.aborted) return "put-back";
      // It came while the call was in flight, and may be urgent where this job is not.
      priority = left;
    }
  }

  return async (job, priority) => {
    const { users } = job.data;
    const isSingle = isSingleUserJob(job);
    for (const [index, user] of users.entries()) {
      const next = intake.takesWork ? await tryDeliver(user, priority, isSingle) : "put-back";
      if (next === "put-back") {
        return index === 0 ? { is: "put-back" } : { is: "put-back", data: { users: users.slice(index) } };
      }
      if (next === undefined) continue;
      const forMs = Math.ceil(next) + LATE_BY_MS;
      if (isSingle) return { is: "asleep", forMs };
      await sleepAlone(user, forMs);
    }
    return undefined;
  };
}
