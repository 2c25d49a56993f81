/**
 * The port to the pace: one shared rate per bucket, which is an (account, Region, category) of Cognito's quotas. On
 * Redis the whole fleet shares it; embedded there is one process. Both carry out core/pace.ts and pass
 * test/suites/pace.ts. State that is lost is made anew from the ceiling: it heals by itself.
 *
 * The highest ceiling that was lately asked with is the fleet's. Processes that ask with a lower ceiling share that
 * part of the fleet's rate, and take nothing from the rate of the others.
 */
export interface SlotGrant {
  /** How long to wait before the call may be begun, in ms. May have a fraction. */
  readonly waitMs: number;
  /** The slot's time by the store's clock in epoch ms: given back with a throttle. */
  readonly slotAt: number;
}

export interface SlotGrants {
  /** The soonest first. None where the next would be more than a second ahead: so far none is promised. */
  readonly slots: readonly SlotGrant[];
  /** Where there are no slots: how long to wait before asking again, in ms. Else 0. */
  readonly askAgainMs: number;
}

export interface SlotsRequest {
  /** How many at most. More than one is given only where they come almost at once. */
  readonly maxSlots: number;
  /** Overtakes slots that are reserved and not yet due. */
  readonly urgent: boolean;
}

export interface PaceView {
  readonly ratePerSecond: number;
  /** The fleet's ceiling; where nobody has reserved lately, the one that the view was asked with. */
  readonly ceilingPerSecond: number;
  /** Epoch ms of the last cut; 0 where there was none. */
  readonly cutAt: number;
}

export interface Pace {
  /** Reserves slots. One that was reserved counts as a call that was granted, unless `throttled` says otherwise. */
  reserve(bucket: string, ceilingPerSecond: number, request: SlotsRequest): Promise<SlotGrants>;
  /** A call that went in the slot `slotAt` was throttled: slows everybody down. Answers true where the rate was cut. */
  throttled(bucket: string, ceilingPerSecond: number, slotAt: number): Promise<boolean>;
  view(bucket: string, ceilingPerSecond: number): Promise<PaceView>;
}
