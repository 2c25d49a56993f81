/**
 * A feed's turn: one process of the fleet has it at a time, by a lease in the store that it renews while it works. The
 * turn of a process that died is free once its lease has ended.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Reservations } from "../../store/reservations.ts";

const LEASE_MS = 15_000;
const RENEW_MS = 5_000;
const LOOK_MS = 500;
/** The lease's name among those of aliases, none of whose pools is called so. */
const SCOPE = "feeds";

/**
 * Runs `act` in the feed's turn. `signal` of `act` aborts with `within`, or when the turn is lost. Resolves to false
 * where another has the turn: for longer than one that died could have it.
 */
export async function withFeedLease(
  reservations: Reservations,
  feed: string,
  within: AbortSignal,
  act: (signal: AbortSignal) => Promise<void>,
): Promise<boolean> {
  const holder = randomUUID();
  const waitUntil = performance.now() + LEASE_MS + RENEW_MS;
  for (;;) {
    const asked = await reservations.take(SCOPE, feed, holder, LEASE_MS);
    if (asked.is === "taken") break;
    if (performance.now() >= waitUntil) return false;
    await sleep(Math.min(LOOK_MS, asked.retryInMs), undefined, { signal: within });
  }
  const lost = new AbortController();
  let leaseEndsAt = performance.now() + LEASE_MS;
  const renew = async (): Promise<void> => {
    const askedAt = performance.now();
    // A store that cannot be asked leaves the lease as it is: it is lost when it ends.
    const asked = await reservations.take(SCOPE, feed, holder, LEASE_MS).catch(() => undefined);
    if (asked?.is === "taken") leaseEndsAt = askedAt + LEASE_MS;
    if (asked?.is === "held" || performance.now() > leaseEndsAt) lost.abort(new LeaseLostError(feed));
  };
  const timer = setInterval(() => void renew(), RENEW_MS);
  try {
    await act(AbortSignal.any([within, lost.signal]));
  } finally {
    clearInterval(timer);
    await reservations.release(SCOPE, feed, holder).catch(() => undefined);
  }
  return true;
}

/** The store could not be reached for as long as the lease. Whoever has the turn now goes on with the run. */
class LeaseLostError extends Error {
  readonly kind = "turn-lost";
  constructor(feed: string) {
    super(
      `The turn of feed ${feed} was lost: the store could not be reached for ${LEASE_MS / 1000} seconds, or another process has it. What was put stays queued, and the next pass or sync of the feed goes on.`,
    );
  }
}
