/**
 * Whether this process takes work of a pool: carries out the state machine of core/intake.ts with the timer of a
 * rest, the workers and the log, and keeps the two signals that end what waits and what is in flight.
 *
 * Beside it stand the refusals that may end in a hold. From the moment in which such an answer has come until it is known
 * what it leads to, nobody else's call begins.
 */
import { FIRST_REST_MS, NEW_INTAKE, nextIntake, type IntakeEvent } from "../core/intake.ts";
import type { Log } from "../log.ts";
import { redisFault } from "../store/redis/redis-error.ts";
import { StoreError } from "../store/store-error.ts";
import type { HoldRequest } from "./claim-work.ts";
import type { TurnIntake } from "./user-turn.ts";

export interface Intake extends TurnIntake {
  /** False at rest, and once it was stopped. */
  readonly takesWork: boolean;
  readonly isStopped: boolean;
  /** The failure kind as which this process is refused. */
  readonly refusedAs: string | undefined;
  readonly isFull: boolean;
  /** Ends for those who wait for the pace: nothing of theirs is under way. */
  readonly waiting: AbortSignal;
  /** Ends for the calls that are in flight. */
  readonly calls: AbortSignal;
  /** The pool is on hold. Another process may lift it before the next probe is due, so it is looked at again soon. */
  waitForHold(retryInMs: number): void;
  /** The pool's hold is lifted. */
  lifted(): void;
  /** True for the fault of a Redis that is full: then this process takes no work for a while, and says so once. */
  waitsForMemory(error: unknown): boolean;
  /** Redis takes changes. */
  hasMemory(): void;
  /** Takes no more work. What waits and what is in flight goes on. */
  stop(): void;
  /** Ends those who wait for the pace. */
  turnAway(): void;
  /** Ends those who wait, and the calls in flight. */
  abort(): void;
}

export interface IntakeOptions {
  readonly pool: string;
  readonly log: Log;
  /** Has the workers fetch no more jobs. */
  readonly pause: () => void;
  readonly resume: () => void;
}

/** One function of 85 lines: its methods are a line or two each, and share one state. */
export function createIntake({ pool, log, pause, resume }: IntakeOptions): Intake {
  const waiting = new AbortController();
  const calls = new AbortController();
  const refusals = new Set<Promise<void>>();
  let state = NEW_INTAKE;
  let timer: NodeJS.Timeout | undefined;

  function step(event: IntakeEvent): void {
    const before = state.is;
    const { state: next, restMs } = nextIntake(state, event);
    state = next;
    if (before === state.is) return;
    clearTimeout(timer);
    if (restMs !== undefined) {
      pause();
      timer = setTimeout(step, restMs, { is: "due" } satisfies IntakeEvent);
    } else if (state.is === "taking") resume();
  }

  return {
    get takesWork() {
      return state.is === "taking";
    },
    get isStopped() {
      return state.is === "stopped";
    },
    get refusedAs() {
      return state.refusedAs;
    },
    get isFull() {
      return state.isFull;
    },
    waiting: waiting.signal,
    calls: calls.signal,

    get isRefused() {
      return state.is !== "taking" && state.refusedAs !== undefined;
    },
    get isOnHold() {
      return state.is !== "taking" || refusals.size > 0;
    },
    get refusals() {
      return refusals.size === 0 ? undefined : Promise.all(refusals);
    },
    holdUp() {
      const { promise, resolve } = Promise.withResolvers<void>();
      refusals.add(promise);
      return () => {
        refusals.delete(promise);
        resolve();
      };
    },
    onHold({ scope, failure }: HoldRequest) {
      if (scope === "pool") step({ is: "on-hold", forMs: FIRST_REST_MS });
      if (scope !== "process") return;
      const { kind, advice } = failure;
      if (state.refusedAs === undefined) log.error({ pool, kind, advice }, "deliveries paused");
      step({ is: "refused", kind });
    },
    onAnswer() {
      if (state.refusedAs !== undefined) log.info({ pool }, "deliveries resumed");
      step({ is: "answered" });
    },

    waitForHold: (retryInMs) => step({ is: "on-hold", forMs: Math.min(retryInMs, FIRST_REST_MS) }),
    lifted: () => step({ is: "lifted" }),
    waitsForMemory(error) {
      const fault = redisFault(error);
      if (!(fault instanceof StoreError && fault.kind === "full")) return false;
      if (!state.isFull) log.error({ pool, err: fault }, "Redis is full");
      step({ is: "full" });
      return true;
    },
    hasMemory() {
      if (state.isFull) log.info({ pool }, "Redis takes changes again");
      step({ is: "roomy" });
    },
    stop: () => step({ is: "stop" }),
    turnAway: () => waiting.abort(),
    abort() {
      waiting.abort();
      calls.abort();
    },
  };
}
