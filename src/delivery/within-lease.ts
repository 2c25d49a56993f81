import { SlotTooLate } from "../cognito/slot.ts";

/**
 * Makes a call under a signal that ends with the lease, `leaseLeftMs` from now, or where the delivery is aborted.
 * Throws SlotTooLate where nothing of the lease is left.
 */
export async function withinLease<T>(
  leaseLeftMs: number,
  signal: AbortSignal,
  makeCall: (ending: AbortSignal) => Promise<T>,
): Promise<T> {
  if (leaseLeftMs <= 0) throw new SlotTooLate();
  const ending = new AbortController();
  const endLease = (): void => ending.abort(new DOMException("The lease has ended", "TimeoutError"));
  const leaseEnd = setTimeout(endLease, leaseLeftMs);
  const onAbort = (): void => ending.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await makeCall(ending.signal);
  } finally {
    clearTimeout(leaseEnd);
    signal.removeEventListener("abort", onAbort);
  }
}
