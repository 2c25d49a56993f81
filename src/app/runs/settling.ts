/**
 * Waits until nothing of some runs is pending any more. Deliveries, here or in other processes, do the work; this only
 * looks at the books, tells how it stands, and says once when nothing can be delivered.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { EMPTY_BOOKS, post, TERMS, type Books } from "../../core/books.ts";
import { FAILURE_KINDS, isLostPerson, LOST_PERSON } from "../../core/failure.ts";
import type { Delivery } from "../../delivery/delivery.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Runs } from "../../store/runs.ts";

export interface SettlingOptions {
  readonly engine: Engine;
  readonly runs: readonly string[];
  /** The deliveries of this process; none where others do the work. */
  readonly deliveries: readonly Delivery[];
  readonly pools: readonly string[];
  /** True once everything was put. */
  readonly allPut: () => boolean;
  readonly onLook: (books: Books) => void;
  /** A sentence for the user: why it stands still. Told once a reason. */
  readonly onHeld: (sentence: string) => void;
  /** Told once, when the books have not moved for `stillMs`: there may be no worker. */
  readonly onStill?: () => void;
  readonly stillMs?: number;
  /** Rejects the wait, as does a store of another format: nobody here delivers any more. */
  readonly signal: AbortSignal;
}

const LOOK_EVERY_MS = 250;
const STILL_MS = 60_000;

/** Resolves to the books of the runs together. */
export async function waitUntilSettled(options: SettlingOptions): Promise<Books> {
  const { engine, runs, allPut, onLook, onStill, stillMs = STILL_MS, signal } = options;
  const told = new Set<string>();
  let before = EMPTY_BOOKS;
  let movedAt = performance.now();
  let toldStill = false;
  for (;;) {
    engine.store.foreign.throwIfAborted();
    const put = allPut();
    const books = await booksOf(engine.store.runs, runs);
    onLook(books);
    if (put && books.pending === 0) return books;
    if (TERMS.some((term) => books[term] !== before[term])) movedAt = performance.now();
    else if (put && !toldStill && performance.now() - movedAt >= stillMs) {
      toldStill = true;
      onStill?.();
    }
    before = books;
    await tellHolds(options, told);
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

async function tellHolds({ engine, deliveries, pools, onHeld }: SettlingOptions, told: Set<string>): Promise<void> {
  const say = (key: string, sentence: string): void => {
    if (told.has(key)) return;
    told.add(key);
    onHeld(sentence);
  };
  for (const { heldBy } of deliveries) {
    if (heldBy !== undefined) say(`process ${heldBy}`, `Deliveries wait (${heldBy}). ${adviceOf(heldBy)}`);
  }
  for (const { pool, scope, kind } of await engine.store.holds.list()) {
    if (!pools.includes(pool)) continue;
    const what = scope === "pool" ? `Pool ${pool} is` : `E-mail addresses and phone numbers of pool ${pool} are`;
    say(`${pool} ${scope} ${kind}`, `${what} on hold (${kind}). ${adviceOf(kind)} It is tried again by itself.`);
  }
}

function isFailureKind(kind: string): kind is keyof typeof FAILURE_KINDS {
  return Object.hasOwn(FAILURE_KINDS, kind);
}

/** What to do about a kind of failure, or about letters of a kind; blank where the kind is not known. */
export function adviceOf(kind: string, reason = ""): string {
  if (isLostPerson(reason)) return LOST_PERSON[reason];
  // `gave-up` is no failure itself: its reason is the one that was met last.
  const known = isFailureKind(kind) ? kind : isFailureKind(reason) ? reason : undefined;
  return known === undefined ? "" : FAILURE_KINDS[known].advice;
}
