/** What is wrong with a feed as a whole. A fault of one row is no FeedError: the row is reported and the rest goes on. */
export type FeedFault =
  | "missing"
  | "directory"
  | "unreadable"
  | "empty"
  | "binary"
  | "encoding"
  | "truncated"
  | "corrupt"
  | "too-long"
  | "format"
  | "columns"
  /** Mapped columns are missing, and there is no plan that a guard could stop: see `fitColumns`. */
  | "renamed"
  | "changed"
  | "read-once"
  /** It lies elsewhere, and could not be had whole. */
  | "fetch";

/**
 * The one error of this room: a feed that cannot be read. The message is one sentence on what is wrong and the next
 * step to take. It may name the file, a byte, a line or a column, but never holds a value.
 */
export class FeedError extends Error {
  override readonly name = "FeedError";
  readonly kind: FeedFault;

  constructor(kind: FeedFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
