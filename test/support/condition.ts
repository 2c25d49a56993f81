import { setTimeout as sleep } from "node:timers/promises";

const LOOK_MS = 20;

/**
 * Resolves once `holds` answers true. Looks again and again, because what it waits for happens in other processes;
 * rejects with what it waited for when `withinMs` have passed.
 */
export async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 60_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`Expected within ${withinMs} ms: ${what}`);
    await sleep(LOOK_MS);
  }
}
