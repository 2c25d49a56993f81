/** A slot of the pace, in which one call may be made, as quota-governor.ts hands it out. */

/**
 * One call may be made. Exactly one of the last three ends it; `done` after another does nothing, so it fits a `finally`.
 */
export interface Slot {
  /** By the store's clock, epoch ms. */
  readonly slotAt: number;
  /**
   * The call is prepared: resolves to true as soon as fewer than `concurrency` are in flight, and to false where the slot
   * is no longer fresh by then. Only where the governor has `preparing`. Does nothing once it has answered true.
   */
  begin(): Promise<boolean>;
  /** The call was made. */
  done(): void;
  /** No call was made: the next waiter has the slot, while it is fresh. */
  giveBack(): void;
  /** The call was made, and throttled: slows the fleet down. */
  throttled(): Promise<void>;
}

export interface SlotRequest {
  /** 0 (first) to 9 (last); what lies outside is moved to the nearer end. 0 and 1 are urgent. */
  readonly priority: number;
  /** How long the caller can wait, in ms. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

/** No slot can be had in time: the caller puts its work off. */
export class SlotTooLate extends Error {
  override readonly name = "SlotTooLate";

  constructor() {
    super("No slot of the pace could be had in time");
  }
}
