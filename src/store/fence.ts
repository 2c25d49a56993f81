/**
 * A store that another version of poolsync has brought to another format is not written to any more: each step looks at
 * the format, in the same script or transaction that would write. The fence announces that a step has met another
 * format, to callers that wait, retry or have calls in flight.
 */
import { StoreError } from "./store-error.ts";

export interface Fence {
  /** Aborts, with the StoreError `foreign-format` as its reason, when another format was met. */
  readonly met: AbortSignal;
  /** Takes a step, which rejects with a `foreign-format` where it meets one. */
  step<T>(act: () => Promise<T>): Promise<T>;
}

export function createFence(): Fence {
  const fence = new AbortController();
  return {
    met: fence.signal,
    async step(act) {
      try {
        return await act();
      } catch (error) {
        if (error instanceof StoreError && error.kind === "foreign-format") fence.abort(error);
        throw error;
      }
    },
  };
}
