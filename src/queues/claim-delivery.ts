/**
 * Delivers one claim: what is known to be wrong is buried, what is there already is unchanged, the rest is sent in as
 * few calls as can be, and each call is settled before the next is begun. No call is begun after the lease's end, and
 * one that is under way is aborted there.
 */
import type { AttributeWriter } from "../cognito/attribute-writer.ts";
import { type QuotaGovernor, type Slot, SlotTooLate } from "../cognito/quota-governor.ts";
import type { Refusal } from "../cognito/fault.ts";
import type { OwnWriter } from "../cognito/own-writer.ts";
import type { UserDirectory } from "../cognito/user-directory.ts";
import { hasEnded } from "../core/access-token.ts";
import { isAliasAttribute } from "../core/alias-claims.ts";
import { contactsIn, mayAwait } from "../core/comparison.ts";
import { type Attribute, type Contacts, contactsAfter, planContact } from "../core/contact.ts";
import { decide, type Failure, isExhausted } from "../core/failure.ts";
import { culprits, halves } from "../core/isolation.ts";
import { sharesFate, together, type Manner } from "../core/manner.ts";
import { checkUnit, type PoolProfile } from "../core/pool-schema.ts";
import { contactOf, isContact, type UnitValue } from "../core/unit.ts";
import { type Keyring, mannerOf, valueOf } from "../store/keyring.ts";
import type { HoldScope } from "../store/holds.ts";
import type { Store } from "../store/store.ts";
import { openAliasGuard } from "./alias-guard.ts";
import { createClaimCall } from "./claim-call.ts";
import { type ClaimInHand, ClaimLost, openClaimSession, type Told } from "./claim-session.ts";
import type { HoldWatch } from "./hold-watch.ts";
import { withinLease } from "./within-lease.ts";

/** What every delivery of a pool shares. */
export interface DeliveryMeans {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly profile: PoolProfile;
  readonly writer: AttributeWriter;
  /** For changes that users make themselves. */
  readonly ownWriter: OwnWriter;
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
  readonly hold?: HoldWanted;
  /** True where a call went through as far as the user: what it met there is no matter. */
  readonly answered: boolean;
}

export interface HoldWanted {
  readonly scope: "process" | HoldScope;
  readonly failure: Failure;
}

/** A set of units that goes in one call. */
interface Part {
  readonly names: readonly string[];
  /** Why the whole failed that it was split from. */
  readonly splitBy?: Failure;
}

/** How long units wait that were not tried: no slot could be had in time, or the call before them failed. */
const LATER_MS = 1000;
/** A hold is looked at again after this: a probe of somebody else's may have lifted it long before the next is due. */
const HELD_LOOK_MS = 60_000;
/** An alias that another wants is looked at again after this: it is given back at once where neither may have it. */
const RESERVED_LOOK_MS = 5_000;

/**
 * `first` is the slot that was taken before the claim; the caller gives it back, in case no call was needed.
 * `onMayHold` is told of a refusal as claim-call.ts says. Rejects only for faults of the store: whatever Cognito says
 * is settled.
 */
export async function deliverClaim(
  means: DeliveryMeans,
  inHand: ClaimInHand,
  first: Slot,
  signal: AbortSignal,
  onMayHold: () => void = () => undefined,
): Promise<Delivered> {
  const { store, keyring, profile, writer, ownWriter, directory, updates, lists, holds, leaseMs } = means;
  const { priority } = inHand.answer;
  const username = keyring.open(inHand.answer.username);
  const session = openClaimSession(store.mailboxes, keyring, inHand, leaseMs);
  const attributes = new Map<string, readonly Attribute[]>();
  const manners = new Map<string, Manner>();
  /** Flags to set, each in a call of its own after all values: what they must be depends on what those leave there. */
  const flags = new Map<string, UnitValue>();
  let there: Contacts | undefined;
  let hold: HoldWanted | undefined;
  let answered = false;

  const leaseLeftMs = (): number => session.leaseLeftMs();
  const aliases = openAliasGuard(means, { user: inHand.user, username, priority, signal, leaseLeftMs });
  const call = createClaimCall(
    { pool: profile.id, writer, ownWriter, updates },
    { username, priority, session, aliases, first, signal, onMayHold },
  );
  /** Keys of those who have what units of this user were refused for. */
  const owners = new Map<string, string>();
  /** Gives each unit what is sent for it, or concludes it where that needs no call. */
  async function prepare(): Promise<void> {
    const contacts = new Map<string, UnitValue>();
    /** What is sent unless it is there. */
    const looked = new Set<string>();
    for (const name of session.open()) {
      const held = session.held(name);
      if (isExhausted(held)) {
        session.bury(name, "gave-up", "exhausted");
        continue;
      }
      const body = keyring.open(held.body);
      const value = valueOf(body);
      const manner = mannerOf(body);
      manners.set(name, manner);
      if (manner.token !== undefined && hasEnded(manner.token, Date.now())) {
        session.bury(name, "token-expired", "token-expired");
        continue;
      }
      const wrong = checkUnit(profile, { name, value });
      if (wrong) session.bury(name, "invalid-value", wrong.reason);
      else if (isContact(name) || contactOf(name) !== undefined) contacts.set(name, value);
      else {
        attributes.set(name, [{ Name: name, Value: value.kind === "text" ? value.text : "" }]);
        if (held.sendUnless === "there") looked.add(name);
      }
    }
    if (contacts.size > 0) {
      const held = await holds.ask("contacts");
      if (held.is === "held") {
        session.defer(contacts.keys(), Math.min(held.retryInMs, HELD_LOOK_MS));
        contacts.clear();
      }
    }
    if (contacts.size + looked.size > 0) await look(contacts, looked);
  }

  /**
   * E-mail and phone are compared with what is there, because writing them may message or lock out the person, and
   * other values where what is there already is not to be sent.
   */
  async function look(contacts: ReadonlyMap<string, UnitValue>, looked: ReadonlySet<string>): Promise<void> {
    const listSlot = await lists.acquire({ priority, deadlineMs: session.leaseLeftMs(), signal });
    try {
      const ignoresCase = !profile.caseSensitive;
      const read = await withinLease(leaseLeftMs(), signal, (ending) =>
        directory.readUser(profile.id, username, { signal: ending, ignoresCase }),
      );
      if (!read.ok) {
        if (read.failure.outcome === "wait" && read.failure.answered) await listSlot.throttled();
        return readFailed([...contacts.keys(), ...looked], read.failure);
      }
      answered = true;
      const { user } = read;
      there = contactsIn(user);
      for (const name of looked) {
        // The list is eventually consistent: of whom it does not show, the write is the authority.
        if (user && payloadOf([name]).every(({ Name, Value }) => (user.attributes.get(Name) ?? "") === Value)) {
          session.unchanged(name);
        }
      }
      for (const [name, value] of contacts) {
        if (isContact(name)) plan(name, value);
        else flags.set(name, value);
      }
    } finally {
      listSlot.done();
    }
  }

  /** Nothing was written by a read: its fate is no matter, and nothing of the user is what it could refuse. */
  function readFailed(names: readonly string[], failure: Failure): void {
    const asRead =
      failure.outcome === "bury" ? ({ ...failure, outcome: "retry", counts: "attempt" } as const) : failure;
    settleFailure(names, { ...asRead, fateUnknown: false });
  }

  /** Keeps back what would take an alias from somebody. */
  async function guardAliases(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const answer = await aliases.ask(name, attributes.get(name) ?? [], there);
      if (answer.is === "wait") session.defer([name], Math.min(answer.inMs, RESERVED_LOOK_MS));
      else if (answer.is === "owned") session.bury(name, "alias-exists", "alias-exists", { owner: answer.owner });
      else if (answer.is === "unknown") readFailed([name], answer.failure);
    }
  }

  /** Looks up who has what Cognito refused, for the letter. */
  async function findOwners(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const value = attributes.get(name)?.find(({ Name }) => Name === name)?.Value ?? "";
      if (!isAliasAttribute(name) || value === "") continue;
      const owner = await aliases.ownerOf({ attribute: name, value });
      if (owner !== undefined) owners.set(name, owner);
    }
  }

  function plan(name: string, value: UnitValue): void {
    // Who asks for another spelling of an address gets it, though the pool takes both for the same.
    const isAsked = session.held(name).sendUnless === undefined;
    const planned = planContact({ caseSensitive: isAsked || profile.caseSensitive }, name, value, there);
    const awaits = inHand.answer.sent?.includes(name) === true && mayAwait(profile, { name, value });
    if (planned.do === "unchanged") session.unchanged(name);
    else if (planned.do === "send" && awaits) session.unchanged(name, true);
    else if (planned.do === "bury") session.bury(name, planned.kind, planned.reason);
    else attributes.set(name, planned.attributes);
  }

  const mannerFor = (name = ""): Manner => manners.get(name) ?? {};

  function payloadOf(names: readonly string[]): Attribute[] {
    return names.flatMap((name) => attributes.get(name) ?? []);
  }

  /** Concludes units whose call failed, one by one. */
  function settleFailure(names: readonly string[], failure: Failure): void {
    // What a user's own token is refused says nothing of the pool.
    const isOwn = mannerFor(names[0]).token !== undefined;
    const alike = failure.holdsWhenRepeated === true && !isOwn && holds.refused(inHand.user);
    const { fateUnknown } = failure;
    for (const name of names) {
      const held = session.held(name);
      const decision = decide(failure, held, Math.random(), alike);
      if (decision.is === "bury")
        session.bury(name, decision.kind, decision.reason, { owner: owners.get(name), fateUnknown });
      else if (decision.is === "hold") {
        hold = { scope: decision.scope, failure };
        session.defer([name], LATER_MS);
      } else {
        const { inMs: at, counts } = decision;
        session.conclude(name, { is: "retry", version: held.version, at, counts, fateUnknown });
      }
    }
  }

  /** What a failed call means for its units, and for those that are still to be sent. */
  async function fail(part: Part, { failure, message }: Refusal, parts: Part[]): Promise<void> {
    if (failure.outcome !== "bury") {
      settleFailure(part.names, failure);
      return session.defer(session.open(), LATER_MS);
    }
    if (failure.scope === "claim") {
      const [refused, byLambda] = [mannerFor(part.names[0]), failure.kind === "refused-by-lambda"];
      const alike = session.open().filter((name) => sharesFate(refused, mannerFor(name), byLambda));
      return settleFailure(alike, failure);
    }
    const { splitBy, names } = part;
    if (splitBy && splitBy.kind !== failure.kind) {
      // A part fails for a reason of its own: the units need one another, so what is left goes with the first reason.
      const whole = [part, ...parts.filter((other) => other.splitBy === splitBy)].flatMap((each) => each.names);
      return settleFailure(whole, splitBy);
    }
    const sent = payloadOf(names).map(({ Name }) => Name);
    const atFault = culprits(failure.kind, message, sent);
    if (!atFault && names.length > 1) {
      parts.unshift(...halves(names).map((half) => ({ names: half, splitBy: failure })));
      return;
    }
    if (failure.kind === "alias-exists") await findOwners(atFault ?? names);
    settleFailure(atFault ?? names, failure);
    const rest = names.filter((name) => session.open().includes(name));
    if (rest.length > 0) parts.unshift({ names: rest });
  }

  /** Sends units of one manner together, in more than one call only where they fail together. */
  async function send(units: readonly string[]): Promise<void> {
    const parts: Part[] = units.length > 0 ? [{ names: units }] : [];
    for (let part = parts.shift(); part; part = parts.shift()) {
      const { names } = part;
      if (!names.every((name) => session.open().includes(name))) continue;
      const isOwn = mannerFor(names[0]).token !== undefined;
      const said = await call.make(names, payloadOf(names), mannerFor(names[0]));
      if (said.ok) {
        for (const name of names) session.applied(name);
        there = contactsAfter(profile, there, payloadOf(names));
        answered = true;
        if (!isOwn) holds.succeeded();
        if (names.some(isContact)) await holds.lift("contacts");
      } else {
        await fail(part, said, parts);
        // Only an answer about the user proves that the pool and the credentials are well.
        answered ||= said.failure.outcome === "bury" && !hold && !isOwn;
      }
      await session.settle();
      call.settled();
    }
  }

  let late = false;
  try {
    try {
      await prepare();
      if (!hold) await guardAliases(session.open().filter((name) => !flags.has(name)));
      const values = session.open().filter((name) => !flags.has(name));
      const groups = together(values, mannerFor, (name) => session.held(name).version);
      for (const { names } of groups) if (!hold) await send(names);
      for (const [name, value] of flags) {
        if (!session.open().includes(name)) continue;
        plan(name, value);
        await guardAliases(session.open().filter((open) => open === name));
        await send(session.open().filter((open) => open === name));
      }
      session.defer(session.open(), LATER_MS);
    } catch (error) {
      if (!(error instanceof SlotTooLate) && !signal.aborted) throw error;
      session.defer(session.open(), signal.aborted ? 0 : LATER_MS);
    }
    if (session.untold) await session.settle();
  } catch (error) {
    if (!(error instanceof ClaimLost)) throw error;
    late = true;
  } finally {
    call.settled();
  }
  return { ...session.told(), late, answered, ...(hold ? { hold } : {}) };
}
