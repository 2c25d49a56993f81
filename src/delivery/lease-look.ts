/** One look at the pool for a claim: in the pace of UserList, and within the lease. */
import type { Refusal } from "../cognito/fault.ts";
import type { QuotaGovernor } from "../cognito/quota-governor.ts";
import { withinLease } from "./within-lease.ts";

/** The claim that a look is made for, and how much of its lease is left. */
export interface Seeker {
  readonly priority: number;
  readonly signal: AbortSignal;
  leaseLeftMs(): number;
}

/** Throws SlotTooLate where it cannot be made within the lease. */
export async function lookWithinLease<T extends { readonly ok: true }>(
  lists: QuotaGovernor,
  seeker: Seeker,
  look: (ending: AbortSignal) => Promise<T | Refusal>,
): Promise<T | Refusal> {
  const { priority, signal } = seeker;
  const slot = await lists.acquire({ priority, deadlineMs: seeker.leaseLeftMs(), signal });
  try {
    const response = await withinLease(seeker.leaseLeftMs(), signal, look);
    if (!response.ok && response.failure.outcome === "wait" && response.failure.answered) await slot.throttled();
    return response;
  } finally {
    slot.done();
  }
}
