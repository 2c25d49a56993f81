/**
 * The places of a governor's calls: how many are in flight at a time, and how many are prepared beside them. Whoever has
 * prepared a call waits here until one of those in flight has ended, as long as its slot is fresh.
 */
import { FRESH_MS } from "./slot-stock.ts";

export interface PlaceOptions {
  /** Calls in flight, at most. */
  readonly concurrency: number;
  /** Calls that are only prepared, at most. */
  readonly preparing: number;
  /** True where the next waiter that has no slot yet is urgent. */
  readonly isUrgentNext: () => boolean;
}

/** The place of one call. */
export interface CallPlace {
  /** See `Slot.begin`. */
  begin(): Promise<boolean>;
  /** True the first time. */
  end(): boolean;
}

export interface CallPlaces {
  /** How many slots may be handed out: none while as many calls are in flight as may be. */
  free(): number;
  take(urgent: boolean): CallPlace;
}

export function createCallPlaces({ concurrency, preparing, isUrgentNext }: PlaceOptions): CallPlaces {
  /** Places that are taken and have not ended. */
  let taken = 0;
  /** Of these, the slots whose call has begun. */
  let begun = 0;
  /**
   * Of these, the slots whose call is ready to begin, in the order of arrival: of urgent callers, and of the others.
   */
  const ready = { urgent: new Set<() => void>(), other: new Set<() => void>() };

  /**
   * Lets the next call begin that is ready; but an urgent caller without a slot goes before the calls of the others.
   */
  function beginNext(): void {
    if (begun >= concurrency) return;
    const [next] = ready.urgent.size > 0 || isUrgentNext() ? ready.urgent : ready.other;
    next?.();
  }

  return {
    free: () => (begun < concurrency ? concurrency + preparing - taken : 0),
    take(urgent) {
      let isTaken = true;
      let hasBegun = false;
      const begin = (): void => {
        hasBegun = true;
        begun += 1;
      };
      taken += 1;
      return {
        async begin() {
          if (!hasBegun && begun < concurrency) begin();
          if (hasBegun) return true;
          const line = urgent ? ready.urgent : ready.other;
          const { promise, resolve } = Promise.withResolvers<boolean>();
          const leave = (mayBegin: boolean): void => {
            clearTimeout(lapse);
            line.delete(next);
            if (mayBegin) begin();
            resolve(mayBegin);
          };
          const next = (): void => leave(true);
          const lapse = setTimeout(leave, FRESH_MS, false);
          line.add(next);
          return promise;
        },
        end() {
          if (!isTaken) return false;
          isTaken = false;
          taken -= 1;
          if (hasBegun) begun -= 1;
          beginNext();
          return true;
        },
      };
    },
  };
}
