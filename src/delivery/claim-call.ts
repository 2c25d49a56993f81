/** The writes of one delivery: each under the pace and within the lease, with short retries. */
import { setTimeout as sleep } from "node:timers/promises";
import pRetry from "p-retry";
import type { AttributeWriter, WriteAnswer } from "../cognito/attribute-writer.ts";
import type { TokenWriter } from "../cognito/token-writer.ts";
import type { QuotaGovernor } from "../cognito/quota-governor.ts";
import { type Slot, SlotTooLate } from "../cognito/slot.ts";
import { fullJitter } from "../core/backoff.ts";
import type { Attribute } from "../core/contact.ts";
import type { CallOptions } from "../core/call-options.ts";
import type { AliasGuard } from "./alias-guard.ts";
import { ClaimLost, type ClaimSession } from "./claim-session.ts";
import { withinLease } from "./within-lease.ts";

const SHORT_RETRIES = 2;
const SHORT_RETRY_MS = 200;

export interface CallDeps {
  readonly pool: string;
  readonly writer: AttributeWriter;
  readonly tokenWriter: TokenWriter;
  readonly updates: QuotaGovernor;
}

/** The claim that the calls are made for. */
export interface Caller {
  readonly priority: number;
  readonly session: Pick<ClaimSession, "leaseEndsAt" | "leaseLeftMs" | "settle">;
  readonly aliases: Pick<AliasGuard, "keep">;
  /** Was taken before the claim, and is used for the first call. */
  readonly first: Slot;
  readonly signal: AbortSignal;
  /** Called for a refusal that may end in a hold, before another call gets the place of this one. */
  readonly onMayHold: () => void;
}

export interface ClaimCall {
  /**
   * One call with the attributes of these units, for the user of this name. Throws SlotTooLate where it cannot be made
   * within the lease, and ClaimLost where the claim is somebody else's.
   */
  make(
    username: string,
    units: readonly string[],
    payload: readonly Attribute[],
    callOptions: CallOptions,
  ): Promise<WriteAnswer>;
  /**
   * The store knows what was written, or never will. Until then the call has its place among those in flight: so few are
   * written twice where this process is killed.
   */
  settled(): void;
}

export function createClaimCall({ pool, writer, tokenWriter, updates }: CallDeps, caller: Caller): ClaimCall {
  const { priority, session, aliases, signal } = caller;
  let slot: Slot | undefined = caller.first;
  let written: Slot | undefined;
  const takeSlot = async (): Promise<Slot> => {
    for (;;) {
      const given = slot ?? (await updates.acquire({ priority, deadlineMs: session.leaseLeftMs(), signal }));
      slot = undefined;
      if (await given.begin()) return given;
      given.giveBack();
    }
  };

  const make: ClaimCall["make"] = async (username, units, payload, { clientMetadata, token }) => {
    const beside = clientMetadata === undefined ? {} : { clientMetadata };
    let response: WriteAnswer | undefined;
    const once = async (): Promise<WriteAnswer> => {
      if (response) await session.settle();
      const taken = await takeSlot();
      try {
        const notAfter = session.leaseEndsAt;
        if (!(await aliases.keep(units, notAfter))) {
          taken.giveBack();
          throw new SlotTooLate();
        }
        response = await withinLease(session.leaseLeftMs(), signal, (ending) => {
          const within = { signal: ending, notAfter, ...beside };
          if (token !== undefined) return tokenWriter.write(token, payload, within);
          return writer.write(pool, username, payload, within);
        });
        if (response.ok) return response;
        const { outcome, answered, fateUnknown, holdsWhenRepeated = false } = response.failure;
        if (outcome.startsWith("hold") || holdsWhenRepeated) caller.onMayHold();
        const throttled = outcome === "wait" && answered;
        if (throttled) await taken.throttled();
        if (throttled || (outcome === "retry" && !fateUnknown)) throw new NotTaken();
        return response;
      } finally {
        if (response?.ok) written = taken;
        else taken.done();
      }
    };
    try {
      return await pRetry(once, {
        retries: SHORT_RETRIES,
        minTimeout: 0,
        signal,
        shouldRetry: ({ error }) => error instanceof NotTaken,
        onFailedAttempt: ({ attemptNumber }) =>
          sleep(fullJitter(attemptNumber, SHORT_RETRY_MS, Math.random()), undefined, { signal }),
      });
    } catch (error) {
      // No further try can be made: what was said last stands, also where the shutdown came right after it.
      const isOver = error instanceof NotTaken || error instanceof SlotTooLate || signal.aborted;
      if (response && isOver && !(error instanceof ClaimLost)) return response;
      throw error;
    }
  };
  return {
    make,
    settled() {
      written?.done();
      written = undefined;
    },
  };
}

/** Cognito did not take the call, and a short retry may help. */
class NotTaken extends Error {}
