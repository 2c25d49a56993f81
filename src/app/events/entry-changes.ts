/** What of the records of events can be put: as rows of a file, but one that names nobody is left. */
import { defined } from "../../core/defined.ts";
import type { Change } from "../../core/change.ts";
import { PLAN_FAULTS } from "../../core/plan-fault.ts";
import { checkUnit, checkUsername } from "../../core/pool-schema.ts";
import type { RowIssue } from "../../delivery/row-issue.ts";
import { arePassing, namesAsked, type AskedName, type OlderThan } from "./passing-names.ts";
import type { EventRecord, ParkedReason } from "./read-event.ts";
import { arrivalOf, namesOf, type Arrivals, type Asked, type Resolving } from "./record-names.ts";

/** Records of an entry, and how they name people. */
export interface Unresolved extends Omit<Asked, "record">, Arrivals {
  readonly records: readonly EventRecord[];
}

/** What is wrong with a record that is not left, as the store keeps it for those who ask later. */
interface NotedIssue {
  readonly issue: RowIssue;
  readonly name: string;
  /** It is the username. */
  readonly found: boolean;
}

/** What becomes of such records. */
export interface EntryChanges {
  readonly changes: Change[];
  readonly noted: NotedIssue[];
  /** Those that cannot become a change as things are, by their numbers. */
  readonly left: { readonly line: number; readonly reason: ParkedReason }[];
  /** Those of which only a scan of the pool can tell whom they mean, and since when one must have begun (epoch ms). */
  readonly unscanned: { readonly line: number; readonly since: number }[];
  /** Those that wait for a name to pass on, by their numbers. */
  readonly passing: number[];
  /** Records that are not left. */
  read: number;
  faulty: number;
  invalid: number;
}

type ChangeRecord = Extract<EventRecord, { is: "change" }>;

const REASONS = { none: "nobody", many: "several", unreadable: "unreadable" } as const;

/**
 * Answers for each of these entries, in their order. `older`: see arePassing. Rejects with a CognitoError where the pool cannot be asked, and with
 * the signal's reason.
 */
export async function changesOf(
  resolving: Resolving,
  entries: readonly Unresolved[],
  older: OlderThan,
): Promise<readonly EntryChanges[]> {
  const whose = await namesOf(
    resolving,
    entries.flatMap(({ records, ...entry }) => records.map((record) => ({ ...entry, record }))),
  );
  let index = 0;
  const asked: AskedRecord[] = [];
  const all = entries.map((entry) => {
    const { records, named } = entry;
    const made: EntryChanges = {
      changes: [],
      noted: [],
      left: [],
      unscanned: [],
      passing: [],
      read: 0,
      faulty: 0,
      invalid: 0,
    };
    for (const record of records) {
      const who = whose[index++];
      const { line } = record;
      if (record.is === "parked") made.left.push({ line, reason: record.reason });
      else if (who?.is === "unscanned") made.unscanned.push({ line, since: who.since });
      else if (who?.is === "none") {
        const nobody = namesAsked(resolving, named, record.change.username);
        asked.push({ made, record, change: { ...record.change, arrival: arrivalOf(entry, record) }, nobody });
      } else if (who?.is !== "one") made.left.push({ line, reason: REASONS[who?.is ?? "none"] });
      else {
        asked.push({ made, record, change: { ...record.change, ...who.of, arrival: arrivalOf(entry, record) } });
      }
    }
    return made;
  });
  const passing = await arePassing(resolving, asked, older);
  for (const [place, { made, record, change, nobody }] of asked.entries()) {
    const { line } = record;
    if (passing[place] === true) made.passing.push(line);
    else if (nobody !== undefined) made.left.push({ line, reason: REASONS.none });
    else addChange(resolving, made, record, change);
  }
  for (const { left } of all) left.sort((one, other) => one.line - other.line);
  return all;
}

interface AskedRecord extends AskedName {
  readonly made: EntryChanges;
  readonly record: ChangeRecord;
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
