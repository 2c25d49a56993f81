/**
 * ioredis hangs the whole command on its errors, arguments included: usernames, values, and for AUTH the password. No
 * log may show these, so the command is taken off before an error leaves this room.
 */
export function withoutCommand(error: unknown): unknown {
  if (error instanceof Error && "command" in error) delete error.command;
  return error;
}
