/**
 * What this process saw of a pool's users within the last minute, whatever it looked for: the one look of a plan, of a
 * change that named its person, or of a delivery serves for the person, the account, the contacts and the comparison.
 * It is a memory of looks, and says nothing of what was written since: see lately.ts.
 */
import { accountOf } from "../cognito/listed-user.ts";
import { canonicalAlias, isAliasAttribute, type Alias } from "../core/alias-claims.ts";
import type { ListedUser } from "../core/comparison.ts";
import { isFresh, type Account } from "../core/person.ts";
import { canonicalUsername, type PoolProfile } from "../core/pool-schema.ts";
import { flagOf } from "../core/unit.ts";

export interface Seen {
  readonly user: ListedUser;
  /** Epoch ms by the store's clock: before the look began. */
  readonly lookedAt: number;
}

/** Who had a name when the pool was asked for it. */
export interface Bearer {
  /** Canonical. */
  readonly username: string;
  readonly account: Account;
  readonly askedAt: number;
  /** Absent once this process has begun to write them. */
  readonly user?: ListedUser;
}

export interface SeenUsers {
  /**
   * `asked`: the name by which the pool was asked for the user. Names that the user does not have any more are
   * forgotten, and so is whose a name was that the user has by now.
   */
  keep(seen: Seen, asked?: Alias): void;
  /** Of an account, or of whoever has the canonical username. */
  of(whom: { readonly sub: string } | { readonly username: string }, nowMs: number): Seen | undefined;
  /** Who had it when it was asked last, however long ago. */
  bearer(alias: Alias): Bearer | undefined;
  /** The user is gone, or is another one by now, and so are the names. */
  forget(whom: { readonly sub: string } | { readonly username: string }): void;
  /** A call is about to change the account, or whoever has the username. */
  written(whom: { readonly sub: string } | { readonly username: string }): void;
  /** The aliases change hands: who had them, and who gets them, is to be looked at anew. */
  changed(aliases: readonly Alias[]): void;
}

/** Users that are kept at a time. The oldest give way, as do those of more than a minute ago. */
const MOST_USERS = 10_000;

interface Entry {
  seen: Seen | undefined;
  readonly username: string;
  readonly account: Account;
  readonly lookedAt: number;
  /** When the pool was asked for names of theirs, by name. */
  readonly names: Map<string, Asked>;
}

interface Asked {
  readonly alias: Alias;
  readonly askedAt: number;
}

export function createSeenUsers(profile: PoolProfile): SeenUsers {
  /** By sub, in the order in which they were kept. */
  const entries = new Map<string, Entry>();
  const usernames = new Map<string, string>();
  const names = new Map<string, string>();
  const keyOf = (alias: Alias): string => JSON.stringify([alias.attribute, canonicalAlias(profile, alias)]);

  const find = (whom: { readonly sub: string } | { readonly username: string }): Entry | undefined =>
    entries.get("sub" in whom ? whom.sub : (usernames.get(whom.username) ?? ""));

  /** In an alias pool an address that is not verified any more may be somebody else's by now. */
  function bears({ attributes }: ListedUser, alias: Alias): boolean {
    const { attribute } = alias;
    const value = attributes.get(attribute) ?? "";
    const flag = profile.aliasAttributes.includes(attribute) ? flagOf(attribute) : undefined;
    const isTheirs = flag === undefined || attributes.get(flag)?.toLowerCase() === "true";
    return isTheirs && value !== "" && keyOf({ attribute, value }) === keyOf(alias);
  }

  function dropName(sub: string, entry: Entry, key: string): void {
    entry.names.delete(key);
    if (names.get(key) === sub) names.delete(key);
  }

  /** What a look says of names: the user's own, and those that others had before. */
  function judgeNames(user: ListedUser, entry: Entry): void {
    for (const [key, { alias }] of entry.names) if (!bears(user, alias)) dropName(user.sub, entry, key);
    for (const attribute of [...profile.aliasAttributes, ...profile.usernameAttributes]) {
      const value = user.attributes.get(attribute) ?? "";
      if (!isAliasAttribute(attribute) || !bears(user, { attribute, value })) continue;
      const key = keyOf({ attribute, value });
      const other = names.get(key);
      const asked = entries.get(other ?? "")?.names.get(key);
      if (other !== user.sub && asked !== undefined && asked.askedAt <= entry.lookedAt) names.delete(key);
    }
  }

  function drop(sub: string, entry: Entry): void {
    entries.delete(sub);
    if (usernames.get(entry.username) === sub) usernames.delete(entry.username);
    for (const name of entry.names.keys()) if (names.get(name) === sub) names.delete(name);
  }

  function makeRoom(nowMs: number): void {
    for (const [sub, entry] of entries) {
      // A look that comes late says an earlier time than others before it.
      const isKept = entry.lookedAt > nowMs || isFresh(entry.lookedAt, nowMs);
      if (entries.size <= MOST_USERS && isKept) return;
      drop(sub, entry);
    }
  }

  return {
    keep(seen, asked) {
      const { user, lookedAt } = seen;
      const known = entries.get(user.sub);
      entries.delete(user.sub);
      const isOlder = known !== undefined && known.lookedAt > lookedAt;
      const username = canonicalUsername(profile, user.username);
      const entry: Entry = isOlder
        ? known
        : { seen, username, account: accountOf(user), lookedAt, names: known?.names ?? new Map<string, Asked>() };
      entries.set(user.sub, entry);
      usernames.set(entry.username, user.sub);
      if (!isOlder) judgeNames(user, entry);
      // An answer that comes late says nothing against a newer look.
      if (asked !== undefined && !isOlder) {
        entry.names.set(keyOf(asked), { alias: asked, askedAt: lookedAt });
        names.set(keyOf(asked), user.sub);
      }
      makeRoom(lookedAt);
    },
    of(whom, nowMs) {
      const seen = find(whom)?.seen;
      return seen !== undefined && isFresh(seen.lookedAt, nowMs) ? seen : undefined;
    },
    bearer(alias) {
      const key = keyOf(alias);
      const entry = entries.get(names.get(key) ?? "");
      const askedAt = entry?.names.get(key)?.askedAt;
      if (entry === undefined || askedAt === undefined) return undefined;
      const { username, account, seen } = entry;
      return { username, account, askedAt, ...(seen && { user: seen.user }) };
    },
    forget(whom) {
      const entry = find(whom);
      if (entry !== undefined) drop(entry.account.sub, entry);
    },
    written(whom) {
      const entry = find(whom);
      if (entry !== undefined) entry.seen = undefined;
    },
    changed(aliases) {
      for (const alias of aliases) {
        const key = keyOf(alias);
        entries.get(names.get(key) ?? "")?.names.delete(key);
        names.delete(key);
        const { attribute } = alias;
        for (const entry of entries.values()) {
          const value = entry.seen?.user.attributes.get(attribute);
          if (value !== undefined && keyOf({ attribute, value }) === key) entry.seen = undefined;
        }
      }
    },
  };
}
