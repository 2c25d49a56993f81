/** What the next delivery of one user would send, as far as it can be told from what waits and what the pool lists. */
import { hasEnded } from "../../core/access-token.ts";
import { aliasTaken, canonicalAlias, isAliasAttribute, type Alias } from "../../core/alias-claims.ts";
import { compareAsked, compareUnit, contactsIn, type ListedUser } from "../../core/comparison.ts";
import type { Attribute } from "../../core/contact.ts";
import type { LostPerson } from "../../core/failure.ts";
import type { CallOptions } from "../../core/call-options.ts";
import type { SendUnless } from "../../core/mailbox.ts";
import { inCalls, planUnit } from "../../core/payload.ts";
import type { Person } from "../../core/person.ts";
import { checkUnit, type PoolProfile } from "../../core/pool-schema.ts";
import { mask, shownValue } from "../../core/masking.ts";
import { isPlain, type Unit } from "../../core/unit.ts";

export interface NextCall {
  readonly operation: "AdminUpdateUserAttributes" | "UpdateUserAttributes";
  /** Masked; blank for what is deleted. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Masked. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** One unit that waits. */
export interface Waiting {
  readonly unit: Unit;
  /** Whom it was put for. */
  readonly person: Person;
  readonly callOptions: CallOptions;
  readonly version: string;
  readonly sendUnless: SendUnless | undefined;
  /** The ledger has this very value as the last that was written. */
  readonly isLast: boolean;
  /** The ledger is taken for the pool: poolsync wrote it within the hour. */
  readonly isBelieved: boolean;
}

export interface Prospect {
  readonly profile: PoolProfile;
  /** Undefined where the pool does not list the user. */
  readonly listed: ListedUser | undefined;
  /** True where somebody else is known to have it, in whatever spelling the pool takes for the same. */
  readonly isAnothers: (alias: Alias) => boolean;
  readonly nowMs: number;
}

/**
 * What would become of a unit: `set`, `change`, `clear`, `rewrite`, `unchanged`, `awaiting`, or why it would be a letter.
 */
export function wouldBe({ profile, listed, isAnothers, nowMs }: Prospect, waiting: Waiting): string {
  const { unit, person, callOptions, sendUnless, isLast, isBelieved } = waiting;
  if (callOptions.token !== undefined && hasEnded(callOptions.token, nowMs)) return "letter (token-expired)";
  const wrong = checkUnit(profile, unit);
  if (wrong) return `letter (${wrong.reason})`;
  const lost = listed && lostPerson(profile, person, listed);
  if (lost) return `letter (${lost})`;
  const taken = aliasTaken(profile, attributesOf(profile, unit, listed) ?? [], contactsIn(listed));
  if (taken && isAnothers(taken)) return "letter (alias-exists)";
  if (sendUnless === "written" && isBelieved) return "unchanged";
  if (listed === undefined) return "unknown (not listed)";
  const looks = sendUnless === "there" || !isPlain(unit.name);
  const comparison =
    sendUnless === undefined || !looks
      ? compareAsked(profile, unit, listed)
      : compareUnit(profile, unit, listed, isLast);
  return comparison.is === "invalid" ? `letter (${comparison.reason})` : comparison.is;
}

/** Why the user whom the pool lists is not, or not any more, whom a change was put for. */
function lostPerson(profile: PoolProfile, { account, name }: Person, listed: ListedUser): LostPerson | undefined {
  if (account !== undefined && account.sub !== listed.sub) return "account-gone";
  if (name === undefined) return undefined;
  const { attribute, value } = name;
  const has = listed.attributes.get(attribute) ?? "";
  const isSame = isAliasAttribute(attribute)
    ? canonicalAlias(profile, { attribute, value }) === canonicalAlias(profile, { attribute, value: has })
    : has === value;
  return isSame ? undefined : "no-longer-theirs";
}

/** The calls in their order. */
export function nextCalls(prospect: Prospect, waiting: readonly Waiting[]): NextCall[] {
  const { profile, listed } = prospect;
  const byName = new Map(waiting.map((entry) => [entry.unit.name, entry]));
  const stays = (would: string): boolean => would.startsWith("letter") || would === "unchanged" || would === "awaiting";
  const goes = waiting.filter((entry) => !stays(wouldBe(prospect, entry)));
  const calls = inCalls(
    goes.map(({ unit }) => unit.name),
    (name) => byName.get(name)?.callOptions ?? {},
    (name) => byName.get(name)?.version ?? "",
  );
  return calls.flatMap(({ callOptions, names: sent }) => {
    const attributes = sent.flatMap((name) => {
      const unit = byName.get(name)?.unit;
      return (unit && attributesOf(profile, unit, listed)) ?? [];
    });
    return attributes.length === 0 ? [] : [callOf(callOptions, attributes)];
  });
}

function callOf({ clientMetadata, token }: CallOptions, attributes: readonly Attribute[]): NextCall {
  const masked = (text: string, name: string): string => (text === "" ? "" : shownValue(name, text));
  const metadata = Object.entries(clientMetadata ?? {}).map(([name, text]) => [name, mask(text)] as const);
  return {
    operation: token === undefined ? "AdminUpdateUserAttributes" : "UpdateUserAttributes",
    attributes: Object.fromEntries(attributes.map(({ Name, Value }) => [Name, masked(Value, Name)])),
    ...(metadata.length === 0 ? {} : { metadata: Object.fromEntries(metadata) }),
  };
}

/** Undefined where nothing is sent for it. */
function attributesOf(
  profile: PoolProfile,
  unit: Unit,
  listed: ListedUser | undefined,
): readonly Attribute[] | undefined {
  const plan = planUnit(profile, unit, contactsIn(listed));
  return plan.do === "send" ? plan.attributes : undefined;
}
