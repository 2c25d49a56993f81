import type { FailureKind } from "../core/failure.ts";

/** Thrown where no delivery is under way: at the start, by `doctor` and by `plan`. Its message ends with the next step. */
export class CognitoError extends Error {
  override readonly name = "CognitoError";
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
