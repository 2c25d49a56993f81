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

/** A pace that nobody has used yet. */
export function freshPace(ceiling: number, now: number): PaceState {
  return { nextAt: now, rate: ceiling, rateAt: now, cutAt: 0 };
}

/** The rate at a time, in calls a second. */
export function rateAt(state: PaceState, ceiling: number, now: number): number {
  const recovered = state.rate + (Math.max(0, now - state.rateAt) / 1000) * RECOVERY_PER_SECOND * ceiling;
  return Math.min(ceiling, recovered);
}

/** Reserves the next slot. */
export function reserve(
  state: PaceState,
  ceiling: number,
  now: number,
): { readonly state: PaceState; readonly slotAt: number } {
  const rate = rateAt(state, ceiling, now);
  const slotAt = Math.max(now, state.nextAt);
  return { state: { ...state, rate, rateAt: now, nextAt: slotAt + 1000 / rate }, slotAt };
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
  return { state: { nextAt: Math.max(state.nextAt, now + 1000 / rate), rate, rateAt: now, cutAt: now }, cut: true };
}
