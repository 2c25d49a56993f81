/** The progress bar: on a terminal only, one line on stderr, at whatever width there is. */
import { SingleBar } from "cli-progress";
import type { Standstill } from "../app/runs/run-observer.ts";
import { count, duration } from "../core/amounts.ts";
import { columnsOf, type Output } from "./io.ts";

export interface ProgressSnapshot {
  /** Rows put so far. */
  readonly rows: number;
  /** Absent where the feed is read once, as it comes. */
  readonly totalRows?: number;
  readonly received: number;
  readonly applied: number;
  /** There already: they cost no call, so they say nothing of the speed. */
  readonly unchanged: number;
  readonly dead: number;
  readonly pending: number;
}

export interface Progress {
  show(snapshot: ProgressSnapshot): void;
  /** Keeps in mind what is paused: it stands in the place of the speed. */
  held(standstill: Standstill): void;
  /** Leaves the line, so that something can be said. The next `show` draws it again. */
  clear(): void;
  stop(): void;
}

const NO_PROGRESS: Progress = {
  show: () => undefined,
  held: () => undefined,
  clear: () => undefined,
  stop: () => undefined,
};
const FEWEST_FOR_BAR = 70;

export function createProgress(output: Output, interactive: boolean): Progress {
  if (!interactive) return NO_PROGRESS;
  /** What was paused meanwhile says nothing of the speed: the start moves with it. */
  let startedAt = performance.now();
  let pausedAt = 0;
  const paused = new Set<string>();
  let bar: SingleBar | undefined;
  /** What an earlier command had settled already: it says nothing of the speed of this one. */
  let before: number | undefined;
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    show(snapshot) {
      before ??= snapshot.received - snapshot.unchanged - snapshot.pending;
      const { done, rate, etaMs } = judge(snapshot, before, performance.now() - startedAt);
      const columns = columnsOf(output);
      const words = [
        `${count(snapshot.rows)} rows`,
        `${count(snapshot.applied)} applied`,
        ...(snapshot.dead > 0 ? [`${count(snapshot.dead)} dead`] : []),
        ...(paused.size > 0 ? ["paused"] : [`${rate.toFixed(rate < 10 ? 1 : 0)}/s`]),
        ...(etaMs === undefined || paused.size > 0 ? [] : [`${duration(etaMs)} left`]),
      ];
      const line = fit(words, columns - 7);
      // What is told grows, so the bar takes what is left.
      const size = columns >= FEWEST_FOR_BAR ? Math.max(0, Math.min(30, columns - line.length - 10)) : 0;
      if (bar === undefined) {
        bar = new SingleBar({
          stream: output,
          format: (_options, { progress }, { words: given, size = 0 }: { words?: string; size?: number }) => {
            const filled = Math.round(progress * size);
            const drawn = size > 0 ? `${"█".repeat(filled)}${"░".repeat(size - filled)} ` : "";
            return `${drawn}${String(Math.floor(progress * 100)).padStart(3)}%  ${given ?? ""}`;
          },
          clearOnComplete: true,
          hideCursor: true,
          linewrap: null,
          gracefulExit: false,
          emptyOnZero: true,
        });
        bar.start(1000, 0, { words: line, size });
      }
      bar.update(Math.floor(done * 1000), { words: line, size });
    },
    held({ scope, ...standstill }) {
      if (!("gate" in standstill)) return;
      const before = paused.size;
      if (scope === "paused") paused.add(standstill.gate);
      else paused.delete(standstill.gate);
      if (before === 0) pausedAt = performance.now();
      else if (paused.size === 0) startedAt += performance.now() - pausedAt;
    },
    clear: stop,
    stop,
  };
}

/** How far it is, how fast, and how long it may take: estimated from the share of the rows that were put. */
function judge(
  snapshot: ProgressSnapshot,
  before: number,
  elapsedMs: number,
): { done: number; rate: number; etaMs: number | undefined } {
  const { rows, totalRows, received, unchanged, pending } = snapshot;
  const work = received - unchanged;
  const settled = work - pending;
  const rate = elapsedMs > 0 ? ((settled - before) / elapsedMs) * 1000 : 0;
  if (totalRows === undefined || totalRows === 0 || rows === 0) return { done: 0, rate, etaMs: undefined };
  if (work === 0) return { done: Math.min(1, rows / totalRows), rate, etaMs: undefined };
  const expected = work * Math.max(1, totalRows / rows);
  const done = Math.min(1, settled / expected);
  return { done, rate, etaMs: rate > 0 && done > 0.02 ? ((expected - settled) / rate) * 1000 : undefined };
}

/** As many of the words as fit, from the left; the first always. */
function fit(words: readonly string[], room: number): string {
  let line = "";
  for (const word of words) {
    const next = line === "" ? word : `${line} · ${word}`;
    if (line !== "" && next.length > room) break;
    line = next;
  }
  return line;
}
