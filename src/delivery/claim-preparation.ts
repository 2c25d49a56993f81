/**
 * What is to be sent of a claim: asks once more whom units are for, looks at what is there where that decides, and keeps
 * back what would take an alias from somebody. A unit for which no call is needed is concluded here.
 */
import { accountOf } from "../cognito/listed-user.ts";
import { mayAwait } from "../core/comparison.ts";
import type { ContactPlan } from "../core/contact.ts";
import { planUnit } from "../core/payload.ts";
import { contactOf, isContact, isPlain } from "../core/unit.ts";
import type { ClaimedUnit, ClaimWork } from "./claim-work.ts";
import { answerFor, checkPerson, isFormers, lookAnew, lookAtPerson, type PersonAnswer } from "./person-check.ts";
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
    if (answer.is === "theirs" && answer.user !== undefined) recipients.seen(recipient, answer.user, answer.lately);
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
 * other values where what is there already is not to be sent. Flags are compared when everything else was sent. What
 * was seen within the minute serves as long as nothing that is sent is decided by it, and for rows of feeds.
 */
async function look(work: ClaimWork, recipient: Recipient, units: readonly ClaimedUnit[]): Promise<void> {
  const { claim, session } = work;
  if (recipient.view === undefined && !(await lookWith(work, recipient, units, lookAtPerson))) return;
  if (recipient.view?.lately === true) {
    const names = new Set(units.map(({ name }) => name));
    if (units.some((unit) => needsFreshLook(work, unit, names))) {
      if (!(await lookWith(work, recipient, units, lookAnew))) return;
    }
  }
  const listed = recipient.view?.listed;
  for (const unit of units.filter(work.isOpen)) {
    const { name, attributes } = unit;
    if (isContact(name)) {
      const isLast = listed !== undefined && claim.answer.sent?.includes(name) === true;
      planContactUnit(work, unit, isLast && (await isFormers(work.deps, claim.user, name, listed)));
    } else if (isPlain(name)) {
      // The list is eventually consistent: where it does not show the user, the write is the authority.
      if (listed && attributes.every(({ Name, Value }) => (listed.attributes.get(Name) ?? "") === Value)) {
        session.unchanged(name, { account: markOf(work, unit) });
      }
    }
  }
}

/** False where the pool could not be asked. */
async function lookWith(
  work: ClaimWork,
  recipient: Recipient,
  units: readonly ClaimedUnit[],
  ask: typeof lookAtPerson,
): Promise<boolean> {
  const { deps, claim, username, seeker, recipients } = work;
  const { account } = recipient.person;
  const whom = account === undefined ? { username } : { sub: account.sub };
  const read = await ask(deps, seeker, whom, claim.answer.leaseUntil - deps.leaseMs);
  if (!read.ok) {
    work.readFailed(units, read.failure);
    return false;
  }
  work.answered ||= !read.lately;
  if (read.user !== undefined) recipients.seen(recipient, read.user, read.lately);
  else recipients.gone(recipient);
  return true;
}

/**
 * True for an address, number or flag of which something is sent that a look decides: a flag alone, or one that is
 * kept. A feed's row may find within the minute that nothing is to be sent; who asks for one change is told that of a
 * look of now. `names`: of all units that are looked at.
 */
function needsFreshLook(work: ClaimWork, unit: ClaimedUnit, names: ReadonlySet<string>): boolean {
  const { name, value, claimed } = unit;
  if (isPlain(name)) return false;
  const isThere = planOf(work, unit).do === "unchanged";
  const isOfRow = claimed.sendUnless === "there";
  const contact = contactOf(name);
  // What an address leaves of its flag is not known beforehand.
  if (contact !== undefined) return !isOfRow || !isThere || names.has(contact);
  if (value.kind === "text" && value.verified === "keep") return !isOfRow || !isThere;
  // What was sent last, and awaits a confirmation, is not sent again.
  return !isOfRow && (isThere || work.claim.answer.sent?.includes(name) === true);
}

function planOf({ deps: { profile } }: ClaimWork, unit: ClaimedUnit): ContactPlan {
  const { claimed, recipient } = unit;
  // Who asks for another spelling of an address gets it, though the pool takes both for the same.
  const isAsked = claimed.sendUnless === undefined;
  return planUnit({ caseSensitive: isAsked || profile.caseSensitive }, unit, recipient.view?.contacts);
}

/** Says what is sent for an address, number or flag, given what is there now, or concludes it. */
export function planContactUnit(work: ClaimWork, unit: ClaimedUnit, wasAnothers = false): void {
  const { deps, claim, session } = work;
  const { name, value } = unit;
  const plan = planOf(work, unit);
  const awaits = !wasAnothers && claim.answer.sent?.includes(name) === true && mayAwait(deps.profile, { name, value });
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
