/** How the rows of a feed name their users, and which users of the pool these names lead to. */
import type { UserName } from "../cognito/pool-scan.ts";
import { accountOf, valueIn } from "../cognito/listed-user.ts";
import { isAliasAttribute } from "../core/alias-claims.ts";
import type { ListedUser } from "../core/comparison.ts";
import { identifierOf, questionsOf } from "../core/identifier.ts";
import type { Person, PersonName } from "../core/person.ts";
import type { PoolProfile } from "../core/pool-schema.ts";
import { composed, spellings } from "../core/text.ts";
import type { Unit } from "../core/unit.ts";
import type { Mapping } from "../feeds/mapping.ts";
import type { Scratch } from "./scratch.ts";

/** A name of a user of the pool, by which rows may mean them. */
export interface LedTo {
  /** As the rows have it. */
  readonly key: string;
  readonly attribute: string;
  /** As the user has it. */
  readonly value: string;
  /** Where several users have the name, the row means the one with whom this is true. */
  readonly isTheirs: boolean;
}

export interface RowNames {
  /** Names a value of an attribute within the scratch: the same for spellings that the pool takes for the same. */
  readonly nameOf: (attribute: string, value: string) => string;
  /** The row's user, by the name that the row has. */
  keyOf(username: string): string;
  /** The names by which rows of the feed may mean a user. */
  leadingTo(user: ListedUser): Iterable<LedTo>;
  /** The questions that find a row's user, in their order. `sub`: of a row that knows its user's account. */
  asked(username: string, sub?: string): readonly UserName[];
  /** Looks that it takes, at least, to find a row's user when it is put. */
  looksToFind(username: string): number;
  mayBeUsername(username: string): boolean;
  /**
   * The name that a row would give to its user, where rows of the feed may mean somebody by it; undefined where the
   * user has it already.
   */
  givenBy(username: string, attribute: string, value: string): string | undefined;
  /** The row's name, as others may give it away: by `givenBy`, or as an alias that they want, but for what it gives its own user. */
  givenAway(username: string, units: readonly Unit[]): Iterable<string>;
  /** Whether rows are named by what people sign in with beside a username. */
  readonly areAliases: boolean;
  /** Whether the user still has the name by which an earlier plan named them, as far as the user alone shows it. */
  stillBears(user: ListedUser, name: PersonName): boolean;
  /** The person of a row that names the user by this attribute. `askedAt` as in PersonName. */
  person(username: string, user: ListedUser, attribute: string, askedAt: number): Person;
}

/** Where the pool ignores case, it ignores it in these attributes. */
const FOLDED: ReadonlySet<string> = new Set(["username", "email", "preferred_username"]);

export function createRowNames(
  profile: PoolProfile,
  mapping: Pick<Mapping, "identifier" | "match">,
  scratch: Pick<Scratch, "name">,
): RowNames {
  /** What rows name their users by: in their order, by a text for each. */
  const kinds = new Map<string, readonly string[]>();
  const kindsOf = (username: string): readonly string[] =>
    mapping.match === undefined ? questionsOf(profile, username, mapping.identifier) : [mapping.match];
  const folds = (attribute: string): boolean =>
    !profile.caseSensitive && attribute.split(" ").some((one) => FOLDED.has(one));
  const nameOf = (attribute: string, value: string): string =>
    scratch.name(attribute, composed(folds(attribute) ? value.toLowerCase() : value));

  return {
    nameOf,
    keyOf(username) {
      const mayBe = kindsOf(username);
      const kind = mayBe.join(" ");
      kinds.set(kind, mayBe);
      return nameOf(kind, username);
    },
    *leadingTo(user) {
      for (const [kind, mayBe] of kinds) {
        const known = new Set<string>();
        for (const attribute of mayBe) {
          const value = valueIn(user, attribute);
          const key = nameOf(kind, value);
          if (value === "" || known.has(key)) continue;
          known.add(key);
          // Where a text may be either, a username goes before an alias.
          const isOwnName = mayBe.length > 1 && (attribute === "username" || attribute === "sub");
          const isTheirs = isOwnName || user.attributes.get(`${attribute}_verified`)?.toLowerCase() === "true";
          yield { key, attribute, value, isTheirs };
        }
      }
    },
    asked(username, sub) {
      // The list minds the case of usernames where the pool does not.
      if (sub !== undefined && !profile.caseSensitive) return [{ attribute: "sub", value: sub }];
      return kindsOf(username).flatMap((attribute) => spellings(username).map((value) => ({ attribute, value })));
    },
    looksToFind(username) {
      const [first] = kindsOf(username);
      return first === "username" && kindsOf(username).length === 1 ? 0 : 1;
    },
    mayBeUsername: (username) =>
      mapping.match === undefined && identifierOf(profile, username, mapping.identifier) === "username",
    givenBy(username, attribute, value) {
      if (!kindsOf(username).includes(attribute)) return undefined;
      const [own, given] = [nameOf(attribute, username), nameOf(attribute, value)];
      return own === given ? undefined : `given ${given}`;
    },
    *givenAway(username, units) {
      for (const attribute of kindsOf(username)) {
        const name = nameOf(attribute, username);
        yield `given ${name}`;
        const own = units.find((unit) => unit.name === attribute)?.value;
        const keepsIt = own?.kind === "text" && nameOf(attribute, own.text) === name;
        if (isAliasAttribute(attribute) && !keepsIt) yield name;
      }
    },
    get areAliases() {
      return [...kinds.values()].some((mayBe) => mayBe.some(isAliasAttribute));
    },
    stillBears: (user, { attribute, value }) =>
      nameOf(attribute, valueIn(user, attribute)) === nameOf(attribute, value),
    person(username, user, attribute, askedAt) {
      // A value that cannot be written never passes to another user.
      const stays = attribute === "username" || attribute === "sub" || profile.attributes[attribute]?.mutable === false;
      const account = accountOf(user);
      if (stays) return { account };
      // The pool is asked by its own spelling.
      const there = valueIn(user, attribute);
      const value = composed(there) === composed(username) ? there : username;
      return { account, name: { attribute, value, askedAt } };
    },
  };
}
