import type { Io, Output } from "./io.ts";

/** What a command is given to be added to the program. */
export interface Context {
  /** Its stdout is a screen, on which no token is shown. */
  readonly io: Io;
  /** The stdout itself, for values that somebody asked for. */
  readonly data: Output;
  /** Runs another command line, as `run` of program.ts does. */
  run(argv: readonly string[], io: Io): Promise<number>;
  /** Wraps a command's action: the number it resolves to is the exit code. */
  act<A extends readonly unknown[]>(action: (...args: A) => Promise<number>): (...args: A) => Promise<void>;
}
