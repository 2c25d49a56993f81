/** What this process saw of a user within the last minute, where nothing says that it may be otherwise by now. */
import { canonicalAlias, isAliasAttribute } from "../core/alias-claims.ts";
import type { ListedUser } from "../core/comparison.ts";
import type { PersonName } from "../core/person.ts";
import type { PoolProfile } from "../core/pool-schema.ts";
import { flagOf } from "../core/unit.ts";
import type { Keyring } from "../store/keyring.ts";
import type { Store } from "../store/store.ts";
import type { Seen, SeenUsers } from "./seen-users.ts";

export interface LatelyDeps {
  readonly store: Pick<Store, "mailboxes" | "reservations">;
  readonly keyring: Pick<Keyring, "linkDigest">;
  readonly profile: PoolProfile;
  readonly seen: SeenUsers;
}

/**
 * Undefined where the pool is to be asked: nobody looked within the minute, the store knows of a call of whatever
 * process that may have changed the user since or may yet, or somebody is about to take a name of theirs. `user`: the
 * key of the user.
 */
export async function seenLately(
  deps: LatelyDeps,
  user: string,
  whom: { readonly sub: string } | { readonly username: string },
  nowMs: number,
): Promise<ListedUser | undefined> {
  const seen = deps.seen.of(whom, nowMs);
  if (seen === undefined || (await wroteSince(deps, user, seen)) || (await isWanted(deps, user, seen)))
    return undefined;
  return seen.user;
}

async function wroteSince({ store }: LatelyDeps, user: string, { lookedAt }: Seen): Promise<boolean> {
  const { ledger, mailbox } = await store.mailboxes.read(user);
  if (Object.values(ledger).some(({ at = 0 }) => at >= lookedAt)) return true;
  const { abandonedCalls = {}, unresolvedCalls = {} } = mailbox ?? {};
  return Object.keys(abandonedCalls).length + Object.keys(unresolvedCalls).length > 0;
}

/**
 * True where a call of any process may have given or taken the name since it was asked whose it is, or may yet: the value
 * was written, or its flag. A claim in whose hand they are counts with `claims`; who holds the claim counts none.
 */
export async function isNameDoubted(
  store: Pick<Store, "mailboxes">,
  user: string,
  { attribute, askedAt }: Pick<PersonName, "attribute" | "askedAt">,
  { claims }: { readonly claims: boolean },
): Promise<boolean> {
  const { ledger, mailbox } = await store.mailboxes.read(user);
  return [attribute, flagOf(attribute) ?? attribute].some(
    (unit) =>
      (ledger[unit]?.at ?? 0) >= askedAt ||
      mailbox?.abandonedCalls[unit] !== undefined ||
      mailbox?.unresolvedCalls[unit] !== undefined ||
      (claims && mailbox?.claim?.units[unit] !== undefined),
  );
}

/** In an alias pool a value moves away from whoever has it. */
async function isWanted({ store, keyring, profile }: LatelyDeps, user: string, seen: Seen): Promise<boolean> {
  for (const attribute of profile.aliasAttributes) {
    const value = seen.user.attributes.get(attribute) ?? "";
    if (!isAliasAttribute(attribute) || value === "") continue;
    const digest = keyring.linkDigest(profile.id, attribute, canonicalAlias(profile, { attribute, value }));
    const reserved = await store.reservations.holder(profile.id, digest);
    if (reserved !== undefined && reserved.holder !== user) return true;
  }
  return false;
}
