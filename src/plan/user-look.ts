/** What a look at a user of the pool says of a row that is for them. */
import { compareUnit, mayAwait, providersOf, type ListedUser } from "../core/comparison.ts";
import { canonicalUsername } from "../core/pool-schema.ts";
import type { Unit } from "../core/unit.ts";
import type { Planning } from "./planning.ts";
import type { Match, TakenRow, UnitDiff } from "./row-match.ts";
import { stateName, stateOf } from "./unit-state.ts";

type Looking = Pick<Planning, "profile" | "keyring" | "names">;

/** Compares the row with the user as the pool lists them. */
export function lookAt(looking: Looking, taken: TakenRow, user: ListedUser): Match {
  const looks = taken.change.units.map((unit) => lookAtUnit(looking, unit, user));
  // A plan that was made before says what it found there: whatever would be overwritten must be as it was then.
  const isOther = looks.some(({ unit, beforeName }) => {
    const expected = taken.before?.[unit.name];
    return beforeName !== undefined && expected !== undefined && expected !== beforeName;
  });
  const federated = providersOf(user);
  return {
    username: canonicalUsername(looking.profile, user.username),
    found: true,
    diffs: looks.map(({ diff }) => diff),
    federated: federated.length > 0 ? federated : undefined,
    changed: isOther || !isWhomItMeant(looking, taken, user) ? true : undefined,
  };
}

interface UnitLook {
  readonly unit: Unit;
  readonly diff: UnitDiff;
  /** Names what is there; absent where the unit changes nothing. */
  readonly beforeName?: string;
}

function lookAtUnit({ profile, keyring }: Looking, unit: Unit, user: ListedUser): UnitLook {
  const { name } = unit;
  const comparison = compareUnit(profile, unit, user);
  if (comparison.is === "unchanged") return { unit, diff: { action: "unchanged" } };
  const was = stateOf(name, user);
  const beforeName = stateName(keyring, name, was);
  if (comparison.is === "invalid") {
    const detail = `The pool would refuse \`${name}\`: the user has no value that could be verified.`;
    return { unit, diff: { action: "write", invalid: { name, reason: comparison.reason, detail } }, beforeName };
  }
  if (comparison.is === "awaiting") return { unit, diff: { action: "awaiting" }, beforeName };
  const before = user.attributes.get(name) || undefined;
  const message = comparison.message || undefined;
  const action = message === true && mayAwait(profile, unit) ? "asked" : comparison.is;
  return { unit, diff: { action, beforeName, was, before, message }, beforeName };
}

/** False where the row comes from a plan that was made before, and its name has passed to another user since. */
function isWhomItMeant({ names }: Looking, { change, madeBefore = Infinity }: TakenRow, user: ListedUser): boolean {
  const { account, name } = change.person ?? {};
  if (account !== undefined && account.sub !== user.sub) return false;
  if (name !== undefined && !names.stillBears(user, name)) return false;
  return user.createdAt <= madeBefore;
}
