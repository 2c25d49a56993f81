import type { Interrupts } from "../../lifecycle.ts";
import type { Delivery } from "../../delivery/delivery.ts";

/** Longer than any call may take: a call in flight is finished, and not cut. */
export const DRAIN_MS = 25_000;

/**
 * Stops deliveries: what is in flight is finished, unless the user insists with a second signal. May be called again,
 * and then waits for the same end.
 */
export async function stopDeliveries(
  deliveries: readonly Delivery[],
  interrupts: Interrupts,
  drainMs: number = DRAIN_MS,
): Promise<void> {
  const insist = (): void => {
    for (const delivery of deliveries) delivery.abort();
  };
  if (interrupts.abort.aborted) insist();
  interrupts.abort.addEventListener("abort", insist, { once: true });
  try {
    await Promise.all(deliveries.map((delivery) => delivery.stop(drainMs)));
  } finally {
    interrupts.abort.removeEventListener("abort", insist);
  }
}
