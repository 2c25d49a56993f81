import { pino, type DestinationStream, type Logger } from "pino";

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
    fd === 2 ? (standardError ??= atEndOfTurn(fd)) : pino.destination({ fd, sync: true }),
  );
}

/** Of all logs of this process, whose lines stay in their order. */
let standardError: DestinationStream | undefined;

const WARNING = pino.levels.values["warn"] ?? 0;
/** More than this is written before the turn is over. */
const MOST_LETTERS = 8 * 1024;

/**
 * Lines of one turn of the event loop are written together at its end: to write each by itself costs a busy `ingest` more
 * than a third of a request. A warning, or what is worse, is written at once with what came before it, and so is
 * everything when the process exits, however it does, but for a signal that kills it.
 */
function atEndOfTurn(fd: number): DestinationStream {
  const to = pino.destination({ fd, sync: true });
  let lines = "";
  const flush = (): void => {
    if (lines === "") return;
    const text = lines;
    lines = "";
    to.write(text);
  };
  process.on("exit", flush);
  return {
    // pino tells the level of a line to who asks.
    [Symbol.for("pino.metadata")]: true,
    lastLevel: 0,
    write(line: string): void {
      if (lines === "") setImmediate(flush);
      lines += line;
      if (this.lastLevel >= WARNING || lines.length > MOST_LETTERS) flush();
    },
  } as DestinationStream & { lastLevel: number };
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
