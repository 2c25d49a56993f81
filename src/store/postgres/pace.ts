import { freshPace, reserve, throttled, viewPace, type PaceState } from "../../core/pace.ts";
import type { Pace } from "../pace.ts";

/** The port to the pace, in memory: there is one process, and a pace that is lost is made anew from the ceiling. */
export function createPace(now: () => number): Pace {
  const buckets = new Map<string, PaceState>();
  const stateOf = (bucket: string, ceiling: number, at: number) => buckets.get(bucket) ?? freshPace(ceiling, at);
  return {
    async reserve(bucket, ceilingPerSecond, request) {
      const at = now();
      const before = stateOf(bucket, ceilingPerSecond, at);
      const { state, slots, askAgainMs } = reserve(before, ceilingPerSecond, at, request);
      buckets.set(bucket, state);
      return { slots: slots.map((slotAt) => ({ waitMs: Math.max(0, slotAt - at), slotAt })), askAgainMs };
    },
    async throttled(bucket, ceilingPerSecond, slotAt) {
      const at = now();
      const { state, cut } = throttled(stateOf(bucket, ceilingPerSecond, at), ceilingPerSecond, slotAt, at);
      buckets.set(bucket, state);
      return cut;
    },
    async view(bucket, ceilingPerSecond) {
      const at = now();
      return viewPace(stateOf(bucket, ceilingPerSecond, at), ceilingPerSecond, at);
    },
  };
}
