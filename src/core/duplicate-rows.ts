/** Several rows of one feed for one user: which values stand. */
import type { Unit } from "./unit.ts";
import type { Ordinal } from "./version.ts";

export interface UserRow {
  readonly row: number;
  readonly version: Ordinal;
  readonly units: readonly Unit[];
}

/** What becomes of a unit of a row because of another row: two values of one time disagree, or a newer one stands. */
export type Overruled = { readonly row: number; readonly unit: string; readonly as: "rows-disagree" | "superseded" };

/**
 * The units that do not stand as their row says them. Of different times the newest stands; of one time the last row
 * does where `last` is set, and else none: nobody said which of them is right.
 */
export function overruledUnits(rows: readonly UserRow[], last: boolean): readonly Overruled[] {
  const byUnit = new Map<string, { row: number; timeMs: number; value: string }[]>();
  for (const { row, version, units } of rows) {
    for (const { name, value } of units) {
      const said = byUnit.get(name) ?? [];
      said.push({ row, timeMs: version.timeMs, value: JSON.stringify(value) });
      byUnit.set(name, said);
    }
  }
  const overruled: Overruled[] = [];
  for (const [unit, said] of byUnit) {
    const newest = Math.max(...said.map(({ timeMs }) => timeMs));
    const rivals = said.filter(({ timeMs }) => timeMs === newest);
    const disagree = !last && new Set(rivals.map(({ value }) => value)).size > 1;
    const winner = rivals.at(-1);
    for (const one of said) {
      // An older one must not stand because the newer ones disagree.
      if (disagree) overruled.push({ row: one.row, unit, as: "rows-disagree" });
      else if (one !== winner) overruled.push({ row: one.row, unit, as: "superseded" });
    }
  }
  return overruled;
}
