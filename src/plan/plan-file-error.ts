import { textOf, type Sentence } from "../core/sentence.ts";

/** A plan that cannot be carried out. The message ends with the next step. */
export class PlanFileError extends Error {
  override readonly name = "PlanFileError";
  readonly kind = "plan-file";
  readonly sentence: Sentence;

  /** True where it is as it was made, and too old. */
  readonly isExpired: boolean;

  constructor(
    message: Sentence | string,
    { isExpired = false, ...options }: ErrorOptions & { isExpired?: boolean } = {},
  ) {
    super(textOf(message), options);
    this.isExpired = isExpired;
    this.sentence = typeof message === "string" ? [message] : message;
  }
}

/** The code of an error of the file system. */
export function codeOf(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
}
