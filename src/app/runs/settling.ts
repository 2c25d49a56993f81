/**
 * Waits until nothing of some runs is pending any more. Deliveries, here or in other processes, do the work; this only
 * looks at the books, tells how it stands, and says once when nothing can be delivered.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { EMPTY_BOOKS, post, TERMS, type Books } from "../../core/books.ts";
import { ALL, feedGate, poolGate } from "../../core/gate.ts";
import type { Delivery } from "../../delivery/delivery.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Runs } from "../../store/runs.ts";
import { pausedGates, pausedSentence, resumedSentence } from "../gates/pause.ts";
import type { Standstill } from "./run-observer.ts";

export interface SettlingOptions {
  readonly engine: Engine;
  readonly runs: readonly string[];
  /** The deliveries of this process; none where others do the work. */
  readonly deliveries: readonly Delivery[];
  readonly pools: readonly string[];
  /** True once everything was put. */
  readonly allPut: () => boolean | Promise<boolean>;
  readonly onLook: (books: Books) => void;
  /** Told once a reason, and once when a pause is over. */
  readonly onHold: (standstill: Standstill) => void;
  /** Told once, when the books have not moved for `stillMs`: there may be no worker. */
  readonly onStill?: () => void;
  readonly stillMs?: number;
  /** Rejects the wait, as does a store that is another one: nobody here delivers any more. */
  readonly signal: AbortSignal;
}

const LOOK_EVERY_MS = 250;
const STILL_MS = 60_000;
/** How long the books have not moved before it is looked whether anything was set aside, and how often. */
const RECKON_AFTER_MS = 1_000;
const RECKON_EVERY_MS = 10_000;

/** Resolves to the books of the runs together. */
export async function waitUntilSettled(options: SettlingOptions): Promise<Books> {
  const { engine, runs, allPut, onLook, onStill, stillMs = STILL_MS, signal } = options;
  const reported: Reported = { reasons: new Set(), pauses: new Set() };
  let before = EMPTY_BOOKS;
  let movedAt = performance.now();
  let isStallReported = false;
  let reckonAt = 0;
  for (;;) {
    engine.store.lost.throwIfAborted();
    const put = await allPut();
    const books = await booksOf(engine.store.runs, runs);
    onLook(books);
    if (put && books.pending === 0) return books;
    if (TERMS.some((term) => books[term] !== before[term])) movedAt = performance.now();
    // What was in a document that broke is pending until somebody counts what is there.
    else if (put && performance.now() >= reckonAt && performance.now() - movedAt >= RECKON_AFTER_MS) {
      reckonAt = performance.now() + RECKON_EVERY_MS;
      await engine.store.damaged.reckon();
    } else if (put && !isStallReported && performance.now() - movedAt >= stillMs) {
      isStallReported = true;
      onStill?.();
    }
    before = books;
    await tellHolds(options, reported);
    await sleep(LOOK_EVERY_MS, undefined, { signal });
  }
}

/** The books of some runs, added up. */
export async function booksOf(runs: Runs, ids: readonly string[]): Promise<Books> {
  let sum = EMPTY_BOOKS;
  for (const id of ids) {
    const books = await runs.books(id);
    sum = post(
      sum,
      TERMS.map((term) => ({ run: id, term, by: books[term] })),
    );
  }
  return sum;
}

interface Reported {
  readonly reasons: Set<string>;
  /** Gates that are paused still, as far as was told. */
  readonly pauses: Set<string>;
}

async function tellHolds(
  { engine, runs, deliveries, pools, onHold }: SettlingOptions,
  { reasons, pauses }: Reported,
): Promise<void> {
  const tell = (standstill: Standstill): void => {
    const key = JSON.stringify(standstill);
    if (reasons.has(key)) return;
    reasons.add(key);
    onHold(standstill);
  };
  for (const { onHoldFor } of deliveries) if (onHoldFor !== undefined) tell({ scope: "process", kind: onHoldFor });
  for (const { pool, scope, kind } of await engine.store.holds.list()) {
    if (pools.includes(pool)) tell({ pool, scope, kind });
  }
  const paused = await pausedGates(engine.store);
  for (const gate of pauses) {
    if (paused.some((one) => one.gate === gate)) continue;
    pauses.delete(gate);
    onHold({ scope: "resumed", gate, sentence: resumedSentence(gate) });
  }
  if (paused.length === 0) return;
  const feeds = await Promise.all(runs.map(async (id) => (await engine.store.runs.get(id))?.feed));
  const concerns = new Set([
    ALL,
    ...pools.map(poolGate),
    ...feeds.flatMap((feed) => (feed === undefined ? [] : feedGate(feed))),
  ]);
  for (const one of paused) {
    const { gate } = one;
    if (!concerns.has(gate)) continue;
    pauses.add(gate);
    tell({ scope: "paused", gate, sentence: pausedSentence(one) });
  }
}
