/** What a user is told when a command fails: one clear sentence with the next step, and never a stack or a value. */
import { CommanderError } from "commander";
import { ConfigError } from "../config/config-error.ts";
import { withoutTokens } from "../core/quoted.ts";
import { FeedError } from "../feeds/feed-error.ts";
import { redisFault } from "../store/redis/redis-error.ts";
import { StoreError } from "../store/store-error.ts";
import { EXIT } from "../cli/exit-codes.ts";

/** Thrown by a command that cannot go on; the message is for the user as it stands. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly kind: string;
  readonly exitCode: number;

  constructor(kind: string, message: string, options?: ErrorOptions & { readonly exitCode?: number }) {
    super(message, options);
    this.kind = kind;
    this.exitCode = options?.exitCode ?? EXIT.failed;
  }
}

/** Said where a signal cut the one call of a command, or what was before it. */
export const MAYBE_WRITTEN = "Interrupted. Whether the change was written is not known: look, and try again.";

/** What a signal leads to while a command has not put anything yet. */
export function interruptedEarly(cause: unknown): CommandError {
  return new CommandError("interrupted", "Interrupted before anything was put.", { cause, exitCode: EXIT.interrupted });
}

/** What is read before anything is put: where a signal ends it, that is what is said. */
export async function readEarly<T>(signal: AbortSignal, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw signal.aborted ? interruptedEarly(error) : error;
  }
}

export interface FailureReport {
  readonly kind: string;
  readonly message: string;
  readonly exitCode: number;
}

/** Store faults that the user mends by a setting. */
const USAGE_FAULTS: readonly string[] = ["misconfigured", "wrong-key", "foreign-target"];

/** Whatever somebody typed, or a file holds: no token is in the message. */
export function reportFailure(thrown: unknown): FailureReport {
  const report = reportOf(thrown);
  return { ...report, message: withoutTokens(report.message) };
}

/** Where it happened: the places alone, because the message of an error that is not ours may quote somebody's data. */
export function placesOf(error: Error): string {
  const places = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return withoutTokens([error.name, ...places].join("\n"));
}

function reportOf(thrown: unknown): FailureReport {
  // BullMQ writes to Redis by itself.
  const error = redisFault(thrown);
  if (error instanceof ConfigError) return { kind: error.kind, message: error.message, exitCode: EXIT.usage };
  if (error instanceof CommandError) return { kind: error.kind, message: error.message, exitCode: error.exitCode };
  if (error instanceof CommanderError) {
    return { kind: "usage", message: error.message.replace(/^error: /, ""), exitCode: EXIT.usage };
  }
  if (error instanceof FeedError) {
    const exitCode = error.kind === "renamed" ? EXIT.guarded : EXIT.failed;
    return { kind: error.kind, message: error.message, exitCode };
  }
  if (error instanceof StoreError) {
    const exitCode = USAGE_FAULTS.includes(error.kind) ? EXIT.usage : EXIT.failed;
    return { kind: error.kind, message: error.message, exitCode };
  }
  if (error instanceof Error) {
    // An error of ours has a kind and a message that is safe; the message of any other may quote somebody's data.
    if ("kind" in error && typeof error.kind === "string") {
      return { kind: error.kind, message: error.message, exitCode: EXIT.failed };
    }
    const code = "code" in error && typeof error.code === "string" ? ` (${error.code})` : "";
    return {
      kind: "unexpected",
      message: `Something went wrong that poolsync did not expect: ${error.name}${code}. Run the command again; with POOLSYNC_LOG_LEVEL=debug it prints where it happened.`,
      exitCode: EXIT.failed,
    };
  }
  return { kind: "unexpected", message: "Something went wrong that poolsync did not expect.", exitCode: EXIT.failed };
}
