/**
 * The queue `changes`: jobs of whoever has BullMQ, in any language, a change each. What is in a job is not ours: it is
 * handed on as it is, and its job is done when it is kept elsewhere. Until then it stays, whatever ends when: a job is
 * never failed, and one that was handed on twice has the same id.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Queues } from "./bullmq.ts";

export const CHANGES_QUEUE = "changes";

/** How many at a time: those that come together are kept in one step. */
const AT_A_TIME = 50;
const AGAIN_MS = 1000;

export interface ChangeJob {
  /** Names the job, and nothing that it is about: its own id, or where BullMQ has counted, that and when it was added. */
  readonly id: string;
  readonly data: unknown;
  /** When it was added, in ms by its producer's clock. */
  readonly addedAtMs: number;
}

export interface ChangeJobs {
  /** Takes no more, and puts back what is not kept. */
  stop(): Promise<void>;
}

/** `keep` answers whether it is kept; where it is not, it is asked again a little later. It never rejects. */
export function startChangeJobs(queues: Queues, keep: (job: ChangeJob) => Promise<boolean>): ChangeJobs {
  const stopping = new AbortController();
  const worker = queues.worker<unknown>(
    CHANGES_QUEUE,
    async ({ id = "", data, timestamp }) => {
      // BullMQ counts from one again where somebody empties the queue; what a producer names has no digits alone.
      const named = /^\d+$/.test(id) ? `${id}@${timestamp}` : id;
      while (!(await keep({ id: named, data, addedAtMs: timestamp }))) {
        if (stopping.signal.aborted) return { is: "put-back" };
        // A sleep that was ended needs no word.
        await sleep(AGAIN_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
      return undefined;
    },
    { concurrency: AT_A_TIME, takesText: true },
  );
  return {
    async stop() {
      stopping.abort();
      await worker.close();
    },
  };
}
