/** A replay that somebody waits for: letters are put again under their old version, and delivered in this process. */
import { imbalance, type Books } from "../../core/books.ts";
import { counted } from "../../core/amounts.ts";
import type { Letter } from "../../core/letter.ts";
import { executeReplay, isReplayable, whyNotReplayable } from "../../delivery/replay.ts";
import type { Delivery } from "../../delivery/delivery.ts";
import type { Interrupts } from "../../lifecycle.ts";
import type { Log } from "../../log.ts";
import type { Engine } from "../../queues/engine.ts";
import { sendOrder, type ReplayOrder } from "../../queues/replay-orders.ts";
import type { LetterFilter } from "../../store/letters.ts";
import { AppError } from "../app-error.ts";
import type { Standstill } from "../runs/run-observer.ts";
import { booksOf, waitUntilSettled } from "../runs/settling.ts";
import { stopDeliveries } from "../runs/stop-deliveries.ts";
import { groupLetters, lettersOf, type LetterGroup } from "./letter-groups.ts";

export interface ReplayRequest {
  readonly filters: readonly LetterFilter[];
  /** Letters that are buried later are not meant. Epoch ms. */
  readonly until: number;
  readonly limit?: number | undefined;
}

/** The letters that a request means, counted. */
export interface Replayable {
  readonly groups: readonly LetterGroup[];
  readonly letters: number;
  /** Whose they are. */
  readonly people: number;
  /** Of users' own changes, whose token is gone, and those that were altered in the store. */
  readonly notReplayable: number;
  /** The latter alone. */
  readonly altered: number;
}

export async function findReplayable(engine: Engine, { filters, limit }: ReplayRequest): Promise<Replayable> {
  const left = { own: 0, altered: 0 };
  const people = new Set<string>();
  const groups = await groupLetters(engine, filters, limit, async (letter) => {
    const why = await whyNotReplayable(engine, letter);
    if (why !== undefined) left[why] += 1;
    else people.add(letter.user);
    return why === undefined;
  });
  const { own, altered } = left;
  return {
    groups,
    letters: groups.reduce((sum, group) => sum + group.letters, 0),
    people: people.size,
    notReplayable: own + altered,
    altered,
  };
}

/** Leaves the replay to the fleet. Answers the orders' ids. */
export async function orderReplay(engine: Engine, request: ReplayRequest): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const order of ordersOf(request)) ids.push(await sendOrder(engine, order));
  return ids;
}

function ordersOf({ filters, until, limit }: ReplayRequest): readonly ReplayOrder[] {
  return filters.map((filter) => ({ until, ...filter, ...(limit === undefined ? {} : { limit }) }));
}

export interface ReplayDeps {
  readonly engine: Engine;
  readonly log: Log;
  readonly interrupts: Interrupts;
  /** One a pool that the letters are of. */
  readonly deliveries: readonly Delivery[];
  readonly pools: readonly string[];
  /** Told how far it is: letters that were put again, and what the books of their runs have become. */
  readonly onLook: (replayed: number, before: Books, now: Books) => void;
  /** A signal stops it: what follows is the end of the calls in flight. */
  readonly onStopped: () => void;
  readonly onHeld: (standstill: Standstill) => void;
}

export interface ReplayOutcome {
  readonly replayed: number;
  /** The runs that the letters belong to. */
  readonly runs: readonly string[];
  /** The books of those runs together. */
  readonly before: Books;
  readonly after: Books;
  readonly balanced: boolean;
  readonly diedAgain: number;
}

/** The runs of the letters and their books, before anything is delivered. */
export async function openReplay(engine: Engine, { filters, limit }: ReplayRequest) {
  const runs = new Set<string>();
  const include = (letter: Letter): Promise<boolean> => isReplayable(engine, letter);
  for await (const { run } of lettersOf(engine, filters, limit, include)) runs.add(run);
  return { runs: [...runs], before: await booksOf(engine.store.runs, [...runs]) };
}

/** Throws an AppError `interrupted`. */
export async function replayAndWait(
  deps: ReplayDeps,
  request: ReplayRequest,
  { runs, before }: Pick<ReplayOutcome, "runs" | "before">,
): Promise<ReplayOutcome> {
  const { engine, log, interrupts, deliveries, pools, onLook, onHeld: onHold } = deps;
  let replayed = 0;
  try {
    for (const order of ordersOf(request)) {
      const limit = order.limit === undefined ? {} : { limit: order.limit - replayed };
      replayed += (await executeReplay(engine, { ...order, ...limit }, interrupts.drain)).letters;
    }
    log.info({ letters: replayed, pools }, "letters replayed");
    const after = await waitUntilSettled({
      engine,
      deliveries,
      pools,
      runs,
      allPut: () => true,
      onLook: (books) => onLook(replayed, before, books),
      onHold,
      signal: interrupts.drain,
    });
    const diedAgain = Math.max(0, after.dead - (before.dead - replayed));
    return { replayed, runs, before, after, balanced: imbalance(after) === 0, diedAgain };
  } catch (error) {
    if (!interrupts.drain.aborted) throw error;
    deps.onStopped();
    await stopDeliveries(deliveries, interrupts);
    const { pending } = await booksOf(engine.store.runs, runs);
    throw new AppError(
      "interrupted",
      `Interrupted. ${counted(pending, "change stays", "changes stay")} queued: a worker that runs delivers them, or the next sync into the pool with --leftovers.`,
      { cause: error, category: "interrupted" },
    );
  }
}
