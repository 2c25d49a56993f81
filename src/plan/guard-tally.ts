/** What the guards are told of a plan beside its figures, counted over its rows. */
import type { GuardFigures, Placeholders } from "../core/guards.ts";
import { placeholderIn } from "../core/placeholder.ts";
import type { Baseline } from "./baseline.ts";
import type { PlanFigures } from "./figures.ts";
import { isSent, type PlannedRow, type PlannedUnit } from "./planned-row.ts";

export interface GuardTally {
  add(row: PlannedRow): void;
  /** Users who are sent although the pool does not list them; undefined where nobody looked. */
  readonly unlisted: number | undefined;
  figures(
    figures: PlanFigures,
    facts: Pick<GuardFigures, "rowsBefore" | "emptyColumns" | "missingColumns"> &
      Pick<NonNullable<GuardFigures["users"]>, "same">,
  ): GuardFigures;
}

/** `mayMiss`: users whom the pool does not list may be in it for long, and not only since a moment ago. */
export function createGuardTally(baseline: Baseline, mayMiss: boolean): GuardTally {
  /** So few rows that nobody was left out: see `Unlisted`. */
  const unlisted = new Set<string>();
  const unlistedWritten = new Set<string>();
  let unlistedRows = 0;
  /** By attribute, of rows of such users: nobody saw that there is nothing to clear. */
  const unseenCleared: Record<string, number> = {};
  const placeholders = new Map<string, { readonly attribute: string; readonly word: string; users: number }>();

  function countPlaceholder(plannedUnit: PlannedUnit): void {
    const word = becomesPlaceholder(plannedUnit);
    if (word === undefined) return;
    const attribute = plannedUnit.unit.name;
    const known = placeholders.get(attribute) ?? { attribute, word, users: 0 };
    known.users += 1;
    placeholders.set(attribute, known);
  }

  return {
    get unlisted() {
      return baseline === "live" ? unlisted.size : undefined;
    },
    add(row) {
      if (row.kind === "fault") return;
      for (const plannedUnit of row.units) countPlaceholder(plannedUnit);
      if (baseline !== "live" || row.found) return;
      unlisted.add(row.user);
      unlistedRows += 1;
      const sent = row.units.filter(({ action }) => isSent(action));
      if (sent.length > 0) unlistedWritten.add(row.user);
      for (const { unit } of sent) {
        if (unit.value.kind === "clear") unseenCleared[unit.name] = (unseenCleared[unit.name] ?? 0) + 1;
      }
    },
    figures({ rows, faults, attributes, users: { matched, changed } }, { same, ...facts }) {
      const { "user-unknown": unknown = 0 } = faults;
      const cleared = Object.fromEntries(Object.entries(attributes).map(([name, { clear }]) => [name, clear]));
      const seen = { matched: matched - unlisted.size, changed: changed - unlistedWritten.size };
      const unseen = { changed: mayMiss ? unlistedWritten.size : 0, cleared: unseenCleared };
      const known: Record<Baseline, GuardFigures["users"]> = {
        live: { ...seen, cleared, same, unseen },
        // It says what was written last, and not what was there.
        ledger: { matched, changed },
        none: undefined,
      };
      return {
        ...facts,
        rows: rows.read,
        asked: { users: matched, written: changed },
        placeholders: [...placeholders.values()] satisfies readonly Placeholders[],
        ...(known[baseline] ? { users: known[baseline] } : {}),
        ...(baseline === "live"
          ? { named: { rows: rows.read - rows.faulty + unknown, unmatched: unknown + unlistedRows } }
          : {}),
      };
    },
  };
}

/** The placeholder that a value becomes, where it was none before. */
export function becomesPlaceholder({ unit, action, before = "" }: PlannedUnit): string | undefined {
  if (unit.value.kind !== "text" || !isSent(action) || placeholderIn(before) !== undefined) return undefined;
  return placeholderIn(unit.value.text);
}
