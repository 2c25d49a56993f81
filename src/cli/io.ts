import { Writable, type Readable } from "node:stream";
import type { Config } from "../config/config.ts";
import type { Engine } from "../queues/engine.ts";
import type { Opened } from "../app/opening.ts";
import type { WorkerDeps } from "../app/workers/worker-process.ts";
import type { Interrupts } from "../lifecycle.ts";
import { withoutJwts, withoutTokens } from "../core/quoted.ts";
import type { ReadParameter } from "./aws/parameter-file.ts";
import { wrap } from "../views/table.ts";

/** What a command reads from and prints to. A terminal's own width is asked for when it is needed. */
export interface Io {
  readonly stdin: Readable;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly interrupts: Interrupts;
  /** How a shell calls this program, for the commands that messages name. */
  readonly calledAs?: string;
  /** How long a read of a pool is tried, in ms. 30 seconds where absent, and for ever in a worker. */
  readonly readsWithinMs?: number;
  /** What the configuration reads instead of the process's environment. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Of the process that runs a command for somebody else: its configuration and its engine. */
  readonly holding?: Holding;
  /** Reads `file://` of an option. The files of this process where absent. */
  readonly readParameter?: ReadParameter;
  /** Takes events: see ingest/run-ingest.ts, which the entry hands over, as no command may know it. */
  readonly ingest?: (deps: IngestRequest) => Promise<void>;
}

export interface Holding {
  readonly config: Config;
  readonly engine: Engine;
}

export interface IngestRequest extends WorkerDeps, Pick<Opened, "turn"> {
  readonly environment: Io["environment"];
  /** Takes commands of others until it is closed. */
  readonly serve?: (holding: Holding) => Promise<{ close(): Promise<void> }>;
}

export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

const DEFAULT_COLUMNS = 80;
const FEWEST_COLUMNS = 20;

/** How wide a line may be: a terminal's width; 80 for a file or a pipe. */
export function columnsOf(output: Output): number {
  return output.isTTY === true ? Math.max(FEWEST_COLUMNS, output.columns ?? DEFAULT_COLUMNS) : DEFAULT_COLUMNS;
}

/** Says a message on stderr, without any token: wrapped at a terminal, a line as it is anywhere else, where it may be searched. */
export function tell({ stderr }: Io, message: string): void {
  const lines = withoutTokens(message).split("\n");
  const shown = stderr.isTTY === true ? lines.flatMap((line) => wrap(line, columnsOf(stderr) - 1)) : lines;
  stderr.write(`${shown.join("\n")}\n`);
}

/** Shows text on an output without any token: one may have been given for a username, and be listed as that. */
export class Screen extends Writable {
  readonly #output: Output;

  constructor(output: Output) {
    super({ decodeStrings: false });
    this.#output = output;
  }

  get isTTY(): boolean {
    return this.#output.isTTY === true;
  }

  get columns(): number {
    return this.#output.columns ?? DEFAULT_COLUMNS;
  }

  override _write(chunk: string | Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#output.write(typeof chunk === "string" ? withoutJwts(chunk) : chunk);
    done();
  }
}
