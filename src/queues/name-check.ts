/**
 * Asks once more whose a name is, before the call that was put for it: by the question that found the account, because
 * in an alias pool the former owner of an address keeps it, unverified.
 */
import type { QuotaGovernor } from "../cognito/quota-governor.ts";
import type { UserDirectory } from "../cognito/user-directory.ts";
import { canonicalAlias, isAliasAttribute } from "../core/alias-claims.ts";
import type { ListedUser } from "../core/comparison.ts";
import type { Failure } from "../core/failure.ts";
import { isFresh, type Person } from "../core/person.ts";
import type { PoolProfile } from "../core/pool-schema.ts";
import type { Keyring } from "../store/keyring.ts";
import type { Store } from "../store/store.ts";
import { lookWithinLease, type Seeker } from "./lease-look.ts";

export interface NameMeans {
  readonly store: Pick<Store, "reservations">;
  readonly keyring: Pick<Keyring, "linkDigest">;
  readonly profile: PoolProfile;
  readonly directory: Pick<UserDirectory, "readUser" | "resolve">;
  readonly lists: QuotaGovernor;
}

export type NameAnswer =
  /** The account has it, or nobody has. `user`: what the pool has of the account, where that was just asked. */
  | { readonly is: "theirs"; readonly user?: ListedUser }
  /** Somebody else has it, or several have. */
  | { readonly is: "passed-on" }
  /** Somebody else is about to get it. */
  | { readonly is: "wait"; readonly inMs: number }
  | { readonly is: "unknown"; readonly failure: Failure };

/** `nowMs`: by the store's clock. `user`: the key of the user whose claim it is. */
export async function checkName(
  { store, keyring, profile, directory, lists }: NameMeans,
  seeker: Seeker & { readonly user: string },
  { account, name }: Person,
  nowMs: number,
): Promise<NameAnswer> {
  if (account === undefined || name === undefined) return { is: "theirs" };
  const { attribute, value, askedAt } = name;
  const isRecent = isFresh(askedAt, nowMs);
  const ignoresCase = !profile.caseSensitive;
  if (!isAliasAttribute(attribute)) {
    // What cannot be written does not pass on.
    if (isRecent || profile.attributes[attribute]?.mutable === false) return { is: "theirs" };
    const read = await lookWithinLease(lists, seeker, (signal) =>
      directory.readUser(profile.id, { sub: account.sub }, { signal, ignoresCase }),
    );
    if (!read.ok) return { is: "unknown", failure: read.failure };
    const { user } = read;
    // Of whom the list does not show, the call is the authority.
    if (user === undefined) return { is: "theirs" };
    return user.attributes.get(attribute) === value ? { is: "theirs", user } : { is: "passed-on" };
  }
  const digest = keyring.linkDigest(profile.id, attribute, canonicalAlias(profile, { attribute, value }));
  const reserved = await store.reservations.holder(profile.id, digest);
  if (reserved !== undefined && reserved.holder !== seeker.user) return { is: "wait", inMs: reserved.endsInMs };
  if (isRecent) return { is: "theirs" };
  const said = await lookWithinLease(lists, seeker, (signal) =>
    directory.resolve(profile.id, attribute, value, { signal, ignoresCase }),
  );
  if (!said.ok) return { is: "unknown", failure: said.failure };
  switch (said.is) {
    case "one":
      return said.user.sub === account.sub ? { is: "theirs", user: said.user } : { is: "passed-on" };
    case "none":
      return { is: "theirs" };
    case "many":
      return { is: "passed-on" };
  }
}
