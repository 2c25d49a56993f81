/** Runs commands for others in the process that has the data directory, which gives its engine, configuration and environment to `run`. */
import { randomBytes } from "node:crypto";
import { PassThrough } from "node:stream";
import { finished } from "node:stream/promises";
import { AppError, failureOf, messageOf } from "../app/app-error.ts";
import type { Config } from "../config/config.ts";
import type { Engine } from "../queues/engine.ts";
import type { Wire } from "../store/postgres/wire.ts";
import { notedFiles } from "./aws/parameter-file.ts";
import type { Context } from "./command.ts";
import { AskerOutput, type Waiting } from "./asker-output.ts";
import type { Io } from "./io.ts";
import {
  askerMessage,
  checkedRequest,
  isProven,
  keyProof,
  type CommandRequest,
  type HolderMessage,
} from "./served-command.ts";

export interface ServedCommands {
  /** Interrupts what is under way, and waits until that has ended. */
  close(): Promise<void>;
}

export interface ServingProcess {
  readonly config: Config;
  readonly engine: Pick<Engine, "serve" | "wrappedBy">;
}

/** As many UTF-16 units are kept of what somebody types and nobody has read. */
const MOST_TYPED = 65_536;
/** How long an asker may take what its command has printed once this process ends. */
const LAST_WORDS_MS = 1_000;

/** Which commands are run for others is looked at in program.ts. */
export function serveCommands(holding: ServingProcess, run: Context["run"]): ServedCommands {
  const closing = new AbortController();
  const underWay = new Set<Promise<void>>();
  const cut = new AbortController();
  const waiting = { units: 0 };
  holding.engine.serve?.((message, wire) => {
    const serving = serve(message, wire).finally(() => underWay.delete(serving));
    underWay.add(serving);
  });

  async function serve(message: unknown, wire: Wire): Promise<void> {
    const send = (said: HolderMessage): void => wire.send(said);
    // Who comes late finds nobody who takes commands.
    if (closing.signal.aborted) return wire.end();
    try {
      const request = checkedRequest(message, holding.config);
      const asker = hear(wire, request);
      const gone = AbortSignal.any([wire.closed, closing.signal]);
      if (!(await mayAsk(holding, message, { send, proofs: asker.proofs, gone }))) return;
      send({ accepted: true });
      const io = ioOf(request, wire, { asker, closing: closing.signal, waiting });
      const exit = await run(request.argv, io);
      await Promise.all([io.stdout, io.stderr].map((output) => finished(output.end(), { signal: cut.signal })));
      send({ exit });
    } catch (error) {
      const { kind } = failureOf(error);
      send({ refused: messageOf(failureOf(error)), kind: kind === "wrong-key" ? kind : "in-use" });
    } finally {
      wire.end();
    }
  }

  return {
    async close() {
      closing.abort();
      const timer = setTimeout(() => cut.abort(), LAST_WORDS_MS);
      await Promise.all(underWay);
      clearTimeout(timer);
    },
  };
}

/** Resolves with false where nobody waits for an answer any more. Throws an AppError `wrong-key` without a proof. */
async function mayAsk(
  { config, engine }: ServingProcess,
  request: unknown,
  asker: {
    readonly send: (said: HolderMessage) => void;
    readonly proofs: Promise<readonly string[]>;
    readonly gone: AbortSignal;
  },
): Promise<boolean> {
  const { send, proofs, gone } = asker;
  const key = { key: config.key, "previous key": config.previousKey, none: undefined }[engine.wrappedBy ?? "none"];
  if (key === undefined) return true;
  const nonce = randomBytes(24).toString("base64");
  send({ nonce });
  const ended = Promise.withResolvers<undefined>();
  gone.addEventListener("abort", () => ended.resolve(undefined), { once: true });
  if (gone.aborted) return false;
  const given = await Promise.race([proofs, ended.promise]);
  if (given === undefined) return false;
  if (isProven(given, keyProof(key, nonce, request))) return true;
  throw new AppError(
    "wrong-key",
    given.length === 0
      ? "The poolsync process that has the data directory works with a POOLSYNC_KEY, and none is set here: set it, and give the command again."
      : "The poolsync process that has the data directory works with another POOLSYNC_KEY than this command: set that one, and give the command again.",
  );
}

interface Asker {
  readonly proofs: Promise<readonly string[]>;
  readonly stdin: PassThrough & { readonly isTTY: boolean };
  readonly interrupted: AbortSignal;
}

function hear(wire: Wire, { stdin }: CommandRequest): Asker {
  const interrupted = new AbortController();
  const typed = Object.assign(new PassThrough(), stdin);
  const proofs = Promise.withResolvers<readonly string[]>();
  if (!stdin.isTTY) typed.end();
  wire.onMessage((message) => {
    const said = askerMessage.safeParse(message).data;
    if (said === undefined) return;
    if ("proofs" in said) proofs.resolve(said.proofs);
    else if ("interrupted" in said) interrupted.abort();
    else if (typed.writableEnded) return;
    else if ("typedAll" in said) typed.end();
    // An interrupt behind it is to be heard: it is not kept from coming.
    else if (typed.readableLength + typed.writableLength < MOST_TYPED) typed.write(said.typed);
  });
  return { proofs: proofs.promise, stdin: typed, interrupted: interrupted.signal };
}

interface Conversation {
  readonly asker: Asker;
  readonly closing: AbortSignal;
  readonly waiting: Waiting;
}

/** What the command reads and prints is the asker's, and so are its signals; one who is gone interrupts for good. */
function ioOf(request: CommandRequest, wire: Wire, { asker, closing, waiting }: Conversation): Io {
  const { calledAs, stdout, stderr, files } = request;
  return {
    stdin: asker.stdin,
    stdout: new AskerOutput({ look: stdout, wire, waiting, said: (out) => ({ out }) }),
    stderr: new AskerOutput({ look: stderr, wire, waiting, said: (err) => ({ err }) }),
    interrupts: { drain: AbortSignal.any([asker.interrupted, wire.closed, closing]), abort: wire.closed },
    readParameter: notedFiles(files),
    ...(calledAs === undefined ? {} : { calledAs }),
  };
}
