/**
 * The pace of one bucket, shared by a fleet: slots at even distances (GCRA), whose rate follows what Cognito says.
 * After a throttle the rate is halved, no more than once a second and never for a slot that was reserved before the
 * last cut; it comes back by 5 % of the ceiling per second. The Redis script says the same in Lua.
 *
 * Times are epoch ms with a fraction.
 */
export interface PaceState {
  /** When the next slot is. */
  readonly nextAt: number;
  /** When the next slot is that overtakes those which are reserved and not yet due. */
  readonly urgentAt: number;
  /** The rate at `rateAt`, in calls a second. */
  readonly rate: number;
  readonly rateAt: number;
  /** 0 where it was never cut. */
  readonly cutAt: number;
}

const CUT = 0.5;
const RECOVERY_PER_SECOND = 0.05;
const SLOWEST_SHARE = 0.03;
const CUT_EVERY_MS = 1000;
/** Slots that are reserved in one go, beyond the first, lie within this: who dies with them holds up nobody for long. */
const AHEAD_MS = 20;

/** A pace that nobody has used yet. */
export function freshPace(ceiling: number, now: number): PaceState {
  return { nextAt: now, urgentAt: now, rate: ceiling, rateAt: now, cutAt: 0 };
}

/** The rate at a time, in calls a second. */
export function rateAt(state: PaceState, ceiling: number, now: number): number {
  const recovered = state.rate + (Math.max(0, now - state.rateAt) / 1000) * RECOVERY_PER_SECOND * ceiling;
  return Math.min(ceiling, recovered);
}

/**
 * Reserves the next slot. An urgent one overtakes those that are reserved and not yet due, which go in their time all
 * the same: whatever comes after all of them goes one distance later, and urgent ones keep their distance too.
 */
export function reserve(
  state: PaceState,
  ceiling: number,
  now: number,
  urgent = false,
): { readonly state: PaceState; readonly slotAt: number } {
  const rate = rateAt(state, ceiling, now);
  const free = Math.max(now, state.nextAt);
  const slotAt = urgent ? Math.min(free, Math.max(now, state.urgentAt)) : free;
  const urgentAt = urgent ? slotAt + 1000 / rate : state.urgentAt;
  return { state: { ...state, rate, rateAt: now, nextAt: free + 1000 / rate, urgentAt }, slotAt };
}

/** Reserves the next slot, and those after it that come almost at once, `most` in all. */
export function reserveSome(
  before: PaceState,
  ceiling: number,
  now: number,
  { most, urgent }: { readonly most: number; readonly urgent: boolean },
): { readonly state: PaceState; readonly slots: readonly number[] } {
  let { state, slotAt } = reserve(before, ceiling, now, urgent);
  const slots = [slotAt];
  while (slots.length < most) {
    const next = reserve(state, ceiling, now, urgent);
    if (next.slotAt > now + AHEAD_MS) break;
    ({ state, slotAt } = next);
    slots.push(slotAt);
  }
  return { state, slots };
}

/** A call in the slot `slotAt` was throttled. */
export function throttled(
  state: PaceState,
  ceiling: number,
  slotAt: number,
  now: number,
): { readonly state: PaceState; readonly cut: boolean } {
  if (slotAt < state.cutAt || now - state.cutAt < CUT_EVERY_MS) return { state, cut: false };
  const rate = Math.max(SLOWEST_SHARE * ceiling, rateAt(state, ceiling, now) * CUT);
  const from = now + 1000 / rate;
  const [nextAt, urgentAt] = [Math.max(state.nextAt, from), Math.max(state.urgentAt, from)];
  return { state: { nextAt, urgentAt, rate, rateAt: now, cutAt: now }, cut: true };
}
