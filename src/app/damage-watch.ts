/** Says in the log what was set aside, once a process. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../log.ts";
import type { Store } from "../store/store.ts";

const LOOK_EVERY_MS = 5_000;

/** Looks until the signal; what the store does not answer is asked again. */
export async function watchDamage({ damaged }: Pick<Store, "damaged">, log: Log, signal: AbortSignal): Promise<void> {
  const known = new Set<string>();
  while (!signal.aborted) {
    try {
      for (const { id, kind, place, pool, run } of await damaged.list()) {
        if (!known.has(id)) log.warn({ id, kind, place, pool, run }, "document set aside");
        known.add(id);
      }
      await sleep(LOOK_EVERY_MS, undefined, { signal, ref: false });
    } catch {
      // The deliveries of the process tell of a store that cannot be asked; and a sleep that was ended needs no word.
      if (!signal.aborted) await sleep(LOOK_EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}
