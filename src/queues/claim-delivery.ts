/**
 * Delivers one claim: what is known to be wrong is buried, what is there already is unchanged, the rest is sent in as
 * few calls as can be, and each call is settled before the next is begun. No call is begun after the lease's end, and
 * one that is under way is aborted there.
 */
import { setTimeout as sleep } from "node:timers/promises";
import pRetry from "p-retry";
import type { Attribute, AttributeWriter, WriteAnswer } from "../cognito/attribute-writer.ts";
import { type QuotaGovernor, type Slot, SlotTooLate } from "../cognito/quota-governor.ts";
import type { UserDirectory } from "../cognito/user-directory.ts";
import { fullJitter } from "../core/backoff.ts";
import { planContact } from "../core/contact.ts";
import { decide, type Failure } from "../core/failure.ts";
import { culprits, halves } from "../core/isolation.ts";
import { checkUnit, type PoolProfile } from "../core/pool-schema.ts";
import { contactOf, isContact, type UnitValue } from "../core/unit.ts";
import { type Keyring, valueOf } from "../store/keyring.ts";
import type { Store } from "../store/store.ts";
import { type ClaimInHand, ClaimLost, openClaimSession, type Told } from "./claim-session.ts";
import type { HoldWatch } from "./hold-watch.ts";

/** What every delivery of a pool shares. */
export interface DeliveryMeans {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly profile: PoolProfile;
  readonly writer: AttributeWriter;
  readonly directory: UserDirectory;
  /** The pace of UserUpdate and of UserList. */
  readonly updates: QuotaGovernor;
  readonly lists: QuotaGovernor;
  readonly holds: HoldWatch;
  /** How long a claim lives: connect and request time-outs, and a margin. */
  readonly leaseMs: number;
}

export interface Delivered extends Told {
  /** The settle came too late, and the claim is somebody else's. */
  readonly late: boolean;
  /** The failure that asks for a hold, of the process or of the pool. */
  readonly hold?: Failure;
  /** True where Cognito answered a call, whatever it said of the user. */
  readonly answered: boolean;
}

/** A set of units that goes in one call. */
interface Part {
  readonly names: readonly string[];
  /** The whole that it was split from, by why that failed. */
  readonly of?: { readonly failure: Failure };
}

const SHORT_RETRIES = 2;
const SHORT_RETRY_MS = 200;
/** How long units wait for which no slot could be had in time. */
const NO_SLOT_MS = 1000;

/**
 * `first` is the slot that was taken before the claim; it is given back where no call is needed. Rejects only for
 * faults of the store: whatever Cognito says is settled.
 */
export async function deliverClaim(
  means: DeliveryMeans,
  inHand: ClaimInHand,
  first: Slot,
  signal: AbortSignal,
): Promise<Delivered> {
  const { store, keyring, profile, writer, directory, updates, lists, holds, leaseMs } = means;
  const { priority } = inHand.answer;
  const username = keyring.open(inHand.answer.username);
  const session = openClaimSession(store.mailboxes, keyring, inHand, leaseMs);
  const attributes = new Map<string, readonly Attribute[]>();
  let slot: Slot | undefined = first;
  let hold: Failure | undefined;
  let answered = false;

  const untilLeaseEnds = (): AbortSignal => {
    const leftMs = session.leaseLeftMs();
    if (leftMs <= 0) throw new SlotTooLate();
    return AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(leftMs))]);
  };
  const takeSlot = async (): Promise<Slot> => {
    const given = slot ?? (await updates.acquire({ priority, deadlineMs: session.leaseLeftMs(), signal }));
    slot = undefined;
    return given;
  };

  /** Gives each unit what is sent for it, or concludes it where that needs no call. */
  async function prepare(): Promise<void> {
    const contacts = new Map<string, UnitValue>();
    for (const name of session.open()) {
      const held = session.held(name);
      const value = valueOf(keyring.open(held.body));
      const exhausted = decide(undefined, held, 0);
      const wrong = checkUnit(profile, { name, value });
      if (exhausted.is === "bury") session.bury(name, exhausted.kind, exhausted.reason);
      else if (wrong) session.bury(name, "invalid-value", wrong.detail);
      else if (isContact(name) || contactOf(name) !== undefined) contacts.set(name, value);
      else attributes.set(name, [{ Name: name, Value: value.kind === "text" ? value.text : "" }]);
    }
    if (contacts.size === 0) return;
    const held = await holds.ask("contacts");
    if (held.is === "held") return session.defer(contacts.keys(), held.retryInMs);
    await readContacts(contacts);
  }

  /** E-mail and phone are compared with what is there, because writing them may message or lock out the person. */
  async function readContacts(contacts: ReadonlyMap<string, UnitValue>): Promise<void> {
    const listSlot = await lists.acquire({ priority, deadlineMs: session.leaseLeftMs(), signal });
    const listed = await directory.readContacts(profile.id, username, { signal: untilLeaseEnds() });
    if (!listed.ok) {
      const { failure } = listed;
      if (failure.outcome === "wait") await listSlot.throttled();
      if (failure.outcome.startsWith("hold")) {
        hold = failure;
        return session.defer(contacts.keys(), NO_SLOT_MS);
      }
      // Nothing was written by a read, so it is retried without any doubt.
      return retry([...contacts.keys()], { ...failure, outcome: "retry" }, false);
    }
    answered = true;
    for (const [name, value] of contacts) {
      const plan = planContact(profile, name, value, listed.contacts);
      if (plan.do === "unchanged") session.unchanged(name);
      else if (plan.do === "bury") session.bury(name, plan.kind, plan.reason);
      else attributes.set(name, plan.attributes);
    }
  }

  function retry(names: readonly string[], failure: Failure, fateUnknown: boolean): void {
    for (const name of names) {
      const held = session.held(name);
      const verdict = decide(failure, held, Math.random());
      if (verdict.is === "bury") session.bury(name, verdict.kind, verdict.reason);
      else {
        const { counts } = failure;
        session.conclude(name, { is: "retry", version: held.version, at: verdict.inMs, counts, fateUnknown });
      }
    }
  }

  /** One call, with short retries, each under the pace and within a renewed lease. */
  async function call(names: readonly string[]): Promise<WriteAnswer> {
    const payload = names.flatMap((name) => attributes.get(name) ?? []);
    let refused: WriteAnswer | undefined;
    const once = async (): Promise<WriteAnswer> => {
      if (refused) await session.settle();
      const taken = await takeSlot();
      const said = await writer.write(profile.id, username, payload, { signal: untilLeaseEnds() });
      if (said.ok) return said;
      refused = said;
      const { outcome } = said.failure;
      if (outcome === "wait") await taken.throttled();
      if (outcome === "wait" || (outcome === "retry" && !said.fateUnknown)) throw new NotTaken();
      return said;
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
      if (refused && !(error instanceof ClaimLost)) return refused;
      throw error;
    }
  }

  /** What a failed call means for its units, and for those that are still to be sent. */
  function fail(part: Part, failure: Failure, fateUnknown: boolean, parts: Part[]): void {
    if (failure.outcome === "wait" || failure.outcome === "retry") {
      retry(part.names, failure, fateUnknown);
      return session.defer(session.open(), NO_SLOT_MS);
    }
    if (failure.outcome !== "bury") {
      hold = failure;
      return session.defer(session.open(), NO_SLOT_MS);
    }
    const buryAll = (names: readonly string[], as: Failure): void => {
      for (const name of names) session.bury(name, as.buryAs, as.reason);
    };
    if (failure.scope === "claim") return buryAll(session.open(), failure);
    const { of, names } = part;
    if (of && of.failure.kind !== failure.kind) {
      // A part fails for a reason of its own: the units need one another, so what is left goes with the first reason.
      return buryAll([part, ...parts.filter((other) => other.of === of)].flatMap((each) => each.names), of.failure);
    }
    const atFault = culprits(failure.kind, failure.message, names) ?? (names.length === 1 ? names : undefined);
    if (!atFault) {
      const whole = { failure };
      parts.unshift(...halves(names).map((half) => ({ names: half, of: whole })));
      return;
    }
    buryAll(atFault, failure);
    const rest = names.filter((name) => !atFault.includes(name));
    if (rest.length > 0) parts.unshift({ names: rest });
  }

  async function send(): Promise<void> {
    const names = session.open();
    const alone = names.filter((name) => contactOf(name) !== undefined);
    const together = names.filter((name) => contactOf(name) === undefined);
    const parts: Part[] = [together, ...alone.map((name) => [name])]
      .filter((part) => part.length > 0)
      .map((part) => ({ names: part }));
    for (let part = parts.shift(); part; part = parts.shift()) {
      if (!part.names.every((name) => session.open().includes(name))) continue;
      const said = await call(part.names);
      if (said.ok) {
        for (const name of part.names) session.applied(name);
        if (part.names.some(isContact)) await holds.lift("contacts");
      } else {
        fail(part, said.failure, said.fateUnknown, parts);
      }
      answered ||= said.ok || (said.failure.answered && !said.failure.outcome.startsWith("hold"));
      await session.settle();
    }
  }

  let late = false;
  try {
    try {
      await prepare();
      if (session.open().length > 0 && !hold) await send();
      session.defer(session.open(), NO_SLOT_MS);
    } catch (error) {
      if (!(error instanceof SlotTooLate) && !signal.aborted) throw error;
      session.defer(session.open(), signal.aborted ? 0 : NO_SLOT_MS);
    }
    if (session.untold) await session.settle();
  } catch (error) {
    if (!(error instanceof ClaimLost)) throw error;
    late = true;
  } finally {
    slot?.giveBack();
  }
  return { ...session.told(), late, answered, ...(hold ? { hold } : {}) };
}

/** Cognito did not take the call, and a short retry may help. */
class NotTaken extends Error {}
