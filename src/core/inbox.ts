/** What the inbox takes in, and when an event may leave it. */
import { MAX_LEAD_MS, timeOf } from "./version.ts";

/** How long an event that comes again is known, also where its first entry is gone. */
export const REPEAT_MS = 4 * 86_400_000;

/** How far ahead of the store's clock the version of an event may lie that waits for its time. */
export const MAX_WAIT_MS = 86_400_000;

/** How far at most when it is drained: a little less than a put takes, because the store's clock may be set back between. */
export const DRAIN_LEAD_MS = MAX_LEAD_MS - 1_000;

/** How much may lie in the inbox, parked entries apart: these have bounds of their own, and keep no event out. */
export interface InboxLimits {
  readonly entries: number;
  /** Of the bodies as they are kept, sealed. */
  readonly bytes: number;
}

/** What asks to be let in. */
export interface Arriving {
  readonly id: string;
  readonly bytes: number;
}

/** Entries that come in together, or not at all. */
export interface ArrivingBatch {
  readonly entries: readonly Arriving[];
  readonly limits: InboxLimits;
}

/** `repeated`: the event is known since this time (epoch ms), and its first entry stays as it is. */
export type Admission = { readonly is: "added" } | { readonly is: "repeated"; readonly arrivedAt: number };

/**
 * Decides about batches that arrive together, one after the other. `firstAt` has when the events arrived that are known,
 * and `size` is what lies in the inbox before. One that has nothing new is never too much.
 */
export function admit(
  batches: readonly ArrivingBatch[],
  firstAt: ReadonlyMap<string, number>,
  size: InboxLimits,
  nowMs: number,
): readonly ("full" | readonly Admission[])[] {
  const known = new Map(firstAt);
  let { entries: there, bytes } = size;
  return batches.map(({ entries, limits }) => {
    const more = new Map<string, number>();
    const admissions = entries.map(({ id, bytes: ofEntry }): Admission => {
      const arrivedAt = known.get(id) ?? (more.has(id) ? nowMs : undefined);
      if (arrivedAt !== undefined) return { is: "repeated", arrivedAt };
      more.set(id, ofEntry);
      return { is: "added" };
    });
    const moreBytes = [...more.values()].reduce((sum, of) => sum + of, 0);
    if (more.size > 0 && (there + more.size > limits.entries || bytes + moreBytes > limits.bytes)) return "full";
    for (const id of more.keys()) known.set(id, nowMs);
    there += more.size;
    bytes += moreBytes;
    return admissions;
  });
}

/**
 * When an event with this ordinal may be drained: `later` where its version lies further ahead than a change's may, once
 * it does not any more; `ahead` where that is further away than anybody should wait. The ordinal stays as it is.
 */
export function drainTime(
  ordinal: string,
  nowMs: number,
): { readonly is: "now" | "ahead" } | { readonly is: "later"; readonly notBefore: number } {
  const leadMs = timeOf(ordinal) - nowMs;
  if (leadMs <= DRAIN_LEAD_MS) return { is: "now" };
  return leadMs > MAX_WAIT_MS ? { is: "ahead" } : { is: "later", notBefore: timeOf(ordinal) - DRAIN_LEAD_MS };
}
