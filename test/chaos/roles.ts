/**
 * The long-running processes of a fleet, each kept alive by a supervisor that starts it again when it ends, as one does
 * in production.
 */
import type { Child, Children, ChildSpec } from "./children.ts";

export interface Role {
  readonly name: string;
  readonly child: Child | undefined;
  /** Ends this life; the next begins after this long. */
  kill(backInMs: number): Promise<void>;
  /** Ends for good: by the end of its stdin where it reads that, else by SIGTERM. Answers its exit code, or a signal. */
  stop(): Promise<number | string>;
}

export interface Lives {
  /** How often processes ended by themselves, by role and exit code. */
  readonly exits: Map<string, number>;
  /** Set when the run is given up: nobody is started again. */
  over: boolean;
}

const AGAIN_MS = 300;

/** `born` is told of each new life before anything else is. */
export function startRole(
  children: Children,
  lives: Lives,
  specOf: () => ChildSpec,
  born: (child: Child) => void = () => undefined,
): Role {
  const { name, stdin = false } = specOf();
  let child: Child | undefined;
  let backInMs: number | undefined;
  let stopping = false;
  let again: NodeJS.Timeout | undefined;

  function begin(): void {
    again = undefined;
    if (lives.over) return;
    const life = children.start(specOf());
    child = life;
    born(life);
    void life.ended.then((end) => {
      child = undefined;
      if (stopping || lives.over) return;
      if (backInMs === undefined) {
        const why = `${name.replace(/-\d+$/, "")} ended with ${end}`;
        lives.exits.set(why, (lives.exits.get(why) ?? 0) + 1);
      }
      again = setTimeout(begin, backInMs ?? AGAIN_MS);
      backInMs = undefined;
    });
  }
  begin();

  return {
    name,
    get child() {
      return child;
    },
    async kill(inMs) {
      if (!child) return;
      backInMs = inMs;
      await child.kill();
    },
    async stop() {
      stopping = true;
      clearTimeout(again);
      if (!child) return 0;
      const life = child;
      if (stdin) life.finish();
      else life.signal("SIGTERM");
      const late = setTimeout(() => void life.kill(), 40_000);
      const end = await life.ended;
      clearTimeout(late);
      return end;
    },
  };
}
