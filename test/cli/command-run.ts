import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import type { TestContext } from "node:test";
import { run } from "../../src/cli/program.ts";
import type { EmulatorOptions } from "../../src/emulator/emulator.ts";
import { openScope } from "../../src/lifecycle.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { awsVariables, emulatorWith, openOnePool, type OnePool } from "../support/pool-stage.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

export { byHand, emulatorWith, POOL } from "../support/pool-stage.ts";

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

/** With a data directory in it, `data`. */
export async function directoryWithData() {
  const directory = await temporaryDirectory();
  putMadeDirectory(join(directory.path, "data"));
  return directory;
}

/** An empty pool that this process's environment points to, and a directory with data, until the test ends. */
export async function onePool(t: TestContext): Promise<OnePool> {
  const scope = openScope();
  t.after(() => scope.close());
  const opened = await openOnePool(scope);
  putMadeDirectory(join(opened.directory, "data"));
  return opened;
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
