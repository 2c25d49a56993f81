import { pino, type Logger } from "pino";

/**
 * The log: JSON lines on stderr, so that stdout stays the command's. An object comes first, then a constant
 * lower-case message. No attribute value, username or token ever goes in: people are their opaque user keys.
 */
export type Log = Logger;

/** `level` is one of pino's: `fatal` `error` `warn` `info` `debug` `trace` `silent`. `fd`: a file instead of stderr. */
export function createLog(level: string, fd = 2): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: describeError },
      formatters: { level: (name) => ({ level: name }) },
    },
    pino.destination({ fd, sync: true }),
  );
}

/**
 * What of an error may be logged: names, codes and the messages of our own errors. The message of a foreign error
 * (Cognito echoes values in them) and its stack stay out.
 */
function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { name: typeof error };
  const { name } = error;
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  const kind = "kind" in error && typeof error.kind === "string" ? error.kind : undefined;
  const message = kind === undefined ? undefined : error.message;
  const cause = error.cause === undefined ? undefined : describeError(error.cause);
  return { name, code, kind, message, cause };
}
