/** Deliveries of a command, which carries out what it began itself, and leaves what it finds to those it belongs to. */
import { counted } from "../../core/amounts.ts";
import { gatesOf } from "../../core/gate.ts";
import type { Delivery } from "../../delivery/delivery.ts";
import type { Pool } from "../../delivery/pool.ts";
import type { Engine } from "../../queues/engine.ts";
import { AppError } from "../app-error.ts";
import { leftoversOf, type Leftover } from "./leftovers.ts";
import type { RunContext } from "./run-context.ts";
import { booksOf, waitUntilSettled } from "./settling.ts";
import { stopDeliveries } from "./stop-deliveries.ts";

export interface OwnDeliveries {
  readonly deliveries: readonly Delivery[];
  /** The runs that these deliver; everything, where it is absent. */
  readonly ownRuns: Set<string> | undefined;
  /** What other runs left, and these deliver as well: all but what gates keep. */
  readonly leftRuns: readonly string[];
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
  const leftRuns: string[] = [];
  const closed = new Set((await store.gates.list()).map(({ gate }) => gate));
  for (const { profile } of pools) {
    const left = await leftoversOf(store, profile.id, own);
    if (left.length === 0) continue;
    onLeft(left);
    for (const { id, feed } of leftovers ? left : []) {
      if (!gatesOf({ id, feed, pool: profile.id }).some((gate) => closed.has(gate))) leftRuns.push(id);
    }
  }
  const ownRuns = leftovers ? undefined : own;
  return { deliveries: await Promise.all(pools.map((pool) => pool.deliver(ownRuns))), ownRuns, leftRuns };
}

/** Waits for what this process delivers of runs that have ended. Throws an AppError `interrupted`. */
export async function waitForOthers(
  { engine, deliveries, interrupts, observe }: Pick<RunContext, "engine" | "deliveries" | "interrupts" | "observe">,
  pools: readonly string[],
  runs: readonly string[],
): Promise<void> {
  if (deliveries.length === 0 || runs.length === 0) return;
  try {
    await waitUntilSettled({
      engine,
      deliveries,
      runs,
      pools,
      allPut: () => true,
      onLook: () => {},
      onHold: (standstill) => observe({ is: "held", standstill }),
      signal: interrupts.drain,
    });
  } catch (cause) {
    if (!interrupts.drain.aborted) throw cause;
    await stopDeliveries(deliveries, interrupts);
    const { pending } = await booksOf(engine.store.runs, runs);
    const changes = counted(pending, "change of earlier runs stays", "changes of earlier runs stay");
    throw new AppError("interrupted", `Interrupted. ${changes} queued.`, { cause, category: "interrupted" });
  }
}
