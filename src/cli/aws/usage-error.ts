import { AppError } from "../../app/app-error.ts";

/** The command line cannot be meant. `message` shows no value. */
export function usageError(message: string, cause?: unknown): AppError {
  return new AppError("usage", message, { category: "usage", ...(cause === undefined ? {} : { cause }) });
}

/** As the AWS CLI says it of one option. */
export function parameterError(option: string, message: string, cause?: unknown): AppError {
  return usageError(`Error parsing parameter '${option}': ${message}`, cause);
}
