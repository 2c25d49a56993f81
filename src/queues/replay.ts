/**
 * Replay: dead letters are put again under their old version and their old run. An order names the letters by a
 * filter that is closed in time, so that a letter which is buried anew is not replayed by the same order again. Each
 * letter is one atomic step, so an order that was cut is simply carried out again.
 */
import type { Letter } from "../core/letter.ts";
import { mannerOf } from "../store/keyring.ts";
import type { LetterFilter } from "../store/letters.ts";
import { retractGone, retractLetters } from "./dead-letters.ts";
import type { Engine } from "./engine.ts";
import { PRIORITY } from "./wake-ups.ts";

/** Which letters, and how many at most. Holds no value and no username. */
export interface ReplayOrder extends LetterFilter {
  readonly until: number;
  readonly limit?: number;
}

export interface Replayed {
  /** Letters that were put again. */
  readonly letters: number;
  /** The runs that they belong to. */
  readonly runs: ReadonlySet<string>;
  readonly pools: ReadonlySet<string>;
}

const PAGE = 200;

/** Carries an order out. Stops between pages when `signal` aborts; carrying it out again does the rest. */
export async function carryOut(engine: Engine, order: ReplayOrder, signal?: AbortSignal): Promise<Replayed> {
  const runs = new Set<string>();
  const pools = new Set<string>();
  let count = 0;
  const putAgain = async (page: Letter[]): Promise<void> => {
    signal?.throwIfAborted();
    // Before the replay: a letter that is buried anew at once stands its job anew, and that one must stay.
    await retractLetters(engine.queues, page);
    const dues = await engine.store.mailboxes.replay(
      page.map(({ id }) => id),
      PRIORITY.bulk,
    );
    // Who wrote a letter a moment ago may have stood its job only now.
    await retractGone(engine.queues, engine.store.letters, page);
    const replayed = new Set(dues.map(({ letter }) => letter));
    for (const pool of new Set(dues.map((due) => due.pool))) {
      pools.add(pool);
      await engine.wakeUps.wake(
        pool,
        dues.filter((due) => due.pool === pool),
      );
    }
    for (const { id, run } of page) if (replayed.has(id)) runs.add(run);
    count += replayed.size;
  };
  await inPages(engine, order, putAgain, (letter) => isReplayable(engine, letter));
  return { letters: count, runs, pools };
}

/**
 * False for a user's own change: its letter does not have the user's token, so nobody could send it. Where something
 * newer has taken its place a replay may end it.
 */
export async function isReplayable(
  { keyring, store }: Engine,
  { user, unit, version, body }: Letter,
): Promise<boolean> {
  if (mannerOf(keyring.open(body)).token === undefined) return true;
  const { mailbox, ledger } = await store.mailboxes.read(user);
  const others = [ledger[unit], mailbox?.pending[unit], mailbox?.claim?.units[unit]];
  return others.some((other) => other !== undefined && other.version > version);
}

/** Takes the letters of an order away for good. Answers how many. */
export async function discard(engine: Engine, order: ReplayOrder): Promise<number> {
  let count = 0;
  await inPages(engine, order, async (page) => {
    count += await engine.store.letters.discard(page.map(({ id }) => id));
    await retractLetters(engine.queues, page);
  });
  return count;
}

async function inPages(
  engine: Engine,
  order: ReplayOrder,
  each: (page: Letter[]) => Promise<void>,
  isMeant: (letter: Letter) => Promise<boolean> | boolean = () => true,
): Promise<void> {
  const { limit = Number.POSITIVE_INFINITY, ...filter } = order;
  let taken = 0;
  let page: Letter[] = [];
  for await (const letter of engine.store.letters.list(filter)) {
    if (taken >= limit) break;
    if (!(await isMeant(letter))) continue;
    taken += 1;
    page.push(letter);
    if (page.length < PAGE) continue;
    await each(page);
    page = [];
  }
  if (page.length > 0) await each(page);
}

/** The queue of orders that a fleet carries out. */
export const REPLAY_QUEUE = "replay";
