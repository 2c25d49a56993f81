/** Has a command run by the process that has the data directory, where it is about one thing and that process takes it. */
import { AppError } from "../app/app-error.ts";
import { readConfig, type Flags } from "../config/config.ts";
import { defined } from "../core/defined.ts";
import { nextStep, sentence } from "../core/sentence.ts";
import { commandHolder } from "../store/postgres/directory-lock.ts";
import { packageVersion } from "../version.ts";
import type { ParameterFile } from "./aws/parameter-file.ts";
import type { Io, Output } from "./io.ts";
import {
  digestOfFile,
  holderMessage,
  isServed,
  keyProof,
  type AskedCommand,
  type AskerMessage,
  type CommandRequest,
} from "./served-command.ts";

/**
 * The exit code; undefined where it is not a command for others, or that process takes none. Throws an AppError where
 * it refuses this one (`in-use`), or is gone before the command has ended (`holder-ended`).
 */
export async function runAtHolder(
  io: Io,
  asked: AskedCommand & { readonly flags: Flags; readonly files: readonly ParameterFile[] },
): Promise<number | undefined> {
  if (!isServed(asked)) return undefined;
  const config = await readConfig(asked.flags, io.environment);
  if (config.redisUrl !== undefined) return undefined;
  const { stdin, stdout, stderr, interrupts } = io;
  const isTyped = "isTTY" in stdin && stdin.isTTY === true;
  const look = ({ isTTY, columns }: Io["stdout"]) => defined({ isTTY: isTTY === true, columns });
  const request: CommandRequest = defined({
    version: packageVersion(),
    argv: [...asked.argv],
    files: [...asked.files],
    calledAs: io.calledAs,
    file: digestOfFile(config),
    path: config.file,
    stdin: { isTTY: isTyped },
    stdout: look(stdout),
    stderr: look(stderr),
  });
  const wire = await commandHolder(config.dataDir, request);
  if (wire === undefined) return undefined;
  const send = (said: AskerMessage): void => wire.send(said);
  const onInterrupt = (): void => send({ interrupted: true });
  const onInsist = (): void => {
    wire.end();
    wire.resume();
  };
  const onTyped = (text: unknown): void => send({ typed: String(text) });
  const onTypedAll = (): void => send({ typedAll: true });
  const full = new Set<Output>();
  /** Who stands still keeps the other process waiting, and what it has to say there. */
  const print = async (output: Output, text: string): Promise<void> => {
    if (output.write(text) || output.destroyed || interrupts.abort.aborted || full.has(output)) return;
    full.add(output);
    wire.pause();
    await untilDrained(output);
    full.delete(output);
    if (full.size === 0) wire.resume();
  };
  interrupts.drain.addEventListener("abort", onInterrupt, { once: true });
  interrupts.abort.addEventListener("abort", onInsist, { once: true });
  let isAccepted = false;
  let refused: { readonly refused: string; readonly kind: "in-use" | "wrong-key" } | undefined;
  let exit: number | undefined;
  try {
    const ended = new Promise<void>((resolve) => {
      wire.closed.addEventListener("abort", () => resolve(), { once: true });
    });
    wire.onMessage((message) => {
      const said = holderMessage.safeParse(message).data;
      if (said === undefined) return;
      if ("out" in said) void print(stdout, said.out);
      else if ("err" in said) void print(stderr, said.err);
      else if ("exit" in said) ({ exit } = said);
      else if ("refused" in said) refused = said;
      else if ("nonce" in said) {
        // Either may have wrapped the keys that are there, as when the store is opened.
        const keys = [config.key, config.previousKey].filter((key) => key !== undefined);
        send({ proofs: keys.map((key) => keyProof(key, said.nonce, request)) });
      } else {
        isAccepted = true;
        if (isTyped) stdin.on("data", onTyped).once("end", onTypedAll);
        if (stdin.readableEnded) onTypedAll();
        if (interrupts.drain.aborted) onInterrupt();
      }
    });
    if (!wire.closed.aborted) await ended;
  } finally {
    interrupts.drain.removeEventListener("abort", onInterrupt);
    interrupts.abort.removeEventListener("abort", onInsist);
    if (isTyped) stdin.off("data", onTyped).off("end", onTypedAll).pause();
  }
  if (refused !== undefined) {
    const { kind } = refused;
    throw new AppError(kind, refused.refused, { category: kind === "wrong-key" ? "usage" : "failed" });
  }
  if (exit !== undefined || !isAccepted) return exit;
  if (interrupts.abort.aborted) {
    throw new AppError("interrupted", "Interrupted: the process that has the data directory was told so, too.", {
      category: "interrupted",
    });
  }
  throw new AppError(
    "holder-ended",
    sentence`The poolsync process that has the data directory ${config.dataDir} ended before this command did: whether it was carried out is not known. Look with ${nextStep("status")}, and give the command again.`,
  );
}

/** An output whose reader has gone takes everything, too. */
function untilDrained(output: Output): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const events = ["drain", "close", "error"];
  const onRoom = (): void => {
    for (const event of events) output.off(event, onRoom);
    resolve();
  };
  for (const event of events) output.on(event, onRoom);
  return promise;
}
