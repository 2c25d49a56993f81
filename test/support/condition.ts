import { setTimeout as sleep } from "node:timers/promises";

const LOOK_MS = 20;
/**
 * A look that opens an engine takes as much of a core as what it waits for: it leaves the others four times its own, and
 * more the longer it waits, once more in so many milliseconds.
 */
const REST = 4;
const MORE_REST_MS = 300;
const LONGEST_REST_MS = 500;

/**
 * Resolves once `holds` answers true. Looks again and again, because what it waits for happens in other processes;
 * rejects with what it waited for when `withinMs` have passed.
 */
export async function until(
  what: string | (() => string),
  holds: () => boolean | Promise<boolean>,
  withinMs = 60_000,
): Promise<void> {
  const begunAt = performance.now();
  const deadline = begunAt + withinMs;
  for (;;) {
    const lookedAt = performance.now();
    if (await holds()) return;
    const now = performance.now();
    if (now > deadline) {
      throw new Error(`Expected within ${withinMs} ms: ${typeof what === "string" ? what : what()}`);
    }
    const rest = (now - lookedAt) * (REST + (now - begunAt) / MORE_REST_MS);
    await sleep(Math.min(Math.max(LOOK_MS, rest), LONGEST_REST_MS));
  }
}
