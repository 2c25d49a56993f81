/**
 * Replay: dead letters are put again under their old version and their old run. An order names the letters by a
 * filter that is closed in time, so that a letter which is buried anew is not replayed by the same order again. Each
 * letter is one atomic step, so an order that was cut is simply carried out again.
 */
import type { Letter } from "../core/letter.ts";
import { callOptionsOf } from "../store/keyring.ts";
import { sealLetter } from "../store/sealing.ts";
import { openLetter } from "../store/sealed-unit.ts";
import { retractGone, retractLetters } from "../queues/dead-letters.ts";
import type { Engine } from "../queues/engine.ts";
import type { ReplayOrder } from "../queues/replay-orders.ts";
import { PRIORITY } from "../queues/wake-ups.ts";

export interface Replayed {
  /** Letters that were put again. */
  readonly letters: number;
  /** The runs that they belong to. */
  readonly runs: ReadonlySet<string>;
  readonly pools: ReadonlySet<string>;
}

const PAGE = 200;

/** Carries an order out. Rejects at the next letter when `signal` aborts; carrying it out again does the rest. */
export async function executeReplay(engine: Engine, order: ReplayOrder, signal?: AbortSignal): Promise<Replayed> {
  const done = nothingYet();
  await inPages(
    engine,
    order,
    (page) => putAgain(engine, page, done, signal),
    (letter) => {
      signal?.throwIfAborted();
      return isReplayable(engine, letter);
    },
  );
  return done;
}

/**
 * Puts letters again that somebody has looked at one by one; those that are gone by now are left out. Rejects at the
 * next letter when `signal` aborts.
 */
export async function replayLetters(engine: Engine, ids: readonly string[], signal?: AbortSignal): Promise<Replayed> {
  const done = nothingYet();
  for (let from = 0; from < ids.length; from += PAGE) {
    const page: Letter[] = [];
    for (const id of ids.slice(from, from + PAGE)) {
      signal?.throwIfAborted();
      const letter = await engine.store.letters.get(id);
      if (letter && (await isReplayable(engine, letter))) page.push(letter);
    }
    await putAgain(engine, page, done, signal);
  }
  return done;
}

/** What was replayed so far. */
interface Done extends Replayed {
  letters: number;
  readonly runs: Set<string>;
  readonly pools: Set<string>;
}

const nothingYet = (): Done => ({ letters: 0, runs: new Set(), pools: new Set() });

async function putAgain(engine: Engine, page: readonly Letter[], done: Done, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  for (const { id } of page) await sealLetter(engine.store, engine.keyring, id);
  // Before the replay: a letter that is buried anew at once stands its job anew, and that one must stay.
  await retractLetters(engine.queues, page);
  const dues = await engine.store.mailboxes.replay(
    page.map(({ id }) => id),
    PRIORITY.bulk,
  );
  // The worker that wrote a letter a moment ago may have added its job only now.
  await retractGone(engine.queues, engine.store.letters, page);
  const replayed = new Set(dues.map(({ letter }) => letter));
  for (const pool of new Set(dues.map((due) => due.pool))) {
    done.pools.add(pool);
    await engine.wakeUps.wake(
      pool,
      dues.filter((due) => due.pool === pool),
    );
  }
  for (const { id, run } of page) if (replayed.has(id)) done.runs.add(run);
  done.letters += replayed.size;
}

/** False for a letter that somebody altered in the store, and for a user's own change that has nothing newer. */
export async function isReplayable(engine: Engine, letter: Letter): Promise<boolean> {
  return (await whyNotReplayable(engine, letter)) === undefined;
}

/**
 * `altered`: the letter holds what is not its user's and its unit's. `own`: a user's own change, whose letter does not
 * have the user's token, so that nobody could send it. Where something newer has taken its place a replay may end it.
 */
export async function whyNotReplayable(
  { keyring, store }: Pick<Engine, "keyring" | "store">,
  letter: Letter,
): Promise<"altered" | "own" | undefined> {
  const { user, unit, version } = letter;
  const opened = openLetter(keyring, letter);
  if (opened === undefined || letter.kind === "altered") return "altered";
  if (callOptionsOf(opened.body).token === undefined) return undefined;
  const { mailbox, ledger } = await store.mailboxes.read(user);
  const others = [ledger[unit], mailbox?.pending[unit], mailbox?.claim?.units[unit]];
  return others.some((other) => other !== undefined && other.version > version) ? undefined : "own";
}

/** Letters of a cancelled run are discarded, and what these values had superseded goes instead. */
export async function endLetters(engine: Engine, run: string): Promise<void> {
  const until = (await engine.store.now()) + 1;
  await inPages(engine, { run, until }, (page) => putAgain(engine, page, nothingYet()));
}

/** Takes the letters of an order away for good. Answers how many. */
export async function discard(engine: Engine, order: ReplayOrder): Promise<number> {
  let count = 0;
  await inPages(engine, order, async (page) => {
    count += await engine.store.letters.discard(page.map(({ id }) => id));
    await engine.store.exceptions.note(
      page.map(({ user, unit, run, reason }) => ({ about: user, unit, kind: "discarded", run, reason })),
    );
    // One whose fault came again in this moment is there anew, and so must its job be.
    await retractGone(engine.queues, engine.store.letters, page);
  });
  return count;
}

async function inPages(
  engine: Engine,
  order: ReplayOrder,
  handlePage: (page: Letter[]) => Promise<void>,
  include: (letter: Letter) => Promise<boolean> | boolean = () => true,
): Promise<void> {
  const { limit = Number.POSITIVE_INFINITY, ...filter } = order;
  let taken = 0;
  let page: Letter[] = [];
  for await (const letter of engine.store.letters.list(filter)) {
    if (taken >= limit) break;
    if (!(await include(letter))) continue;
    taken += 1;
    page.push(letter);
    if (page.length < PAGE) continue;
    await handlePage(page);
    page = [];
  }
  if (page.length > 0) await handlePage(page);
}
