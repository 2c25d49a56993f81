/**
 * The port to exceptions: of units, and of whole rows, that were not written the last outcome, with the run, the line and
 * the reason. They say to people why somebody does not have what a file wanted; poolsync decides nothing by them. Their
 * number is bounded, and they go by themselves after a time.
 */
export const EXCEPTION_KINDS = ["invalid", "stale", "disagreeing", "unmatched", "discarded"] as const;
/**
 * `invalid`: the value or the row cannot be written. `stale`: something newer was written before. `disagreeing`: rows of
 * one user say different things. `unmatched`: the row names nobody, or several. `discarded`: it was a dead letter, with
 * this reason, that somebody discarded.
 */
export type ExceptionKind = (typeof EXCEPTION_KINDS)[number];

export interface Exception {
  /** The user's key, or the digest of a name that is nobody's: see keyring.ts. */
  readonly about: string;
  /** Blank where the whole row is meant. */
  readonly unit: string;
  readonly kind: ExceptionKind;
  readonly run: string;
  /** Of the file; absent where it came from none. */
  readonly line?: number;
  /** A kebab-case word. */
  readonly reason: string;
  /** Epoch ms, by the store's clock. */
  readonly at: number;
}

/** About so many users, or names, exceptions are kept: those of the latest. */
export const MOST_EXCEPTIONS = 20_000;
/** How long they are kept, in ms. */
export const EXCEPTION_MS = 30 * 24 * 3_600_000;

export interface Exceptions {
  /** Keeps them, each in the place of an earlier one of its unit; forgets those that are old, or too many. */
  note(exceptions: readonly Omit<Exception, "at">[]): Promise<void>;
  /** About one user or name, in no order. */
  about(key: string): Promise<readonly Exception[]>;
}
