/** A row of a feed, and what a plan says of it. */
import type { Change, InvalidUnit } from "../core/change.ts";
import type { Person } from "../core/person.ts";
import type { Found } from "../core/put.ts";
import { defined } from "../core/defined.ts";
import type { Unit } from "../core/unit.ts";
import type { FeedRow } from "../delivery/feed-run.ts";

/**
 * What a unit would do. `write`: it is sent, and nobody looked at what is there. `stale`: poolsync has written something
 * newer, so it is put, and not sent.
 */
export const ACTIONS = ["set", "change", "clear", "write", "unchanged", "awaiting", "superseded", "stale"] as const;
export type Action = (typeof ACTIONS)[number];

export interface PlannedUnit {
  readonly unit: Unit;
  readonly action: Action;
  /** An event should have brought it, and none has. */
  readonly missed?: true | undefined;
  /** Cognito would write to the person. */
  readonly message: boolean;
  /** What is there, where somebody looked and there is something. */
  readonly before?: string | undefined;
  /** The same with the flag of an address or number, as the pool has them: blank where it has none. */
  readonly was?: { readonly value: string; readonly flag?: string | undefined } | undefined;
  /** Names what is there, its flag included, where the unit would change it. */
  readonly beforeName?: string | undefined;
}

export type PlannedRow =
  | {
      readonly kind: "fault";
      readonly line: number;
      readonly reason: string;
      readonly detail: string;
      /** How the row names its user, where it names somebody. */
      readonly name?: string;
    }
  | {
      readonly kind: "user";
      readonly line: number;
      /** Names the user within the plan. */
      readonly user: string;
      /** Canonical, and known to be in the pool, where a scan found it; else as the row says it. */
      readonly username: string;
      readonly found: boolean;
      readonly version: NonNullable<Change["version"]>;
      readonly units: readonly PlannedUnit[];
      readonly invalid: readonly InvalidUnit[];
      readonly federated: readonly string[];
      /** Epoch ms by the store's clock: before the look at the user began. Absent where nobody looked. */
      readonly lookedAt?: number | undefined;
      /** Looks that it takes to find the user when the row is put; absent where a scan has, or nothing need be asked. */
      readonly looksToFind?: number | undefined;
      /** The account that was found, and how the row named it; absent where nobody looked. */
      readonly person?: Person | undefined;
    };

/** The actions that cost a call. */
export function isSent(action: Action): boolean {
  return action === "set" || action === "change" || action === "clear" || action === "write";
}

/** The row as the store is to have it: all its units, so that books and versions are right, each with what was seen. */
export function feedRowOf(row: PlannedRow): FeedRow {
  if (row.kind === "fault") return row;
  const { line, username, version, invalid, found, lookedAt, person } = row;
  const units = row.units.map(({ unit }) => unit);
  const overruled = row.units.filter(({ action }) => action === "superseded").map(({ unit }) => unit.name);
  const change = defined({
    username,
    units,
    version,
    person,
    overruled: overruled.length > 0 ? new Set(overruled) : undefined,
  });
  if (lookedAt === undefined) return { kind: "change", line, found, invalid, change };
  const looked = row.units.flatMap(({ unit, action }) => {
    const what = FOUND[action];
    return what === undefined ? [] : [[unit.name, what] as const];
  });
  return {
    kind: "change",
    line,
    found,
    invalid,
    change: { ...change, look: { at: lookedAt, found: new Map(looked) } },
  };
}

/** What a look at the user must have found, for this action to follow. */
const FOUND: Readonly<Partial<Record<Action, Found>>> = {
  unchanged: "there",
  awaiting: "awaiting",
  set: "other",
  change: "other",
  clear: "other",
  stale: "other",
};
