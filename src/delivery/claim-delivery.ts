/**
 * Delivers one claim: what is known to be wrong is buried, what is there already is unchanged, the rest is sent in as
 * few calls as can be, and each call is settled before the next is begun. No call is begun after the lease's end, and
 * one that is under way is aborted there.
 */
import { type Slot, SlotTooLate } from "../cognito/quota-governor.ts";
import type { Refusal } from "../cognito/fault.ts";
import { accountOf } from "../cognito/listed-user.ts";
import { hasEnded } from "../core/access-token.ts";
import { isAliasAttribute } from "../core/alias-claims.ts";
import { mayAwait } from "../core/comparison.ts";
import { type Attribute, contactsAfter, planContact } from "../core/contact.ts";
import { decide, type Failure, isExhausted, type LostPerson } from "../core/failure.ts";
import { culprits, halves } from "../core/isolation.ts";
import { sharesFate, together, type Manner } from "../core/manner.ts";
import type { Person } from "../core/person.ts";
import { checkUnit } from "../core/pool-schema.ts";
import { contactOf, isContact, type UnitValue } from "../core/unit.ts";
import { mannerOf, personOf, valueOf } from "../store/keyring.ts";
import type { HoldScope } from "../store/holds.ts";
import { openAliasGuard } from "./alias-guard.ts";
import { createClaimCall } from "./claim-call.ts";
import { type ClaimInHand, ClaimLost, openClaimSession, type Told } from "./claim-session.ts";
import type { DeliveryMeans } from "./delivery-means.ts";
import { lookWithinLease } from "./lease-look.ts";
import { answerFor, checkPerson, isFormers, type PersonAnswer } from "./person-check.ts";
import { aliasesChanged, createRecipients, type Recipient } from "./recipients.ts";
import { withinLease } from "./within-lease.ts";

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
  readonly to: Recipient;
  readonly names: readonly string[];
  /** Why the whole failed that it was split from. */
  readonly splitBy?: Failure;
}

/** How long units wait that were not tried: no slot could be had in time, or the call before them failed. */
const LATER_MS = 1000;
/** A hold is looked at again after this: a probe of somebody else's may have lifted it long before the next is due. */
const HELD_LOOK_MS = 60_000;
const GONE: LostPerson = "account-gone";
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
  const { store, keyring, profile, writer, ownWriter, directory, names, subs, updates, lists, holds, leaseMs } = means;
  const { priority, leaseUntil } = inHand.answer;
  const username = keyring.open(inHand.answer.username);
  const session = openClaimSession(store.mailboxes, keyring, inHand, leaseMs);
  const attributes = new Map<string, readonly Attribute[]>();
  const manners = new Map<string, Manner>();
  const people = new Map<string, Person>();
  const recipientFor = new Map<string, Recipient>();
  const recipients = createRecipients(username, subs);
  /** What is sent unless it is there. */
  const looked = new Set<string>();
  const contacts = new Map<string, UnitValue>();
  /** Flags to set, each in a call of its own after all values: what they must be depends on what those leave there. */
  const flags = new Map<string, UnitValue>();
  let hold: HoldWanted | undefined;
  let answered = false;

  const leaseLeftMs = (): number => session.leaseLeftMs();
  const seeker = { user: inHand.user, username, priority, signal, leaseLeftMs };
  const aliases = openAliasGuard(means, seeker);
  const call = createClaimCall(
    { pool: profile.id, writer, ownWriter, updates },
    { priority, session, aliases, first, signal, onMayHold },
  );
  /** Keys of those who have what units of this user were refused for. */
  const owners = new Map<string, string>();

  /** Gives each unit whom it is for and what is sent for it, or concludes it where that needs no call. */
  function open(): void {
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
      if (wrong) {
        session.bury(name, "invalid-value", wrong.reason);
        continue;
      }
      const person = personOf(body);
      people.set(name, person);
      recipientFor.set(name, recipients.of(person));
      if (isContact(name) || contactOf(name) !== undefined) contacts.set(name, value);
      else {
        attributes.set(name, [{ Name: name, Value: value.kind === "text" ? value.text : "" }]);
        if (held.sendUnless === "there") looked.add(name);
      }
    }
  }

  function recipientOf(name = ""): Recipient {
    return recipientFor.get(name) ?? recipients.of({});
  }

  /** Asks again whom units are for that were put for an account. */
  async function checkPeople(): Promise<void> {
    const asked = new Map<string, PersonAnswer>();
    const units = session.open().filter((name) => manners.get(name)?.token === undefined);
    // Of those who were named alike, who was asked for first says whether it is asked again.
    const since = (name: string): number => people.get(name)?.name?.askedAt ?? 0;
    for (const name of units.toSorted((one, other) => since(one) - since(other))) {
      const person = people.get(name) ?? {};
      const key = JSON.stringify([person.account?.sub, person.name?.attribute, person.name?.value]);
      const at = { nowMs: leaseUntil - leaseMs, called: recipientOf(name).called };
      const said = asked.get(key) ?? (await checkPerson(means, seeker, person, at));
      asked.set(key, said);
      const answer = answerFor(said, session.held(name));
      if (answer.is === "theirs" && answer.user !== undefined) recipients.seen(recipientOf(name), answer.user);
      else if (answer.is === "lost") session.bury(name, "user-not-found", answer.reason);
      else if (answer.is === "wait") session.defer([name], Math.min(answer.inMs, RESERVED_LOOK_MS));
      else if (answer.is === "unknown") readFailed([name], answer.failure);
    }
  }

  async function prepare(): Promise<void> {
    open();
    await checkPeople();
    if (hold) return;
    const isOpen = new Set(session.open());
    for (const name of contacts.keys()) if (!isOpen.has(name)) contacts.delete(name);
    if (contacts.size > 0) {
      const held = await holds.ask("contacts");
      if (held.is === "held") {
        session.defer(contacts.keys(), Math.min(held.retryInMs, HELD_LOOK_MS));
        contacts.clear();
      }
    }
    const toLook = [...contacts.keys(), ...[...looked].filter((name) => isOpen.has(name))];
    for (const recipient of new Set(toLook.map(recipientOf))) {
      await look(
        recipient,
        toLook.filter((name) => recipientOf(name) === recipient),
      );
    }
  }

  /**
   * E-mail and phone are compared with what is there, because writing them may message or lock out the person, and
   * other values where what is there already is not to be sent.
   */
  async function look(recipient: Recipient, units: readonly string[]): Promise<void> {
    if (recipient.view === undefined) {
      const { account } = recipient.person;
      const whom = account === undefined ? { username } : { sub: account.sub };
      const ignoresCase = !profile.caseSensitive;
      const read = await lookWithinLease(lists, seeker, (ending) =>
        directory.readUser(profile.id, whom, { signal: ending, ignoresCase }),
      );
      if (!read.ok) return readFailed(units, read.failure);
      answered = true;
      if (read.user !== undefined) recipients.seen(recipient, read.user);
    }
    const listed = recipient.view?.listed;
    for (const name of units) {
      const contact = contacts.get(name);
      if (contact !== undefined) {
        const isLast = listed !== undefined && inHand.answer.sent?.includes(name) === true;
        if (isContact(name)) plan(name, contact, isLast && (await isFormers(means, inHand.user, name, listed)));
        else flags.set(name, contact);
        continue;
      }
      // The list is eventually consistent: of whom it does not show, the write is the authority.
      if (listed && payloadOf([name]).every(({ Name, Value }) => (listed.attributes.get(Name) ?? "") === Value)) {
        session.unchanged(name, { account: markOf(name) });
      }
    }
  }

  /** The mark of the account that was looked at for a unit. */
  function markOf(name: string): string | undefined {
    const { view } = recipientOf(name);
    return view && keyring.accountMark(profile.id, accountOf(view.listed));
  }

  /** Nothing was written by a read: its fate is no matter, and nothing of the user is what it could refuse. */
  function readFailed(units: readonly string[], failure: Failure): void {
    const asRead =
      failure.outcome === "bury" ? ({ ...failure, outcome: "retry", counts: "attempt" } as const) : failure;
    settleFailure(units, { ...asRead, fateUnknown: false });
  }

  /** Keeps back what would take an alias from somebody. */
  async function guardAliases(units: readonly string[]): Promise<void> {
    for (const name of units) {
      const answer = await aliases.ask(name, attributes.get(name) ?? [], recipientOf(name).view?.there);
      if (answer.is === "wait") session.defer([name], Math.min(answer.inMs, RESERVED_LOOK_MS));
      else if (answer.is === "owned") session.bury(name, "alias-exists", "alias-exists", { owner: answer.owner });
      else if (answer.is === "unknown") readFailed([name], answer.failure);
    }
  }

  /** Looks up who has what Cognito refused, for the letter. */
  async function findOwners(units: readonly string[]): Promise<void> {
    for (const name of units) {
      const value = attributes.get(name)?.find(({ Name }) => Name === name)?.Value ?? "";
      if (!isAliasAttribute(name) || value === "") continue;
      const owner = await aliases.ownerOf({ attribute: name, value });
      if (owner !== undefined) owners.set(name, owner);
    }
  }

  function plan(name: string, value: UnitValue, wasAnothers = false): void {
    // Who asks for another spelling of an address gets it, though the pool takes both for the same.
    const isAsked = session.held(name).sendUnless === undefined;
    const there = recipientOf(name).view?.there;
    const planned = planContact({ caseSensitive: isAsked || profile.caseSensitive }, name, value, there);
    const awaits = !wasAnothers && inHand.answer.sent?.includes(name) === true && mayAwait(profile, { name, value });
    if (planned.do === "unchanged") session.unchanged(name, { account: markOf(name) });
    else if (planned.do === "send" && awaits) session.unchanged(name, { awaiting: true, account: markOf(name) });
    else if (planned.do === "bury") session.bury(name, planned.kind, planned.reason);
    else attributes.set(name, planned.attributes);
  }

  const mannerFor = (name = ""): Manner => manners.get(name) ?? {};

  function payloadOf(units: readonly string[]): Attribute[] {
    return units.flatMap((name) => attributes.get(name) ?? []);
  }

  /** Concludes units whose call failed, one by one. */
  function settleFailure(units: readonly string[], failure: Failure): void {
    // What a user's own token is refused says nothing of the pool.
    const isOwn = mannerFor(units[0]).token !== undefined;
    const alike = failure.holdsWhenRepeated === true && !isOwn && holds.refused(inHand.user);
    const { fateUnknown } = failure;
    for (const name of units) {
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
    const { to, splitBy, names: units } = part;
    if (failure.outcome !== "bury") {
      settleFailure(units, failure);
      return session.defer(session.open(), LATER_MS);
    }
    if (failure.kind === "user-not-found" && (await goesByUsername(to))) return void parts.unshift(part);
    if (failure.scope === "claim") {
      const isGone = failure.kind === "user-not-found" && to.person.account !== undefined;
      const [refused, byLambda] = [mannerFor(units[0]), failure.kind === "refused-by-lambda"];
      const alike = session
        .open()
        .filter((name) => recipientOf(name) === to && sharesFate(refused, mannerFor(name), byLambda));
      return settleFailure(alike, isGone ? { ...failure, reason: GONE } : failure);
    }
    if (splitBy && splitBy.kind !== failure.kind) {
      // A part fails for a reason of its own: the units need one another, so what is left goes with the first reason.
      const whole = [part, ...parts.filter((other) => other.splitBy === splitBy)].flatMap((each) => each.names);
      return settleFailure(whole, splitBy);
    }
    const sent = payloadOf(units).map(({ Name }) => Name);
    const atFault = culprits(failure.kind, message, sent);
    if (!atFault && units.length > 1) {
      parts.unshift(...halves(units).map((half) => ({ to, names: half, splitBy: failure })));
      return;
    }
    if (failure.kind === "alias-exists") await findOwners(atFault ?? units);
    settleFailure(atFault ?? units, failure);
    const rest = units.filter((name) => session.open().includes(name));
    if (rest.length > 0) parts.unshift({ to, names: rest });
  }

  /** Nobody has the sub that was called: true where that is so because the pool's service takes none. */
  async function goesByUsername(to: Recipient): Promise<boolean> {
    const { account } = to.person;
    if (account === undefined || to.called !== account.sub) return false;
    const isInVain = await withinLease(leaseLeftMs(), signal, (ending) => subs.isInVain(username, account.sub, ending));
    if (isInVain) to.called = username;
    return isInVain;
  }

  /** Sends units of one manner together, in more than one call only where they fail together. */
  async function send(to: Recipient, together: readonly string[]): Promise<void> {
    const parts: Part[] = together.length > 0 ? [{ to, names: together }] : [];
    for (let part = parts.shift(); part; part = parts.shift()) {
      const { names: units } = part;
      if (!units.every((name) => session.open().includes(name))) continue;
      const isOwn = mannerFor(units[0]).token !== undefined;
      const payload = payloadOf(units);
      const said = await call.make(to.called, units, payload, mannerFor(units[0]));
      if (said.ok) {
        for (const name of units) session.applied(name);
        await names.changed(aliasesChanged(payload, to));
        if (to.view) to.view.there = contactsAfter(profile, to.view.there, payload);
        answered = true;
        if (!isOwn) {
          holds.succeeded();
          subs.wentThrough(username, to.called);
        }
        if (units.some(isContact)) await holds.lift("contacts");
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
      for (const recipient of recipients.all()) {
        const values = session.open().filter((name) => !flags.has(name) && recipientOf(name) === recipient);
        const groups = together(values, mannerFor, (name) => session.held(name).version);
        for (const { names: units } of groups) if (!hold) await send(recipient, units);
      }
      for (const [name, value] of flags) {
        if (!session.open().includes(name)) continue;
        plan(name, value);
        await guardAliases(session.open().filter((one) => one === name));
        await send(
          recipientOf(name),
          session.open().filter((one) => one === name),
        );
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
