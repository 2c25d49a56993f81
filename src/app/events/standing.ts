/** What an entry says in the end, where several of its records say the same attribute of one user. */
import type { Change } from "../../core/change.ts";
import { canonicalUsername, checkUnit, type PoolProfile } from "../../core/pool-schema.ts";
import type { Unit } from "../../core/unit.ts";
import type { Pool } from "../../delivery/pool.ts";
import type { EventRecord } from "./read-event.ts";
import type { Resolving } from "./record-names.ts";

/** What stands of an attribute of a user. */
interface Standing {
  readonly version: Change["version"];
  /** The number of the record that says it. */
  readonly line: number;
  readonly unit: Unit;
  /** That record has left the entry before. */
  readonly isGone: boolean;
}

/** By {@link keyOf}. */
export type StandingUnits = ReadonlyMap<string, Standing>;

type ChangeRecord = Extract<EventRecord, { is: "change" }>;

/**
 * Of an attribute that records of an entry say of one user the newest stands, and of one time the last, whichever of them
 * is put first: by versions alone, of one time, that would be what is put last. `records` are those of `all` that have not
 * left it.
 */
export function standingOf(
  { pool: { profile }, isProtected }: Pick<Resolving, "isProtected"> & { readonly pool: Pick<Pool, "profile"> },
  { all, records }: { readonly all: readonly EventRecord[]; readonly records: readonly EventRecord[] },
): StandingUnits {
  const left = new Set(records.map(({ line }) => line));
  const newest = new Map<string, Standing>();
  for (const record of all) {
    if (record.is !== "change") continue;
    const { line, change } = record;
    for (const unit of change.units) {
      const key = keyOf(profile, change.username, unit);
      const isSound = !isProtected.attribute(unit.name) && checkUnit(profile, unit) === undefined;
      if (!isSound || timeOf(change) < timeOf(newest.get(key))) continue;
      newest.set(key, { line, unit, version: change.version, isGone: !left.has(line) });
    }
  }
  return newest;
}

/** What stands of a record's attributes, where that is of another record. */
export function standingOver(
  profile: PoolProfile,
  { line, change }: ChangeRecord,
  standing: StandingUnits,
): readonly Standing[] {
  const ofIts = change.units.map((unit) => standing.get(keyOf(profile, change.username, unit)));
  return ofIts.filter((one) => one !== undefined).filter((one) => one.line !== line);
}

function keyOf(profile: PoolProfile, username: string, { name }: Unit): string {
  return JSON.stringify([canonicalUsername(profile, username), name]);
}

/** The same of what is put together, by who is meant: one user may be named in two ways. */
export function overruleDoubles(changes: readonly Change[]): Change[] {
  const last = new Map<string, { readonly index: number; readonly timeMs: number }>();
  const overruled = changes.map(({ overruled: before = [] }) => new Set(before));
  for (const [index, change] of changes.entries()) {
    const timeMs = timeOf(change);
    for (const { name } of change.units) {
      const key = JSON.stringify([change.username, name]);
      const other = last.get(key);
      const isNewer = other === undefined || timeMs >= other.timeMs;
      if (isNewer) last.set(key, { index, timeMs });
      const lost = isNewer ? other?.index : index;
      if (lost !== undefined) overruled[lost]?.add(name);
    }
  }
  return changes.map((change, index) => {
    const names = overruled[index];
    return names === undefined || names.size === 0 ? change : { ...change, overruled: names };
  });
}

function timeOf(said: Pick<Standing, "version"> | Pick<Change, "version"> | undefined): number {
  return said?.version?.timeMs ?? 0;
}
