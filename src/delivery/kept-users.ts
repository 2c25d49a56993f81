/** Users whom gates keep, brought in pages to where the gates stand. Each page is one step; what is left undone is done later. */
import type { Engine } from "../queues/engine.ts";
import type { Due } from "../store/mailboxes.ts";
import type { Store } from "../store/store.ts";

const PAGE = 200;

/** Those of a pool who are due: whom a gate keeps is due no more, and what a cancelled run has put is discarded. */
export async function sortOutDue({ mailboxes }: Pick<Store, "mailboxes">, pool: string, signal?: AbortSignal) {
  for (let offset = 0; ;) {
    signal?.throwIfAborted();
    const { looked, due } = await mailboxes.sortOut(pool, { offset, limit: PAGE });
    if (looked < PAGE) return;
    offset += due;
  }
}

/** Those whom an open gate has kept are due again, and woken. Answers how many. */
export async function releaseKept(
  { store, wakeUps }: Pick<Engine, "store" | "wakeUps">,
  gate: string,
  signal?: AbortSignal,
): Promise<number> {
  let [count, left] = [0, Infinity];
  for (;;) {
    signal?.throwIfAborted();
    const released = await store.mailboxes.release(gate, PAGE);
    const pools = new Map<string, Due[]>();
    for (const { pool, ...due } of released) pools.set(pool, [...(pools.get(pool) ?? []), due]);
    for (const [pool, dues] of pools) await wakeUps.wake(pool, dues);
    count += released.length;
    // Who is kept by another gate as well is not in the answer. It stays as it is where the gate is closed again.
    const kept = await store.gates.kept(gate);
    if (kept === 0 || kept >= left) return count;
    left = kept;
  }
}
