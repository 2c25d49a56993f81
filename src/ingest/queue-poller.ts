/**
 * Polls a queue for one feed, until it is closed: receives, has the messages kept in the inbox in one step, and deletes
 * them then, and not before. So whatever ends when, a message is in the queue or in the inbox; where it is in both, the
 * inbox knows it for a repeat.
 *
 *     receiving ──> keeping ──> deleting ──> receiving
 *                   │    ^ full, or the store is away: nothing is received, and what is in hand is held
 *                   └────┘
 *
 * What is refused, or not answered for, is *trouble*: it is told once when it begins and once when it is over, and waited
 * for longer and longer, within a bound. It is over when the step that failed is done, or a round in which nothing fails.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { QueueError, type FailedMessage, type QueueMessage, type SqsQueue } from "../cognito/sqs-queue.ts";
import { unlessAborted } from "../lifecycle.ts";
import type { Log } from "../log.ts";

export interface PollerOptions {
  readonly feed: string;
  readonly queue: SqsQueue;
  /** Keeps all of them in one step, or none. Never rejects. */
  readonly keep: (messages: readonly QueueMessage[]) => Promise<"kept" | "full" | "unavailable">;
  readonly log: Log;
  /** Receives no more, once it is aborted. */
  readonly signal: AbortSignal;
  /** Waits for nothing any more, once it is aborted. */
  readonly abort: AbortSignal;
  readonly timing?: PollerTiming;
}

export interface PollerTiming {
  /** For how long nobody else gets what is in hand: so soon others have what a process had that died. */
  readonly handSeconds: number;
  /** How often that is made longer. */
  readonly holdEveryMs: number;
  readonly firstWaitMs: number;
  readonly longestWaitMs: number;
  /** At the end: how long what is under way may take, and then to give back what is in hand. */
  readonly endMs: number;
}

export interface Poller {
  /** True while something is refused, or not answered for. */
  readonly isInTrouble: boolean;
  /** Why it gets nothing, as a sentence; undefined where it does. */
  readonly note: string | undefined;
  /** Ends what it does: what is not kept is given back to the queue. */
  close(): Promise<void>;
}

const TIMING: PollerTiming = {
  handSeconds: 60,
  holdEveryMs: 20_000,
  firstWaitMs: 1_000,
  longestWaitMs: 60_000,
  endMs: 3_000,
};
/** As long as SQS lets anybody wait for messages. */
const LONGEST_POLL_SECONDS = 20;
/** How long it waits for room in the inbox before it looks again. */
const ROOM_EVERY_MS = 1_000;

/** What it could not do. */
type Step = "receive" | "delete" | "hold" | "keep";

export function startPoller({ feed, queue, keep, log, signal, abort, timing = TIMING }: PollerOptions): Poller {
  const closing = new AbortController();
  const ending = AbortSignal.any([signal, closing.signal]);
  const late = new AbortController();
  /** Nobody waits any more for what is under way. */
  const cut = AbortSignal.any([late.signal, abort]);
  let ends: NodeJS.Timeout | undefined;
  ending.addEventListener("abort", () => void (ends = setTimeout(() => late.abort(), timing.endMs)), { once: true });
  let trouble: { readonly step: Step; readonly reason: string; readonly lastMetAtMs: number } | undefined;
  let isFull = false;

  function begin(step: Step, reason: string): void {
    const isKnown = trouble?.step === step && trouble.reason === reason;
    trouble = { step, reason, lastMetAtMs: performance.now() };
    if (isKnown) return;
    log.warn({ feed, step, reason }, "queue cannot be polled");
  }

  function end(...steps: readonly Step[]): void {
    if (trouble === undefined || !steps.includes(trouble.step)) return;
    trouble = undefined;
    log.info({ feed }, "queue is polled again");
  }

  /**
   * A round that kept and deleted all it received ends whatever trouble there was: nobody may come by the step that
   * failed for days. One that received nothing does so once what was in hand then would have come again.
   */
  function endRound(received: number, kept: number): void {
    const soundMs = performance.now() - (trouble?.lastMetAtMs ?? -Infinity);
    if (received === 0 ? soundMs <= timing.handSeconds * 1000 : kept < received) return;
    isFull = false;
    if (trouble !== undefined) end(trouble.step);
  }

  async function pause(ms: number): Promise<void> {
    // A sleep that was ended needs no word.
    await sleep(ms, undefined, { signal: ending, ref: false }).catch(() => undefined);
  }

  function tellFailed(step: "delete" | "hold", failed: readonly FailedMessage[]): void {
    if (failed.length === 0) return;
    const codes = [...new Set(failed.map(({ code }) => code))];
    log.warn({ feed, step, messages: failed.length, codes }, "messages come again");
  }

  /** What stays in the queue comes again, and is known then. */
  async function remove(messages: readonly QueueMessage[]): Promise<void> {
    const failed = await queue.remove(messages, cut);
    const again = failed.filter(({ isFinal }) => !isFinal).map(({ message }) => message);
    const stillFailed = again.length === 0 ? [] : await queue.remove(again, cut);
    tellFailed("delete", [...failed.filter(({ isFinal }) => isFinal), ...stillFailed]);
    end("delete");
  }

  /** Holds what is in hand until it is over. What is not in hand any more is taken out of it: the queue has it. */
  async function keepHolding(hand: Set<QueueMessage>, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      // A sleep that was ended needs no word.
      await sleep(timing.holdEveryMs, undefined, { signal: over, ref: false }).catch(() => undefined);
      if (over.aborted || hand.size === 0) return;
      try {
        const failed = await queue.hold([...hand], timing.handSeconds, AbortSignal.any([over, cut]));
        const gone = failed.filter(({ isFinal }) => isFinal);
        for (const { message } of gone) hand.delete(message);
        tellFailed("hold", gone);
        end("hold");
      } catch (error) {
        if (over.aborted || cut.aborted) return;
        begin("hold", reasonOf(error));
      }
    }
  }

  /** Has them kept, as long as that takes. Answers those that are; the others are given back. */
  async function keepAll(messages: readonly QueueMessage[]): Promise<readonly QueueMessage[]> {
    const hand = new Set(messages);
    const kept: QueueMessage[] = [];
    const over = new AbortController();
    const holding = keepHolding(hand, over.signal);
    let most = hand.size;
    let waitMs = timing.firstWaitMs;
    try {
      while (hand.size > 0 && !ending.aborted) {
        const part = [...hand].slice(0, most);
        const answer = await unlessAborted(keep(part), cut);
        if (answer === "kept") {
          kept.push(...part);
          for (const message of part) hand.delete(message);
          most = hand.size;
          [isFull, waitMs] = [false, timing.firstWaitMs];
          end("keep");
        } else if (answer === "full" && part.length > 1) {
          // All of them may be more than the inbox ever takes.
          most = Math.ceil(part.length / 2);
        } else if (answer === "full") {
          // Said once: whoever waits asks every second.
          if (!isFull) log.warn({ feed }, "queue waits, the inbox is full");
          isFull = true;
          await pause(ROOM_EVERY_MS);
        } else {
          begin("keep", "the store did not take the messages");
          await pause(waitMs);
          waitMs = Math.min(waitMs * 2, timing.longestWaitMs);
        }
      }
    } finally {
      over.abort();
      await holding;
      // Those whose time in hand ends come again by themselves.
      const inTime = AbortSignal.any([abort, AbortSignal.timeout(timing.endMs)]);
      if (hand.size > 0) await queue.hold([...hand], 0, inTime).catch(() => undefined);
    }
    return kept;
  }

  async function poll(): Promise<void> {
    let step: Step = "receive";
    let waitMs = timing.firstWaitMs;
    while (!ending.aborted) {
      try {
        step = "receive";
        // Whoever was refused does not wait to learn that this is over.
        const waitSeconds = trouble?.step === "receive" ? 0 : LONGEST_POLL_SECONDS;
        const messages = await queue.receive({ waitSeconds, handSeconds: timing.handSeconds }, ending);
        end("receive");
        step = "keep";
        const kept = await keepAll(messages.toSorted((one, other) => (one.sentAtMs ?? 0) - (other.sentAtMs ?? 0)));
        step = "delete";
        if (kept.length > 0) await remove(kept);
        endRound(messages.length, kept.length);
        waitMs = timing.firstWaitMs;
      } catch (error) {
        if (cut.aborted || (ending.aborted && step === "receive")) break;
        begin(step, reasonOf(error));
        await pause(waitMs);
        waitMs = Math.min(waitMs * 2, timing.longestWaitMs);
      }
    }
  }

  const polling = poll().finally(() => clearTimeout(ends));
  return {
    get isInTrouble() {
      return trouble !== undefined;
    },
    get note() {
      if (trouble !== undefined) return `feed ${feed} gets no events of its queue: ${trouble.reason}`;
      return isFull ? `feed ${feed} leaves its events in the queue: the inbox is full` : undefined;
    },
    async close() {
      closing.abort();
      await polling;
      queue.close();
    },
  };
}

/** Of an error that is none of the queue's nothing but its name may be said. */
function reasonOf(error: unknown): string {
  if (error instanceof QueueError) return error.message;
  return error instanceof Error ? error.name : "unknown";
}
