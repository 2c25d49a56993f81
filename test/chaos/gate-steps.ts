/** One step of those who cancel, pause and resume: said by a process of its own or by this one, and looked at until it is known. */
import { gateOf, pause, resume, type PauseTarget } from "../../src/app/gates/pause.ts";
import { AppError } from "../../src/app/app-error.ts";
import { cancelRun } from "../../src/app/runs/cancel-run.ts";
import { createLog } from "../../src/log.ts";
import type { Engine } from "../../src/queues/engine.ts";
import type { Run } from "../../src/store/runs.ts";
import { until } from "../support/condition.ts";
import type { By, GateAct } from "./gate-plan.ts";
import { noGates, type Cancel, type GateRecords, type Pause } from "./gate-records.ts";
import { POOL } from "./service.ts";

/** `unknown`: a process was killed, or the store failed, and nobody heard whether it is done. */
type Said = "done" | "refused" | "unknown";

/** Has `poolsync` carry words out. Answers its exit code, or the signal that ended it. */
export type Command = (words: readonly string[], killedAfterMs?: number) => Promise<number | string>;

export interface GateSteps {
  readonly records: GateRecords;
  /** Runs of files that are read, or of which something is pending, and that nobody has cancelled. */
  underWay(): Promise<readonly Run[]>;
  /** Said by one, or by both at once. */
  cancel(run: Run, by: readonly By[]): Promise<Cancel>;
  /** Answers undefined where it is not paused. */
  pause(target: PauseTarget, by: By): Promise<Pause | undefined>;
  /** Said until it goes on; the first who says it may be killed. */
  resume(pause: Pause, target: PauseTarget, by: By, killedAfterMs?: number): Promise<void>;
  /** Said until it goes on, of what was to be resumed before. */
  open(target: PauseTarget, by: By): Promise<void>;
  /** Nothing is paused any more. */
  resumeAll(): Promise<void>;
}

const LATEST = 40;
const AGAIN_WITHIN_MS = 120_000;
const BY = { by: "the chaos run", reason: "to see what becomes of it" } as const;

export function targetOf(what: Extract<GateAct, { kind: "pause" }>["what"], feed: string): PauseTarget {
  switch (what) {
    case "everything":
      return {};
    case "pool":
      return { pool: POOL };
    case "direct":
      return { feed: "direct" };
    case "feed":
      return { feed };
  }
}

function targetOfGate(gate: string): PauseTarget {
  const [, kind, name] = /^(pool|feed):(.*)$/s.exec(gate) ?? [];
  return kind === undefined ? {} : { [kind]: name };
}

export const wordsOf = ({ pool, feed }: PauseTarget): readonly string[] => [
  ...(pool === undefined ? [] : ["--pool", pool]),
  ...(feed === undefined ? [] : ["--feed", feed]),
];

/** `kept`: what was said before, where another process had the store then. */
export function createGateSteps(engine: Engine, command: Command, kept: GateRecords = noGates()): GateSteps {
  const log = createLog("silent");
  const { cancels, pauses } = kept;

  async function say(
    by: By,
    act: () => Promise<unknown>,
    words: readonly string[],
    killedAfterMs?: number,
  ): Promise<Said> {
    if (by === "command") return (await command(words, killedAfterMs)) === 0 ? "done" : "unknown";
    try {
      await act();
      return "done";
    } catch (error) {
      return error instanceof AppError ? "refused" : "unknown";
    }
  }

  /** What a look at the store answers, which may be away for a while. */
  async function seen<T>(look: () => Promise<T>): Promise<T> {
    let found: { readonly is: T } | undefined;
    await until(
      "the store says how its gates stand",
      async () => {
        try {
          found = { is: await look() };
        } catch {
          // It is lost, or full.
        }
        return found !== undefined;
      },
      AGAIN_WITHIN_MS,
    );
    if (!found) throw new Error("Expected the store to answer");
    return found.is;
  }

  const isPaused = (gate: string): Promise<boolean> =>
    seen(async () => (await engine.store.gates.list()).some((one) => one.gate === gate));

  async function open(target: PauseTarget, by: By, killedAfterMs?: number): Promise<void> {
    let said = await say(by, () => resume(engine, log, target), ["resume", ...wordsOf(target)], killedAfterMs);
    for (let tries = 0; said === "unknown" && tries < 200; tries += 1) {
      if (!(await isPaused(gateOf(target)))) return;
      said = await say("use case", () => resume(engine, log, target), []);
    }
  }

  return {
    records: kept,

    underWay: () =>
      seen(async () => {
        const found: Run[] = [];
        for (const run of await engine.store.runs.list(LATEST)) {
          if (run.source !== "file" || cancels.some((cancel) => cancel.run === run.id)) continue;
          const isPut = run.state === "delivering";
          if (run.state === "reading" || (isPut && (await engine.store.runs.books(run.id)).pending > 0))
            found.push(run);
        }
        return found;
      }),

    async cancel({ id, feed }, by) {
      const cancel: Cancel = { run: id, feed, askedAt: Date.now(), did: 0 };
      cancels.push(cancel);
      const one = async (each: By): Promise<void> => {
        if ((await say(each, () => cancelRun(engine, log, id), ["runs", "cancel", id])) !== "done") return;
        cancel.did += 1;
        cancel.answeredAt ??= Date.now();
      };
      await Promise.all(by.map(one));
      if (cancel.answeredAt === undefined && (await seen(() => engine.store.runs.get(id)))?.state === "cancelled")
        cancel.answeredAt = Date.now();
      return cancel;
    },

    async pause(target, by) {
      const record: Pause = { gate: gateOf(target), askedAt: Date.now() };
      const words = ["pause", ...wordsOf(target), "--reason", BY.reason];
      const said = await say(by, () => pause(engine, log, target, BY), words);
      if (said !== "done" && !(await isPaused(record.gate))) return undefined;
      record.answeredAt = Date.now();
      pauses.push(record);
      return record;
    },

    async resume(record, target, by, killedAfterMs) {
      if (!(await isPaused(record.gate))) record.gone = true;
      record.resumeAskedAt = Date.now();
      await open(target, by, killedAfterMs);
    },

    open,

    async resumeAll() {
      for (const { gate, state } of await seen(() => engine.store.gates.list()))
        if (state === "paused") await open(targetOfGate(gate), "use case");
    },
  };
}
