/**
 * Puts changes: checks each unit against the pool's schema, gives users and values their keyed names, and puts a page
 * in one step with its invalid counts and the feed's cursor.
 */
import type { Change, InvalidUnit } from "../core/change.ts";
import type { SendUnless } from "../core/mailbox.ts";
import type { DesiredUnit } from "../core/put.ts";
import {
  canonicalUsername,
  checkUnit,
  checkUsername,
  type InvalidUsername,
  type PoolProfile,
} from "../core/pool-schema.ts";
import { MAX_LEAD_MS, ordinalText, type Ordinal } from "../core/version.ts";
import { bodyOf } from "../store/keyring.ts";
import type { Page, Put, UserUnits } from "../store/mailboxes.ts";
import { sealBody, sealUsername, type UserPlace } from "../store/sealed-unit.ts";
import type { Engine } from "../queues/engine.ts";

export interface ProducerOptions {
  readonly engine: Engine;
  readonly profile: PoolProfile;
  readonly run: string;
  readonly priority: number;
  /** What may keep what is put here from being sent; absent where a person asked for it. */
  readonly sendUnless?: SendUnless;
}

/** What a page stands for besides its changes. */
export interface PageFacts {
  /** Units that the mapping found invalid. */
  readonly invalid: number;
  readonly rows: Page["rows"];
  readonly cursor?: NonNullable<Page["cursor"]>;
  /** No user is woken: the caller delivers the page itself. */
  readonly quietly?: boolean;
  /** Entries of the inbox that it comes of. */
  readonly entries?: NonNullable<Page["entries"]>;
}

export interface Producer {
  /**
   * What is wrong with a change before it is put: its username, which is the fault of the whole, or single units. The
   * rest of its units is `sound`.
   */
  check(
    change: Change,
  ): { readonly fault: InvalidUsername } | { readonly sound: Change; readonly invalid: readonly InvalidUnit[] };
  /** The opaque key under which a user is known outside. */
  userKey(username: string): string;
  /** Puts sound changes as one page, and wakes their users. `timeMs`: the time of those that say none. */
  put(changes: readonly Change[], facts: PageFacts): Promise<Put & { readonly timeMs: number }>;
}

/** What is wrong with the units that a put counts as `ahead`. */
export const VERSION_AHEAD: Omit<InvalidUnit, "name"> = {
  reason: "version-ahead",
  detail: `Expected the version to lie at most ${MAX_LEAD_MS / 60_000} minutes ahead of the store's clock; correct the source's clock.`,
};

export function createProducer(options: ProducerOptions): Producer {
  const { engine, profile, run, priority, sendUnless } = options;
  const { store, keyring, wakeUps } = engine;

  const userKey = (username: string): string => keyring.userKey(profile.id, canonicalUsername(profile, username));

  const desiredUnitOf = (user: UserPlace, change: Change, version: Ordinal): DesiredUnit[] => {
    if (change.callOptions?.token !== undefined && !keyring.encrypts) {
      throw new TypeError("Expected POOLSYNC_KEY to be set: a user's token is not stored in clear");
    }
    const ordinal = ordinalText(version);
    return change.units.map(({ name, value }) => ({
      name,
      ordinal,
      ...(sendUnless === undefined ? {} : { sendUnless }),
      ...lookOf(change, name),
      ...(change.overruled?.has(name) === true ? { overruled: true } : {}),
      digest: keyring.valueDigest(name, value),
      body: sealBody(keyring, { ...user, unit: name }, ordinal, bodyOf(value, change.callOptions, change.person)),
      ...(change.callOptions?.token === undefined ? {} : { hasToken: true as const }),
    }));
  };

  return {
    check(change) {
      const fault = checkUsername(change.username);
      if (fault) return { fault };
      const invalid: InvalidUnit[] = [];
      const units = change.units.filter((unit) => {
        const wrong = checkUnit(profile, unit);
        if (wrong) invalid.push(wrong);
        return !wrong;
      });
      return { sound: { ...change, units }, invalid };
    },
    userKey,
    async put(changes, { quietly = false, ...facts }) {
      // The time of changes that say none. It is asked for before the put, because it is sealed with the value.
      const timeMs = changes.every(({ version }) => version) ? 0 : await store.now();
      // One entry an account: the rows of a user who stands twice in a page are told apart by their versions.
      const users = new Map<string, UserUnits & { units: DesiredUnit[] }>();
      for (const change of changes) {
        if (change.units.length === 0) continue;
        const user = userKey(change.username);
        const at = { pool: profile.id, user };
        const username = sealUsername(keyring, at, canonicalUsername(profile, change.username));
        const { account } = change.person ?? {};
        const whose = account === undefined ? {} : { account: keyring.accountMark(profile.id, account) };
        const came = change.arrival === undefined ? {} : { arrival: change.arrival };
        const key = `${user} ${whose.account ?? ""} ${change.arrival ?? ""}`;
        const units = desiredUnitOf(at, change, change.version ?? { timeMs, sequence: 0 });
        const known = users.get(key);
        if (known) known.units.push(...units);
        else users.set(key, { user, username, ...whose, ...came, units });
      }
      const page: Page = { pool: profile.id, run, priority, changes: [...users.values()], ...facts };
      const put = { ...(await store.mailboxes.put(page)), timeMs };
      if (quietly) return put;
      await wakeUps.wake(
        profile.id,
        put.waiting.map((user) => ({ user, priority })),
      );
      return put;
    },
  };
}

function lookOf({ look }: Change, unit: string): Pick<DesiredUnit, "look"> {
  const found = look?.found.get(unit);
  return look === undefined || found === undefined ? {} : { look: { at: look.at, found } };
}
