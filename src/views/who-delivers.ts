/** Who delivers what a run has put, and what has to be done where nobody does. */
import { resumeWords, sincePaused, type PausedGate } from "../app/gates/pause.ts";
import { counted } from "../core/amounts.ts";

export interface Undelivered {
  readonly pool: string;
  readonly pending: number;
  /** How many workers are alive that deliver to the pool. */
  readonly workers: number;
  readonly paused: PausedGate | undefined;
}

export function whoDelivers(
  { pool, pending, workers, paused }: Undelivered,
  command: (...words: readonly string[]) => string,
): string {
  const what = counted(pending, "change waits", "changes wait");
  if (paused) return `${what}: ${sincePaused(paused)} \`${command(...resumeWords(paused.gate))}\` lets them go on.`;
  return workers > 0
    ? `${what}: ${counted(workers, "worker delivers", "workers deliver")} to this pool.`
    : `${what} for a worker, and none is alive: one has to run, such as \`${command("worker", "--pools", pool)}\`.`;
}
