import { textOf, type Sentence } from "../core/sentence.ts";

/** A plan that cannot be carried out. The message ends with the next step. */
export class PlanFileError extends Error {
  override readonly name = "PlanFileError";
  readonly kind = "plan-file";
  readonly sentence: Sentence;

  constructor(message: Sentence | string, options?: ErrorOptions) {
    super(textOf(message), options);
    this.sentence = typeof message === "string" ? [message] : message;
  }
}

/** The code of an error of the file system. */
export function codeOf(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
}
