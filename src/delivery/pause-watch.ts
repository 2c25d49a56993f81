/**
 * What one process does about gates that others close and open. Each step that writes reads the gates by itself; here the
 * log is told who paused what, and users come to where the gates stand without waiting for a step of theirs: whom a gate
 * keeps is due no more, and whom it keeps no more is woken.
 */
import { ALL, poolGate } from "../core/gate.ts";
import type { Log } from "../log.ts";
import type { Engine } from "../queues/engine.ts";
import type { ClosedGate } from "../store/gates.ts";
import { releaseKept, sortOut } from "./kept-users.ts";

export interface PauseWatch {
  look(): Promise<void>;
  /** What is paused, as it was at the last look. */
  readonly paused: readonly ClosedGate[];
}

export function createPauseWatch(engine: Pick<Engine, "store" | "wakeUps">, pool: string, log: Log): PauseWatch {
  const { gates } = engine.store;
  let known = new Map<string, ClosedGate>();
  let isSorted = true;

  /** Others' pools have their own process. */
  const concerns = ({ gate, state }: ClosedGate): boolean =>
    state === "paused" && (gate === ALL || gate === poolGate(pool) || gate.startsWith("feed:"));

  return {
    get paused() {
      return [...known.values()].filter(concerns);
    },
    async look() {
      const closed = new Map((await gates.list()).map((one) => [`${one.gate} ${one.since}`, one]));
      for (const [key, one] of closed) {
        const { gate, by, reason } = one;
        if (!known.has(key) && concerns(one)) log.warn({ pool, gate, by, reason }, "paused");
      }
      for (const [key, one] of known)
        if (!closed.has(key) && concerns(one)) log.info({ pool, gate: one.gate }, "resumed");
      if ([...closed.keys()].some((key) => !known.has(key))) isSorted = false;
      known = closed;
      // Where the store fails on the way, the next look does it.
      if (!isSorted) await sortOut(engine.store, { pool });
      isSorted = true;
      for (const gate of await gates.opened()) await releaseKept(engine, gate);
    },
  };
}
