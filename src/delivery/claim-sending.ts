/**
 * Sends the units of a claim that were prepared, in as few calls as can be, and settles each call before the next is
 * begun. Where a call is refused, core/refused-call.ts judges what that means.
 */
import type { Refusal } from "../cognito/fault.ts";
import { isAliasAttribute } from "../core/alias-claims.ts";
import { contactsAfter, type Attribute } from "../core/contact.ts";
import type { Failure, LostPerson } from "../core/failure.ts";
import { sharesFate } from "../core/call-options.ts";
import { inCalls } from "../core/payload.ts";
import { judgeRefusal } from "../core/refused-call.ts";
import { isContact, isFlag } from "../core/unit.ts";
import type { ClaimCall } from "./claim-call.ts";
import { guardAliases, planContactUnit } from "./claim-preparation.ts";
import { type ClaimedUnit, type ClaimWork, LATER_MS } from "./claim-work.ts";
import { aliasesChanged, type Recipient } from "./recipients.ts";
import { withinLease } from "./within-lease.ts";

/** Units that go in one call. */
interface Part {
  readonly to: Recipient;
  readonly units: readonly ClaimedUnit[];
  /** Why the call failed that they were split from. */
  readonly splitBy?: Failure;
}

const GONE: LostPerson = "account-gone";

/** Sends values first, and each flag after them, by what they have left there. Throws SlotTooLate and ClaimLost. */
export async function sendClaim(work: ClaimWork, call: ClaimCall): Promise<void> {
  const values = (): ClaimedUnit[] => work.open().filter(({ name }) => !isFlag(name));
  const flags = (): ClaimedUnit[] => work.open().filter(({ name }) => isFlag(name));
  if (!work.hold) await guardAliases(work, values());
  for (const recipient of work.recipients.all()) {
    const theirs = values().filter((unit) => unit.recipient === recipient);
    for (const units of grouped(theirs)) if (!work.hold) await sendPart(work, call, { to: recipient, units });
  }
  for (const units of grouped(flags())) {
    for (const unit of units.filter(work.isOpen)) {
      if (work.hold) return;
      planContactUnit(work, unit);
      if (work.isOpen(unit)) await guardAliases(work, [unit]);
      if (work.isOpen(unit)) await sendPart(work, call, { to: unit.recipient, units: [unit] });
    }
  }
}

/** The units of each call. */
function grouped(units: readonly ClaimedUnit[]): (readonly ClaimedUnit[])[] {
  const byName = new Map(units.map((unit) => [unit.name, unit]));
  const calls = inCalls(
    [...byName.keys()],
    (name) => byName.get(name)?.callOptions ?? {},
    (name) => byName.get(name)?.claimed.version ?? "",
  );
  return calls.map(({ names }) => names.flatMap((name) => byName.get(name) ?? []));
}

function payloadOf(units: readonly ClaimedUnit[]): Attribute[] {
  return units.flatMap(({ attributes }) => attributes);
}

/** Sends units of one manner together, in more than one call only where they fail together. */
async function sendPart(work: ClaimWork, call: ClaimCall, whole: Part): Promise<void> {
  const { session } = work;
  const parts: Part[] = [whole];
  for (let part = parts.shift(); part; part = parts.shift()) {
    const { to, units } = part;
    const callOptions = units[0]?.callOptions ?? {};
    if (!units.every(work.isOpen)) continue;
    const names = units.map(({ name }) => name);
    const payload = payloadOf(units);
    const { account } = to.person;
    work.deps.seen.written(account ?? { username: work.username });
    const response = await call.make(to.called, names, payload, callOptions);
    if (response.ok) await succeed(work, part, payload);
    else {
      await fail(work, part, response, parts);
      // Only an answer about the user proves that the pool and the credentials are well.
      work.answered ||= response.failure.outcome === "bury" && !work.hold && callOptions.token === undefined;
    }
    await session.settle();
    call.settled();
  }
}

async function succeed(work: ClaimWork, { to, units }: Part, payload: readonly Attribute[]): Promise<void> {
  const { deps, session, username } = work;
  const { holds, names, profile, subs } = deps;
  for (const { name } of units) session.applied(name);
  await names.changed(aliasesChanged(payload, to));
  if (to.view) to.view.contacts = contactsAfter(profile, to.view.contacts, payload);
  work.answered = true;
  // A call with the user's own token says nothing of this process or of the pool's service.
  if (units[0]?.callOptions.token === undefined) {
    holds.succeeded();
    subs.wentThrough(username, to.called);
  }
  if (units.some(({ name }) => isContact(name))) await holds.lift("contacts");
}

/** Concludes what a refused call says about its units and others, and puts before the other parts what is sent again. */
async function fail(work: ClaimWork, part: Part, { failure, message }: Refusal, parts: Part[]): Promise<void> {
  const { to, units, splitBy } = part;
  if (failure.kind === "user-not-found" && failure.outcome === "bury" && (await goesByUsername(work, to))) {
    parts.unshift(part);
    return;
  }
  const whom = to.person.account ?? { username: work.username };
  if (failure.kind === "user-not-found") work.deps.seen.forget(whom);
  const names = units.map(({ name }) => name);
  const sent = payloadOf(units).map(({ Name }) => Name);
  const judgement = judgeRefusal(failure, message, { names, sent, ...(splitBy ? { splitBy } : {}) });
  const named = (list: readonly string[]): ClaimedUnit[] => units.filter(({ name }) => list.includes(name));
  switch (judgement.is) {
    case "put-off":
      work.settleFailure(units, failure);
      return work.session.defer(work.session.open(), LATER_MS);
    case "alike": {
      const isGone = failure.kind === "user-not-found" && to.person.account !== undefined;
      return work.settleFailure(unitsAlike(work, part, failure), isGone ? { ...failure, reason: GONE } : failure);
    }
    case "together": {
      const others = parts.filter((other) => other.splitBy === splitBy);
      return work.settleFailure(
        [part, ...others].flatMap((each) => each.units),
        judgement.failure,
      );
    }
    case "halved":
      return void parts.unshift(...judgement.parts.map((half) => ({ to, units: named(half), splitBy: failure })));
    case "at-fault": {
      const atFault = named(judgement.names);
      if (failure.kind === "alias-exists") await findOwners(work, atFault);
      work.settleFailure(atFault, failure);
      if (judgement.rest.length > 0) parts.unshift({ to, units: named(judgement.rest) });
    }
  }
}

/** The units that are refused with those of a part, for the person's sake or for what goes beside the values. */
function unitsAlike(work: ClaimWork, { to, units }: Part, { kind }: Failure): ClaimedUnit[] {
  const refused = units[0]?.callOptions ?? {};
  const byLambda = kind === "refused-by-lambda";
  return work
    .open()
    .filter(({ recipient, callOptions }) => recipient === to && sharesFate(refused, callOptions, byLambda));
}

/** Nobody has the sub that was called: true where that is so because the pool's service takes none. */
async function goesByUsername({ deps, username, seeker }: ClaimWork, to: Recipient): Promise<boolean> {
  const { account } = to.person;
  if (account === undefined || to.called !== account.sub) return false;
  const isInVain = await withinLease(seeker.leaseLeftMs(), seeker.signal, (ending) =>
    deps.subs.isInVain(username, account.sub, ending),
  );
  if (isInVain) to.called = username;
  return isInVain;
}

/** Looks up who has what Cognito refused, for the letter. */
async function findOwners({ aliases }: ClaimWork, units: readonly ClaimedUnit[]): Promise<void> {
  for (const unit of units) {
    const { name, attributes } = unit;
    const value = attributes.find(({ Name }) => Name === name)?.Value ?? "";
    if (!isAliasAttribute(name) || value === "") continue;
    const owner = await aliases.ownerOf({ attribute: name, value });
    if (owner !== undefined) unit.owner = owner;
  }
}
