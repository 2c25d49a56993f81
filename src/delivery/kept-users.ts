/** Users whom gates keep, brought in pages to where the gates stand. Each page is one step; what is left undone is done later. */
import { gatesOf } from "../core/gate.ts";
import type { Engine } from "../queues/engine.ts";
import type { Due, Sorted } from "../store/mailboxes.ts";
import type { Run } from "../store/runs.ts";
import type { Store } from "../store/store.ts";

const PAGE = 200;

/** Whom a gate keeps is due no more, and what a cancelled run has put is discarded. */
export async function sortOut({ mailboxes }: Pick<Store, "mailboxes">, whose: Sorted, signal?: AbortSignal) {
  for (let offset = 0; ;) {
    signal?.throwIfAborted();
    const { looked, left } = await mailboxes.sortOut(whose, { offset, limit: PAGE });
    if (looked < PAGE) return;
    offset += left;
  }
}

/** What a cancelled run has put is discarded, also what a gate keeps. */
export async function sortOutRun(
  store: Pick<Store, "mailboxes">,
  run: Pick<Run, "id" | "pool" | "feed">,
  signal?: AbortSignal,
): Promise<void> {
  await sortOut(store, { pool: run.pool }, signal);
  for (const gate of gatesOf(run)) await sortOut(store, { gate }, signal);
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
