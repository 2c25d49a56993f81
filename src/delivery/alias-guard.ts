/**
 * Keeps one delivery from taking an alias away from somebody. Cognito moves a verified address or number of an alias
 * pool silently, and its former owner can no longer sign in with it. So before such a call its owner is looked up,
 * under a reservation: where two workers would give one address to two people, one of them waits until the list of
 * users shows its owner.
 */
import type { QuotaGovernor } from "../cognito/quota-governor.ts";
import type { UserDirectory } from "../cognito/user-directory.ts";
import { type Alias, aliasTaken, canonicalAlias } from "../core/alias-claims.ts";
import type { Attribute, Contacts } from "../core/contact.ts";
import type { Failure } from "../core/failure.ts";
import { canonicalUsername, type PoolProfile } from "../core/pool-schema.ts";
import type { Keyring } from "../store/keyring.ts";
import type { Store } from "../store/store.ts";
import { lookWithinLease, type Seeker } from "./lease-look.ts";

export interface AliasDeps {
  readonly store: Pick<Store, "reservations">;
  readonly keyring: Pick<Keyring, "linkDigest" | "userKey">;
  readonly profile: PoolProfile;
  readonly directory: Pick<UserDirectory, "owners">;
  readonly lists: QuotaGovernor;
  /** How long a reservation lives: as long as a claim. */
  readonly leaseMs: number;
}

/** The user who wants an alias. */
export interface AliasSeeker extends Seeker {
  readonly user: string;
  readonly username: string;
}

export type AliasAnswer =
  /** Nothing is taken from anybody. */
  | { readonly is: "free" }
  /** Somebody else is about to get it. */
  | { readonly is: "wait"; readonly inMs: number }
  /** `owner`: the key of the user who has it. */
  | { readonly is: "owned"; readonly owner: string }
  | { readonly is: "unknown"; readonly failure: Failure };

export interface AliasGuard {
  /** May these attributes of one unit be sent? Costs a call of UserList where they would give the user an alias. */
  ask(unit: string, sent: readonly Attribute[], contacts: Contacts | undefined): Promise<AliasAnswer>;
  /** Keeps what was reserved for these units until the end of the call. False where it is somebody else's by now. */
  keep(units: readonly string[], until: number): Promise<boolean>;
  /** The key of the user who has the value that Cognito refused because it is taken; undefined where none is found. */
  ownerOf(alias: Alias): Promise<string | undefined>;
}

export function openAliasGuard(deps: AliasDeps, seeker: AliasSeeker): AliasGuard {
  const { store, keyring, profile, directory, lists, leaseMs } = deps;
  const { user, username } = seeker;
  /** By unit. The end by performance.now(), from a look at the clock before it was asked for. */
  const reserved = new Map<string, { readonly digest: string; readonly endsAt: number }>();

  async function reserve(unit: string, digest: string): Promise<AliasAnswer> {
    const endsAt = performance.now() + leaseMs;
    const reservation = await store.reservations.take(profile.id, digest, user, leaseMs);
    if (reservation.is === "held") return { is: "wait", inMs: reservation.retryInMs };
    reserved.set(unit, { digest, endsAt });
    return { is: "free" };
  }

  /** Looks the owner up. A call of its own, paced like any other. */
  async function look(alias: Alias, verified: boolean): Promise<AliasAnswer> {
    const ignoresCase = !profile.caseSensitive;
    const response = await lookWithinLease(lists, seeker, (ending) =>
      directory.owners(profile.id, alias, { signal: ending, ignoresCase, verified }),
    );
    if (!response.ok) return { is: "unknown", failure: response.failure };
    const owner = response.owners.find(({ username: name, sub }) => !isSelf(name) && sub !== username);
    if (!owner) return { is: "free" };
    return { is: "owned", owner: keyring.userKey(profile.id, canonicalUsername(profile, owner.username)) };
  }

  function isSelf(name: string): boolean {
    return canonicalUsername(profile, name) === canonicalUsername(profile, username);
  }

  return {
    async ask(unit, sent, contacts) {
      const alias = aliasTaken(profile, sent, contacts);
      if (!alias) return { is: "free" };
      const digest = keyring.linkDigest(profile.id, alias.attribute, canonicalAlias(profile, alias));
      const asked = await reserve(unit, digest);
      if (asked.is !== "free") return asked;
      const answer = await look(alias, true);
      if (answer.is === "owned") {
        reserved.delete(unit);
        await store.reservations.release(profile.id, digest, user);
      }
      return answer;
    },
    async keep(units, until) {
      for (const unit of units) {
        const taken = reserved.get(unit);
        if (!taken || taken.endsAt >= until) continue;
        // A reservation that has ended may have been another user's meanwhile: then the look was made too long ago.
        if (taken.endsAt <= performance.now()) return false;
        if ((await reserve(unit, taken.digest)).is !== "free") return false;
      }
      return true;
    },
    async ownerOf(alias) {
      // The letter matters more than the owner in it: where there is no time to look, it is written without one.
      if (seeker.leaseLeftMs() <= 0) return undefined;
      const answer = await look(alias, !profile.usernameAttributes.includes(alias.attribute));
      return answer.is === "owned" ? answer.owner : undefined;
    },
  };
}
