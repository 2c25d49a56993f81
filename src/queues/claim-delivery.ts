/**
 * Delivers one claim: what is known to be wrong is buried, what is there already is unchanged, the rest is sent in as
 * few calls as can be, and each call is settled before the next is begun. No call is begun after the lease's end, and
 * one that is under way is aborted there.
 */
import { setTimeout as sleep } from "node:timers/promises";
import pRetry from "p-retry";
import { fullJitter } from "../core/backoff.ts";
import { planContact } from "../core/contact.ts";
import { decide, type Failure } from "../core/failure.ts";
import { culprits, halves } from "../core/isolation.ts";
import type { Held, Letter, Settlement } from "../core/mailbox.ts";
import { checkUnit, type PoolProfile } from "../core/pool-schema.ts";
import { contactOf, isContact, type UnitValue } from "../core/unit.ts";
import type { Attribute, AttributeWriter, WriteAnswer } from "../cognito/attribute-writer.ts";
import { type QuotaGovernor, type Slot, SlotTooLate } from "../cognito/quota-governor.ts";
import type { UserDirectory } from "../cognito/user-directory.ts";
import { type Keyring, valueOf } from "../store/keyring.ts";
import type { ClaimAnswer } from "../store/mailboxes.ts";
import type { Store } from "../store/store.ts";
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

export interface ClaimInHand {
  readonly user: string;
  readonly token: string;
  readonly answer: Extract<ClaimAnswer, { is: "claimed" }>;
  /** By performance.now(), taken before the claim was asked for: never later than the store's own. */
  readonly leaseEndsAt: number;
  /** The slot that was taken before the claim; given back where no call is needed. */
  readonly slot: Slot;
}

export interface Delivered {
  /** The settle came too late, and the claim is somebody else's. */
  readonly late: boolean;
  readonly doubted: readonly string[];
  readonly letters: readonly Letter[];
  /** Until the mailbox wants to be looked at again; absent where nothing is left in it. */
  readonly dueInMs?: number;
  /** The failure that asks for a hold, of the process or of the pool. */
  readonly hold?: Failure;
  /** True where Cognito answered a call, whatever it said of the user. */
  readonly answered: boolean;
  /** Units that were applied. */
  readonly applied: number;
}

interface Wanted {
  readonly held: Held;
  readonly value: UnitValue;
  /** What is sent for it: the attribute, and its flag. */
  readonly attributes: readonly Attribute[];
}

/** A set of units that goes in one call. */
interface Part {
  readonly names: readonly string[];
  /** The whole it was split from, and why. */
  readonly of?: { readonly failure: Failure };
}

const SHORT_RETRIES = 2;
const SHORT_RETRY_MS = 200;
/** How long units wait that no slot could be had for in time. */
const NO_SLOT_MS = 1000;

/** Thrown where the claim is no longer ours, to leave at once. */
class LateSettle extends Error {}

export async function deliverClaim(means: DeliveryMeans, inHand: ClaimInHand, signal: AbortSignal): Promise<Delivered> {
  const { store, keyring, profile, writer, updates, lists, holds, leaseMs } = means;
  const { user, token, answer } = inHand;
  const username = keyring.open(answer.username);
  const wanted = new Map<string, Wanted>();
  let settlements: Record<string, Settlement> = {};
  let leaseEndsAt = inHand.leaseEndsAt;
  let slot: Slot | undefined = inHand.slot;
  let late = false;
  let dueInMs: number | undefined;
  let hold: Failure | undefined;
  let answered = false;
  let applied = 0;
  const letters: Letter[] = [];
  const doubted: string[] = [];

  const versionOf = (name: string): string => answer.units[name]?.version ?? "";
  const conclude = (name: string, settlement: Settlement): void => {
    settlements[name] = settlement;
    wanted.delete(name);
  };
  const bury = (name: string, kind: string, reason: string): void => {
    const version = versionOf(name);
    conclude(name, { is: "bury", version, letter: keyring.letterId(user, name, version), kind, reason });
  };
  const defer = (names: Iterable<string>, waitMs: number): void => {
    for (const name of names) {
      conclude(name, { is: "retry", version: versionOf(name), at: waitMs, counts: "nothing", fateUnknown: false });
    }
  };
  /** Says what is known so far; renews the lease. */
  const settle = async (): Promise<void> => {
    const told = settlements;
    settlements = {};
    const askedAt = performance.now();
    const said = await store.mailboxes.settle(user, token, told, leaseMs);
    letters.push(...said.letters);
    doubted.push(...said.doubted);
    if (said.late) {
      late = true;
      throw new LateSettle();
    }
    applied += Object.values(told).filter((settlement) => settlement.is === "applied").length;
    leaseEndsAt = askedAt + leaseMs;
    dueInMs = said.dueInMs;
  };
  const takeSlot = async (): Promise<Slot> => {
    if (slot) {
      const given = slot;
      slot = undefined;
      return given;
    }
    return updates.acquire({ priority: answer.priority, deadlineMs: leaseEndsAt - performance.now(), signal });
  };

  /** One call, with short retries in the process, each under the pace and within a renewed lease. */
  const call = async (attributes: readonly Attribute[]): Promise<WriteAnswer> => {
    let calls = 0;
    let last: Extract<WriteAnswer, { ok: false }> | undefined;
    const once = async (): Promise<WriteAnswer> => {
      if (calls++ > 0) await settle();
      const taken = await takeSlot();
      const leftMs = leaseEndsAt - performance.now();
      if (leftMs <= 0) throw new SlotTooLate();
      const said = await writer.write(profile.id, username, attributes, {
        signal: AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(leftMs))]),
      });
      if (said.ok) return said;
      last = said;
      if (said.failure.outcome === "wait") await taken.throttled();
      const again = said.failure.outcome === "wait" || (said.failure.outcome === "retry" && !said.signal.fateUnknown);
      if (!again) return said;
      throw new Error("Cognito did not take the call");
    };
    try {
      return await pRetry(once, {
        retries: SHORT_RETRIES,
        minTimeout: 0,
        signal,
        shouldRetry: ({ error }) => last !== undefined && !(error instanceof LateSettle) && !(error instanceof SlotTooLate),
        onFailedAttempt: ({ attemptNumber }) => sleep(fullJitter(attemptNumber, SHORT_RETRY_MS, Math.random()), undefined, { signal }),
      });
    } catch (error) {
      if (last && !(error instanceof LateSettle)) return last;
      throw error;
    }
  };

  /** What a failure of a call means for the units that were in it, and for those still to be sent. */
  const fail = (part: Part, failure: Failure, fateUnknown: boolean, parts: Part[]): void => {
    switch (failure.outcome) {
      case "wait":
      case "retry": {
        for (const name of part.names) {
          const held = wanted.get(name)?.held;
          if (!held) continue;
          const verdict = decide(failure, held, Math.random());
          if (verdict.is === "bury") bury(name, verdict.kind, verdict.reason);
          else {
            conclude(name, { is: "retry", version: held.version, at: verdict.inMs, counts: failure.counts, fateUnknown });
          }
        }
        return defer([...wanted.keys()], NO_SLOT_MS);
      }
      case "hold-process":
      case "hold-pool":
      case "hold-contacts":
        hold = failure;
        return defer([...wanted.keys()], NO_SLOT_MS);
      case "bury":
        break;
    }
    if (failure.scope === "claim") {
      for (const name of [...wanted.keys()]) bury(name, failure.buryAs, failure.reason);
      return;
    }
    const origin = part.of;
    if (origin && origin.failure.kind !== failure.kind) {
      // A part fails for a reason of its own: the units need one another, so the whole goes with the first reason.
      const siblings = parts.filter((other) => other.of === origin);
      for (const name of [part, ...siblings].flatMap((each) => each.names)) {
        bury(name, origin.failure.buryAs, origin.failure.reason);
      }
      return;
    }
    const atFault = culprits(failure.kind, failure.message, part.names);
    if (atFault && atFault.length < part.names.length) {
      for (const name of atFault) bury(name, failure.buryAs, failure.reason);
      parts.unshift({ names: part.names.filter((name) => !atFault.includes(name)) });
    } else if (atFault || part.names.length === 1) {
      for (const name of part.names) bury(name, failure.buryAs, failure.reason);
    } else {
      const of = { failure };
      parts.unshift(...halves(part.names).map((names) => ({ names, of })));
    }
  };

  /** Buries what cannot be sent, and reads the contacts that are wanted. Fills `wanted` with what is to be sent. */
  const prepare = async (): Promise<void> => {
    const contacts: string[] = [];
    for (const [name, held] of Object.entries(answer.units)) {
      const value = valueOf(keyring.open(held.body));
      wanted.set(name, { held, value, attributes: attributesOf(name, value) });
      const exhausted = decide(undefined, held, 0);
      const wrong = checkUnit(profile, { name, value });
      if (exhausted.is === "bury") bury(name, exhausted.kind, exhausted.reason);
      else if (wrong) bury(name, "invalid-value", wrong.detail);
      else if (isContact(name) || contactOf(name) !== undefined) contacts.push(name);
    }
    if (contacts.length === 0) return;
    const held = await holds.ask("contacts");
    if (held.is === "held") return defer(contacts, held.retryInMs);
    const listSlot = await lists.acquire({ priority: answer.priority, deadlineMs: leaseEndsAt - performance.now(), signal });
    const listed = await means.directory.readContacts(profile.id, username, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(Math.max(1, Math.ceil(leaseEndsAt - performance.now())))]),
    });
    if (!listed.ok) {
      if (listed.failure.outcome === "wait") await listSlot.throttled();
      // Nothing was written: a read is tried again without any doubt.
      const failure: Failure = listed.failure.outcome === "bury" ? { ...listed.failure, outcome: "retry" } : listed.failure;
      const others = new Map([...wanted].filter(([name]) => !contacts.includes(name)));
      for (const name of others.keys()) wanted.delete(name);
      fail({ names: contacts }, failure, false, []);
      for (const [name, each] of others) wanted.set(name, each);
      return;
    }
    answered = true;
    for (const name of contacts) {
      const entry = wanted.get(name);
      if (!entry) continue;
      const plan = planContact(profile, name, entry.value, listed.contacts);
      if (plan.do === "unchanged") conclude(name, { is: "unchanged", version: entry.held.version });
      else if (plan.do === "bury") bury(name, plan.kind, plan.reason);
      else wanted.set(name, { ...entry, attributes: plan.attributes });
    }
  };

  const send = async (): Promise<void> => {
    const names = [...wanted.keys()];
    const together = names.filter((name) => contactOf(name) === undefined);
    const alone = names.filter((name) => contactOf(name) !== undefined);
    const parts: Part[] = [together, ...alone.map((name) => [name])]
      .filter((part) => part.length > 0)
      .map((part) => ({ names: part }));
    for (let part = parts.shift(); part; part = parts.shift()) {
      const said = await call(part.names.flatMap((name) => wanted.get(name)?.attributes ?? []));
      if (said.ok) {
        answered = true;
        for (const name of part.names) conclude(name, { is: "applied", version: versionOf(name) });
        if (part.names.some(isContact)) await holds.lift("contacts");
      } else {
        answered ||= said.signal.answered && !said.failure.outcome.startsWith("hold");
        fail(part, said.failure, said.signal.fateUnknown, parts);
      }
      await settle();
      if (wanted.size === 0) return;
    }
  };

  try {
    await prepare();
    if (wanted.size > 0 && !hold) await send();
    defer([...wanted.keys()], NO_SLOT_MS);
  } catch (error) {
    if (error instanceof LateSettle) return { late, doubted, letters, answered, applied };
    if (!(error instanceof SlotTooLate) && !signal.aborted) throw error;
    defer([...wanted.keys()], signal.aborted ? 0 : NO_SLOT_MS);
  } finally {
    slot?.giveBack();
  }
  if (Object.keys(settlements).length > 0) {
    try {
      await settle();
    } catch (error) {
      if (!(error instanceof LateSettle)) throw error;
    }
  }
  return {
    late,
    doubted,
    letters,
    answered,
    applied,
    ...(dueInMs === undefined ? {} : { dueInMs }),
    ...(hold ? { hold } : {}),
  };
}

function attributesOf(name: string, value: UnitValue): readonly Attribute[] {
  switch (value.kind) {
    case "text":
      return [{ Name: name, Value: value.text }];
    case "clear":
      return [{ Name: name, Value: "" }];
    case "as-is":
      return [{ Name: name, Value: String(value.verified) }];
  }
}
