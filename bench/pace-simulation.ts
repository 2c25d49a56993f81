/**
 * A quota that is simulated, event by event: a token bucket, other callers who take from it at random (a Poisson
 * stream), and a fleet of four processes with endless work under one pace. A call takes 20 to 200 ms and is decided
 * on after half of that, so that the pace learns of a throttle late; each process holds one reserved slot ahead.
 *
 * Nothing here reads a clock: the same scene and seed give the same figures. Times are ms from the beginning.
 */
import { createRandom, type Random } from "../src/emulator/random.ts";

/** What stands between a fleet and the quota. `process` is the number of the one that asks. */
export interface Controller {
  /** Without a `slotAt` none can be promised yet: ask again after the wait. */
  reserve(now: number, process: number): { readonly waitMs: number; readonly slotAt?: number | undefined };
  answered(now: number, call: { granted: boolean; slotAt: number; reservedAt: number; process: number }): void;
}

export interface Scene {
  readonly quotaPerSecond: number;
  /** The bucket's size, in seconds of the quota. */
  readonly burstSeconds: number;
  /** What the pace believes the quota to be. */
  readonly ceilingPerSecond: number;
  /** What others ask for, as a share of the quota, at a time. */
  readonly others: (at: number) => number;
  /** While Redis is away nobody reserves. */
  readonly away?: { readonly from: number; readonly to: number };
  readonly seconds?: number;
}

export interface Outcome {
  /** What was granted to us, of what others left: 1 at most. */
  readonly share: number;
  readonly throttledShare: number;
  /** What was granted and what others left in each tenth of a second, the start included. */
  readonly granted: Float64Array;
  readonly left: Float64Array;
}

const PROCESSES = 4;
const START_MS = 5_000;
const SHORTEST_MS = 20;
const LONGEST_MS = 200;

interface Happening {
  readonly at: number;
  readonly is: "ask" | "call" | "decide" | "answer";
  readonly process: number;
  readonly slotAt: number;
  readonly reservedAt: number;
  readonly endsAt: number;
  readonly granted: boolean;
}

export function simulate(scene: Scene, controller: Controller, seed: number): Outcome {
  const { quotaPerSecond, away, seconds = 60 } = scene;
  const random = createRandom(seed);
  const endMs = START_MS + seconds * 1000;
  const granted = new Float64Array(Math.ceil(endMs / 100) + 1);
  const left = new Float64Array(granted.length);
  const bucket = createSharedBucket(scene, random, (at) => add(left, at, -1));
  const coming = createAgenda();
  let calls = 0;
  let throttles = 0;
  let done = 0;

  const ask = (process: number, now: number): void => {
    if (away && now >= away.from && now < away.to) {
      coming.add({ ...NOTHING, is: "ask", at: away.to, process });
      return;
    }
    const { waitMs, slotAt } = controller.reserve(now, process);
    const at = now + waitMs;
    if (slotAt === undefined) coming.add({ ...NOTHING, is: "ask", at, process });
    else coming.add({ ...NOTHING, is: "call", at, process, slotAt, reservedAt: now });
  };
  for (let process = 0; process < PROCESSES; process += 1) ask(process, 0);
  for (let next = coming.take(); next && next.at < endMs; next = coming.take()) {
    const { at, process } = next;
    if (next.is === "ask") ask(process, at);
    else if (next.is === "call") {
      const tookMs = SHORTEST_MS + random() * (LONGEST_MS - SHORTEST_MS);
      coming.add({ ...next, is: "decide", at: at + tookMs / 2, endsAt: at + tookMs });
      ask(process, at);
    } else if (next.is === "decide") {
      const isGranted = bucket.take(at);
      if (isGranted) add(granted, at, 1);
      if (at >= START_MS) {
        calls += 1;
        if (isGranted) done += 1;
        else throttles += 1;
      }
      coming.add({ ...next, is: "answer", at: next.endsAt, granted: isGranted });
    } else controller.answered(at, next);
  }
  bucket.take(endMs);
  for (let tenth = 0; tenth < left.length - 1; tenth += 1) add(left, tenth * 100, quotaPerSecond / 10);
  const ours = quotaPerSecond * seconds - bucket.wantedByOthers(START_MS, endMs);
  return {
    share: Math.min(1, done / ours),
    throttledShare: calls === 0 ? 0 : throttles / calls,
    granted,
    left,
  };

  function add(tenths: Float64Array, at: number, amount: number): void {
    const tenth = Math.floor(at / 100 + 1e-9);
    tenths[tenth] = (tenths[tenth] ?? 0) + amount;
  }
}

const NOTHING = { process: 0, slotAt: 0, reservedAt: 0, endsAt: 0, granted: false };

/** Others come at random and take a token where one is left, in the order of time. */
function createSharedBucket(scene: Scene, random: Random, onOther: (at: number) => void) {
  const perMs = scene.quotaPerSecond / 1000;
  const size = scene.quotaPerSecond * scene.burstSeconds;
  const request: number[] = [];
  let tokens = size;
  let levelAt = 0;
  // Thinned from the densest stream that there can be: what others ask for changes with time.
  const nextAfter = (at: number): number => at - Math.log(1 - random()) / perMs;
  let otherAt = nextAfter(0);
  const takeAt = (at: number): boolean => {
    tokens = Math.min(size, tokens + (at - levelAt) * perMs);
    levelAt = at;
    if (tokens < 1 - 1e-9) return false;
    tokens -= 1;
    return true;
  };
  return {
    take(at: number): boolean {
      for (; otherAt <= at; otherAt = nextAfter(otherAt)) {
        if (random() >= scene.others(otherAt)) continue;
        request.push(otherAt);
        onOther(otherAt);
        takeAt(otherAt);
      }
      return takeAt(at);
    },
    wantedByOthers: (from: number, to: number) => request.filter((at) => at >= from && at < to).length,
  };
}

/** What is to happen, the earliest first (a binary heap). */
function createAgenda() {
  const heap: Happening[] = [];
  const swap = (a: number, b: number): void => {
    const [one, other] = [heap[a], heap[b]];
    if (one && other) [heap[a], heap[b]] = [other, one];
  };
  const at = (index: number): number => heap[index]?.at ?? Infinity;
  return {
    add(happening: Happening): void {
      let index = heap.push(happening) - 1;
      while (index > 0) {
        const parent = (index - 1) >> 1;
        if (at(parent) <= at(index)) return;
        swap(parent, index);
        index = parent;
      }
    },
    take(): Happening | undefined {
      const first = heap[0];
      const last = heap.pop();
      if (heap.length === 0 || !last) return first;
      heap[0] = last;
      for (let index = 0; ;) {
        const left = 2 * index + 1;
        const least = at(left) <= at(left + 1) ? left : left + 1;
        if (at(least) >= at(index)) return first;
        swap(index, least);
        index = least;
      }
    },
  };
}
