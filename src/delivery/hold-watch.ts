/**
 * One process's view of the holds of one pool. That a pool is free is believed for two seconds, so that a delivery
 * does not cost a look; a hold is looked up every time, because the look takes the probe.
 */
import type { Holds, HoldScope } from "../store/holds.ts";

export type HoldAnswer =
  | { readonly is: "free" }
  | { readonly is: "probe" }
  | { readonly is: "held"; readonly retryInMs: number };

export interface HoldWatch {
  ask(scope: HoldScope): Promise<HoldAnswer>;
  /** Places a hold; answers true where it is new, and when it may be probed. */
  place(scope: HoldScope, kind: string): Promise<boolean>;
  /** A call went through: lifts the hold where there is one. Costs nothing while none is known. */
  lift(scope: HoldScope): Promise<void>;
  /**
   * A user's call was refused in a way that may be the pool's fault. Answers true where another user's was refused
   * alike, with no success since, here or in the process that placed the hold.
   */
  refused(user: string): boolean;
  /** A write succeeded: what was refused before was about its user. */
  succeeded(): void;
}

const BELIEVED_MS = 2000;

export interface HoldEvents {
  placed(scope: HoldScope, kind: string): void;
  lifted(scope: HoldScope): void;
}

export function createHoldWatch(holds: Holds, pool: string, events: HoldEvents): HoldWatch {
  const freeUntil = new Map<HoldScope, number>();
  let lastRefused: string | undefined;
  let poolOnHold = false;
  return {
    async ask(scope) {
      if ((freeUntil.get(scope) ?? 0) > performance.now()) return { is: "free" };
      const answer = await holds.ask(pool, scope);
      if (scope === "pool") poolOnHold = answer.is !== "free";
      if (answer.is === "free") freeUntil.set(scope, performance.now() + BELIEVED_MS);
      else freeUntil.delete(scope);
      return answer.is === "held" ? { is: "held", retryInMs: answer.retryInMs } : { is: answer.is };
    },
    async place(scope, kind) {
      freeUntil.delete(scope);
      if (scope === "pool") poolOnHold = true;
      const fresh = await holds.place(pool, scope, kind);
      if (fresh) events.placed(scope, kind);
      return fresh;
    },
    async lift(scope) {
      if ((freeUntil.get(scope) ?? 0) > performance.now()) return;
      if (await holds.lift(pool, scope)) events.lifted(scope);
      if (scope === "pool") poolOnHold = false;
      freeUntil.set(scope, performance.now() + BELIEVED_MS);
    },
    refused(user) {
      const alike = poolOnHold || (lastRefused !== undefined && lastRefused !== user);
      lastRefused ??= user;
      return alike;
    },
    succeeded() {
      lastRefused = undefined;
    },
  };
}
