import type { ReplacedUnit } from "./mailbox.ts";

/** A dead letter: a unit that could not be delivered. It is replayed under its old version and its old run. */
export interface Letter {
  /** From user, unit and version, arrival included: burying twice is burying once. */
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
  /** Epoch ms. */
  readonly buriedAt: number;
}

/** What is told of a letter when it is written: where it lies, and nothing of what is in it. */
export type Buried = Pick<Letter, "id" | "user" | "unit" | "kind">;

export const buriedOf = ({ id, user, unit, kind }: Letter): Buried => ({ id, user, unit, kind });
