/** Everything poolsync remembers, behind ports. Two of these exist: redis/redis-store.ts and postgres/embedded-store.ts. */
import type { AccountIndex } from "./account-index.ts";
import type { StoreIdentity } from "./fence.ts";
import type { BeforeImages } from "./before-images.ts";
import type { Damaged } from "./damaged.ts";
import type { Exceptions } from "./exceptions.ts";
import type { Gates } from "./gates.ts";
import type { KeptTexts } from "./kept-texts.ts";
import type { Holds } from "./holds.ts";
import type { Inbox } from "./inbox.ts";
import type { Letters } from "./letters.ts";
import type { Mailboxes } from "./mailboxes.ts";
import type { Pace } from "./pace.ts";
import type { Plans } from "./plans.ts";
import type { Rekeying } from "./rekeying.ts";
import type { Reservations } from "./reservations.ts";
import type { Runs } from "./runs.ts";
import type { Workers } from "./workers.ts";

/** Where a pool lives. A namespace remembers it, so that an emulator never eats production's queue. */
export interface Target {
  readonly pool: string;
  /** Host and port of the endpoint. */
  readonly endpoint: string;
  readonly region: string;
  readonly arn: string;
}

export interface Store extends StoreIdentity {
  readonly kind: "redis" | "embedded";
  /**
   * Runs that this process has begun, or has claimed something of. None of the embedded engine: whoever has a data
   * directory says itself what became of its runs.
   */
  readonly metRuns: ReadonlySet<string>;
  /**
   * True where a Redis says that it keeps no append-only file: what was put last is gone when it restarts. One that does
   * not tell is not suspected.
   */
  readonly withoutAof: boolean;
  /** The store's clock, epoch ms. */
  now(): Promise<number>;
  readonly mailboxes: Mailboxes;
  readonly inbox: Inbox;
  readonly letters: Letters;
  readonly runs: Runs;
  readonly holds: Holds;
  readonly gates: Gates;
  readonly exceptions: Exceptions;
  readonly reservations: Reservations;
  readonly workers: Workers;
  readonly beforeImages: BeforeImages;
  readonly accounts: AccountIndex;
  readonly pace: Pace;
  readonly plans: Plans;
  readonly damaged: Damaged;
  readonly texts: KeptTexts;
  readonly rekeying: Rekeying;
  /**
   * Aborts once the store was found not to be the one that this process opened, with a StoreError as its reason:
   * `foreign-format` where another version of poolsync has brought it to another format, `store-replaced` where it was
   * emptied, replaced or restored. Whatever would write rejects with the same from then on, and has written nothing.
   */
  readonly lost: AbortSignal;
  /** Looks at format, identity and epoch, as everything that writes does, and does nothing else. */
  look(): Promise<void>;
  /** Raises the epoch: all others who have the store open have lost it, and this process goes on with the new epoch. `isWhole`: the store knows all that it knew. */
  raiseEpoch(options?: { readonly isWhole?: boolean }): Promise<void>;
  /** Remembers the pool's target at first use; afterwards answers the one remembered, for the caller to compare. */
  target(target: Target): Promise<Target>;
  /** Every target that is remembered. */
  targets(): Promise<readonly Target[]>;
  /**
   * A text that belongs to the namespace, such as its identity: the first writer's stays. Answers the one that is there.
   */
  setOnce(name: string, value: string): Promise<string>;
  /** Such a text; undefined where nobody has set it. */
  recall(name: string): Promise<string | undefined>;
  /**
   * Sets such a text anew where it is still `from`, or is not there where that is undefined, and forgets the texts of
   * other names in the same step. Answers whether it did.
   */
  exchange(name: string, from: string | undefined, to: string, forgotten?: readonly string[]): Promise<boolean>;
  /** A text that changes: the last writer's stays. */
  setValue(name: string, value: string): Promise<void>;
  getValue(name: string): Promise<string | undefined>;
  /**
   * The user who had a name when it was asked last, sealed, by a digest of the name: a hint for people, by which
   * poolsync never writes.
   */
  link(pool: string, digest: string): Promise<string | undefined>;
  setLink(pool: string, digest: string, sealed: string): Promise<void>;
  dropLink(pool: string, digest: string): Promise<void>;
  /** Pools that have due users or letters. */
  pools(): Promise<readonly string[]>;
  close(): Promise<void>;
}
