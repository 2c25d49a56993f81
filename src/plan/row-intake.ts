/** Takes the rows of a feed into the scratch: checked against the pool's schema, with the sign-in names that they want. */
import type { UserName } from "../cognito/pool-scan.ts";
import type { InvalidUnit } from "../core/change.ts";
import { PLAN_FAULTS } from "../core/plan-fault.ts";
import { checkUnit, checkUsername } from "../core/pool-schema.ts";
import type { Unit } from "../core/unit.ts";
import type { Planning } from "./planning.ts";
import { unseen, type PlannedRecord, type TakenRow } from "./row-match.ts";
import type { RowNames } from "./row-names.ts";
import type { RowMatches } from "./row-matches.ts";

export interface RowIntake {
  take(record: PlannedRecord): void;
  /** Attributes by which users sign in, of which some row gives a value. */
  readonly aliases: ReadonlySet<string>;
  /** Some row gives its user a name by which rows of the feed may mean somebody. */
  readonly givesNames: boolean;
}

/** The questions that find the row's user. */
export function questionsAbout({ asked }: Pick<RowNames, "asked">, { change }: TakenRow): readonly UserName[] {
  return asked(change.username, change.person?.account?.sub);
}

export function createRowIntake(planning: Planning, matches: RowMatches): RowIntake {
  const { profile, scratch, baseline, mapping, guards, bodies, names, asking, nearNames, poolAliases } = planning;
  const protectedAttributes = new Set(guards.protectAttributes);
  const aliases = new Set<string>();
  let rows = 0;
  let givesNames = false;

  function faultOf(record: PlannedRecord): { readonly reason: string; readonly detail: string } | undefined {
    if (record.kind === "fault") return record;
    return mapping.match === undefined ? checkUsername(record.change.username) : undefined;
  }

  function checked(record: TakenRow): TakenRow {
    const invalid: InvalidUnit[] = [...record.invalid];
    const units = record.change.units.filter((unit) => {
      const wrong = protectedAttributes.has(unit.name)
        ? { name: unit.name, reason: "protected-attribute", detail: PLAN_FAULTS["protected-attribute"] }
        : checkUnit(profile, unit);
      if (wrong) invalid.push(wrong);
      return !wrong;
    });
    return { ...record, invalid, change: { ...record.change, units } };
  }

  /** Notes the names that a unit gives its user: whoever has them is looked for when the pool is scanned. */
  function noteWanted(username: string, { name, value }: Unit): void {
    if (value.kind !== "text") return;
    const given = names.givenBy(username, name, value.text);
    if (given !== undefined) {
      scratch.addWant(given);
      givesNames = true;
    }
    if (!poolAliases.has(name)) return;
    aliases.add(name);
    scratch.addWant(names.nameOf(name, value.text));
  }

  return {
    take(record) {
      const row = (rows += 1);
      const fault = faultOf(record);
      if (record.kind === "fault" || fault) {
        const { reason = "", detail = "" } = fault ?? {};
        return scratch.addRow(row, null, bodies.seal({ kind: "fault", line: record.line, reason, detail }));
      }
      const taken = checked(record);
      const { username, units } = taken.change;
      const key = names.keyOf(username);
      if (baseline === "live") nearNames.add(username);
      scratch.addRow(row, key, bodies.seal(taken));
      asking.add(questionsAbout(names, taken));
      for (const unit of units) noteWanted(username, unit);
      if (baseline === "none") matches.add({ row, user: key, isVerified: false, taken, match: unseen(taken) });
    },
    aliases,
    get givesNames() {
      return givesNames;
    },
  };
}
