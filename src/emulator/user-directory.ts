import type { Attributes, User } from "./user.ts";

/** Attributes by which ListUsers and sign-in names must find a user among 100,000 without a scan. */
const INDEXED = ["email", "phone_number", "preferred_username"] as const;
export type IndexedAttribute = (typeof INDEXED)[number];

export function isIndexed(name: string): name is IndexedAttribute {
  return name === "email" || name === "phone_number" || name === "preferred_username";
}

/** The users of one pool in the order of their creation, and the ways to find one. */
export interface UserDirectory {
  readonly users: readonly User[];
  /** Deleted ones that a lagging list still shows. No other way leads to them. */
  readonly deleted: readonly User[];
  add(user: User): void;
  /** Its names and values are free at once. Deleted users that no list shows any more are forgotten. */
  remove(user: User, at: number): void;
  /** Puts other attributes in place and keeps the index right. */
  replace(user: User, attributes: Attributes): void;
  byUsername(username: string): User | undefined;
  bySub(sub: string): User | undefined;
  /** Users with this value, whatever its case. */
  withValue(name: IndexedAttribute, value: string): readonly User[];
}

export interface DirectoryOptions {
  /** False for a pool that takes `Anna` and `anna` for one username. */
  readonly caseSensitive: boolean;
}

export function createUserDirectory({ caseSensitive }: DirectoryOptions): UserDirectory {
  const users: User[] = [];
  let deleted: readonly User[] = [];
  const usernames = new Map<string, User>();
  const subs = new Map<string, User>();
  const values: Readonly<Record<IndexedAttribute, Map<string, User[]>>> = {
    email: new Map(),
    phone_number: new Map(),
    preferred_username: new Map(),
  };
  const fold = (username: string): string => (caseSensitive ? username : username.toLowerCase());

  function index(name: IndexedAttribute, value: string | undefined, user: User): void {
    if (value === undefined) return;
    const key = value.toLowerCase();
    const holders = values[name].get(key);
    if (holders === undefined) values[name].set(key, [user]);
    else holders.push(user);
  }

  function unindex(name: IndexedAttribute, value: string | undefined, user: User): void {
    if (value === undefined) return;
    const key = value.toLowerCase();
    const others = (values[name].get(key) ?? []).filter((holder) => holder !== user);
    if (others.length === 0) values[name].delete(key);
    else values[name].set(key, others);
  }

  return {
    users,
    get deleted() {
      return deleted;
    },
    add(user) {
      users.push(user);
      usernames.set(fold(user.username), user);
      subs.set(user.sub.toLowerCase(), user);
      for (const name of INDEXED) index(name, user.attributes.get(name), user);
    },
    remove(user, at) {
      users.splice(users.indexOf(user), 1);
      usernames.delete(fold(user.username));
      subs.delete(user.sub.toLowerCase());
      for (const name of INDEXED) unindex(name, user.attributes.get(name), user);
      user.deletedAt = at;
      deleted = [...deleted, user].filter(({ deletedAt = at, listLagMs }) => deletedAt + listLagMs > at);
    },
    replace(user, attributes) {
      for (const name of INDEXED) {
        const before = user.attributes.get(name);
        const after = attributes.get(name);
        if (before === after) continue;
        unindex(name, before, user);
        index(name, after, user);
      }
      user.attributes = attributes;
    },
    byUsername: (username) => usernames.get(fold(username)),
    bySub: (sub) => subs.get(sub.toLowerCase()),
    withValue: (name, value) => values[name].get(value.toLowerCase()) ?? [],
  };
}
