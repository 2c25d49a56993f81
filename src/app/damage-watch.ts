/** Says in the log what broke in the store, once a process: documents that were set aside, and the keys. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../log.ts";
import type { Engine } from "../queues/engine.ts";
import type { KeysFound } from "../store/namespace-keys.ts";

const LOOK_EVERY_MS = 5_000;

/** Looks until the signal; what the store does not answer is asked again. */
export async function watchDamage(
  { store: { damaged }, lookAtKeys }: Pick<Engine, "store" | "lookAtKeys">,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const known = new Set<string>();
  let before: KeysFound | undefined;
  while (!signal.aborted) {
    try {
      for (const { id, kind, place, pool, run } of await damaged.list()) {
        if (!known.has(id)) log.warn({ id, kind, place, pool, run }, "document set aside");
        known.add(id);
      }
      const keys = await lookAtKeys?.();
      if (keys === "put back") log.warn({}, "keys put back");
      if (keys === "altered" && before !== keys) log.error({}, "keys altered");
      if (keys === "closed" && before !== keys) log.warn({}, "keys wrapped by another key");
      before = keys;
      await sleep(LOOK_EVERY_MS, undefined, { signal, ref: false });
    } catch {
      // The deliveries of the process tell of a store that cannot be asked; and a sleep that was ended needs no word.
      if (!signal.aborted) await sleep(LOOK_EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}
