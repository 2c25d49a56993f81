/** Which user each row is for, with the sign-in names that the row would give the user or take from them. */
import type { Planning } from "./planning.ts";
import type { Match, TakenRow, UnitDiff } from "./row-match.ts";
import type { Unit } from "../core/unit.ts";

/** A row and a user whom its name leads to. */
export interface RowMatch {
  readonly row: number;
  /** Names the user within the plan. */
  readonly user: string;
  /** Where several users have the row's name, the row means the one with whom this is true. */
  readonly isVerified: boolean;
  readonly taken: TakenRow;
  readonly match: Match;
}

export interface RowMatches {
  add(found: RowMatch): void;
}

export function createRowMatches({ scratch, baseline, bodies, names, poolAliases }: Planning): RowMatches {
  /** What the unit makes of the user's sign-in name: the name it gives, null where it takes it, undefined for neither. */
  function claimedAlias({ name, value }: Unit, diff: UnitDiff | undefined): string | null | undefined {
    if (!poolAliases.has(name) || diff === undefined || diff.action === "unchanged" || diff.invalid) return undefined;
    if (value.kind !== "text") return null;
    const claimed = names.nameOf(name, value.text);
    // The value stays where only its flag changes.
    return diff.before !== undefined && names.nameOf(name, diff.before) === claimed ? undefined : claimed;
  }

  return {
    add({ row, user, isVerified, taken, match }) {
      // Without a baseline the match follows from the row, and is not written a second time.
      scratch.addMatch(row, user, isVerified, baseline === "none" ? null : bodies.seal(match));
      for (const [at, unit] of taken.change.units.entries()) {
        const alias = claimedAlias(unit, match.diffs[at]);
        if (alias !== undefined) scratch.addClaim(alias, { user, row, attribute: unit.name });
      }
    },
  };
}
