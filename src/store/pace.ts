/**
 * The port to the pace: one shared rate per bucket, which is an (account, Region, category) of Cognito's quotas. On
 * Redis the whole fleet shares it; embedded there is one process. Both carry out core/pace.ts and pass
 * test/suites/pace.ts. State that is lost is made anew from the ceiling: it heals by itself.
 */
export interface Reservation {
  /** How long to wait before the call may be begun, in ms. May have a fraction. */
  readonly waitMs: number;
  /** The slot's time by the store's clock in epoch ms: given back with a throttle. */
  readonly slotAt: number;
}

export interface SlotWishes {
  /** How many at most. One is always given; more only where they come almost at once. */
  readonly most: number;
  /** Overtakes slots that are reserved and not yet due. */
  readonly urgent: boolean;
}

export interface PaceView {
  readonly ratePerSecond: number;
  readonly ceilingPerSecond: number;
  /** Epoch ms of the last cut; 0 where there was none. */
  readonly cutAt: number;
}

export interface Pace {
  /** The soonest first. */
  reserve(bucket: string, ceilingPerSecond: number, wishes: SlotWishes): Promise<readonly Reservation[]>;
  /** A call that went in the slot `slotAt` was throttled: slows everybody down. Answers true where the rate was cut. */
  throttled(bucket: string, ceilingPerSecond: number, slotAt: number): Promise<boolean>;
  view(bucket: string, ceilingPerSecond: number): Promise<PaceView>;
}
