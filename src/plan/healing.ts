/**
 * Looks at dead letters again while the pool is scanned: a letter of a user who was missing may be sent once the user
 * exists, and a letter whose alias had another owner once the alias is free.
 */
import type { UserName } from "../cognito/pool-scan.ts";
import { canonicalAlias, isAliasAttribute, type Alias, type AliasAttribute } from "../core/alias-claims.ts";
import type { ListedUser } from "../core/comparison.ts";
import { isLostPerson } from "../core/failure.ts";
import { CLOCKS_APART_MS } from "../core/mailbox.ts";
import type { Letter } from "../core/letter.ts";
import { isAskable } from "../core/pool-reading.ts";
import { canonicalUsername, type PoolProfile } from "../core/pool-schema.ts";
import { flagOf } from "../core/unit.ts";
import { personOf, valueOf, type Keyring } from "../store/keyring.ts";
import { openLetter } from "../store/sealed-unit.ts";

/** The kinds of letters whose cause may go away without anybody fixing the value. */
export const HEALING_KINDS = ["alias-exists", "user-not-found"] as const;

/** More letters are not held in memory: those beyond are looked at by a later scan, when these are gone. */
const MOST_LETTERS = 50_000;

export interface Healing {
  /** Calls that show whose cause is gone where not everybody is met; undefined where only a scan shows that. */
  readonly looks: number | undefined;
  /** What is asked for that. */
  names(): Iterable<readonly UserName[]>;
  meet(user: ListedUser): void;
  /** The scan begins again. */
  forget(): void;
  /** Ids of the letters whose cause is gone, as far as the scan has come. */
  healable(): readonly string[];
}

interface AutoReplayCandidate {
  readonly id: string;
  /** Canonical. */
  readonly username: string;
  /** Of the account that it is for; absent where it is for the user who has the username at the call. */
  readonly sub?: string | undefined;
  /** Epoch ms. The user that it was refused for was created before that. */
  readonly existedAt?: number | undefined;
  /** Of a letter that an owner was in the way of. */
  alias?: Alias;
  observedInPool: boolean;
  isOwned: boolean;
}

/**
 * `letters` are of one pool, of the healing kinds. A letter about a flag alone has no value to look for, and is left
 * out.
 */
export async function openHealing(
  profile: PoolProfile,
  keyring: Pick<Keyring, "open" | "userKey">,
  letters: AsyncIterable<Letter>,
): Promise<Healing> {
  const candidates: AutoReplayCandidate[] = [];
  const byUser = new Map<string, AutoReplayCandidate[]>();
  const byAlias = new Map<string, AutoReplayCandidate[]>();
  const attributes = new Set<AliasAttribute>();
  const aliasOf = (attribute: AliasAttribute, value: string): string =>
    JSON.stringify([attribute, canonicalAlias(profile, { attribute, value })]);

  for await (const letter of letters) {
    const { id, kind, reason, unit, buriedAt } = letter;
    if (candidates.length >= MOST_LETTERS) break;
    // A person has to say which user is meant by now.
    if (isLostPerson(reason)) continue;
    const opened = openLetter(keyring, letter);
    // Nobody can replay it either.
    if (opened === undefined) continue;
    const { username, body } = opened;
    const candidate: AutoReplayCandidate = {
      id,
      username: canonicalUsername(profile, username),
      sub: personOf(body).account?.sub,
      existedAt: kind === "alias-exists" ? buriedAt : undefined,
      observedInPool: false,
      isOwned: false,
    };
    if (kind === "alias-exists") {
      const value = valueOf(body);
      if (!isAliasAttribute(unit) || value.kind !== "text") continue;
      attributes.add(unit);
      candidate.alias = { attribute: unit, value: value.text };
      enter(byAlias, aliasOf(unit, value.text), candidate);
    }
    candidates.push(candidate);
    enter(byUser, candidate.username, candidate);
  }

  const questions: readonly UserName[] = candidates.flatMap(({ username, sub, alias }) => [
    sub === undefined ? { attribute: "username", value: username } : { attribute: "sub", value: sub },
    ...(alias ? [alias] : []),
  ]);

  /** Addresses and numbers that people sign in with beside a username are theirs only once they are verified. */
  function owns({ attributes: has }: ListedUser, attribute: AliasAttribute): boolean {
    const flag = flagOf(attribute);
    return flag === undefined || profile.usernameAttributes.includes(attribute) || has.get(flag) === "true";
  }

  /** A user that was deleted and made anew is another user. */
  function isFor({ username, sub, existedAt = Infinity }: AutoReplayCandidate, user: ListedUser): boolean {
    if (sub !== undefined) return sub === user.sub;
    if (user.createdAt > existedAt + CLOCKS_APART_MS) return false;
    return username === canonicalUsername(profile, user.username) || username === user.sub;
  }

  return {
    looks: questions.every(({ attribute, value }) => isAskable(attribute, value)) ? questions.length : undefined,
    *names() {
      for (const question of questions) yield [question];
    },
    meet(user) {
      const username = canonicalUsername(profile, user.username);
      for (const name of new Set([username, user.sub])) {
        for (const candidate of byUser.get(name) ?? []) candidate.observedInPool ||= isFor(candidate, user);
      }
      for (const attribute of attributes) {
        const value = user.attributes.get(attribute) ?? "";
        if (value === "" || !owns(user, attribute)) continue;
        for (const candidate of byAlias.get(aliasOf(attribute, value)) ?? []) {
          if (!isFor(candidate, user)) candidate.isOwned = true;
        }
      }
    },
    forget() {
      for (const candidate of candidates) [candidate.observedInPool, candidate.isOwned] = [false, false];
    },
    healable: () => candidates.filter(({ observedInPool, isOwned }) => observedInPool && !isOwned).map(({ id }) => id),
  };
}

function enter(map: Map<string, AutoReplayCandidate[]>, key: string, candidate: AutoReplayCandidate): void {
  const known = map.get(key);
  if (known) known.push(candidate);
  else map.set(key, [candidate]);
}
