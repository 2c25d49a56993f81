/** The processes of a run: started, killed, suspended and started again. Each writes its log to a file of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { End } from "./evidence.ts";

const { NODE_COMPILE_CACHE } = process.env;
const ROOT = new URL("../../", import.meta.url).pathname;

export interface ChildSpec {
  readonly name: string;
  /** From the project's root. */
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Lines of its stdout. */
  readonly onLine?: (line: string) => void;
  readonly stdin?: boolean;
}

/** One life of a process. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  /** Epoch ms. */
  readonly startedAt: number;
  readonly suspended: boolean;
  readonly alive: boolean;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  tell(line: string): void;
  /** Ends stdin. */
  finish(): void;
  suspend(): void;
  goOn(): void;
  signal(signal: NodeJS.Signals): void;
  kill(): Promise<void>;
}

export interface Children {
  readonly all: ReadonlySet<Child>;
  /** Those that were killed, or ended by themselves and not well, in their order. */
  readonly ends: readonly End[];
  /** Throws once all of them are closed: nobody would end what is started then. */
  start(spec: ChildSpec): Child;
  /** Kills whatever is left. */
  close(): Promise<void>;
}

/** With dead letters, but all that it had under way is settled. */
const WITH_LETTERS = 2;
/** True for the end of a process that has settled all that it had under way. */
export const endsWell = (end: number | string): boolean => end === 0 || end === WITH_LETTERS;

export function openChildren(directory: string): Children {
  const all = new Set<Child>();
  const ends: End[] = [];
  const raw = new Set<ChildProcess>();
  let closed = false;
  // Whatever ends this process, nothing of it stays behind.
  const killAll = (): void => raw.forEach((child) => void child.kill("SIGKILL"));
  process.once("exit", killAll);

  return {
    all,
    ends,
    start({ name, file, args, env, onLine, stdin = false }) {
      if (closed) throw new Error(`Expected ${name} to be started before the run's processes were closed`);
      const log = openSync(join(directory, `${name}.log`), "a");
      const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ROOT + file, ...args], {
        cwd: directory,
        env: { PATH: process.env["PATH"], HOME: directory, NODE_COMPILE_CACHE, ...env },
        stdio: [stdin ? "pipe" : "ignore", onLine ? "pipe" : "ignore", log],
      });
      closeSync(log);
      raw.add(child);
      // A process that was killed takes no more lines: what it has not acknowledged is told to the next.
      child.stdin?.on("error", () => undefined);
      if (child.stdout && onLine) createInterface({ input: child.stdout }).on("line", onLine);
      // Two may have suspended it: it goes on when both have let it go.
      let holders = 0;
      let alive = true;
      const gone = once(child, "close");
      const life: Child = {
        name,
        pid: child.pid ?? 0,
        startedAt: Date.now(),
        get suspended() {
          return holders > 0;
        },
        get alive() {
          return alive;
        },
        ended: gone.then(() => {
          alive = false;
          all.delete(life);
          raw.delete(child);
          const end = child.exitCode ?? child.signalCode ?? 1;
          if (!endsWell(end)) ends.push({ name, at: Date.now() });
          return end;
        }),
        tell: (line) => void (child.stdin?.writable && child.stdin.write(`${line}\n`)),
        finish: () => void child.stdin?.end(),
        suspend() {
          holders += 1;
          child.kill("SIGSTOP");
        },
        goOn() {
          holders = Math.max(0, holders - 1);
          if (holders === 0) child.kill("SIGCONT");
        },
        signal: (signal) => void child.kill(signal),
        async kill() {
          child.kill("SIGKILL");
          await gone;
        },
      };
      all.add(life);
      return life;
    },
    async close() {
      closed = true;
      await Promise.all([...all].map((child) => child.kill()));
      process.removeListener("exit", killAll);
    },
  };
}
