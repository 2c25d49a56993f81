/** Has a command run by the process that has the data directory, where it is about one thing and that process takes it. */
import { resolve } from "node:path";
import { AppError } from "../app/app-error.ts";
import { readConfig, type Flags } from "../config/config.ts";
import { defined } from "../core/defined.ts";
import { nextStep, sentence } from "../core/sentence.ts";
import { commandHolder } from "../store/postgres/directory-lock.ts";
import { packageVersion } from "../version.ts";
import type { Io } from "./io.ts";
import { digestOfFile, holderMessage, type AskerMessage, type CommandRequest } from "./served-command.ts";

/** Commands that are about one change, one user, or what a person looks at or stops. */
const SERVED: ReadonlySet<string> = new Set([
  "admin-update-user-attributes",
  "update-user-attributes",
  "explain",
  "dead list",
  "dead show",
  "dead discard",
  "runs list",
  "runs show",
  "runs report",
  "runs cancel",
  "pause",
  "resume",
]);
/** What the other process has of its own, or would write to its own place. */
const NOT_PASSED = ["rate", "reserve", "listRate", "listReserve", "concurrency", "html"];

export interface AskedCommand {
  readonly argv: readonly string[];
  readonly name: string;
  readonly flags: Flags;
}

/**
 * The exit code; undefined where it is not a command for others, or that process takes none. Throws an AppError where
 * it refuses this one (`in-use`), or is gone before the command has ended (`holder-ended`).
 */
export async function runAtHolder(io: Io, { argv, name, flags }: AskedCommand): Promise<number | undefined> {
  const reads = argv.some((word) => word === "-" || word.endsWith("file:///dev/stdin"));
  if (!SERVED.has(name) || reads || NOT_PASSED.some((flag) => flag in flags)) return undefined;
  const config = await readConfig(flags, io.environment);
  if (config.redisUrl !== undefined) return undefined;
  const { stdin, stdout, stderr, interrupts } = io;
  const isTyped = "isTTY" in stdin && stdin.isTTY === true;
  const look = ({ isTTY, columns }: Io["stdout"]) => defined({ isTTY: isTTY === true, columns });
  const request: CommandRequest = defined({
    version: packageVersion(),
    argv: argv.map(withWholePath),
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
  const onInsist = (): void => wire.end();
  const onTyped = (text: unknown): void => send({ typed: String(text) });
  interrupts.drain.addEventListener("abort", onInterrupt, { once: true });
  interrupts.abort.addEventListener("abort", onInsist, { once: true });
  let isAccepted = false;
  let refused: string | undefined;
  let exit: number | undefined;
  try {
    const ended = new Promise<void>((resolve) => {
      wire.closed.addEventListener("abort", () => resolve(), { once: true });
    });
    wire.onMessage((message) => {
      const said = holderMessage.safeParse(message).data;
      if (said === undefined) return;
      if ("out" in said) stdout.write(said.out);
      else if ("err" in said) stderr.write(said.err);
      else if ("exit" in said) ({ exit } = said);
      else if ("refused" in said) ({ refused } = said);
      else {
        isAccepted = true;
        if (isTyped) stdin.on("data", onTyped);
        if (interrupts.drain.aborted) onInterrupt();
      }
    });
    if (!wire.closed.aborted) await ended;
  } finally {
    interrupts.drain.removeEventListener("abort", onInterrupt);
    interrupts.abort.removeEventListener("abort", onInsist);
    if (isTyped) stdin.off("data", onTyped).pause();
  }
  if (refused !== undefined) throw new AppError("in-use", refused);
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

/** A file that is named from here: the other process stands elsewhere. */
function withWholePath(word: string): string {
  return word.replace(
    /^((?:--[a-z-]+=)?fileb?:\/\/)([^/~].*)$/,
    (_, prefix: string, path: string) => prefix + resolve(path),
  );
}
