/** What a scratch holds of a row and of its user. This process wrote it a moment ago, so only its kind is looked at. */
import type { InvalidUnit } from "../core/change.ts";
import type { Person } from "../core/person.ts";
import type { MappedRecord } from "../feeds/mapping.ts";
import type { Deed, JudgedUnit } from "./judged-row.ts";

/** A record, and for one of a plan file what it found there: the digests of the values, by unit. */
export type PlannedRecord = MappedRecord & {
  readonly before?: Readonly<Record<string, string>>;
  /** Epoch ms: whoever was made later is not the user who was meant. */
  readonly madeBefore?: number;
};

export type Held = Extract<PlannedRecord, { kind: "change" }>;

/** What was found of a row's user. One verdict a unit, in the row's order. */
export interface Match {
  readonly username: string;
  readonly found: boolean;
  readonly verdicts: readonly Verdict[];
  readonly federated?: readonly string[];
  readonly changed?: true;
  readonly lookedAt?: number;
  readonly person?: Person;
}

export interface Verdict {
  deed: Deed | "asked";
  readonly message?: boolean;
  readonly before?: string;
  readonly was?: NonNullable<JudgedUnit["was"]>;
  readonly beforeName?: string;
  readonly invalid?: InvalidUnit;
}

/** The user of a row that is compared with nothing. */
export function unseen({ change }: Held): Match {
  return { username: change.username, found: false, verdicts: change.units.map(() => ({ deed: "write" })) };
}

export function isRecord(value: unknown): value is PlannedRecord {
  return typeof value === "object" && value !== null && "kind" in value;
}

export function isMatch(value: unknown): value is Match {
  return typeof value === "object" && value !== null && "verdicts" in value;
}
