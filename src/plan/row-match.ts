/** A row as a planner takes it, and what is found of its user. The scratch holds both as JSON. */
import type { InvalidUnit } from "../core/change.ts";
import type { Person } from "../core/person.ts";
import type { MappedRecord } from "../feeds/mapping.ts";
import type { Action, PlannedUnit } from "./planned-row.ts";

/** A record, and for one of a plan file what it found there: the digests of the values, by unit. */
export type PlannedRecord = MappedRecord & {
  readonly before?: Readonly<Record<string, string>>;
  /** Epoch ms: a user that was created later is not the user who was meant. */
  readonly madeBefore?: number;
};

/** A row that is not at fault as a whole. */
export type TakenRow = Extract<PlannedRecord, { kind: "change" }>;

/** What was found of a row's user. One diff a unit, in the row's order. */
export interface Match {
  readonly username: string;
  readonly found: boolean;
  readonly diffs: readonly UnitDiff[];
  readonly federated?: readonly string[] | undefined;
  /** The user is not as the row's plan expects. */
  readonly changed?: boolean | undefined;
  readonly lookedAt?: number | undefined;
  readonly person?: Person | undefined;
}

export interface UnitDiff {
  /** `asked`: a change that is `awaiting` where the ledger shows that it was sent already. */
  action: Action | "asked";
  readonly message?: boolean | undefined;
  readonly before?: string | undefined;
  readonly was?: NonNullable<PlannedUnit["was"]> | undefined;
  readonly beforeName?: string | undefined;
  readonly invalid?: InvalidUnit | undefined;
}

/** The user of a row that is compared with nothing. */
export function unseen({ change }: TakenRow): Match {
  return { username: change.username, found: false, diffs: change.units.map(() => ({ action: "write" })) };
}
