/**
 * What is to be sent of a claim: asks once more whom units are for, looks at what is there where that decides, and keeps
 * back what would take an alias from somebody. A unit for which no call is needed is concluded here.
 */
import { accountOf } from "../cognito/listed-user.ts";
import { mayAwait } from "../core/comparison.ts";
import { planUnit } from "../core/payload.ts";
import { isContact, isPlain } from "../core/unit.ts";
import type { ClaimedUnit, ClaimWork } from "./claim-work.ts";
import { answerFor, checkPerson, isFormers, lookAtPerson, type PersonAnswer } from "./person-check.ts";
import type { Recipient } from "./recipients.ts";

/** A hold is looked at again after this: a probe of somebody else's may have lifted it long before the next is due. */
const ON_HOLD_LOOK_MS = 60_000;
/** An alias that another wants is looked at again after this: it is given back at once where neither may have it. */
const RESERVED_LOOK_MS = 5_000;

/** Prepares all units but the flags, which are planned when everything else was sent. Throws SlotTooLate. */
export async function prepareClaim(work: ClaimWork): Promise<void> {
  await checkPeople(work);
  if (work.hold) return;
  await deferContacts(work);
  const contacts = work.open().filter(({ name }) => !isPlain(name));
  const looked = work.open().filter(({ name, claimed }) => isPlain(name) && claimed.sendUnless === "there");
  const toLook = [...contacts, ...looked];
  for (const recipient of new Set(toLook.map((unit) => unit.recipient))) {
    await look(
      work,
      recipient,
      toLook.filter((unit) => unit.recipient === recipient),
    );
  }
}

/** Asks again whom units are for that were put for an account. */
async function checkPeople(work: ClaimWork): Promise<void> {
  const { deps, claim, session, seeker, recipients } = work;
  const nowMs = claim.answer.leaseUntil - deps.leaseMs;
  const asked = new Map<string, PersonAnswer>();
  const units = work.open().filter(({ callOptions }) => callOptions.token === undefined);
  // Of those who were named alike, who was asked for first says whether it is asked again.
  const since = ({ person }: ClaimedUnit): number => person.name?.askedAt ?? 0;
  for (const unit of units.toSorted((a, b) => since(a) - since(b))) {
    const { name, claimed, person, recipient } = unit;
    const key = JSON.stringify([person.account?.sub, person.name?.attribute, person.name?.value]);
    const found = asked.get(key) ?? (await checkPerson(deps, seeker, person, { nowMs, called: recipient.called }));
    asked.set(key, found);
    const answer = answerFor(found, claimed);
    if (answer.is === "theirs" && answer.user !== undefined) recipients.seen(recipient, answer.user);
    else if (answer.is === "lost") session.bury(name, "user-not-found", answer.reason);
    else if (answer.is === "wait") session.defer([name], Math.min(answer.inMs, RESERVED_LOOK_MS));
    else if (answer.is === "unknown") work.readFailed([unit], answer.failure);
  }
}

/** Addresses, numbers and flags wait where the pool has them on hold. */
async function deferContacts({ deps, session, open }: ClaimWork): Promise<void> {
  const contacts = open().filter(({ name }) => !isPlain(name));
  if (contacts.length === 0) return;
  const hold = await deps.holds.ask("contacts");
  if (hold.is !== "held") return;
  session.defer(
    contacts.map(({ name }) => name),
    Math.min(hold.retryInMs, ON_HOLD_LOOK_MS),
  );
}

/**
 * E-mail and phone are compared with what is there, because writing them may message or lock out the person, and
 * other values where what is there already is not to be sent. Flags are compared when everything else was sent.
 */
async function look(work: ClaimWork, recipient: Recipient, units: readonly ClaimedUnit[]): Promise<void> {
  const { deps, claim, username, session, seeker, recipients } = work;
  if (recipient.view === undefined) {
    const { account } = recipient.person;
    const whom = account === undefined ? { username } : { sub: account.sub };
    const read = await lookAtPerson(deps, seeker, whom, claim.answer.leaseUntil - deps.leaseMs);
    if (!read.ok) return work.readFailed(units, read.failure);
    work.answered ||= !read.lately;
    if (read.user !== undefined) recipients.seen(recipient, read.user);
  }
  const listed = recipient.view?.listed;
  for (const unit of units) {
    const { name, attributes } = unit;
    if (isContact(name)) {
      const isLast = listed !== undefined && claim.answer.sent?.includes(name) === true;
      planContactUnit(work, unit, isLast && (await isFormers(deps, claim.user, name, listed)));
    } else if (isPlain(name)) {
      // The list is eventually consistent: where it does not show the user, the write is the authority.
      if (listed && attributes.every(({ Name, Value }) => (listed.attributes.get(Name) ?? "") === Value)) {
        session.unchanged(name, { account: markOf(work, unit) });
      }
    }
  }
}

/** Says what is sent for an address, number or flag, given what is there now, or concludes it. */
export function planContactUnit(work: ClaimWork, unit: ClaimedUnit, wasAnothers = false): void {
  const { deps, claim, session } = work;
  const { profile } = deps;
  const { name, value, claimed, recipient } = unit;
  // Who asks for another spelling of an address gets it, though the pool takes both for the same.
  const isAsked = claimed.sendUnless === undefined;
  const caseSensitive = isAsked || profile.caseSensitive;
  const plan = planUnit({ caseSensitive }, unit, recipient.view?.contacts);
  const awaits = !wasAnothers && claim.answer.sent?.includes(name) === true && mayAwait(profile, { name, value });
  if (plan.do === "unchanged") session.unchanged(name, { account: markOf(work, unit) });
  else if (plan.do === "send" && awaits) session.unchanged(name, { awaiting: true, account: markOf(work, unit) });
  else if (plan.do === "bury") session.bury(name, plan.kind, plan.reason);
  else unit.attributes = plan.attributes;
}

/** The mark of the account that was looked at for a unit. */
function markOf({ deps }: ClaimWork, { recipient: { view } }: ClaimedUnit): string | undefined {
  return view && deps.keyring.accountMark(deps.profile.id, accountOf(view.listed));
}

/** Keeps back what would take an alias from somebody. */
export async function guardAliases(work: ClaimWork, units: readonly ClaimedUnit[]): Promise<void> {
  const { session, aliases } = work;
  for (const unit of units) {
    const { name, attributes, recipient } = unit;
    const answer = await aliases.ask(name, attributes, recipient.view?.contacts);
    if (answer.is === "wait") session.defer([name], Math.min(answer.inMs, RESERVED_LOOK_MS));
    else if (answer.is === "owned") session.bury(name, "alias-exists", "alias-exists", { owner: answer.owner });
    else if (answer.is === "unknown") work.readFailed([unit], answer.failure);
  }
}
