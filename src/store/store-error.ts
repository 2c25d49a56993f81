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
  /** The server cannot save what it would be given, and takes nothing therefore. */
  | "not-saving"
  /** The server starts, fails over or is busy. */
  | "not-ready"
  /** The data was written by another version of poolsync. */
  | "foreign-format"
  /** The store is another one than the process opened: emptied, replaced or restored meanwhile. */
  | "store-replaced"
  /** Another process has the data directory. */
  | "in-use"
  /** What the store holds does not have the form that it was written in. */
  | "damaged"
  /** The namespace knows the pool at another endpoint, Region or ARN. */
  | "foreign-target"
  /** The namespace's values were written with another key, or with none. */
  | "wrong-key"
  /** New keys of the namespace are being made, by a process that alone may use it. */
  | "rekeying"
  /** The store has forgotten a run, or how far it was: it lost its last writes. */
  | "run-lost"
  /** Somebody has cancelled the run: nothing more is put into it. */
  | "run-cancelled"
  /** The run of a day's events has ended: they go into another. */
  | "run-ended";

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

/** How a store was seen to be another one than the process opened. */
export type Replacement = "gone" | "other" | "epoch" | "directory";

const REPLACEMENTS: Readonly<Record<Replacement, string>> = {
  gone: "Redis has nothing of this namespace any more: it was emptied, or started without its data",
  other: "Another store is in the place of the one that this process opened: that was emptied or replaced meanwhile",
  epoch: "The epoch of the store was raised while this process had it open",
  directory: "Another data directory is in the place of the one that this process opened",
};

/** For a store that is another one than the process opened. */
export function storeReplaced(how: Replacement, cause?: unknown): StoreError {
  const restored =
    how === "epoch" ? ["."] : sentence`; after a restore from a backup give ${nextStep("epoch", "raise")} first.`;
  return new StoreError(
    "store-replaced",
    [`${REPLACEMENTS[how]}. Nothing was written to it. Start this process again`, ...restored],
    { cause },
  );
}

/** The epoch of a store, as it is kept. Throws a StoreError `damaged` for a text that is none. */
export function epochOf(text: string | null | undefined, next: Sentence): number {
  const epoch = Number(text);
  if (Number.isSafeInteger(epoch) && String(epoch) === text) return epoch;
  throw new StoreError("damaged", [
    "The epoch of the store is no number any more: another program wrote to it. Stop all its processes, then ",
    ...next,
    ".",
  ]);
}

/** For a run that somebody has cancelled while it was under way. */
export function runCancelled(run: string): StoreError {
  return new StoreError(
    "run-cancelled",
    sentence`Run ${run} was cancelled, and what was left of it was not put: see ${nextStep("runs", "show", run)}.`,
  );
}

/** For the run of a day's events that was over before these came. */
export function runEnded(run: string): StoreError {
  return new StoreError("run-ended", `Run ${run} has ended meanwhile, and its events wait in the inbox for another.`);
}

/** For a run that was begun, and that the store does not know any more or knows as less far than it was. */
export function cursorBeyond(id: string): StoreError {
  return new StoreError(
    "damaged",
    sentence`The store says that more rows of run ${id} were put than its feed has: it was altered there. Give ${nextStep("runs", "cancel", id)}, then the same sync again.`,
  );
}

export function runLost(run: string): StoreError {
  return new StoreError(
    "run-lost",
    `The store has forgotten run ${run}, or a part of it: Redis lost its last writes. Do the same again; what is there already is not put twice.`,
  );
}
