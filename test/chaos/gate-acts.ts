/** Cancels, pauses and resumes of a fleet on Redis, each at its time, whatever else befalls it meanwhile. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Engine } from "../../src/queues/engine.ts";
import type { Run } from "../../src/store/runs.ts";
import type { Children } from "./children.ts";
import type { By, GateAct } from "./gate-plan.ts";
import type { GateRecords } from "./gate-records.ts";
import { createGateSteps, targetOf, type Command } from "./gate-steps.ts";
import type { Plan } from "./plan.ts";
import { inTime } from "./planned.ts";
import type { createTally } from "./report.ts";

export interface GateMeans {
  readonly plan: Plan;
  readonly tally: ReturnType<typeof createTally>;
  readonly engine: Engine;
  readonly command: Command;
}

export interface GateActs {
  readonly records: GateRecords;
  /** True where the run of a file was cancelled. Resolves once nobody is about to. */
  isCancelled(feed: string): Promise<boolean>;
  /** Does something while nobody cancels, pauses or resumes. */
  whileQuiet<T>(act: () => Promise<T>): Promise<T>;
  /** Resolves once all that is planned was done, and everything goes on. Rejects with the first that failed. */
  ended(): Promise<void>;
  /** Gives up what is planned still. */
  stop(): Promise<void>;
}

/** For so long a run is waited for that may be cancelled, or a feed that may be paused. */
const FOUND_WITHIN_MS = 8_000;
const LOOK_EVERY_MS = 100;

export function gateCommand(children: Children, env: Readonly<Record<string, string>>): Command {
  return async (words, killedAfterMs) => {
    const child = children.start({ name: "gate", file: "src/cli/main.ts", args: [...words, "--json"], env });
    const kill = killedAfterMs === undefined ? undefined : setTimeout(() => void child.kill(), killedAfterMs);
    const end = await child.ended;
    clearTimeout(kill);
    return end;
  };
}

export function startGateActs({ plan, tally, engine, command }: GateMeans): GateActs {
  const steps = createGateSteps(engine, command);
  const givenUp = new AbortController();
  const { signal } = givenUp;
  const silence = createSilence();
  /** Files whose run somebody is about to cancel, and gates that somebody has paused. */
  const asking = new Map<string, Promise<unknown>>();
  const closed = new Set<string>();
  /** Runs that are to be cancelled, or are. */
  const picked = new Set<string>();
  const underWay = new Set<Promise<unknown>>();
  const failures: unknown[] = [];

  async function runAt(place: number, reserves = false): Promise<Run | undefined> {
    for (let waitedMs = 0; waitedMs < FOUND_WITHIN_MS; waitedMs += LOOK_EVERY_MS) {
      const runs = (await steps.underWay()).filter(({ id }) => !picked.has(id));
      const run = runs[Math.floor(place * runs.length)];
      if (run && reserves) picked.add(run.id);
      if (run) return run;
      await sleep(LOOK_EVERY_MS, undefined, { signal });
    }
    return undefined;
  }

  async function cancel({ place, afterMs, by, twice }: Extract<GateAct, { kind: "cancel" }>): Promise<boolean> {
    const run = await runAt(place, true);
    if (!run) return false;
    await sleep(afterMs, undefined, { signal });
    const both: readonly By[] = twice ? ["command", "use case"] : [by];
    const cancelled = silence.step(() => steps.cancel(run, both));
    asking.set(run.feed, cancelled);
    const { answeredAt } = await cancelled.finally(() => asking.delete(run.feed));
    return answeredAt !== undefined;
  }

  async function pauseFor(act: Extract<GateAct, { kind: "pause" }>): Promise<boolean> {
    const { what, place, forMs, by, resumedBy, killedAfterMs } = act;
    const feed = what === "feed" ? (await runAt(place))?.feed : "";
    if (feed === undefined) return false;
    const target = targetOf(what, feed);
    const key = JSON.stringify(target);
    if (closed.has(key)) return false;
    closed.add(key);
    try {
      const pause = await silence.step(() => steps.pause(target, by));
      if (!pause) return false;
      await sleep(forMs, undefined, { signal });
      await silence.step(() => steps.resume(pause, target, resumedBy, killedAfterMs));
      return true;
    } finally {
      closed.delete(key);
    }
  }

  const nameOf = (act: GateAct): string =>
    act.kind === "cancel" ? `cancel${act.twice ? " twice at once" : ""}` : `pause ${act.what}`;

  const done = (async () => {
    for await (const act of inTime(plan.gateActs, signal)) {
      const one = (act.kind === "cancel" ? cancel(act) : pauseFor(act))
        .then(
          (did) => tally.add(did ? nameOf(act) : `${nameOf(act)}, in vain`),
          (error: unknown) => {
            if (!signal.aborted) failures.push(error);
          },
        )
        .finally(() => underWay.delete(one));
      underWay.add(one);
    }
  })();

  return {
    records: steps.records,
    async isCancelled(feed) {
      await asking.get(feed)?.catch(() => undefined);
      return steps.records.cancels.some((cancel) => cancel.feed === feed && cancel.answeredAt !== undefined);
    },
    whileQuiet: (act) => silence.quietly(act),
    async ended() {
      await done;
      await Promise.all(underWay);
      if (failures.length > 0) throw failures[0];
      await steps.resumeAll();
    },
    async stop() {
      givenUp.abort();
      await Promise.allSettled([done, ...underWay]);
    },
  };
}

/** Steps may go on at once, but none begins while something is done quietly, which waits for those that have begun. */
function createSilence() {
  const steps = new Set<Promise<unknown>>();
  let silence: Promise<unknown> | undefined;
  async function step<T>(act: () => Promise<T>): Promise<T> {
    while (silence) await silence;
    const one = act();
    steps.add(one);
    try {
      return await one;
    } finally {
      steps.delete(one);
    }
  }

  async function quietly<T>(act: () => Promise<T>): Promise<T> {
    const quiet = Promise.withResolvers<undefined>();
    silence = quiet.promise;
    await Promise.allSettled(steps);
    try {
      return await act();
    } finally {
      silence = undefined;
      quiet.resolve(undefined);
    }
  }
  return {
    /** Is begun once nothing is done quietly. */
    step: <T>(act: () => Promise<T>): Promise<T> => step(act),
    quietly: <T>(act: () => Promise<T>): Promise<T> => quietly(act),
  };
}
