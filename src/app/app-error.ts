/** What a use case throws where it cannot go on: one clear sentence with the next step, never a stack or a value. */
import { ConfigError } from "../config/config-error.ts";
import { withoutTokens } from "../core/quoted.ts";
import { sentenceOf, textOf, type Sentence } from "../core/sentence.ts";
import { FeedError } from "../feeds/feed-error.ts";
import { redisFault } from "../store/redis/redis-error.ts";
import { StoreError } from "../store/store-error.ts";

/**
 * What a failure means to whoever asked: `failed` may go better another time; `usage` wants another request or another
 * configuration; `guarded` waits for somebody's consent; `interrupted` was ended by a signal.
 */
export type FailureCategory = "failed" | "usage" | "guarded" | "interrupted";

export interface AppErrorOptions extends ErrorOptions {
  /** `failed` where absent. */
  readonly category?: FailureCategory;
}

export class AppError extends Error {
  override readonly name = "AppError";
  readonly kind: string;
  readonly category: FailureCategory;
  readonly sentence: Sentence;

  constructor(kind: string, said: Sentence | string, options: AppErrorOptions = {}) {
    super(textOf(said), options);
    this.kind = kind;
    this.category = options.category ?? "failed";
    this.sentence = typeof said === "string" ? [said] : said;
  }
}

/** What a signal leads to while nothing has been put yet. */
export function interruptedEarly(cause: unknown): AppError {
  return new AppError("interrupted", "Interrupted before anything was put.", { cause, category: "interrupted" });
}

/** Awaits a read that comes before anything is put. A signal that ends the read is what the error then says. */
export async function readEarly<T>(signal: AbortSignal, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw signal.aborted ? interruptedEarly(error) : error;
  }
}

export interface Failure {
  readonly kind: string;
  readonly category: FailureCategory;
  readonly sentence: Sentence;
}

/** The sentence of a failure as text, without any token: somebody may have typed one, or a file may hold one. */
export function messageOf({ sentence }: Pick<Failure, "sentence">): string {
  return withoutTokens(textOf(sentence));
}

/** Store faults that a setting mends. */
const USAGE_FAULTS: readonly string[] = ["misconfigured", "wrong-key", "foreign-target"];

/** Any error as what people are told of it. */
export function failureOf(thrown: unknown): Failure {
  // BullMQ writes to Redis by itself.
  const error = redisFault(thrown);
  if (!(error instanceof Error)) {
    const said = "Something went wrong that poolsync did not expect.";
    return { kind: "unexpected", category: "failed", sentence: [said] };
  }
  const sentence = sentenceOf(error);
  if (error instanceof AppError) return { kind: error.kind, category: error.category, sentence };
  if (error instanceof ConfigError) return { kind: error.kind, category: "usage", sentence };
  if (error instanceof FeedError) {
    return { kind: error.kind, category: error.kind === "renamed" ? "guarded" : "failed", sentence };
  }
  if (error instanceof StoreError) {
    return { kind: error.kind, category: USAGE_FAULTS.includes(error.kind) ? "usage" : "failed", sentence };
  }
  // An error of ours has a kind and a message that is safe; the message of any other may quote somebody's data.
  if ("kind" in error && typeof error.kind === "string") return { kind: error.kind, category: "failed", sentence };
  const code = "code" in error && typeof error.code === "string" ? ` (${error.code})` : "";
  const said = `Something went wrong that poolsync did not expect: ${error.name}${code}. Run the command again; with POOLSYNC_LOG_LEVEL=debug it prints where it happened.`;
  return { kind: "unexpected", category: "failed", sentence: [said] };
}
