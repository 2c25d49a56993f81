import { StoreError, storeReplaced } from "../store-error.ts";
import { FOREIGN, foreignFormat, REPLACED } from "./format.ts";

/**
 * ioredis hangs the whole command on its errors, arguments included: usernames, values, and for AUTH the password. No
 * log may show these, so the command is taken off before an error leaves this room.
 */
export function withoutCommand(error: unknown): unknown {
  if (error instanceof Error && "command" in error) delete error.command;
  return error;
}

/** Where a script was refused something, Redis 6.2 says the place in the script before the code. */
const CODE =
  /^(?:ERR Error running script \(call to f_[0-9a-f]+\): @user_script:\d+: @user_script: \d+: -)?(?:ERR )?([A-Z]+)\b/;

/** The code that a Redis error begins with, such as `READONLY`. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? CODE.exec(error.message)?.[1] : undefined;
}

/**
 * The error of a Redis that takes no writes, or of lua/fence.lua, said so that one can act on it; any other as it is,
 * without its command.
 */
export function redisFault(error: unknown): unknown {
  const code = codeOf(error);
  const cause = withoutCommand(error);
  if (code === "OOM") {
    return new StoreError(
      "full",
      "Redis has reached its maxmemory and takes no more changes: give it more memory, or let workers deliver what is queued. Nothing is lost; then do the same again.",
      { cause },
    );
  }
  if (code === "NOREPLICAS") {
    return new StoreError(
      "no-replicas",
      "Redis takes no changes while fewer replicas follow it than its min-replicas-to-write: a failover is over in seconds, else bring the replicas back. Nothing is lost; then do the same again.",
      { cause },
    );
  }
  if (code === FOREIGN && error instanceof Error) {
    return foreignFormat(/\bFOREIGNFORMAT (\S+)/.exec(error.message)?.[1] ?? "", cause);
  }
  if (code === REPLACED && error instanceof Error) {
    const how = /\bREPLACEDSTORE (gone|epoch)/.exec(error.message)?.[1];
    return storeReplaced(how === "gone" || how === "epoch" ? how : "other", cause);
  }
  return cause;
}
