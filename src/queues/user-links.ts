/**
 * From what a feed knows of a user (an e-mail address, a phone number, a sub) to the username: looked up once with
 * ListUsers, which bills nobody, and remembered as a link under a digest.
 */
import type { LinkAttribute, UserDirectory } from "../cognito/user-directory.ts";
import type { QuotaGovernor } from "../cognito/quota-governor.ts";
import { CognitoError } from "../cognito/cognito-error.ts";
import { retryRead, type Reads } from "../cognito/read-retry.ts";
import { canonicalUsername, type PoolProfile } from "../core/pool-schema.ts";
import { type Identifier, identifierOf } from "../core/identifier.ts";
import type { Keyring } from "../store/keyring.ts";
import type { Store } from "../store/store.ts";

export type Linked =
  | { readonly is: "one"; readonly username: string }
  /** Nobody in the pool has it, or several have. */
  | { readonly is: "none" | "many" };

export interface UserLinks {
  /**
   * The canonical username. Rejects with a CognitoError where the pool cannot be asked, and with the signal's reason.
   * `inBulk`: one of many, for which a throttle is no failure, as for the pages of a scan.
   */
  resolve(
    text: string,
    said?: Identifier,
    signal?: AbortSignal,
    options?: { readonly inBulk: boolean },
  ): Promise<Linked>;
}

/** Lookups are made by whoever reads a feed: they go after those of deliveries. */
const PRIORITY = 9;

export function createUserLinks(means: {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly profile: PoolProfile;
  readonly directory: UserDirectory;
  readonly lists: QuotaGovernor;
  readonly reads: Reads;
}): UserLinks {
  const { store, keyring, profile, directory, lists, reads } = means;

  async function lookUp(
    attribute: LinkAttribute,
    value: string,
    inBulk: boolean,
    signal?: AbortSignal,
  ): Promise<Linked> {
    const pace = { governor: lists, priority: PRIORITY, sparesThrottles: inBulk };
    const call = { operation: "ListUsers", pool: profile.id, reads, pace, signal } as const;
    const said = await retryRead(call, (ending) =>
      directory.resolve(profile.id, attribute, value, { ignoresCase: !profile.caseSensitive, signal: ending }),
    );
    if (said.ok) return said;
    throw new CognitoError(said.failure.kind, `A user could not be looked up by ${attribute}. ${said.failure.advice}`);
  }

  return {
    async resolve(text, said, signal, { inBulk } = { inBulk: false }) {
      const identifier = identifierOf(profile, text, said);
      if (identifier === "username") return { is: "one", username: canonicalUsername(profile, text) };
      const value = identifier === "email" && !profile.caseSensitive ? text.toLowerCase() : text;
      const digest = keyring.linkDigest(profile.id, identifier, value);
      const known = await store.link(profile.id, digest);
      if (known !== undefined) return { is: "one", username: keyring.open(known) };
      const found = await lookUp(identifier, value, inBulk, signal);
      if (found.is !== "one") return found;
      const username = canonicalUsername(profile, found.username);
      await store.setLink(profile.id, digest, keyring.seal(username));
      return { is: "one", username };
    },
  };
}
