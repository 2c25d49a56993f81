import { EXIT } from "../exit-codes.ts";
import { CommandError } from "../../app/app-error.ts";

/** The command line cannot be meant. `message` shows no value. */
export function usageError(message: string, cause?: unknown): CommandError {
  return new CommandError("usage", message, { exitCode: EXIT.usage, ...(cause === undefined ? {} : { cause }) });
}

/** As the AWS CLI says it of one option. */
export function parameterError(option: string, message: string, cause?: unknown): CommandError {
  return usageError(`Error parsing parameter '${option}': ${message}`, cause);
}
