import { StoreError } from "../store-error.ts";

/**
 * ioredis hangs the whole command on its errors, arguments included: usernames, values, and for AUTH the password. No
 * log may show these, so the command is taken off before an error leaves this room.
 */
export function withoutCommand(error: unknown): unknown {
  if (error instanceof Error && "command" in error) delete error.command;
  return error;
}

/** The error of a Redis that is full, said so that one can act on it; any other as it is, without its command. */
export function redisFault(error: unknown): unknown {
  if (!(error instanceof Error && /^(ERR )?OOM\b/.test(error.message))) return withoutCommand(error);
  return new StoreError(
    "full",
    "Redis has reached its maxmemory and takes no more changes: give it more memory, or let workers deliver what is queued. Nothing is lost; then do the same again.",
    { cause: withoutCommand(error) },
  );
}
