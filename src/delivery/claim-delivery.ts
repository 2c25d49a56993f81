/**
 * Delivers one claim: what is known to be wrong is buried, what is there already is unchanged, the rest is sent in as
 * few calls as can be, and each call is settled before the next is begun. No call is begun after the lease's end, and
 * one that is under way is aborted there.
 */
import { type Slot, SlotTooLate } from "../cognito/slot.ts";
import { type ClaimCall, createClaimCall } from "./claim-call.ts";
import { prepareClaim } from "./claim-preparation.ts";
import { sendClaim } from "./claim-sending.ts";
import { type ClaimInHand, ClaimLost, type ClaimReport } from "./claim-session.ts";
import { type ClaimWork, type HoldRequest, LATER_MS, openClaimWork } from "./claim-work.ts";
import type { DeliveryDeps } from "./delivery-deps.ts";

export interface ClaimResult extends ClaimReport {
  /** The failure that asks for a hold, of the process or of the pool. */
  readonly hold?: HoldRequest;
  /** True where a call went through as far as the user: what it met there is no matter. */
  readonly answered: boolean;
}

/**
 * `first` is the slot that was taken before the claim; the caller gives it back, in case no call was needed.
 * `onMayHold` is told of a refusal as claim-call.ts says. Rejects only for faults of the store: whatever Cognito says
 * is settled.
 */
export async function deliverClaim(
  deps: DeliveryDeps,
  claim: ClaimInHand,
  first: Slot,
  signal: AbortSignal,
  onMayHold: () => void,
): Promise<ClaimResult> {
  const work = openClaimWork(deps, claim, signal);
  const { session, aliases } = work;
  const { profile, writer, tokenWriter, updates } = deps;
  const { priority } = claim.answer;
  const call = createClaimCall(
    { pool: profile.id, writer, tokenWriter, updates },
    { priority, session, aliases, first, signal, onMayHold },
  );
  try {
    await changeAndWait(work, call, signal);
    if (session.hasUnreported) await session.settle();
  } catch (error) {
    // Somebody else has the claim, and what was written is in doubt: the store knows of it.
    if (!(error instanceof ClaimLost)) throw error;
  } finally {
    call.settled();
  }
  const { hold, answered } = work;
  return { ...session.report(), answered, ...(hold ? { hold } : {}) };
}

/** Concludes every unit. What can be sent no more within the lease, or before the end of the process, is for later. */
async function changeAndWait(work: ClaimWork, call: ClaimCall, signal: AbortSignal): Promise<void> {
  const { session } = work;
  try {
    await prepareClaim(work);
    await sendClaim(work, call);
    session.defer(session.open(), LATER_MS);
  } catch (error) {
    if (!(error instanceof SlotTooLate) && !signal.aborted) throw error;
    session.defer(session.open(), signal.aborted ? 0 : LATER_MS);
  }
}
