import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** A process of ours under test, in a process of its own so that it can be killed. */
export interface TestProcess {
  readonly child: ChildProcess;
  /** What it wrote so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Its exit code, or the signal that ended it. */
  ended(): Promise<number | NodeJS.Signals>;
  /** Sends a signal to this process alone; waits until it is gone where the signal ends it. */
  kill(signal: NodeJS.Signals): Promise<void>;
}

const { NODE_COMPILE_CACHE } = process.env;
const ROOT = new URL("../../", import.meta.url).pathname;

/** Runs a file of the project: `workers/deliver.ts`, or `src/cli/main.ts` with its arguments. */
export function runFile(file: string, args: readonly string[], env: Readonly<Record<string, string>>): TestProcess {
  const child = spawn(process.execPath, [ROOT + file, ...args], {
    // The cache of compiled sources spares each process a quarter of its start.
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], NODE_COMPILE_CACHE, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const closed = once(child, "close");
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    async ended() {
      await closed;
      return child.exitCode ?? child.signalCode ?? 1;
    },
    async kill(signal) {
      child.kill(signal);
      if (signal === "SIGKILL") await closed;
    },
  };
}
