/**
 * The port to everybody's mailbox and ledger. Each function is one atomic step, books included: one Lua script on
 * Redis, which gathers claims and settles of several users, or one transaction on the embedded store. What a step does
 * is written in core/mailbox.ts; both stores pass test/suites/mailboxes.ts. Claims and settles of one user that are
 * asked for at once are carried out in their order.
 *
 * The worker whose token the claim carries holds the mailbox until the lease ends. Then another worker may take over; a
 * worker that settles too late books nothing, and what it wrote is in doubt. Times are the store's own clock, never a
 * caller's.
 */
import type { Buried } from "../core/letter.ts";
import type { Ledger, Units, UserState } from "../core/mailbox.ts";
import type { DesiredUnit } from "../core/put.ts";
import type { Settled } from "../core/settle.ts";
import type { Settlements } from "../core/settlement.ts";
import { isTooFarAhead } from "../core/version.ts";
import type { DrainedRef } from "./inbox.ts";

/** The changes of one user in a page. */
export interface UserUnits {
  /** Opaque, keyed: see keyring.ts. */
  readonly user: string;
  /** The canonical username, sealed. */
  readonly username: string;
  /** The mark of the account that a look found; absent where nobody has looked. */
  readonly account?: string;
  /**
   * Of the entry of the inbox that they came in, and theirs alone. Absent: each unit is given one.
   */
  readonly arrival?: number;
  readonly units: readonly DesiredUnit[];
}

/** A page of changes of one run into one pool, put as one. */
export interface Page {
  readonly pool: string;
  readonly run: string;
  readonly priority: number;
  readonly changes: readonly UserUnits[];
  /** Units that were found invalid before they were put: they count as received and invalid. */
  readonly invalid: number;
  /** Rows of the feed: how many this page stands for, and how many of them were faulty as a whole. */
  readonly rows: { readonly read: number; readonly faulty: number };
  /** Where the feed stands: the page is put only while the run's cursor is still `from`. Absent for direct changes. */
  readonly cursor?: { readonly from: string; readonly to: string };
  /**
   * Entries of the inbox that the page comes of: they are gone with it, or parked. It is put only while all of them are in
   * the hands of this drainer.
   */
  readonly entries?: DrainedRef;
}

/** True where one of them lies ahead of the store's clock: with its entry it has to wait, and is not put as invalid. */
export function isAnyAhead(changes: Page["changes"], nowMs: number): boolean {
  return changes.some(({ units }) =>
    units.some(({ ordinal }) => ordinal !== undefined && isTooFarAhead(ordinal, nowMs)),
  );
}

export interface Put {
  /** False where the run's cursor was not where the page said, or an entry of the inbox was not the drainer's any more or has a version ahead of the store's clock: nothing was put. */
  readonly accepted: boolean;
  /** The run's cursor after the step. */
  readonly cursor: string;
  /** How many units ended as invalid because their version lies ahead of the store's clock. */
  readonly ahead: number;
  /** Units of which something newer was written before. */
  readonly stale: readonly { readonly user: string; readonly name: string }[];
  /** Users of the page who have something to do. For the others the pool has what was wanted, or something newer. */
  readonly waiting: readonly string[];
  /** Epoch ms by the store's clock: the time of units that say none. */
  readonly at: number;
  /** What the page's first unit was given; the others follow in the page's order. 0 where there are none. */
  readonly arrival: number;
}

export type ClaimAnswer =
  | {
      readonly is: "claimed";
      readonly pool: string;
      /** Sealed. */
      readonly username: string;
      readonly priority: number;
      readonly units: Units;
      /** Epoch ms, by the store's clock; `leaseMs` from now. */
      readonly leaseUntil: number;
      /** See `Claim.sent` of core/mailbox.ts. */
      readonly sent?: readonly string[];
    }
  | { readonly is: "busy"; readonly retryInMs: number }
  | { readonly is: "later"; readonly retryInMs: number }
  | { readonly is: "idle" };

export interface SettleAnswer extends Omit<Settled, "letters"> {
  readonly letters: readonly Buried[];
  /** Milliseconds until the mailbox wants to be looked at again; absent where nothing is left in it. */
  readonly dueInMs?: number;
  /** Of what is left in it; absent with `dueInMs`. */
  readonly priority?: number;
}

/** What of a mailbox is meant. */
export interface Selection {
  /** Only what these runs have put; absent for everything. */
  readonly runs?: readonly string[];
  /** Units of these runs that are meant although a pause keeps them. */
  readonly despitePause?: readonly string[];
}

/** A user who has something to do. */
export interface Due {
  readonly user: string;
  readonly priority: number;
}

/** The users of a pool who are due, or those whom a gate keeps. */
export type Sorted = { readonly pool: string } | { readonly gate: string };

export interface Swept extends Due {
  /** Epoch ms, by the store's clock. */
  readonly dueAt: number;
  /** Whose changes wait, or are in a claim. */
  readonly runs: readonly string[];
}

export interface Mailboxes {
  /**
   * Rejects with a StoreError `run-lost` where there is no such run: a store that lost its last writes must not take
   * pages of a run whose beginning it has forgotten. And with `run-cancelled` where somebody has cancelled it; a page
   * of entries with `run-ended` where the run has ended.
   */
  put(page: Page): Promise<Put>;
  /**
   * `token` must be fresh: a random UUID. What a cancelled run has put is discarded, and not claimed; nor is what a gate
   * keeps.
   */
  claim(user: string, token: string, leaseMs: number, selection?: Selection): Promise<ClaimAnswer>;
  /**
   * `at` of a retry is milliseconds from now, not a time. With no settlements: renews the lease. `dueInMs` of the answer
   * is that of what `runs` have put.
   */
  settle(
    user: string,
    token: string,
    settlements: Settlements,
    leaseMs: number,
    runs?: readonly string[],
  ): Promise<SettleAnswer>;
  /**
   * Users of a pool that are due, oldest first, `offset` from the start. The caller holds the sweep's lease, or gets
   * an empty list: one sweep a pool at a time.
   */
  sweep(
    pool: string,
    options: { holder: string; leaseMs: number; offset: number; limit: number },
  ): Promise<readonly Swept[]>;
  /** How many users of the pool have something to do, now or later, that no gate keeps. */
  dueCount(pool: string): Promise<number>;
  /**
   * Brings users to where the gates stand now, `offset` from the first: whom a gate keeps is due no more, and what a
   * cancelled run has put is discarded. Answers how many were looked at, and how many of them are still among those who
   * are meant: the next page begins behind these.
   */
  sortOut(
    whose: Sorted,
    options: { readonly offset: number; readonly limit: number },
  ): Promise<{ readonly looked: number; readonly left: number }>;
  /**
   * Makes users due again whom a gate has kept, `limit` of them at most, and answers them; none where the gate is
   * closed, or keeps nobody any more.
   */
  release(gate: string, limit: number): Promise<readonly (Due & { readonly pool: string })[]>;
  /** One user's mailbox and ledger as they are, for `explain`, `dead` and tests. */
  read(user: string): Promise<UserState>;
  /** The ledgers of those of the users who have one. */
  ledgers(users: readonly string[]): Promise<ReadonlyMap<string, Ledger>>;
  /** Puts letters again, each in one step with the books. Answers each letter that was there, with the user to wake. */
  replay(
    letters: readonly string[],
    priority: number,
  ): Promise<readonly (Due & { readonly letter: string; readonly pool: string })[]>;
  /**
   * True where a value of the run is kept behind one that superseded it, and that waits or is a dead letter. Looks at every
   * mailbox and letter.
   */
  isBehind(run: string): Promise<boolean>;
  /** Counts, by walking every mailbox and every letter: what `pending` and `dead` must be, per run. */
  recount(): Promise<ReadonlyMap<string, { readonly pending: number; readonly dead: number }>>;
  /**
   * Makes those due that wait and are in no line, neither due nor kept by a gate: the store has lost their place, and nobody
   * would look at them again. So with letters that no list has. Walks every mailbox and every letter, and answers how many.
   */
  lineUp(): Promise<{ readonly users: number; readonly letters: number }>;
}
