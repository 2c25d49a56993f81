/**
 * Finds the user who has a name: an address, a number, a sub or a preferred username is looked up in the pool with
 * ListUsers, which bills nobody. Names pass from one person to another, so poolsync never writes by what the store
 * remembers of them: that is a hint for people. A process may use its own answer for a minute, unless a user is about
 * to get the value, or it was written since.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { CognitoError } from "../cognito/cognito-error.ts";
import { accountOf } from "../cognito/listed-user.ts";
import { findByName, type NameSearch } from "../cognito/name-search.ts";
import type { QuotaGovernor } from "../cognito/quota-governor.ts";
import { retryRead, type Reads } from "../cognito/read-retry.ts";
import type { UserDirectory } from "../cognito/user-directory.ts";
import { canonicalAlias, isAliasAttribute, type Alias } from "../core/alias-claims.ts";
import type { ListedUser } from "../core/comparison.ts";
import { questionsOf, type Identifier, type Question } from "../core/identifier.ts";
import { isFresh, type Person } from "../core/person.ts";
import type { PoolProfile } from "../core/pool-schema.ts";
import type { Keyring } from "../store/keyring.ts";
import { linkPlace } from "../store/sealed-unit.ts";
import type { Store } from "../store/store.ts";
import { isNameDoubted } from "./lately.ts";
import type { SeenUsers } from "./seen-users.ts";

export type Named =
  | {
      readonly is: "one";
      /** Canonical. */
      readonly username: string;
      readonly person: Person;
      /** What the pool showed of them; absent where the text can only be a username, and nothing was asked. */
      readonly user?: ListedUser;
      readonly by: Question;
      /** Epoch ms by the store's clock; absent where nothing was asked. */
      readonly askedAt?: number;
    }
  | { readonly is: "none" }
  | { readonly is: "many"; readonly usernames: readonly string[] };

/** The user who had a name when it was asked last, as the store remembers it. */
export interface NameHint {
  readonly username: string;
  /** Epoch ms; absent where that was not kept. */
  readonly askedAt?: number;
}

export interface AskOptions extends Pick<NameSearch, "mayBill"> {
  /** One of many, for which a throttle is no failure, as for the pages of a scan. */
  readonly inBulk?: boolean;
  /** Epoch ms by the store's clock: what this process was answered before does not count, as names pass to others. */
  readonly since?: number;
}

export interface UserNames {
  /** Rejects with a CognitoError where the pool cannot be asked, and with the signal's reason. */
  whose(text: string, given?: Identifier, signal?: AbortSignal, options?: AskOptions): Promise<Named>;
  /** The answers about these aliases are outdated: poolsync itself has written them. */
  changed(aliases: readonly Alias[]): Promise<void>;
  hint(alias: Alias): Promise<NameHint | undefined>;
}

/** Lookups are made by whoever puts a change: they go after those of deliveries. */
const PRIORITY = 9;
/** How often the pool is asked again while a user is about to get a name that it still shows as another user's. */
const ASK_AGAIN_MS = 1_000;

type Answer = Extract<Named, { is: "one" }>;

interface UserNamesDeps {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly profile: PoolProfile;
  readonly directory: UserDirectory;
  readonly lists: QuotaGovernor;
  readonly reads: Reads;
  /** How long a reservation lives. */
  readonly leaseMs: number;
  readonly seen: SeenUsers;
}

export function createUserNames(deps: UserNamesDeps): UserNames {
  const { store, keyring, profile, leaseMs, seen } = deps;

  const digestOf = (alias: Alias): string =>
    keyring.linkDigest(profile.id, alias.attribute, canonicalAlias(profile, alias));
  const placeOf = (alias: Alias) => linkPlace(profile.id, digestOf(alias));

  /** The user who is about to get the name, or got it a moment ago. */
  async function reservedFor(alias: Alias): Promise<string | undefined> {
    return (await store.reservations.holder(profile.id, digestOf(alias)))?.holder;
  }

  async function askWhose(text: string, given: Identifier | undefined, signal?: AbortSignal, options?: AskOptions) {
    const { found, askedAt } = await ask(deps, text, given, signal, options);
    if (found.is === "none") return { is: "none" } as const;
    if (found.is === "many") return { is: "many", usernames: found.usernames } as const;
    const { username, user, by = "username" } = found;
    if (user === undefined) return { is: "one", username, person: {}, by } as const;
    const account = accountOf(user);
    if (!isAliasAttribute(by)) {
      seen.keep({ user, lookedAt: askedAt });
      return { is: "one", username, person: { account }, user, by, askedAt } as const;
    }
    const name = { attribute: by, value: text, askedAt };
    const alias = { attribute: by, value: text };
    seen.keep({ user, lookedAt: askedAt }, alias);
    await store.setLink(
      profile.id,
      digestOf(alias),
      keyring.seal(placeOf(alias), JSON.stringify({ username, askedAt })),
    );
    return { is: "one", username, person: { account, name }, user, by, askedAt } as const;
  }

  /** What this process was answered within the last minute, and since then, unless the value is about to change hands. */
  async function recent(text: string, given: Identifier | undefined, since: number): Promise<Answer | undefined> {
    // Of a text that may be something else first, whoever has it as an address says nothing.
    const [attribute] = questionsOf(profile, text, given);
    if (attribute === undefined || !isAliasAttribute(attribute)) return undefined;
    const alias = { attribute, value: text };
    const known = seen.bearer(alias);
    if (known === undefined || known.askedAt < since || !isFresh(known.askedAt, await store.now())) return undefined;
    if ((await reservedFor(alias)) !== undefined) return undefined;
    const { account, askedAt, ...bearer } = known;
    const user = keyring.userKey(profile.id, known.username);
    if (await isNameDoubted(store, user, { attribute, askedAt }, { claims: true })) return undefined;
    return { is: "one", ...bearer, person: { account, name: { ...alias, askedAt } }, by: attribute, askedAt };
  }

  return {
    async whose(text, given, signal, options) {
      const known = await recent(text, given, options?.since ?? 0);
      if (known !== undefined) return known;
      const endsAt = performance.now() + leaseMs;
      for (;;) {
        const named = await askWhose(text, given, signal, options);
        if (named.is !== "one" || !isAliasAttribute(named.by)) return named;
        const holder = await reservedFor({ attribute: named.by, value: text });
        if (holder === undefined || holder === keyring.userKey(profile.id, named.username)) return named;
        // Another user is about to get the name, and the list of users lags. Once the reservation has ended, the list
        // is right.
        if (performance.now() >= endsAt) return named;
        await sleep(ASK_AGAIN_MS, undefined, { ...(signal && { signal }) });
      }
    },

    async changed(aliases) {
      seen.changed(aliases);
      for (const alias of aliases) await store.dropLink(profile.id, digestOf(alias));
    },

    async hint(alias) {
      const sealed = await store.link(profile.id, digestOf(alias));
      const text = sealed === undefined ? undefined : keyring.open(placeOf(alias), sealed);
      return text === undefined ? undefined : hintOf(text);
    },
  };
}

/** Throws a CognitoError where the pool cannot be asked. `askedAt` is from before it was. */
async function ask(
  { store, profile, directory, lists, reads }: UserNamesDeps,
  text: string,
  given: Identifier | undefined,
  signal: AbortSignal | undefined,
  { inBulk = false, mayBill }: AskOptions = {},
) {
  const pace = { governor: lists, priority: PRIORITY, sparesThrottles: inBulk };
  const call = { operation: "ListUsers", pool: profile.id, reads, pace, signal } as const;
  const askedAt = await store.now();
  const found = await findByName({ profile, directory, read: (once) => retryRead(call, once), mayBill }, text, given);
  if (!found.ok) {
    const { kind, advice } = found.failure;
    throw new CognitoError(kind, `A user could not be looked up by ${found.by}. ${advice}`);
  }
  return { found, askedAt };
}

/** Before times were kept there was the username alone. */
function hintOf(text: string): NameHint {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && "username" in parsed && typeof parsed.username === "string") {
      const askedAt = "askedAt" in parsed && typeof parsed.askedAt === "number" ? { askedAt: parsed.askedAt } : {};
      return { username: parsed.username, ...askedAt };
    }
  } catch {
    // It is a username.
  }
  return { username: text };
}
