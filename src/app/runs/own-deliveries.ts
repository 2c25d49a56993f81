/** Deliveries of a command, which carries out what it began itself, and leaves what it finds to those it belongs to. */
import type { Delivery } from "../../delivery/delivery.ts";
import type { Pool } from "../../delivery/pool.ts";
import type { Engine } from "../../queues/engine.ts";
import { leftoversOf, type Leftover } from "./leftovers.ts";

export interface OwnDeliveries {
  readonly deliveries: readonly Delivery[];
  /** The runs that these deliver; everything, where it is absent. */
  readonly ownRuns: Set<string> | undefined;
}

export interface OwnDeliveriesOptions {
  /** Runs that the command goes on with, or puts letters of again. */
  readonly runs: readonly string[];
  /** Deliver what other runs left as well. */
  readonly leftovers: boolean;
  /** Told what other runs left, before anything of it is sent. */
  readonly onLeft: (left: readonly Leftover[]) => void;
}

export async function deliverOwn(
  { store }: Pick<Engine, "store">,
  pools: readonly Pool[],
  { runs, leftovers, onLeft }: OwnDeliveriesOptions,
): Promise<OwnDeliveries> {
  const own = new Set(runs);
  for (const { profile } of pools) {
    const left = await leftoversOf(store, profile.id, own);
    if (left.length > 0) onLeft(left);
  }
  const ownRuns = leftovers ? undefined : own;
  return { deliveries: await Promise.all(pools.map((pool) => pool.deliver(ownRuns))), ownRuns };
}
