/**
 * Checks once more, before the call, that a unit still reaches its person. It asks whether the name that the change was
 * put for still leads to the account, by the question that found the account, because in an alias pool the former owner
 * of an address keeps it, unverified. And it asks whether a provider's user is still the account that was found,
 * because Cognito takes no sub for such a user.
 */
import { accountOf } from "../cognito/listed-user.ts";
import type { QuotaGovernor } from "../cognito/quota-governor.ts";
import type { UserDirectory } from "../cognito/user-directory.ts";
import { canonicalAlias, isAliasAttribute, type Alias } from "../core/alias-claims.ts";
import type { ListedUser } from "../core/comparison.ts";
import type { Failure, LostPerson } from "../core/failure.ts";
import { isOfFormer } from "../core/mailbox.ts";
import { isFresh, type Account, type Person, type PersonName } from "../core/person.ts";
import type { PoolProfile } from "../core/pool-schema.ts";
import { ordinalOf } from "../core/version.ts";
import type { Keyring } from "../store/keyring.ts";
import type { Store } from "../store/store.ts";
import { isNameDoubted, seenLately } from "./lately.ts";
import { lookWithinLease, type Seeker } from "./lease-look.ts";
import type { SeenUsers } from "./seen-users.ts";

export interface PersonDeps {
  readonly store: Pick<Store, "mailboxes" | "reservations">;
  readonly keyring: Pick<Keyring, "accountMark" | "linkDigest">;
  readonly profile: PoolProfile;
  readonly directory: Pick<UserDirectory, "readUser" | "resolve">;
  readonly lists: QuotaGovernor;
  readonly seen: SeenUsers;
}

/** The user whose claim the check is made for. */
export interface ClaimSeeker extends Seeker {
  /** The user's key. */
  readonly user: string;
}

export type PersonAnswer =
  | ConcludedAnswer
  /** The account does not have the name any more, and nobody has. `by`: ordinals of poolsync's own changes of it. */
  | { readonly is: "given-up"; readonly user: ListedUser; readonly by: readonly string[] };

type ConcludedAnswer =
  /** The account is the one, or the list does not show it. `user`: what the pool has of it; `lately`: as it was seen within the minute. */
  | { readonly is: "theirs"; readonly user?: ListedUser; readonly lately?: boolean }
  | { readonly is: "lost"; readonly reason: LostPerson }
  /** Somebody else is about to get the name. */
  | { readonly is: "wait"; readonly inMs: number }
  | { readonly is: "unknown"; readonly failure: Failure };

const PASSED_ON = { is: "lost", reason: "no-longer-theirs" } as const;

/** `nowMs`: by the store's clock. `called`: the `Username` of the call that is to be made. */
export async function checkPerson(
  deps: PersonDeps,
  seeker: ClaimSeeker,
  { account, name }: Person,
  { nowMs, called }: { readonly nowMs: number; readonly called: string },
): Promise<PersonAnswer> {
  if (account === undefined) return { is: "theirs" };
  const answer: PersonAnswer =
    name === undefined ? { is: "theirs" } : await checkName(deps, seeker, account, name, nowMs);
  const isKnown = answer.is !== "theirs" || (answer.user !== undefined && answer.lately !== true);
  return isKnown || called === account.sub ? answer : checkAccount(deps, seeker, account, nowMs);
}

async function checkName(
  deps: PersonDeps,
  seeker: ClaimSeeker,
  account: Account,
  { attribute, value, askedAt }: PersonName,
  nowMs: number,
): Promise<PersonAnswer> {
  const { profile } = deps;
  const isRecent = isFresh(askedAt, nowMs);
  if (isAliasAttribute(attribute)) {
    const alias = { attribute, value };
    const mayBelieve =
      isRecent && !(await isNameDoubted(deps.store, seeker.user, { attribute, askedAt }, { claims: false }));
    return checkAlias(deps, seeker, account, alias, { isRecent: mayBelieve, nowMs });
  }
  // A value that cannot be written never passes to another user.
  if (isRecent || profile.attributes[attribute]?.mutable === false) return { is: "theirs" };
  const read = await lookAtPerson(deps, seeker, account, nowMs);
  if (!read.ok) return { is: "unknown", failure: read.failure };
  const { user, lately } = read;
  // Where the list does not show the user, the call decides.
  if (user === undefined) return { is: "theirs" };
  return user.attributes.get(attribute) === value ? { is: "theirs", user, lately } : PASSED_ON;
}

async function checkAlias(
  deps: PersonDeps,
  seeker: ClaimSeeker,
  account: Account,
  alias: Alias,
  { isRecent, nowMs }: { readonly isRecent: boolean; readonly nowMs: number },
): Promise<PersonAnswer> {
  const { store, keyring, profile, directory, lists, seen } = deps;
  const digest = keyring.linkDigest(profile.id, alias.attribute, canonicalAlias(profile, alias));
  const reserved = await store.reservations.holder(profile.id, digest);
  if (reserved !== undefined && reserved.holder !== seeker.user) return { is: "wait", inMs: reserved.endsInMs };
  if (isRecent) return { is: "theirs" };
  const ignoresCase = !profile.caseSensitive;
  const response = await lookWithinLease(lists, seeker, (signal) =>
    directory.resolve(profile.id, alias.attribute, alias.value, { signal, ignoresCase }),
  );
  if (!response.ok) return { is: "unknown", failure: response.failure };
  switch (response.is) {
    case "one":
      seen.keep({ user: response.user, lookedAt: nowMs }, alias);
      return response.user.sub === account.sub ? { is: "theirs", user: response.user } : PASSED_ON;
    case "many":
      return PASSED_ON;
    case "none": {
      // It was given up, or the account was deleted: then the call will say so.
      const read = await readAnew(deps, seeker, account);
      if (!read.ok) return { is: "unknown", failure: read.failure };
      const { user } = read;
      if (user === undefined) return { is: "theirs" };
      return { is: "given-up", user, by: await changesOf(deps, seeker.user, alias.attribute) };
    }
  }
}

/**
 * Checks the account of a user that the call names by username: a provider's user, or any user where the service takes
 * no sub. A deleted user may exist again under that username, as another account, so what was seen before says nothing.
 */
async function checkAccount(
  deps: PersonDeps,
  seeker: ClaimSeeker,
  account: Account,
  nowMs: number,
): Promise<PersonAnswer> {
  const read = await lookAnew(deps, seeker, account, nowMs);
  if (!read.ok) return { is: "unknown", failure: read.failure };
  // The list has shown the account before: where it no longer does, the account is gone.
  return read.user === undefined ? { is: "lost", reason: "account-gone" } : { is: "theirs", user: read.user };
}

/** Ordinals of the changes that poolsync knows of a unit: under way, waiting, and written last. */
async function changesOf({ store }: PersonDeps, user: string, unit: string): Promise<readonly string[]> {
  const { mailbox, ledger } = await store.mailboxes.read(user);
  const known = [mailbox?.claim?.units[unit], mailbox?.pending[unit], ledger[unit]];
  return known.flatMap((one) => (one === undefined ? [] : [ordinalOf(one.version)]));
}

/** The answer for one unit: the very change that named its person may be what gave them another name. */
export function answerFor(answer: PersonAnswer, { version }: { readonly version: string }): ConcludedAnswer {
  if (answer.is !== "given-up") return answer;
  return answer.by.includes(ordinalOf(version)) ? { is: "theirs", user: answer.user } : PASSED_ON;
}

type Whom = { readonly sub: string } | { readonly username: string };

/** What the list shows of a user, and whether that was looked at a moment ago and no call was made. */
export async function lookAtPerson(deps: PersonDeps, seeker: ClaimSeeker, whom: Whom, nowMs: number) {
  const user = await seenLately(deps, seeker.user, whom, nowMs);
  return user === undefined ? lookAnew(deps, seeker, whom, nowMs) : ({ ok: true, user, lately: true } as const);
}

/** What the list shows of a user now, whatever was seen within the minute. */
export async function lookAnew(deps: PersonDeps, seeker: ClaimSeeker, whom: Whom, nowMs: number) {
  const read = await readAnew(deps, seeker, whom);
  if (!read.ok) return read;
  if (read.user === undefined) deps.seen.forget(whom);
  else deps.seen.keep({ user: read.user, lookedAt: nowMs });
  return { ...read, lately: false };
}

function readAnew({ profile, directory, lists }: PersonDeps, seeker: ClaimSeeker, whom: Whom) {
  const asked = "sub" in whom ? { sub: whom.sub } : whom;
  const ignoresCase = !profile.caseSensitive;
  return lookWithinLease(lists, seeker, (signal) => directory.readUser(profile.id, asked, { signal, ignoresCase }));
}

/** True where what was sent last of a unit was sent to an account that had the username before. */
export async function isFormers(
  { store, keyring, profile }: Pick<PersonDeps, "store" | "keyring" | "profile">,
  user: string,
  unit: string,
  listed: ListedUser,
): Promise<boolean> {
  const entry = (await store.mailboxes.read(user)).ledger[unit];
  return entry !== undefined && isOfFormer(entry, keyring.accountMark(profile.id, accountOf(listed)));
}
