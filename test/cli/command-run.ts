import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Readable, Writable } from "node:stream";
import { run } from "../../src/cli/program.ts";
import { createAttributeWriter } from "../../src/cognito/attribute-writer.ts";
import { createCognitoClient } from "../../src/cognito/client.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { startEmulator, type Emulator, type EmulatorOptions } from "../../src/emulator/emulator.ts";
import type { PoolDefinition } from "../../src/emulator/pool-definition.ts";

export const POOL = "eu-west-1_Example";

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

/** What the test has set for AWS; the rest of this process's environment is nobody's business. */
function awsVariables(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith("AWS_")));
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

/** An empty pool that this process's environment points to, and a directory, until the test ends: see `setStage`. */
export async function onePool(
  t: TestContext,
  definition: Omit<PoolDefinition, "id"> = {},
  options: EmulatorOptions = {},
  hasData = true,
) {
  const emulator = await startEmulator({ quotas: "unmetered", ...options });
  const restore = exampleAws({ AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url });
  const directory = await (hasData ? directoryWithData() : temporaryDirectory());
  t.after(async () => {
    await emulator.close();
    restore();
    await directory.remove();
  });
  return { emulator, pool: emulator.pools.add({ id: POOL, ...definition }), directory: directory.path };
}

/** A pool of users `u0`, `u1` and so on, whose e-mail addresses are verified. */
export async function emulatorWith(users: number, options: EmulatorOptions = {}): Promise<Emulator> {
  const emulator = await startEmulator({ quotas: "unmetered", ...options });
  const pool = emulator.pools.add({ id: POOL, schema: [{ name: "team" }] });
  for (let number = 0; number < users; number++) {
    pool.addUser({
      username: `u${number}`,
      attributes: { given_name: "Old", email: `u${number}@example.com`, email_verified: "true" },
    });
  }
  return emulator;
}

/** Writes past poolsync, as somebody in the console would. */
export async function byHand(
  emulator: Emulator,
  username: string,
  attributes: Readonly<Record<string, string>>,
  pool = POOL,
): Promise<void> {
  const cognito = createCognitoClient({ endpoint: emulator.url, region: "eu-west-1", concurrency: 1 });
  const sent = Object.entries(attributes).map(([Name, Value]) => ({ Name, Value }));
  const options = { notAfter: Number.POSITIVE_INFINITY, signal: new AbortController().signal };
  const written = await createAttributeWriter(cognito).write(pool, username, sent, options);
  cognito.close();
  assert.ok(written.ok);
}

/** Such a pool, which the SDK of this process finds, and a directory: with a data directory in it, unless not. */
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
