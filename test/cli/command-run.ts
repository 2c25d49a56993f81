import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { run } from "../../src/cli/program.ts";
import type { EmulatorOptions } from "../../src/emulator/emulator.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { awsVariables, directoryWithData, emulatorWith } from "../support/pool-stage.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

export { byHand, directoryWithData, emulatorWith, onePool, POOL } from "../support/pool-stage.ts";

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly columns?: number;
  /** Interrupts the command. */
  readonly drain?: AbortSignal;
  /** How long a read is tried. */
  readonly readsWithinMs?: number;
}

/** Runs a command in this process, where the machine's own settings do not reach it. */
export async function runCommand(words: readonly string[], options: RunOptions = {}): Promise<Said> {
  const out = collector(options.columns);
  const err = collector(options.columns);
  const code = await run(words, {
    stdin: Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]),
    stdout: out.stream,
    stderr: err.stream,
    interrupts: { drain: options.drain ?? new AbortController().signal, abort: new AbortController().signal },
    ...(options.readsWithinMs === undefined ? {} : { readsWithinMs: options.readsWithinMs }),
    environment: { ...awsVariables(), POOLSYNC_LOG_LEVEL: "silent", HOME: "/nonexistent", ...options.environment },
  });
  return { code, stdout: out.text(), stderr: err.text() };
}

function collector(columns: number | undefined) {
  const parts: string[] = [];
  const stream: Writable & { isTTY?: boolean; columns?: number } = new Writable({
    write(chunk: Buffer, _encoding, done) {
      parts.push(chunk.toString("utf8"));
      done();
    },
  });
  if (columns !== undefined) Object.assign(stream, { isTTY: true, columns });
  return { stream, text: () => parts.join("") };
}

/** A pool of users that the SDK of this process finds, and a directory: with a data directory in it, unless not. */
export async function setStage(users: number, options: EmulatorOptions = {}, hasData = true) {
  const emulator = await emulatorWith(users, options);
  const restore = exampleAws({ AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url });
  const directory = await (hasData ? directoryWithData() : temporaryDirectory());
  return {
    emulator,
    directory: directory.path,
    at: (name: string): string => join(directory.path, name),
    clear: async (): Promise<void> => {
      await emulator.close();
      restore();
      await directory.remove();
    },
  };
}
export type Stage = Awaited<ReturnType<typeof setStage>>;
