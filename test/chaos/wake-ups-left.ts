/**
 * The wake-ups that are left when everything was delivered. One may sleep on after the other queue's has done its work,
 * and finds nothing to do then: no longer than a claim that died is remembered, and one a user and queue.
 */
import { z } from "zod";
import { ABANDONED_CALL_MS } from "../../src/core/mailbox.ts";
import type { Engine } from "../../src/queues/engine.ts";
import { LANES, wakeUpQueue } from "../../src/queues/wake-ups.ts";
import { POOL } from "./service.ts";

export interface WakeUpsLeft {
  /** Opaque keys of users who have one that sleeps. */
  readonly sleeping: ReadonlySet<string>;
  readonly jobs: number;
  readonly wrong: readonly string[];
}

/** Only a user's own sleeps. */
const wakeUp = z.object({ users: z.tuple([z.string()]) });
const anyWakeUp = z.object({ users: z.array(z.string()) });
const AWAKE = ["waiting", "active", "prioritized", "waiting-children", "completed", "failed"] as const;
const SLACK_MS = 10_000;

/** How many wait or are worked on. */
export async function wakeUpsAwake({ queues }: Engine): Promise<number> {
  let awake = 0;
  for (const lane of LANES) {
    const counts = await queues.queue(wakeUpQueue(POOL, lane)).getJobCounts();
    for (const [state, count] of Object.entries(counts)) if (state !== "delayed") awake += count;
  }
  return awake;
}

/** Opaque keys of users who have a wake-up that sleeps. */
export async function sleepers({ queues }: Engine): Promise<ReadonlySet<string>> {
  const users = new Set<string>();
  for (const lane of LANES) {
    for (const { data } of await queues.queue(wakeUpQueue(POOL, lane)).getDelayed()) {
      users.add(wakeUp.parse(data).users[0]);
    }
  }
  return users;
}

/**
 * Once all workers have ended. `slept`: who slept when nobody was woken any more; one of them may have woken while the
 * workers ended, which is no more than sleeping on.
 */
export async function wakeUpsLeft(engine: Engine, slept: ReadonlySet<string>): Promise<WakeUpsLeft> {
  const sleeping = new Set<string>();
  const wrong: string[] = [];
  let jobs = 0;
  for (const lane of LANES) {
    const known = new Set<string>();
    for (const { data, delay } of await engine.queues.queue(wakeUpQueue(POOL, lane)).getDelayed()) {
      const [user] = wakeUp.parse(data).users;
      if (known.has(user)) wrong.push(`${user} has two wake-ups in one queue`);
      if (delay > ABANDONED_CALL_MS + SLACK_MS) wrong.push(`a wake-up of ${user} sleeps for ${delay} ms`);
      known.add(user);
      sleeping.add(user);
      jobs += 1;
    }
  }
  let awake = 0;
  for (const lane of LANES) {
    for (const { data } of await engine.queues.queue(wakeUpQueue(POOL, lane)).getJobs([...AWAKE])) {
      const [user, another] = anyWakeUp.parse(data).users;
      if (another === undefined && user !== undefined && slept.has(user)) {
        sleeping.add(user);
        jobs += 1;
      } else awake += 1;
    }
  }
  if (awake > 0) wrong.push(`${awake} wake-ups wait or are worked on`);
  return { sleeping, jobs, wrong };
}
