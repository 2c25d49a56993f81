/**
 * From what a feed knows of a user (an e-mail address, a phone number, a sub) to the username: looked up once with
 * ListUsers, which bills nobody, and remembered as a link under a digest.
 */
import type { LinkAttribute, UserDirectory } from "../cognito/user-directory.ts";
import type { QuotaGovernor } from "../cognito/quota-governor.ts";
import { CognitoError } from "../cognito/cognito-error.ts";
import { canonicalUsername, type PoolProfile } from "../core/pool-schema.ts";
import { type Identifier, identifierOf } from "../core/identifier.ts";
import type { Keyring } from "../store/keyring.ts";
import type { Store } from "../store/store.ts";

export type Linked =
  | { readonly is: "one"; readonly username: string }
  /** Nobody in the pool has it, or several have. */
  | { readonly is: "none" | "many" };

export interface UserLinks {
  /** The canonical username. Rejects with a CognitoError where the pool cannot be asked. */
  resolve(text: string, said?: Identifier, signal?: AbortSignal): Promise<Linked>;
}

/** Lookups are made by whoever reads a feed: they go after those of deliveries. */
const PRIORITY = 9;
const TRIES = 5;

export function createUserLinks(means: {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly profile: PoolProfile;
  readonly directory: UserDirectory;
  readonly lists: QuotaGovernor;
}): UserLinks {
  const { store, keyring, profile, directory, lists } = means;

  async function lookUp(attribute: LinkAttribute, value: string, signal?: AbortSignal): Promise<Linked> {
    for (let tries = 1; ; tries += 1) {
      const slot = await lists.acquire({ priority: PRIORITY, ...(signal ? { signal } : {}) });
      try {
        const look = { ignoresCase: !profile.caseSensitive, ...(signal ? { signal } : {}) };
        const said = await directory.resolve(profile.id, attribute, value, look);
        if (said.ok) return said;
        signal?.throwIfAborted();
        if (said.failure.outcome === "wait") await slot.throttled();
        else if (said.failure.outcome !== "retry" || tries >= TRIES) {
          throw new CognitoError(
            said.failure.kind,
            `A user could not be looked up by ${attribute}. ${said.failure.advice}`,
          );
        }
      } finally {
        slot.done();
      }
    }
  }

  return {
    async resolve(text, said, signal) {
      const identifier = identifierOf(profile, text, said);
      if (identifier === "username") return { is: "one", username: canonicalUsername(profile, text) };
      const value = identifier === "email" && !profile.caseSensitive ? text.toLowerCase() : text;
      const digest = keyring.linkDigest(profile.id, identifier, value);
      const known = await store.link(profile.id, digest);
      if (known !== undefined) return { is: "one", username: keyring.open(known) };
      const found = await lookUp(identifier, value, signal);
      if (found.is !== "one") return found;
      const username = canonicalUsername(profile, found.username);
      await store.setLink(profile.id, digest, keyring.seal(username));
      return { is: "one", username };
    },
  };
}
