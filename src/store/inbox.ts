/**
 * The port to the inbox: events as they came, sealed, from when they are acknowledged until they are changes. Each
 * function is one atomic step; `add` carries out those that are asked for at once together.
 *
 *     add ──> waiting ──take──> taken ──put, done──> gone
 *                ^ ^               │ │
 *                │ └─defer, lease──┘ └─park──> parked ──discard, trim──> gone
 *                └──────────────replay────────────┘
 *
 * - *waiting*: may be taken once `notBefore` is there, the earliest arrival first.
 * - *taken*: belongs to the drainer whose token it was taken under, and to nobody else. The lease does not end that by
 *   itself: it lasts until some `take`, of anybody, finds the lease ended, and from there on the entry waits again. A
 *   drainer that comes later than that moves nothing: its `put` is refused as a whole, and `done`, `defer` and `park` pass
 *   over the entry. A drainer whose `take` was not answered does not know what it has, and gets it again after the lease. `renew` moves its end.
 * - *parked*: cannot become a change as things are, with a reason. Nobody takes it until it is replayed.
 *
 * An entry becomes changes in the step that puts these (`Page.entries` of mailboxes.ts): it is gone if they are there. So an
 * event counts once, whoever dies when. One of which some records cannot is parked in that step, with these alone; one of
 * more records than a page takes is left with the others.
 *
 * One drainer gets the events of a feed in order of arrival, but for those that had to wait. Of several each gets a part,
 * and one may put later what arrived earlier. That is for versions to settle: a change can be put with the arrival of its
 * entry, which decides where the source's own time does not.
 */
import type { Admission, InboxLimits } from "../core/inbox.ts";

export interface NewEntry {
  /** Names the event: see sealed-event.ts. */
  readonly id: string;
  /** By which it is counted and found. What is sealed says it as well. */
  readonly feed: string;
  /** Epoch ms, by the store's clock. Absent: it may be taken at once. */
  readonly notBefore?: number;
  /** Sealed: see sealed-event.ts. */
  readonly body: string;
}

/**
 * `arrival`: see core/version.ts. The next ones are the entry's as well, as many as its body has bytes: so each of its
 * records has its own. `arrivedAt`: epoch ms, by the store's clock.
 */
export type AddedEntry =
  | { readonly is: "added"; readonly arrival: number; readonly arrivedAt: number }
  | Extract<Admission, { is: "repeated" }>;

interface Arrived {
  readonly id: string;
  readonly feed: string;
  readonly arrival: number;
  readonly arrivedAt: number;
}

export interface TakenEntry extends Arrived {
  readonly body: string;
}

export interface ParkedEntry extends Arrived {
  /** A word. */
  readonly reason: string;
  /** Epoch ms. */
  readonly parkedAt: number;
}

/** `parked` where it is; `notBefore` where it waits for a time that is ahead (epoch ms). */
export interface FoundEntry extends TakenEntry {
  readonly parked?: Pick<ParkedEntry, "reason" | "parkedAt">;
  readonly notBefore?: number;
}

export interface Take {
  readonly entries: readonly TakenEntry[];
  /** Milliseconds until something more may be taken, this drainer's own at the end of its lease included; 0 where something waits. Absent where there is nothing. */
  readonly nextInMs?: number;
}

export interface TakeOptions {
  readonly leaseMs: number;
  readonly limit: number;
  /** Of bodies as they are kept. The first entry comes whatever its size. */
  readonly maxBytes: number;
}

/** Which entries are asked for that arrived before. */
export interface OlderFilter {
  readonly feed: string;
  /** What has this arrival, or a later one, is not older. */
  readonly before: number;
  /** So many at most. */
  readonly limit: number;
  /** Of bodies as they are kept. The first entry comes whatever its size. */
  readonly maxBytes: number;
}

export interface Older {
  /** In no order. */
  readonly entries: readonly TakenEntry[];
  /** There may be more. */
  readonly isCut: boolean;
}

/** Entries in the hands of a drainer. */
export interface TakenRef {
  readonly token: string;
  readonly ids: readonly string[];
}

/** Entries that leave a drainer's hands with a page of changes. */
export interface DrainedRef extends TakenRef {
  /** Those of the `ids` that are not gone, but parked, with another body: some of their records cannot become changes. */
  readonly parked?: readonly { readonly id: string; readonly reason: string; readonly body: string }[];
  /** Those that stay in the drainer's hands, with another body: what else they have comes with later pages. */
  readonly kept?: readonly { readonly id: string; readonly body: string }[];
}

/** `since` and `until` (epoch ms) are about when they arrived; the former is included. */
export interface ParkedFilter {
  readonly feed?: string;
  readonly reason?: string;
  readonly since?: number;
  readonly until?: number;
}

/** What may lie parked: what arrived earlier than `keepMs` ago, and the oldest of too many, go. */
export interface ParkedBounds extends InboxLimits {
  readonly keepMs: number;
}

export interface InboxCounts {
  /** False where no event lies there, and none is known to have come. */
  readonly isUsed: boolean;
  /** May be taken now. */
  readonly waiting: number;
  /** Wait for their time. */
  readonly ahead: number;
  readonly taken: number;
  /** Of the bodies of all these, as they are kept. */
  readonly bytes: number;
  /** Epoch ms: when the oldest arrived of those that may be taken. */
  readonly oldestAt?: number;
  readonly parked: {
    readonly entries: number;
    readonly bytes: number;
    readonly feeds: Readonly<Record<string, number>>;
  };
}

export interface Inbox {
  /**
   * Adds all of them, or none where that were more than the limits (`full`). An event that came before is `repeated`, for as
   * long as its entry lies there and for four days after it arrived: its first entry stays as it is.
   */
  add(entries: readonly NewEntry[], limits: InboxLimits): Promise<"full" | readonly AddedEntry[]>;
  /** `token` must be fresh: a random UUID. */
  take(token: string, options: TakeOptions): Promise<Take>;
  /** Their lease ends this many ms from now: for a drainer that still works on them. */
  renew(taken: TakenRef, leaseMs: number): Promise<readonly string[]>;
  /** For entries that no change comes of. Like all of these answers the ids that were this drainer's. */
  done(taken: TakenRef): Promise<readonly string[]>;
  /** Gives entries back, to be taken from a time on (epoch ms by the store's clock); at once where it is past. */
  defer(taken: TakenRef, notBefore: number): Promise<readonly string[]>;
  /** `reason` is a word. */
  park(taken: TakenRef, reason: string): Promise<readonly string[]>;
  /** In order of arrival. What arrives while they are read is not among them. */
  parked(filter: ParkedFilter): AsyncIterable<ParkedEntry>;
  /** Entries of a feed that arrived before, and are to be drained yet: that wait, now or for a time, or that anybody has taken. */
  older(filter: OlderFilter): Promise<Older>;
  /** Whatever becomes of it. */
  get(id: string): Promise<FoundEntry | undefined>;
  /** Parked entries wait again, as what arrived when they did. Answers the ids that were parked. */
  replay(ids: readonly string[]): Promise<readonly string[]>;
  /** Parked entries go. Answers the ids that were parked. */
  discard(ids: readonly string[]): Promise<readonly string[]>;
  /** Holds what is parked to its bounds, and forgets events that nobody repeats any more: `limit` of each at most. Answers how many parked entries went. */
  trim(bounds: ParkedBounds, limit: number): Promise<number>;
  counts(): Promise<InboxCounts>;
  /**
   * Walks every entry. Those that nobody would have found again have their place again (`lost`), and counts that say
   * something else, and have not moved meanwhile, are set right (`miscounted`).
   */
  verify(): Promise<{ readonly lost: number; readonly miscounted: number }>;
}
