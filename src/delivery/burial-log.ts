/** Burials in the log: a line per kind, every few seconds, not one per unit. */
import type { Buried } from "../core/letter.ts";
import type { Log } from "../log.ts";

export interface BurialLog {
  add(letters: readonly Buried[]): void;
  /** Writes what is left, and stops. */
  close(): void;
}

const EVERY_MS = 5000;

export function createBurialLog(log: Log, pool: string): BurialLog {
  const counts = new Map<string, { units: number; lastUser: string }>();
  const flush = (): void => {
    for (const [kind, { units, lastUser }] of counts) log.warn({ pool, kind, units, lastUser }, "units buried");
    counts.clear();
  };
  const timer = setInterval(flush, EVERY_MS).unref();
  return {
    add(letters) {
      for (const { kind, user } of letters)
        counts.set(kind, { units: (counts.get(kind)?.units ?? 0) + 1, lastUser: user });
    },
    close() {
      clearInterval(timer);
      flush();
    },
  };
}
