import { nextStep, sentence, textOf, type Sentence } from "../core/sentence.ts";

/**
 * What can be wrong with a store as a whole, before or while it is used. The message is one clear sentence and the
 * next step; it never holds a password.
 */
export type StoreFault =
  /** `REDIS_URL` or the namespace cannot be read. */
  | "misconfigured"
  /** Nobody answers, or the server refuses the connection. */
  | "unreachable"
  /** The server lacks what the scripts need. */
  | "too-old"
  /** The server may throw data away when its memory is full. */
  | "evicting"
  /** The server has no memory left for what was to be written. */
  | "full"
  /** Fewer replicas follow the server than it demands before it takes a write. */
  | "no-replicas"
  /** The data was written by another version of poolsync. */
  | "foreign-format"
  /** Another process has the data directory. */
  | "in-use"
  /** What the store holds does not have the form that it was written in. */
  | "damaged"
  /** The namespace knows the pool at another endpoint, Region or ARN. */
  | "foreign-target"
  /** The namespace's values were written with another key, or with none. */
  | "wrong-key"
  /** The store has forgotten a run, or how far it was: it lost its last writes. */
  | "run-lost"
  /** Somebody has cancelled the run: nothing more is put into it. */
  | "run-cancelled";

export class StoreError extends Error {
  readonly kind: StoreFault;
  readonly sentence: Sentence;

  constructor(kind: StoreFault, message: Sentence | string, options?: { readonly cause?: unknown }) {
    super(textOf(message), options);
    this.name = "StoreError";
    this.kind = kind;
    this.sentence = typeof message === "string" ? [message] : message;
  }
}

/** For a run that somebody has cancelled while it was under way. */
export function runCancelled(run: string): StoreError {
  return new StoreError(
    "run-cancelled",
    sentence`Run ${run} was cancelled, and what was left of it was not put: see ${nextStep("runs", "show", run)}.`,
  );
}

/** For a run that was begun, and that the store does not know any more or knows as less far than it was. */
export function runLost(run: string): StoreError {
  return new StoreError(
    "run-lost",
    `The store has forgotten run ${run}, or a part of it: Redis lost its last writes. Do the same again; what is there already is not put twice.`,
  );
}
