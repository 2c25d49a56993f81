import type { ReplacedUnit } from "./mailbox.ts";

/**
 * A dead letter: a unit that could not be delivered. It is replayed under its old version and its old run. The same fault
 * of the same unit is one letter, which has the newest value: what has failed so before gives way to it, as where both
 * wait.
 */
export interface Letter {
  /** From user, unit, account, kind and reason, so that the same fault has the same id; see `Keyring.letterId`. */
  readonly id: string;
  readonly user: string;
  readonly pool: string;
  /** Sealed. */
  readonly username: string;
  readonly unit: string;
  readonly kind: string;
  /** Scrubbed of values. */
  readonly reason: string;
  /** Of `alias-exists`, where it is known: the key of the user who has the value. */
  readonly owner?: string;
  readonly version: string;
  readonly run: string;
  readonly digest: string;
  readonly body: string;
  /** See `QueuedUnit`. */
  readonly account?: string;
  /** See `QueuedUnit`: goes instead where the letter's run is cancelled. */
  readonly replaced?: readonly ReplacedUnit[];
  /** Epoch ms: the last time. */
  readonly buriedAt: number;
  /** How often the fault befell a value since the letter was written; absent where that was once. */
  readonly times?: number;
  /** Epoch ms: the first time; absent where that is the last. */
  readonly first?: number;
}

/** What is told of a letter when it is written: where it lies, and nothing of what is in it. */
export type Buried = Pick<Letter, "id" | "user" | "unit" | "kind">;

export const buriedOf = ({ id, user, unit, kind }: Letter): Buried => ({ id, user, unit, kind });
