/** How the command line reports a failure: its message as text that a shell can take up, and its exit code. */
import { CommanderError } from "commander";
import { failureOf, type Failure } from "../app/app-error.ts";
import { withoutTokens } from "../core/quoted.ts";
import { EXIT } from "../exit-codes.ts";

export interface FailureReport extends Failure {
  readonly exitCode: number;
}

export function reportFailure(thrown: unknown): FailureReport {
  if (thrown instanceof CommanderError) {
    const message = thrown.message.replace(/^error: /, "");
    return { kind: "usage", category: "usage", sentence: [message], exitCode: EXIT.usage };
  }
  const failure = failureOf(thrown);
  return { ...failure, exitCode: EXIT[failure.category] };
}

/** Where it happened: the places alone, because the message of an error that is not ours may quote somebody's data. */
export function placesOf(error: Error): string {
  const places = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return withoutTokens([error.name, ...places].join("\n"));
}
