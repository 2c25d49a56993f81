/**
 * How reads of a pool are tried again: one policy for DescribeUserPool, ListUsers and DescribeIdentityProvider. Faults
 * that pass by themselves (throttles, 5xx, resets, time-outs) are tried again with full jitter, for a limited time in
 * all; any other fault is answered at once. The reads of a delivery do not come here: their faults are settled with
 * their units.
 */
import { setTimeout as sleep } from "node:timers/promises";
import pRetry from "p-retry";
import { defined } from "../core/defined.ts";
import { fullJitter } from "../core/backoff.ts";
import type { FailureKind } from "../core/failure.ts";
import { readAdvice } from "../core/read-advice.ts";
import type { Refusal } from "./fault.ts";
import { SlotTooLate, type Slot, type SlotRequest } from "./slot.ts";

/** For how long a command, or a call of the library, tries one read. */
export const READS_WITHIN_MS = 30_000;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 10_000;

export interface Reads {
  /** How long one read is tried, its calls included, from its first call on. Infinity: until it is answered. */
  readonly withinMs: number;
  /** Called for every try that failed and is followed by another. */
  readonly onWait?: (waiting: WaitingRead) => void;
  /**
   * Shared by the reads of one command: after one that was tried for its whole time others are tried once, until one is
   * answered. So a command that reads a lot does not wait for each.
   */
  readonly patience?: { spent: boolean };
}

export interface WaitingRead {
  readonly operation: ReadCall["operation"];
  readonly pool: string;
  readonly kind: FailureKind;
  /** The error's own name or code, such as `ECONNREFUSED`. */
  readonly name: string;
  /** Host and port that are asked, where that is known. */
  readonly endpoint?: string | undefined;
  /** How long it has been tried so far. */
  readonly forMs: number;
}

/** Who hands out the turns in which reads are made, such as a QuotaGovernor: each try ends its turn. */
export interface ReadTurns {
  acquire(request: SlotRequest): Promise<Pick<Slot, "done" | "throttled">>;
}

export interface ReadCall {
  readonly operation: "DescribeUserPool" | "ListUsers" | "DescribeIdentityProvider";
  readonly pool: string;
  readonly reads: Reads;
  /** Each try waits for a slot, and slows the pace down where it is throttled. */
  readonly pace?: {
    readonly governor: ReadTurns;
    readonly priority: number;
    /** A throttle is no failure: the pace says when the next try is due, and the read's time begins anew. */
    readonly sparesThrottles?: boolean;
  };
  readonly signal?: AbortSignal | undefined;
  readonly random?: () => number;
}

/** `failure.advice` is what to do about a read. `triedMs` is there where all of its time was spent. */
export type ReadRefusal = Refusal & { readonly triedMs?: number };

/**
 * `read` makes one call under the signal that it is given, and says what came of it. Rejects with the reason of the
 * call's own signal, with what `read` throws, and with the pace's errors.
 */
export async function retryRead<T extends { readonly ok: true }>(
  call: ReadCall,
  read: (signal: AbortSignal) => Promise<T | Refusal>,
): Promise<T | ReadRefusal> {
  const { operation, pool, reads, pace, signal, random = Math.random } = call;
  const { onWait, patience } = reads;
  let begunAt: number | undefined;
  let failures = 0;
  let last: Refusal | undefined;
  const triedMs = (): number => (begunAt === undefined ? 0 : performance.now() - begunAt);
  const leftMs = (): number => reads.withinMs - triedMs();

  const givenUp = (refusal: Refusal): ReadRefusal => {
    if (patience) patience.spent = true;
    return { ...advised(refusal, triedMs()), triedMs: triedMs() };
  };

  const once = async (): Promise<T | ReadRefusal> => {
    let slot: Awaited<ReturnType<ReadTurns["acquire"]>> | undefined;
    try {
      // Other callers may be before it in the line, so its time begins only with its first call.
      const deadlineMs = begunAt === undefined ? Infinity : leftMs();
      slot = await pace?.governor.acquire(defined({ priority: pace.priority, deadlineMs, signal }));
    } catch (error) {
      if (error instanceof SlotTooLate && last) return givenUp(last);
      throw error;
    }
    begunAt ??= performance.now();
    try {
      signal?.throwIfAborted();
      const response = await within(leftMs(), signal, read);
      signal?.throwIfAborted();
      if (response.ok) {
        if (patience) patience.spent = false;
        return response;
      }
      const { outcome, kind } = response.failure;
      if (outcome !== "wait" && outcome !== "retry") return advised(response);
      if (kind === "throttled" && slot) {
        await slot.throttled();
        if (pace?.sparesThrottles) {
          begunAt = undefined;
          failures = 0;
          throw new TriedInVain(0);
        }
      }
      const isOver = leftMs() < FIRST_WAIT_MS;
      // A try that was cut because the time was up says less than the one before.
      if (!isOver || kind !== "timed-out" || !last) last = response;
      if (patience?.spent) return advised(response);
      if (isOver) return givenUp(last);
      failures += 1;
      onWait?.({ operation, pool, kind, name: response.name, forMs: triedMs() });
      throw new TriedInVain(fullJitter(failures, FIRST_WAIT_MS, random(), Math.min(LONGEST_WAIT_MS, leftMs())));
    } finally {
      slot?.done();
    }
  };

  return pRetry(once, {
    retries: Infinity,
    minTimeout: 0,
    ...defined({ signal }),
    shouldRetry: ({ error }) => error instanceof TriedInVain,
    async onFailedAttempt({ error }) {
      if (!(error instanceof TriedInVain)) return;
      // After an abort it is the signal's own reason that is thrown.
      await sleep(error.waitMs, undefined, defined({ signal })).catch(() => undefined);
    },
  });
}

/** The read is to be tried again, so many ms from now. */
class TriedInVain extends Error {
  readonly waitMs: number;

  constructor(waitMs: number) {
    super("Expected an answer to a read");
    this.waitMs = waitMs;
  }
}

function advised(refusal: Refusal, triedMs?: number): Refusal {
  const { failure } = refusal;
  return { ...refusal, failure: { ...failure, advice: readAdvice(failure.kind, triedMs) } };
}

/** Makes a call under a signal that ends with the time, or with `signal`. */
async function within<T>(ms: number, signal: AbortSignal | undefined, call: (ending: AbortSignal) => Promise<T>) {
  const ending = new AbortController();
  const onAbort = (): void => ending.abort(signal?.reason);
  const onTime = (): void => ending.abort(new DOMException("The time for the read is up", "TimeoutError"));
  const timer = Number.isFinite(ms) ? setTimeout(onTime, Math.max(0, ms)) : undefined;
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return await call(ending.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}
