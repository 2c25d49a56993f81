/** Who delivers what a run has put, and that somebody has to where no worker is alive. */
import { counted } from "../core/amounts.ts";

export interface Undelivered {
  readonly pool: string;
  readonly pending: number;
  /** How many workers are alive that deliver to the pool. */
  readonly workers: number;
}

export function whoDelivers(
  { pool, pending, workers }: Undelivered,
  command: (...words: readonly string[]) => string,
): string {
  const what = counted(pending, "change waits", "changes wait");
  return workers > 0
    ? `${what}: ${counted(workers, "worker delivers", "workers deliver")} to this pool.`
    : `${what} for a worker, and none is alive: one has to run, such as \`${command("worker", "--pools", pool)}\`.`;
}
