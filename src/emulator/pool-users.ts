import type { Aliases } from "./alias.ts";
import { CONTACTS, FLAGS } from "./contact.ts";
import type { UserSeed } from "./pool-definition.ts";
import type { Attributes, User } from "./user.ts";
import type { UserDirectory } from "./user-directory.ts";

/** The users of one pool, changed so that a list may lag behind and a verified address names one user alone. */
export interface PoolUsers {
  /** The user with this username, sub or alias. `takesSub` false: nobody is found by the sub. */
  look(name: string, takesSub?: boolean): User | undefined;
  replace(user: User, attributes: Attributes): void;
  /** Takes verified values away from their former owners. Call after `Aliases.refuse`, when nothing can fail any more. */
  moveAliases(user: User | undefined, attributes: Attributes): void;
  insert(username: string, sub: string, attributes: Map<string, string>, seed: Partial<UserSeed>): User;
}

export interface PoolUsersOptions {
  readonly directory: UserDirectory;
  readonly aliases: Aliases;
  readonly now: () => number;
  /** How long ListUsers goes on showing what was there before: by username. */
  readonly listLagMs: (username: string) => number;
}

export function createPoolUsers({ directory, aliases, now, listLagMs }: PoolUsersOptions): PoolUsers {
  let lastOrdinal = 0;

  function bySub(sub: string): User | undefined {
    const user = directory.bySub(sub);
    return user?.status === "EXTERNAL_PROVIDER" ? undefined : user;
  }

  function replace(user: User, attributes: Attributes): void {
    const at = now();
    if (user.listLagMs > 0) {
      const until = at + user.listLagMs;
      const { attributes: before, modifiedAt } = user;
      user.past = [...user.past.filter((past) => past.until > at), { until, attributes: before, modifiedAt }];
    }
    directory.replace(user, attributes);
    user.modifiedAt = at;
  }

  function moveAliases(user: User | undefined, attributes: Attributes): void {
    for (const lost of aliases.losers(user, attributes)) {
      replace(lost.user, new Map(lost.user.attributes).set(FLAGS[lost.contact], "false"));
    }
  }

  return {
    look: (name, takesSub = true) =>
      directory.byUsername(name) ?? (takesSub ? bySub(name) : undefined) ?? aliases.owner(name),
    replace,
    moveAliases,
    insert(username, sub, attributes, seed) {
      for (const contact of CONTACTS) {
        if (attributes.has(contact) && !attributes.has(FLAGS[contact])) attributes.set(FLAGS[contact], "false");
      }
      moveAliases(undefined, attributes);
      const at = seed.createdAt ?? now();
      const user: User = {
        ordinal: ++lastOrdinal,
        username,
        sub,
        createdAt: at,
        modifiedAt: at,
        enabled: seed.enabled ?? true,
        status: seed.status ?? "CONFIRMED",
        attributes,
        held: new Map(),
        past: [],
        listLagMs: listLagMs(username),
        deletedAt: undefined,
      };
      directory.add(user);
      return user;
    },
  };
}
