/**
 * One turn of one user, for workers and for single changes alike:
 *
 * 1. The pool's hold is asked for: nobody waits for a pace that is of no use.
 * 2. A slot of the pace is taken. The turn owns it from here to its end.
 * 3. The hold is asked for again, because it may have been placed while the slot was waited for.
 * 4. The user's mailbox is claimed.
 * 5. The call begins, or else the claim is given back as it was.
 * 6. The claim is delivered: whose account it is, the calls, a settle after each (claim-delivery.ts). The first call is made
 *    in the slot, and ends it once it is settled; the calls after it take slots of their own (claim-call.ts).
 * 7. Letters are published, and a hold is placed, or lifted where a call went through.
 * 8. The slot goes to whoever is next, where no call was made in it.
 *
 * Steps 3 and 5 look at the other calls of the process only where there is a intake. A single change has none: somebody
 * waits for Cognito's own answer, which a refusal of somebody else's call does not give.
 */
import { randomUUID } from "node:crypto";
import type { Slot } from "../cognito/slot.ts";
import { publishLetters } from "../queues/dead-letters.ts";
import type { Queues } from "../queues/bullmq.ts";
import type { ClaimAnswer } from "../store/mailboxes.ts";
import { deliverClaim, type ClaimResult } from "./claim-delivery.ts";
import { giveBackClaim } from "./claim-session.ts";
import type { HoldRequest } from "./claim-work.ts";
import type { DeliveryDeps } from "./delivery-deps.ts";
import type { HoldAnswer } from "./hold-watch.ts";

export interface TurnRequest {
  /** The user's key. */
  readonly user: string;
  readonly priority: number;
  /** How long a slot may be waited for; for ever, unless said. Then SlotTooLate is thrown. */
  readonly deadlineMs?: number;
  /** Ends the wait for a slot. */
  readonly waiting: AbortSignal;
  /** Ends the calls. */
  readonly calls: AbortSignal;
}

export type TurnEnd =
  /** The pool is on hold. */
  | { readonly is: "on-hold"; readonly retryInMs: number }
  /** There is nothing to deliver, or gates keep it. */
  | { readonly is: "idle" }
  /** Somebody else has the user's mailbox (`busy`), or nothing in it is due yet. */
  | { readonly is: "busy" | "later"; readonly retryInMs: number }
  /** No call was made, though there is something to deliver: the slot was too old, or the intake shut meanwhile. */
  | { readonly is: "kept-back" }
  | { readonly is: "delivered"; readonly result: ClaimResult; readonly versions: readonly string[] };

/** What the turns of one process know of one another. */
export interface TurnIntake {
  /** True while this process takes no work because its credentials are refused. */
  readonly isRefused: boolean;
  /** True while no call may begin: no work is taken, or a refusal may yet end in a hold. */
  readonly isOnHold: boolean;
  /** Resolves once it is known what the refusals lead to; undefined where there are none. */
  readonly refusals: Promise<unknown> | undefined;
  /** A call was refused in a way that may end in a hold. What is returned says that it is known what it leads to. */
  holdUp(): () => void;
  /** A delivery asks for a hold, which is placed by now where it is the pool's. */
  onHold(hold: HoldRequest): void;
  /** A call went through. */
  onAnswer(): void;
}

export interface TurnDeps extends DeliveryDeps {
  readonly queues: Queues;
  readonly intake?: TurnIntake;
  /** Told of each claim that was delivered, before its letters are published. */
  readonly report?: (result: ClaimResult) => void;
}

export interface UserTurn {
  /** Rejects for faults of the store, and where no slot could be had. */
  take(request: TurnRequest): Promise<TurnEnd>;
}

export function createUserTurn(deps: TurnDeps): UserTurn {
  const { store, settles, keyring, queues, updates, holds, leaseMs, intake, report } = deps;

  /** A slot is not kept while one waits for refusals: a delivery that was refused may need it for its next call. */
  async function takeSlot({ priority, deadlineMs = Infinity, waiting: signal }: TurnRequest): Promise<Slot> {
    for (;;) {
      const slot = await updates.acquire({ priority, deadlineMs, signal });
      const refusals = intake?.refusals;
      if (refusals === undefined) return slot;
      slot.giveBack();
      await refusals;
    }
  }

  async function conclude(result: ClaimResult): Promise<void> {
    report?.(result);
    await publishLetters(queues, store.letters, result.letters);
    const { hold, answered } = result;
    if (hold !== undefined) {
      if (hold.scope !== "process") await holds.place(hold.scope, hold.failure.kind);
      intake?.onHold(hold);
    } else if (answered) {
      await holds.lift("pool");
      intake?.onAnswer();
    }
  }

  /** Steps 4 to 7, in a slot. */
  async function deliverIn(slot: Slot, request: TurnRequest, isProbe: boolean): Promise<TurnEnd> {
    const { user } = request;
    const askedAt = performance.now();
    const token = randomUUID();
    const selection = deps.selection?.();
    const answer: ClaimAnswer = await settles.claim(user, token, leaseMs, selection);
    if (answer.is !== "claimed") return answer;
    const claim = { user, token, answer, leaseEndsAt: askedAt + leaseMs, runs: selection?.runs };
    const mayBegin = await slot.begin();
    // The intake may have shut while others made their calls. It does not hold up a probe, because the next is far away.
    if (!mayBegin || (!isProbe && intake?.isOnHold === true)) {
      await giveBackClaim(settles, keyring, claim, leaseMs);
      return { is: "kept-back" };
    }
    let release: (() => void) | undefined;
    try {
      const result = await deliverClaim(deps, claim, slot, request.calls, () => {
        release ??= intake?.holdUp();
      });
      await conclude(result);
      return { is: "delivered", result, versions: Object.values(answer.units).map(({ version }) => version) };
    } finally {
      release?.();
    }
  }

  return {
    async take(request) {
      const before = await holds.ask("pool");
      if (before.is === "held") return onHold(before);
      const slot = await takeSlot(request);
      try {
        if (intake?.isRefused === true) return { is: "kept-back" };
        const hold = intake === undefined || before.is === "probe" ? before : await holds.ask("pool");
        if (hold.is === "held") return onHold(hold);
        return await deliverIn(slot, request, hold.is === "probe");
      } finally {
        // Does nothing where a call was made in it.
        slot.giveBack();
      }
    },
  };
}

function onHold({ retryInMs }: Extract<HoldAnswer, { is: "held" }>): TurnEnd {
  return { is: "on-hold", retryInMs };
}
