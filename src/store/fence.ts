/**
 * A store is written to for as long as it is the one that the process opened: of this version's format, with the identity
 * and the epoch that it had. Each step looks at the three, in the same script or transaction that would write. Another
 * version changes the format; whoever empties or replaces a store changes the identity; whoever restores one raises the
 * epoch. The fence announces that a step has met a store that is another, to callers that wait, retry or have calls in
 * flight.
 */
import { StoreError, type StoreFault } from "./store-error.ts";

/** What a process learns of a store when it opens it, and compares from then on. */
export interface StoreIdentity {
  /** Random: 16 bytes in base64url. */
  readonly identity: string;
  /** From 1. */
  /** 1 at first, and the time (epoch ms) at which it was raised afterwards. */
  readonly epoch: number;
  /** Epoch ms, by the store's clock: since when what it says of the past is whole. Undefined where nobody knows. */
  readonly since: number | undefined;
}

/** Reads, and answers what is of the store that this process opened: one that was emptied says that nothing is there. */
export type OwnRead = <T>(read: () => Promise<T>) => Promise<T>;

/** The kinds of errors that say that the store is not the one which the process opened: no other step would go better. */
export const LOST_STORE: readonly string[] = ["foreign-format", "store-replaced"] satisfies readonly StoreFault[];

export interface Fence {
  /** Aborts when a step has met another store, with the StoreError as its reason: `foreign-format` or `store-replaced`. */
  readonly met: AbortSignal;
  /** Takes a step, which rejects with such an error where it meets one. */
  step<T>(act: () => Promise<T>): Promise<T>;
  /** Announces one that was met outside of a step. */
  announce(error: StoreError): void;
}

export function createFence(): Fence {
  const fence = new AbortController();
  return {
    met: fence.signal,
    announce: (error) => fence.abort(error),
    async step(act) {
      try {
        return await act();
      } catch (error) {
        if (error instanceof StoreError && LOST_STORE.includes(error.kind)) fence.abort(error);
        throw error;
      }
    },
  };
}
