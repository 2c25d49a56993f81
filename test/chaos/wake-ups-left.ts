/**
 * The wake-ups that are left when everything was delivered. One may sleep on after the other queue's has done its work,
 * and finds nothing to do then: no longer than a claim that died is remembered, and one a user and queue.
 */
import { z } from "zod";
import { SUSPECT_MS } from "../../src/core/mailbox.ts";
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

export async function wakeUpsLeft(engine: Engine): Promise<WakeUpsLeft> {
  const sleeping = new Set<string>();
  const wrong: string[] = [];
  let jobs = 0;
  for (const lane of LANES) {
    const known = new Set<string>();
    for (const { data, delay } of await engine.queues.queue(wakeUpQueue(POOL, lane)).getDelayed()) {
      const [user] = wakeUp.parse(data).users;
      if (known.has(user)) wrong.push(`${user} has two wake-ups in one queue`);
      if (delay > SUSPECT_MS + SLACK_MS) wrong.push(`a wake-up of ${user} sleeps for ${delay} ms`);
      known.add(user);
      sleeping.add(user);
      jobs += 1;
    }
  }
  const awake = await wakeUpsAwake(engine);
  if (awake > 0) wrong.push(`${awake} wake-ups wait or are worked on`);
  return { sleeping, jobs, wrong };
}
