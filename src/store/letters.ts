/**
 * The port to dead letters: units that could not be delivered. They are written by a settle and put again by a replay
 * (see mailboxes.ts), so that the books move with them; here they are read and discarded.
 */
import type { Letter } from "../core/letter.ts";

export interface LetterFilter {
  readonly pool?: string;
  readonly kind?: string;
  readonly user?: string;
  readonly unit?: string;
  readonly run?: string;
  readonly reason?: string;
  /** Epoch ms, inclusive. */
  readonly since?: number;
  /** Epoch ms, exclusive. */
  readonly until?: number;
}

export interface Letters {
  /** Oldest first. Streams: memory does not grow with their number. */
  list(filter: LetterFilter): AsyncIterable<Letter>;
  get(id: string): Promise<Letter | undefined>;
  /** Takes letters away: `dead` goes down, `discarded` up. Answers how many were there. */
  discard(ids: readonly string[]): Promise<number>;
}
