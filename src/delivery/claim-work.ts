/**
 * A claim on its way: its units as they are opened, and what Cognito has said so far that concerns more than one of them.
 * claim-preparation.ts finds out what is to be sent, claim-sending.ts sends it.
 */
import { decide, isExhausted, type Failure } from "../core/failure.ts";
import { hasEnded } from "../core/access-token.ts";
import type { Attribute } from "../core/contact.ts";
import type { QueuedUnit } from "../core/mailbox.ts";
import type { CallOptions } from "../core/call-options.ts";
import { attributeOf } from "../core/payload.ts";
import type { Person } from "../core/person.ts";
import { checkUnit } from "../core/pool-schema.ts";
import { isPlain, type UnitValue } from "../core/unit.ts";
import { callOptionsOf, personOf, valueOf } from "../store/keyring.ts";
import { openUsername } from "../store/sealed-unit.ts";
import type { HoldScope } from "../store/holds.ts";
import { type AliasGuard, type AliasSeeker, openAliasGuard } from "./alias-guard.ts";
import { type ClaimInHand, type ClaimSession, openClaimSession } from "./claim-session.ts";
import type { DeliveryDeps } from "./delivery-deps.ts";
import { createRecipients, type Recipient, type Recipients } from "./recipients.ts";

export interface HoldRequest {
  readonly scope: "process" | HoldScope;
  readonly failure: Failure;
}

/** A unit of the claim about which nothing is concluded yet. */
export interface ClaimedUnit {
  readonly name: string;
  /** As the store gave it. */
  readonly claimed: QueuedUnit;
  readonly value: UnitValue;
  readonly callOptions: CallOptions;
  readonly person: Person;
  /** Whose account it is sent to. */
  readonly recipient: Recipient;
  /** What is sent for it. None of an address, number or flag as long as it is not planned. */
  attributes: readonly Attribute[];
  /** The key of the user who has the value that this one was refused for. */
  owner?: string;
}

export interface ClaimWork {
  readonly deps: DeliveryDeps;
  readonly claim: ClaimInHand;
  /** The canonical username of the claim's user. */
  readonly username: string;
  readonly session: ClaimSession;
  readonly seeker: AliasSeeker;
  readonly aliases: AliasGuard;
  readonly recipients: Recipients;
  /** The failure that asks for a hold, of the process or of the pool. No call is made once there is one. */
  hold: HoldRequest | undefined;
  /** True where a call went through as far as the user: what it met there is no matter. */
  answered: boolean;
  /** The units about which nothing is concluded yet, in the claim's order. */
  readonly open: () => ClaimedUnit[];
  readonly isOpen: (unit: ClaimedUnit) => boolean;
  /** Concludes units whose call failed, one by one. */
  settleFailure(units: readonly ClaimedUnit[], failure: Failure): void;
  /** Concludes units about which a read failed. */
  readFailed(units: readonly ClaimedUnit[], failure: Failure): void;
}

/** How long units wait that were not tried: no slot could be had in time, or the call before them failed. */
export const LATER_MS = 1000;

/**
 * Opens the units of a claim; those that need no call to be known as wrong are concluded. So are all of them where the
 * username is not this user's: somebody wrote to the store past poolsync, and whoever it names now would be written.
 */
export function openClaimWork(deps: DeliveryDeps, claim: ClaimInHand, signal: AbortSignal): ClaimWork {
  const { settles, keyring, subs, holds, leaseMs } = deps;
  const known = openUsername(keyring, { pool: deps.profile.id, user: claim.user }, claim.answer.username);
  const username = known ?? "";
  const session = openClaimSession(settles, keyring, claim, leaseMs);
  if (known === undefined) for (const name of session.open()) session.bury(name, "altered", "username-altered");
  const recipients = createRecipients(username, subs);
  const { priority } = claim.answer;
  const seeker = { user: claim.user, username, priority, signal, leaseLeftMs: () => session.leaseLeftMs() };
  const units = openUnits(deps, session, recipients);

  const work: ClaimWork = {
    deps,
    claim,
    username,
    session,
    seeker,
    aliases: openAliasGuard(deps, seeker),
    recipients,
    hold: undefined,
    answered: false,
    open: () => session.open().flatMap((name) => units.get(name) ?? []),
    isOpen: ({ name }) => session.open().includes(name),
    settleFailure(failed, failure) {
      // What a user's own token is refused says nothing of the pool.
      const byToken = failed[0]?.callOptions.token !== undefined;
      const alike = failure.holdsWhenRepeated === true && !byToken && holds.refused(claim.user);
      const { fateUnknown } = failure;
      for (const { name, claimed, owner } of failed) {
        const decision = decide(failure, claimed, Math.random(), alike);
        if (decision.is === "bury") session.bury(name, decision.kind, decision.reason, { owner, fateUnknown });
        else if (decision.is === "hold") {
          work.hold = { scope: decision.scope, failure };
          session.defer([name], LATER_MS);
        } else {
          const { inMs: at, counts } = decision;
          session.conclude(name, { is: "retry", version: claimed.version, at, counts, fateUnknown });
        }
      }
    },
    readFailed(about, failure) {
      // Nothing was written by a read: its fate is no matter, and nothing of the user is what it could refuse.
      const asRead =
        failure.outcome === "bury" ? ({ ...failure, outcome: "retry", counts: "attempt" } as const) : failure;
      work.settleFailure(about, { ...asRead, fateUnknown: false });
    },
  };
  return work;
}

/** Gives each unit whom it is for and how it is sent, or concludes it where that needs no call. */
function openUnits(
  { profile }: DeliveryDeps,
  session: ClaimSession,
  recipients: Recipients,
): ReadonlyMap<string, ClaimedUnit> {
  const units = new Map<string, ClaimedUnit>();
  for (const name of session.open()) {
    const claimed = session.claimedUnit(name);
    if (isExhausted(claimed)) {
      session.bury(name, "gave-up", "exhausted");
      continue;
    }
    const body = session.bodyOf(name);
    if (body === undefined) {
      session.bury(name, "altered", "altered");
      continue;
    }
    const value = valueOf(body);
    const callOptions = callOptionsOf(body);
    if (callOptions.token !== undefined && hasEnded(callOptions.token, Date.now())) {
      session.bury(name, "token-expired", "token-expired");
      continue;
    }
    const wrong = checkUnit(profile, { name, value });
    if (wrong) {
      session.bury(name, "invalid-value", wrong.reason);
      continue;
    }
    const person = personOf(body);
    const recipient = recipients.of(person);
    const attributes = isPlain(name) ? [attributeOf({ name, value })] : [];
    units.set(name, { name, claimed, value, callOptions, person, recipient, attributes });
  }
  return units;
}
