/**
 * The pace of one bucket, shared by a fleet: slots at even distances, whose rate follows what Cognito says. Neither
 * what others take from the quota nor how large its burst is can be asked for; a throttle is the only news there is,
 * and it says that the bucket is empty at that moment. So the rate is a saw:
 *
 * - A throttle closes the pace for a rest, in which the bucket regains a reserve. What was granted since the throttle
 *   before becomes the capacity: the bucket was empty at both ends, so that is what flowed into it.
 * - Then it goes at a little more than the capacity, so that the reserve is spent slowly.
 * - When the reserve must be spent and no throttle has come, the capacity has risen: the rate rises ever faster.
 *
 * A call that Cognito granted is not reported: it is a slot without a throttle. The Redis scripts say the same in Lua.
 * docs/adr/0004 compares the rule with others. Times are epoch ms with a fraction.
 */
export interface PaceState {
  /** When the next slot is. */
  readonly nextAt: number;
  /** When the next slot is that overtakes those which are reserved and not yet due. */
  readonly urgentAt: number;
  /** What is believed to be left to us, in calls a second. The ceiling holds above it. */
  readonly capacity: number;
  /** Slots reserved since `countedFrom`, less the throttles told since. */
  readonly granted: number;
  /** The last cut. 0 where there was none, or a pause since: from a bucket that was not empty nothing can be counted. */
  readonly countedFrom: number;
  /** The first slot after the last cut: a throttle of an earlier one is no news. */
  readonly freshFrom: number;
  /** 0 where it was never cut. */
  readonly cutAt: number;
  /** By ceiling, for each that somebody reserved with lately: when the next slot is for those who have it. */
  readonly lanes: Readonly<Record<string, number>>;
}

/** How long a throttle closes the pace. */
const REST_MS = 270;
/** How much faster than the capacity it goes then, as a share: more where the capacity is far below the ceiling. */
const PROBE = 0.038;
/** How fast it rises, as a share of the ceiling: by this after one second, by four times this after two. */
const RISE = 0.055;
/** What a single cut leaves, at least. */
const DEEPEST_CUT = 0.75;
/** Counts that began longer ago say nothing of now. */
const MEMORY_MS = 7500;
/** The slowest that it goes: a share of the ceiling, and a call a second where the ceiling is not lower. */
const SLOWEST_SHARE = 0.03;
const SLOWEST = 1;
/** No slot is promised further ahead. It bounds what processes that die, or a rate that was slow, can hold up. */
const HORIZON_MS = 1000;
/**
 * Slots that are reserved in one go, beyond the first, lie within this time: a process that dies with them holds up the
 * others only briefly.
 */
const AHEAD_MS = 20;
/** So late may a slot be reserved and not be lost: the rate holds although processes wake late. */
const CATCH_UP_MS = 50;
/** In a pause as long as this the bucket fills. */
const IDLE_MS = 1000;
/** A ceiling that nobody has reserved with for so long is forgotten. */
const LANE_MS = 10_000;

/** The numbers of the rule, for the Redis scripts. */
export const PACE_RULE = {
  REST_MS,
  PROBE,
  RISE,
  DEEPEST_CUT,
  MEMORY_MS,
  SLOWEST_SHARE,
  SLOWEST,
  HORIZON_MS,
  AHEAD_MS,
  CATCH_UP_MS,
  IDLE_MS,
  LANE_MS,
} as const;

export interface ReserveOptions {
  /** How many slots at most. */
  readonly maxSlots: number;
  /** Overtakes slots that are reserved and not yet due. */
  readonly urgent: boolean;
}

/** A pace that nobody has used yet. */
export function freshPace(ceiling: number, now: number): PaceState {
  return {
    nextAt: now,
    urgentAt: now,
    capacity: ceiling,
    granted: 0,
    countedFrom: 0,
    freshFrom: 0,
    cutAt: 0,
    lanes: {},
  };
}

/** The fleet's ceiling is the highest that somebody reserved with lately. */
function fleetCeiling(state: PaceState, ceiling: number, now: number): number {
  return Math.max(ceiling, ...Object.keys(freshLanes(state, now)).map(Number));
}

function freshLanes(state: PaceState, now: number): PaceState["lanes"] {
  return Object.fromEntries(Object.entries(state.lanes).filter(([, at]) => at > now - LANE_MS));
}

/** The fleet's rate at a time, in calls a second. */
export function rateAt(state: PaceState, ceiling: number, at: number): number {
  const capacity = Math.min(ceiling, state.capacity);
  const probe = PROBE * Math.sqrt(ceiling / capacity);
  const spentMs = REST_MS / probe;
  const risingSeconds = Math.max(0, at - state.freshFrom - spentMs) / 1000;
  return Math.min(ceiling, capacity * (1 + probe) + RISE * ceiling * risingSeconds * risingSeconds);
}

/**
 * Reserves the next slot, and those after it that come almost at once. Where not even one can be promised yet,
 * `askAgainMs` says when to come back.
 *
 * An urgent slot overtakes those that are reserved and not yet due, which go in their time all the same: whatever
 * comes after all of them goes one distance later, and urgent ones keep their distance too.
 */
export function reserve(
  stored: PaceState,
  ceiling: number,
  now: number,
  { maxSlots, urgent }: ReserveOptions,
): { readonly state: PaceState; readonly slots: readonly number[]; readonly askAgainMs: number } {
  const top = fleetCeiling(stored, ceiling, now);
  const before = healed(stored, top, now);
  const isIdle = now - before.nextAt > IDLE_MS;
  let { nextAt, urgentAt } = before;
  let lane = before.lanes[String(ceiling)] ?? 0;
  let firstAt = 0;
  const slots: number[] = [];
  while (slots.length < maxSlots) {
    const free = Math.max(now - CATCH_UP_MS, nextAt);
    const slot = urgent ? Math.min(free, Math.max(now - CATCH_UP_MS, urgentAt)) : free;
    // A process with a lower ceiling spends the fleet's slot and makes the call later, so that no slot waits for a
    // lane.
    firstAt = ceiling < top ? Math.max(slot, lane) : slot;
    if (firstAt > now + (slots.length === 0 ? HORIZON_MS : AHEAD_MS)) break;
    const rate = rateAt(before, top, free);
    nextAt = free + 1000 / rate;
    if (urgent) urgentAt = slot + 1000 / rate;
    lane = firstAt + 1000 / ceiling;
    slots.push(firstAt);
  }
  if (slots.length === 0) return { state: before, slots, askAgainMs: firstAt - HORIZON_MS - now };
  return {
    state: {
      ...before,
      nextAt,
      urgentAt,
      granted: (isIdle ? 0 : before.granted) + slots.length,
      countedFrom: isIdle ? 0 : before.countedFrom,
      lanes: { ...before.lanes, [String(ceiling)]: lane },
    },
    slots,
    askAgainMs: 0,
  };
}

/** A call in the slot `slotAt` was throttled. */
export function throttled(
  stored: PaceState,
  ceiling: number,
  slotAt: number,
  now: number,
): { readonly state: PaceState; readonly cut: boolean } {
  const top = fleetCeiling(stored, ceiling, now);
  const before = healed(stored, top, now);
  const granted = before.granted - 1;
  if (slotAt < before.freshFrom) return { state: { ...before, granted }, cut: false };
  const rate = rateAt(before, top, now);
  const countedMs = Math.max(1, now - before.countedFrom);
  const measured = countedMs > MEMORY_MS ? 0 : (granted * 1000) / countedMs;
  const slowest = Math.max(SLOWEST_SHARE * top, Math.min(SLOWEST, top));
  const freshFrom = Math.max(before.nextAt, now) + REST_MS;
  return {
    state: {
      nextAt: freshFrom,
      urgentAt: Math.max(before.urgentAt, now + REST_MS),
      capacity: Math.max(slowest, Math.min(rate, Math.max(DEEPEST_CUT * rate, measured))),
      granted: 0,
      countedFrom: now,
      freshFrom,
      cutAt: now,
      lanes: before.lanes,
    },
    cut: true,
  };
}

/** The pace as it is, for people. Where nobody has reserved lately the ceiling is the one given. */
export function viewPace(
  stored: PaceState,
  ceiling: number,
  now: number,
): { readonly ratePerSecond: number; readonly ceilingPerSecond: number; readonly cutAt: number } {
  const lanes = Object.keys(freshLanes(stored, now)).map(Number);
  const top = lanes.length === 0 ? ceiling : Math.max(...lanes);
  const state = healed(stored, top, now);
  return { ratePerSecond: rateAt(state, top, now), ceilingPerSecond: top, cutAt: state.cutAt };
}

/** The state without the lanes that are forgotten, and without times so far ahead that the clock must have gone back. */
function healed(state: PaceState, top: number, now: number): PaceState {
  const farthest = now + HORIZON_MS + REST_MS;
  const nextAt = Math.min(state.nextAt, farthest + 1000 / Math.min(top, state.capacity));
  const lanes = Object.entries(freshLanes(state, now)).map(([key, at]): [string, number] => [
    key,
    Math.min(at, farthest + 1000 / Number(key)),
  ]);
  return {
    ...state,
    nextAt,
    urgentAt: Math.min(state.urgentAt, nextAt),
    countedFrom: Math.min(state.countedFrom, now),
    freshFrom: Math.min(state.freshFrom, nextAt),
    cutAt: Math.min(state.cutAt, now),
    lanes: Object.fromEntries(lanes),
  };
}
