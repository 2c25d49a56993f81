/** What a plan says is done at its own time: these waits are the run's pace, and wait for nothing else. */
import { setTimeout as sleep } from "node:timers/promises";

/** Yields each once its time has come. Rejects with the signal's reason. */
export async function* inTime<T extends { readonly atMs: number }>(
  planned: readonly T[],
  signal: AbortSignal,
): AsyncGenerator<T> {
  const startedAt = Date.now();
  for (const one of planned) {
    await sleep(Math.max(0, startedAt + one.atMs - Date.now()), undefined, { signal });
    yield one;
  }
}
