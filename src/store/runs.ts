/**
 * The port to runs and their books. A run is one pass over a feed; its cursor moves with the pages that are put, in
 * one step with them, so that a run that was cut goes on where it was.
 */
import type { Books } from "../core/books.ts";

/**
 * A run that a guard has stopped is `needs-approval`: then it goes on as `reading`, of events, of which nothing is to be
 * read, as `delivering`; is `cancelled`, or has `expired`. Any other may be cancelled too.
 */
export const RUN_STATES = [
  "needs-approval",
  "reading",
  "delivering",
  "finished",
  "failed",
  "cancelled",
  "expired",
] as const;
export type RunState = (typeof RUN_STATES)[number];

/** True for a run that never goes on. */
export function isEnded(state: RunState): boolean {
  return state === "finished" || state === "failed" || state === "cancelled" || state === "expired";
}

/** Where a run's changes come from: a file that is read, events as they come, or single requests. */
export const CHANGE_SOURCES = ["file", "events", "direct"] as const;
export type ChangeSource = (typeof CHANGE_SOURCES)[number];

export interface Run {
  readonly id: string;
  readonly source: ChangeSource;
  readonly pool: string;
  /** A feed's name or a file's, or `direct`. */
  readonly feed: string;
  /** Names what makes two invocations the same: content, pool, mapping. Blank for runs that do not resume. */
  readonly identity: string;
  /** Epoch ms: the time of changes that say none. */
  readonly asOf: number;
  /** Epoch ms, by the store's clock. */
  readonly startedAt: number;
  readonly finishedAt?: number;
  readonly state: RunState;
  /** Blank at the start; then whatever the feed's reader last gave. */
  readonly cursor: string;
  readonly rows: { readonly read: number; readonly faulty: number };
}

/** A run of an earlier store, and when it was found that the store does not know it: epoch ms. */
export interface ForgottenRun {
  readonly run: string;
  readonly at: number;
}

/** The feed of direct runs. */
export const DIRECT = "direct";

/** The id of a pool's direct run. */
export function directRunId(pool: string): string {
  return `direct:${pool}`;
}

export interface Runs {
  /**
   * Begins a run, or gives back the unfinished one of the same identity, so that the same command goes on where it
   * was cut. One step.
   */
  begin(
    run: Pick<Run, "id" | "source" | "pool" | "feed" | "identity" | "asOf">,
  ): Promise<{ readonly run: Run; readonly resumed: boolean }>;
  /** The direct run: of changes from an application or the command line, `direct:<pool>`, as of when it began. */
  direct(pool: string): Promise<Run>;
  get(id: string): Promise<Run | undefined>;
  /** The run has another identity from now on: its content is named by other keys. */
  rename(id: string, identity: string): Promise<void>;
  /** Newest first. */
  list(limit: number): Promise<readonly Run[]>;
  /** Those of an identity that have not ended, however many have begun since. In no order. */
  unfinished(): Promise<readonly Run[]>;
  /** Rejects with a StoreError `run-lost` where there is no such run. One that has ended keeps the time at which it did. */
  advance(id: string, state: RunState): Promise<void>;
  /**
   * The gate of a run that is cancelled, or waits for an approval, is closed in the same step (core/gate.ts).
   *
   * Advances a run that is in one of these states, and answers whether it was: of several who ask at once one gets it.
   * One that was cancelled or has expired stays so, for `advance` as well. One that is `delivering` or has
   * ended, and of which nothing is pending, is over, and not cancelled any more; with `evenOver` it is.
   */
  transition(
    id: string,
    from: readonly RunState[],
    to: RunState,
    options?: { readonly evenOver?: boolean },
  ): Promise<boolean>;
  /**
   * Forgets runs that began before a time (epoch ms), and answers how many. Those stay of which something is pending or
   * dead, those that wait for an approval and direct runs, and those of which something was superseded while anybody in
   * their pool is due or kept, or it has a dead letter: it may wait behind what superseded it. The total of the books keeps what they had.
   * What was noted as forgotten before that time is not known any more either.
   */
  sweep(before: number): Promise<number>;
  /** Notes runs that an earlier store knew, and this one does not: a process had them in hand when it lost that store. */
  noteForgotten(ids: readonly string[]): Promise<void>;
  /** The runs that were noted, by when (epoch ms). */
  forgotten(): Promise<readonly ForgottenRun[]>;
  /** Of one run, or in total. */
  books(id?: string): Promise<Books>;
}
