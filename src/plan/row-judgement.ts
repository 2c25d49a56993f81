/** What a row would do, once everything is known of it. */
import type { InvalidUnit } from "../core/change.ts";
import { isPlanFault, PLAN_FAULTS, type PlanFault } from "../core/plan-fault.ts";
import { canonicalUsername } from "../core/pool-schema.ts";
import { MISSED } from "./missed.ts";
import { isSent, type PlannedRow, type PlannedUnit } from "./planned-row.ts";
import type { Planning } from "./planning.ts";
import { unseen, type Match, type TakenRow } from "./row-match.ts";
import type { ScratchRow } from "./scratch.ts";

export function createRowJudgement({
  profile,
  guards,
  names,
  nearNames,
  bodies,
}: Planning): (row: ScratchRow) => PlannedRow {
  const protectedUsers = new Set(guards.protectUsers.map((name) => canonicalUsername(profile, name)));

  return ({ row, body, user, match: text, fault, settled }) => {
    const record = bodies.record(body);
    if (record.kind === "fault") return record;
    const { line } = record;
    const name = record.change.username;
    if (fault !== undefined && isPlanFault(fault)) return faultyRow(line, fault, name);
    if (user === undefined) {
      const unknown = faultyRow(line, "user-unknown", name);
      const hint = nearNames.hint(name);
      return hint === undefined ? unknown : { ...unknown, detail: `${unknown.detail} ${hint}` };
    }
    const match = text === undefined ? unseen(record) : bodies.match(text);
    const { username, found, federated = [], changed, lookedAt, person } = match;
    if (protectedUsers.has(canonicalUsername(profile, username))) return faultyRow(line, "protected-user", name);
    if (changed) return faultyRow(line, "changed-since-plan", name);
    const { version = { timeMs: 0, sequence: row } } = record.change;
    const looksToFind = found ? 0 : names.looksToFind(record.change.username);
    const plannedUnit = judgeUnits(record, match, settled);
    return {
      kind: "user",
      line,
      user,
      username,
      found,
      version,
      ...plannedUnit,
      federated,
      looksToFind,
      lookedAt,
      person,
    };
  };
}

/** `settled` says of units why they are not sent as the row has them. */
function judgeUnits(
  { change, invalid: invalidBefore }: TakenRow,
  { diffs }: Match,
  settled: ScratchRow["settled"],
): { readonly units: readonly PlannedUnit[]; readonly invalid: readonly InvalidUnit[] } {
  const invalid = [...invalidBefore];
  const units: PlannedUnit[] = [];
  for (const [at, unit] of change.units.entries()) {
    const diff = diffs[at];
    const reason = settled.get(unit.name);
    if (diff === undefined) throw new TypeError("Expected a verdict for each unit in the scratch");
    if (diff.invalid) invalid.push(diff.invalid);
    else if (reason !== undefined && isPlanFault(reason)) {
      invalid.push({ name: unit.name, reason, detail: PLAN_FAULTS[reason] });
    } else {
      const isLeft = reason === "superseded" || reason === "stale";
      const action = isLeft ? reason : diff.action === "asked" ? "change" : diff.action;
      const missed = reason === MISSED ? { missed: true as const } : {};
      units.push({ ...diff, ...missed, unit, action, message: diff.message === true && isSent(action) });
    }
  }
  return { units, invalid };
}

function faultyRow(line: number, reason: PlanFault, name: string): Extract<PlannedRow, { kind: "fault" }> {
  return { kind: "fault", line, reason, detail: PLAN_FAULTS[reason], name };
}
