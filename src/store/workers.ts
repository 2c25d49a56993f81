/**
 * The port to workers that are alive: processes that deliver whatever is due in a pool, run schedules, carry out replay
 * orders, take events, or move jobs of the queue `changes`. Each says so again and again; one that has not for as long as it said is taken for dead.
 */
import { z } from "zod";
import { soundDocument } from "./documents.ts";

const WORK = ["delivery", "schedules", "replays", "events", "jobs"] as const;

export const aliveWorker = z.object({
  does: z.enum(WORK),
  /** Where it delivers. */
  pool: z.exactOptional(z.string()),
  /** Its machine and process, for people. */
  process: z.string(),
});
export type AliveWorker = z.infer<typeof aliveWorker>;

export interface Workers {
  /** It is alive for `forMs` from now. Those whose time has passed are forgotten. */
  renew(id: string, worker: AliveWorker, forMs: number): Promise<void>;
  end(id: string): Promise<void>;
  /** Those that are alive, in no order. */
  list(): Promise<readonly AliveWorker[]>;
}

/** How many workers are alive that deliver to a pool. */
export async function workersOf({ workers }: { readonly workers: Workers }, pool: string): Promise<number> {
  return (await workers.list()).filter((worker) => worker.pool === pool).length;
}

/** Workers as stores keep them: `<end in epoch ms>|<AliveWorker as JSON>`. What cannot be read is nobody. */
export function aliveIn(texts: readonly string[], now: number): readonly AliveWorker[] {
  return texts.flatMap((text) => {
    const bar = text.indexOf("|");
    if (!(Number(text.slice(0, bar)) > now)) return [];
    return soundDocument(aliveWorker, text.slice(bar + 1)) ?? [];
  });
}
