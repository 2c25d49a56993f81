/**
 * Cancels, pauses and resumes of the embedded engine, between two lives of the processes that have the data directory: by
 * this process, or by a command, which is one of those lives.
 */
import type { PauseTarget } from "../../src/app/gates/pause.ts";
import type { Engine } from "../../src/queues/engine.ts";
import type { GateAct } from "./gate-plan.ts";
import { noGates, type GateRecords, type Pause } from "./gate-records.ts";
import { createGateSteps, targetOf, wordsOf, type Command, type GateSteps } from "./gate-steps.ts";
import type { Plan } from "./plan.ts";
import type { createTally } from "./report.ts";

export interface EmbeddedGateMeans {
  readonly plan: Plan;
  readonly tally: ReturnType<typeof createTally>;
  /** While nobody else has the directory. */
  readonly openStore: () => Promise<Engine>;
  readonly command: Command;
}

export interface EmbeddedGates {
  readonly records: GateRecords;
  readonly isPaused: boolean;
  /** Does what is due, between two lives. */
  between(): Promise<void>;
  isCancelled(feed: string): boolean;
  /** How long after its beginning a run is to be interrupted, so that it can be cancelled; undefined where none is. */
  readonly cancelsNextAfterMs: number | undefined;
  /** Everything goes on, and nothing more is done. */
  finish(): Promise<void>;
}

interface Closed {
  readonly pause: Pause;
  readonly target: PauseTarget;
  readonly act: Extract<GateAct, { kind: "pause" }>;
  readonly until: number;
}

const BY_ITSELF: Command = () => Promise.reject(new Error("Expected no command while this process has the directory"));

export function createEmbeddedGates({ plan, tally, openStore, command }: EmbeddedGateMeans): EmbeddedGates {
  const records = noGates();
  const startedAt = Date.now();
  const left = [...plan.gateActs];
  let closed: Closed[] = [];
  /** What commands are to do once the directory is free. */
  let words: (() => Promise<void>)[] = [];

  async function withSteps(act: (steps: GateSteps, engine: Engine) => Promise<void>): Promise<void> {
    const engine = await openStore();
    try {
      await act(createGateSteps(engine, BY_ITSELF, records), engine);
    } finally {
      await engine.close();
    }
  }

  /** What a command was to do that was killed, or failed. */
  async function lookAtCancels({ store }: Engine): Promise<void> {
    for (const cancel of records.cancels) {
      if (cancel.answeredAt === undefined && (await store.runs.get(cancel.run))?.state === "cancelled")
        cancel.answeredAt = Date.now();
    }
  }

  async function cancel({ place, by, twice }: Extract<GateAct, { kind: "cancel" }>, steps: GateSteps) {
    const runs = await steps.underWay();
    const run = runs[Math.floor(place * runs.length)];
    if (!run) return false;
    if (by === "use case") await steps.cancel(run, twice ? ["use case", "use case"] : ["use case"]);
    else {
      const record = { run: run.id, feed: run.feed, askedAt: Date.now(), did: 0 };
      records.cancels.push(record);
      words.push(async () => {
        if ((await command(["runs", "cancel", run.id])) === 0)
          Object.assign(record, { did: 1, answeredAt: Date.now() });
      });
    }
    return true;
  }

  async function pause(act: Extract<GateAct, { kind: "pause" }>, steps: GateSteps): Promise<boolean> {
    const { what, place, forMs } = act;
    const runs = what === "feed" ? await steps.underWay() : [];
    const feed = what === "feed" ? runs[Math.floor(place * runs.length)]?.feed : "";
    if (feed === undefined) return false;
    const target = targetOf(what, feed);
    if (closed.some((one) => JSON.stringify(one.target) === JSON.stringify(target))) return false;
    const record = await steps.pause(target, "use case");
    if (!record) return false;
    closed.push({ pause: record, target, act, until: Date.now() + forMs });
    return true;
  }

  /** A command that is killed leaves it to the next time. */
  async function resumeDue(steps: GateSteps): Promise<void> {
    for (const one of closed.filter(({ until }) => until <= Date.now())) {
      const { pause: record, target, act } = one;
      const isFirst = record.resumeAskedAt === undefined;
      if (isFirst && act.resumedBy === "command") {
        record.resumeAskedAt = Date.now();
        words.push(async () => void (await command(["resume", ...wordsOf(target)], act.killedAfterMs)));
        continue;
      }
      if (isFirst) await steps.resume(record, target, "use case");
      else await steps.open(target, "use case");
      closed = closed.filter((other) => other !== one);
    }
  }

  const isDue = ({ atMs }: GateAct): boolean => startedAt + atMs <= Date.now();

  return {
    records,
    get cancelsNextAfterMs() {
      for (const act of left) if (act.kind === "cancel" && isDue(act)) return act.afterMs;
      return undefined;
    },
    get isPaused() {
      return closed.length > 0;
    },
    async between() {
      const due = left.filter(isDue);
      if (due.length === 0 && closed.length === 0) return;
      await withSteps(async (steps, engine) => {
        await lookAtCancels(engine);
        await resumeDue(steps);
        for (const act of due) {
          const did = act.kind === "cancel" ? await cancel(act, steps) : await pause(act, steps);
          const name = act.kind === "cancel" ? "cancel" : `pause ${act.what}`;
          // Nobody to cancel now: somebody else's turn may leave something.
          if (act.kind === "cancel" && !did) continue;
          tally.add(did ? name : `${name}, in vain`);
          left.splice(left.indexOf(act), 1);
        }
      });
      const orders = words;
      words = [];
      for (const order of orders) await order();
    },
    isCancelled: (feed) => records.cancels.some((one) => one.feed === feed && one.answeredAt !== undefined),
    async finish() {
      left.length = 0;
      await withSteps(async (steps, engine) => {
        await lookAtCancels(engine);
        for (const { pause: record } of closed) record.resumeAskedAt ??= Date.now();
        closed = [];
        await steps.resumeAll();
      });
    },
  };
}
