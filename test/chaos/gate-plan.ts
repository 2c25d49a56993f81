/** What people stop in a chaos run, and when: a run is cancelled, a feed, the pool or everything paused. From a seed alone. */
import type { Random } from "../support/random.ts";

/** By `poolsync runs cancel`, `pause` or `resume` as a process of its own, or by the use case in this one. */
export type By = "command" | "use case";

export type GateAct =
  | {
      readonly kind: "cancel";
      readonly atMs: number;
      /** So long after a run that is under way was found. */
      readonly afterMs: number;
      /** Which of those under way: from 0 up to, not including, 1. */
      readonly place: number;
      readonly by: By;
      /** Somebody else says so at the same time. */
      readonly twice: boolean;
    }
  | {
      readonly kind: "pause";
      readonly atMs: number;
      readonly what: "everything" | "pool" | "feed" | "direct";
      readonly place: number;
      readonly forMs: number;
      readonly by: By;
      readonly resumedBy: By;
      /** The process that resumes is killed after so long, and another one is started. */
      readonly killedAfterMs?: number;
    };

const BY = ["command", "use case"] as const;
/** Feeds most of all: the others hold up the whole run. */
const WHAT = ["everything", "pool", "feed", "feed", "feed", "direct"] as const;

/** A cancel in eight seconds, and a pause in ten, of 1 to 9 s. */
export function drawGateActs(random: Random, forMs: number): readonly GateAct[] {
  const between = (least: number, most: number): number => Math.round(least + random.next() * (most - least));
  const acts: GateAct[] = [];
  for (let atMs = 5_000; atMs < forMs; atMs += between(4_000, 12_000)) {
    const [afterMs, place] = [random.chance(0.5) ? 0 : between(0, 600), random.next()];
    acts.push({ kind: "cancel", atMs, afterMs, place, by: random.pick(BY), twice: random.chance(0.3) });
  }
  for (let atMs = 7_000; atMs < forMs; atMs += between(5_000, 15_000)) {
    const killed = random.chance(0.4) ? { killedAfterMs: between(300, 1_800) } : {};
    acts.push({
      kind: "pause",
      atMs,
      what: random.pick(WHAT),
      place: random.next(),
      forMs: between(1_000, 9_000),
      by: random.pick(BY),
      resumedBy: "killedAfterMs" in killed ? "command" : random.pick(BY),
      ...killed,
    });
  }
  return acts.toSorted((a, b) => a.atMs - b.atMs);
}
