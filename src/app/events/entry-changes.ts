/** Whom the records of events mean, and what of them can be put: as rows of a file, but one that names nobody is left. */
import { defined } from "../../core/defined.ts";
import { CognitoError } from "../../cognito/cognito-error.ts";
import type { ListedUser } from "../../core/comparison.ts";
import type { Change } from "../../core/change.ts";
import { FAILURE_KINDS } from "../../core/failure.ts";
import { IDENTIFIERS } from "../../core/identifier.ts";
import { PLAN_FAULTS } from "../../core/plan-fault.ts";
import { canonicalUsername, checkUnit, checkUsername } from "../../core/pool-schema.ts";
import type { Pool } from "../../delivery/pool.ts";
import type { RowIssue } from "../../delivery/row-issue.ts";
import type { Mapping } from "../../feeds/mapping.ts";
import type { EventRecord, ParkedReason } from "./read-event.ts";

export interface Resolving {
  readonly pool: Pick<Pool, "profile" | "names">;
  readonly isProtected: { user(username: string): boolean; attribute(name: string): boolean };
  readonly signal: AbortSignal;
}

/** Records of an entry, and how they name people. */
export interface Unresolved {
  /** The entry's own: what has the same one is of the same entry. */
  readonly arrival: number;
  readonly records: readonly EventRecord[];
  readonly named: Pick<Mapping, "identifier" | "match">;
  /** Where others of the entry come with other pages, or have come. */
  readonly latest?: Latest | undefined;
}

/** By username as it is written, and attribute: the number of the record of an entry that stands. */
export type Latest = ReadonlyMap<string, number>;

/** What is wrong with a record that is not left, as the store keeps it for those who ask later. */
interface NotedIssue {
  readonly issue: RowIssue;
  readonly name: string;
  /** It is the username. */
  readonly found: boolean;
}

/** What becomes of such records. */
export interface EntryChanges {
  changes: Change[];
  readonly noted: NotedIssue[];
  /** Those that cannot become a change as things are, by their numbers. */
  readonly left: { readonly line: number; readonly reason: ParkedReason }[];
  /** Records that are not left. */
  read: number;
  faulty: number;
  invalid: number;
}

type ChangeRecord = Extract<EventRecord, { is: "change" }>;

/** Lookups under way at a time. */
const LOOKUPS = 5;

/**
 * Answers for each of these, in their order. Rejects with a CognitoError where the pool cannot be asked, and with the signal's
 * reason.
 */
export async function changesOf(
  resolving: Resolving,
  entries: readonly Unresolved[],
): Promise<readonly EntryChanges[]> {
  const made = entries.map((): EntryChanges => ({
    changes: [],
    noted: [],
    left: [],
    read: 0,
    faulty: 0,
    invalid: 0,
  }));
  const pairs = entries.flatMap(({ arrival, records, named, latest }, index) =>
    records.map((record) => ({ arrival, record, named, latest, into: made[index] })),
  );
  for (let at = 0; at < pairs.length; at += LOOKUPS) {
    const batch = pairs.slice(at, at + LOOKUPS);
    const whose = await Promise.all(
      batch.map(async ({ record, named }) => (record.is === "change" ? nameOf(resolving, named, record) : undefined)),
    );
    for (const [index, { arrival, record, latest, into }] of batch.entries()) {
      const who = whose[index];
      if (into === undefined) continue;
      if (record.is === "parked") into.left.push({ line: record.line, reason: record.reason });
      else if (who?.is !== "one") into.left.push({ line: record.line, reason: REASONS[who?.is ?? "none"] });
      else {
        const overruled = overruledOf(record, latest);
        addChange(resolving, into, record, { ...record.change, ...who.of, arrival, ...overruled });
      }
    }
  }
  const ofEntries = Map.groupBy(made.keys(), (index) => entries[index]?.arrival);
  for (const indexes of ofEntries.values()) overruleDoubles(indexes.flatMap((index) => made[index] ?? []));
  return made;
}

type Who =
  | { readonly is: "one"; readonly of: Pick<Change, "username" | "person"> }
  | { readonly is: "none" | "many" | "unreadable" };

const REASONS = { none: "nobody", many: "several", unreadable: "unreadable" } as const;

async function nameOf(
  { pool, isProtected, signal }: Resolving,
  { match, ...mapping }: Unresolved["named"],
  { change }: ChangeRecord,
): Promise<Who> {
  const { profile, names } = pool;
  const { username: text, units } = change;
  const identifier = match === undefined ? mapping.identifier : IDENTIFIERS.find((one) => one === match);
  // Nobody can be asked for by another attribute: that takes a scan of the pool.
  if (match !== undefined && identifier === undefined) return { is: "none" };
  const canonical = canonicalUsername(profile, text);
  // Who is not written is asked nothing about.
  if (match === undefined && isProtected.user(canonical)) return { is: "one", of: { username: canonical } };
  const mayBill = (user: ListedUser): boolean =>
    units.length > 0 && !isProtected.user(canonicalUsername(profile, user.username));
  // This process lives for long: of somebody whose events come every few seconds its last answer is always a new one.
  const asking = { inBulk: true, anew: true, mayBill };
  const named = await names.whose(text, identifier, signal, asking).catch(asUnreadable);
  if (named.is !== "one") return { is: named.is };
  return { is: "one", of: { username: canonicalUsername(profile, named.username), person: named.person } };
}

/** Of a name that Cognito does not take nothing comes ever; for what passes, or somebody mends, all others wait as well. */
function asUnreadable(error: unknown): { readonly is: "unreadable" } {
  if (error instanceof CognitoError && FAILURE_KINDS[error.kind].outcome === "bury") return { is: "unreadable" };
  throw error;
}

/** Its sound units become a change; the others are counted and noted. */
function addChange({ pool, isProtected }: Resolving, into: EntryChanges, record: ChangeRecord, change: Change): void {
  const { line } = record;
  const { username } = change;
  into.read += 1;
  const fault = isProtected.user(username)
    ? { reason: "protected-user", detail: PLAN_FAULTS["protected-user"] }
    : checkUsername(username);
  if (fault !== undefined) {
    into.faulty += 1;
    into.noted.push({ issue: { line, ...fault }, name: username, found: isProtected.user(username) });
    return;
  }
  const invalid = [...record.invalid];
  const units = change.units.filter((unit) => {
    const { name } = unit;
    const wrong = isProtected.attribute(name)
      ? { name, reason: "protected-attribute", detail: PLAN_FAULTS["protected-attribute"] }
      : checkUnit(pool.profile, unit);
    if (wrong !== undefined) invalid.push(wrong);
    return wrong === undefined;
  });
  into.invalid += invalid.length;
  for (const { name: attribute, reason, detail } of invalid) {
    into.noted.push({ issue: { line, attribute, reason, detail }, name: username, found: true });
  }
  into.changes.push(defined({ ...change, units }));
}

/**
 * Of an attribute that records of an entry say of one user the newest stands, and of one time the last, whichever of them
 * is put first: by versions alone, of one time, that would be what is put last.
 */
export function latestOf({ pool: { profile }, isProtected }: Resolving, records: readonly EventRecord[]): Latest {
  const newest = new Map<string, { readonly line: number; readonly timeMs: number }>();
  for (const record of records) {
    if (record.is !== "change") continue;
    const { line, change } = record;
    const timeMs = change.version?.timeMs ?? 0;
    for (const unit of change.units) {
      const key = keyOf(change.username, unit.name);
      const isSound = !isProtected.attribute(unit.name) && checkUnit(profile, unit) === undefined;
      if (isSound && timeMs >= (newest.get(key)?.timeMs ?? 0)) newest.set(key, { line, timeMs });
    }
  }
  return new Map([...newest].map(([key, { line }]) => [key, line]));
}

function keyOf(username: string, unit: string): string {
  return JSON.stringify([username, unit]);
}

function overruledOf({ line, change }: ChangeRecord, latest: Latest | undefined): Pick<Change, "overruled"> {
  if (latest === undefined) return {};
  const names = change.units.map(({ name }) => name);
  return { overruled: new Set(names.filter((name) => (latest.get(keyOf(change.username, name)) ?? line) !== line)) };
}

/** An event that says an attribute of a user twice means the newer one, and of one time the last. */
function overruleDoubles(ofEvent: readonly EntryChanges[]): void {
  const changes = ofEvent.flatMap((made) => made.changes);
  const last = new Map<string, { readonly index: number; readonly timeMs: number }>();
  const overruled = changes.map(() => new Set<string>());
  for (const [index, { username, units, version }] of changes.entries()) {
    const timeMs = version?.timeMs ?? 0;
    for (const { name } of units) {
      const key = keyOf(username, name);
      const other = last.get(key);
      const isNewer = other === undefined || timeMs >= other.timeMs;
      if (isNewer) last.set(key, { index, timeMs });
      const lost = isNewer ? other?.index : index;
      if (lost !== undefined) overruled[lost]?.add(name);
    }
  }
  let index = 0;
  for (const made of ofEvent) {
    made.changes = made.changes.map((change) => {
      const names = overruled[index++];
      if (names === undefined || names.size === 0) return change;
      return { ...change, overruled: new Set([...names, ...(change.overruled ?? [])]) };
    });
  }
}
