/**
 * The lease of a feed: one process of the fleet works on the feed at a time, and renews its lease in the store while it
 * does. Where a process died, the feed is free once its lease has ended.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Reservations } from "../../store/reservations.ts";

const LEASE_MS = 15_000;
const RENEW_MS = 5_000;
const LOOK_MS = 500;
/** Reservations of feeds are kept apart from those of aliases, whose scope is a pool's id: no id has this form. */
const SCOPE = "feeds";

/**
 * Runs `act` under the feed's lease. The signal of `act` aborts with `within`, or when the lease is lost. Resolves to
 * false where another process has the lease for longer than a dead one could have it.
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

/** The store could not be reached for as long as the lease. Whoever has the lease now goes on with the run. */
class LeaseLostError extends Error {
  readonly kind = "turn-lost";
  constructor(feed: string) {
    super(
      `The turn of feed ${feed} was lost: the store could not be reached for ${LEASE_MS / 1000} seconds, or another process has it. What was put stays queued, and the next pass or sync of the feed goes on.`,
    );
  }
}
