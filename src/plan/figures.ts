/** What a plan comes to, counted over its rows. */
import { defined } from "../core/defined.ts";
import { differenceOf, type Difference } from "../core/difference.ts";
import { isFresh } from "../core/person.ts";
import type { PoolProfile } from "../core/pool-schema.ts";
import { contactOf, isContact, isFlag } from "../core/unit.ts";
import { ACTIONS, isSent, type Action, type PlannedRow, type PlannedUnit } from "./planned-row.ts";
import type { MissedFigures } from "./missed.ts";
import type { Baseline } from "./baseline.ts";

export type ActionCounts = Readonly<Record<Action | "invalid", number>>;

export interface PlanFigures {
  readonly baseline: Baseline;
  readonly rows: { readonly read: number; readonly faulty: number };
  /** Rows that are at fault as a whole, by reason: unknown and ambiguous users among them. */
  readonly faults: Readonly<Record<string, number>>;
  readonly users: { readonly matched: number; readonly changed: number; readonly unchanged: number };
  /** Those among them whom the pool does not list; absent where nobody looked. */
  readonly unlisted?: number | undefined;
  readonly attributes: Readonly<Record<string, ActionCounts>>;
  /** Values that cannot be written, by reason: alias conflicts among them. */
  readonly invalid: Readonly<Record<string, number>>;
  /** Absent where no value is stale. */
  readonly stale?: StaleFigures | undefined;
  /** Of what would change, what the feed's events had missed; absent where that is nothing, or nobody can tell. */
  readonly missed?: MissedFigures | undefined;
  /** Users who sign in through a provider that would overwrite what is written at their next sign-in. */
  readonly federated: { readonly users: number; readonly overwritten: number; readonly unchecked: readonly string[] };
  readonly messages: { readonly email: number; readonly phone_number: number };
  /** Addresses and numbers that nobody is asked to confirm; absent where there are none. */
  readonly marked?: { readonly email: number; readonly phone_number: number } | undefined;
  /** At most: a user who was active this month already is billed once. */
  readonly newlyActive: number;
  /** New sign-in names whose owners are looked at when they are sent: not everybody was read. Absent where there are none. */
  readonly ownersUnknown?: number | undefined;
  /** What a run of the plan makes once it is made: the reading of the pool is in `scan`. */
  readonly calls: { readonly updates: number; readonly lists: number };
  /** At the pace of the moment. */
  readonly pace: { readonly updatesPerSecond: number; readonly listsPerSecond: number };
  readonly durationMs: number;
  /** Absent where the pool was not scanned. */
  readonly scan?: ScanFigures | undefined;
}

/** What the versions of a feed's rows are: the time of the whole feed, or what a column of each row says. */
export interface RowTimes {
  /** ISO 8601. */
  readonly asOf: string;
  readonly column?: string | undefined;
  /** Events of the feed go over what the file says, as a matter of course; absent where it has none. */
  readonly events?: true | undefined;
}

/** Values that differ from what is there, and are not written: poolsync has written newer ones. */
export interface StaleFigures extends Partial<RowTimes> {
  readonly rows: number;
  readonly values: number;
}

export interface ScanFigures {
  readonly users: number;
  /** Calls of ListUsers. */
  readonly pages: number;
  /** Those whom rows name were looked at one by one; absent where everybody was read. */
  readonly oneByOne?: true | undefined;
  /** The token of a page expired, and the scan was begun again. */
  readonly begunAgain: boolean;
  readonly durationMs: number;
  /** Dead letters whose cause is gone; absent where none may heal. */
  readonly healable?: number | undefined;
}

/** One value that would change, for people to look at. */
export interface Example {
  readonly line: number;
  readonly username: string;
  readonly attribute: string;
  readonly deed: Action;
  /** Absent in plans that were kept before it was said. */
  readonly difference?: Difference;
  readonly before?: string;
  readonly after?: string;
}

/** Users that a provider may overwrite, by the provider and the attributes that the plan writes to them. */
export interface FederatedTally {
  readonly provider: string;
  readonly attributes: readonly string[];
  users: number;
}

export interface Tally {
  add(row: PlannedRow): void;
  readonly federated: Iterable<FederatedTally>;
  figures(facts: {
    readonly matched: number;
    readonly changed: number;
    readonly federated: PlanFigures["federated"];
    readonly scan?: ScanFigures | undefined;
    readonly times?: RowTimes | undefined;
  }): PlanFigures;
}

/** What the estimate of a run starts from. */
export interface TallyStart {
  readonly profile: Pick<PoolProfile, "aliasAttributes" | "usernameAttributes">;
  readonly baseline: Baseline;
  readonly pace: PlanFigures["pace"];
  /** Epoch ms by the store's clock: when the run would begin. */
  readonly nowMs: number;
}

type Counts = Record<string, number>;
const ALL: readonly (Action | "invalid")[] = [...ACTIONS, "invalid"];

export function createTally({ profile, baseline, pace, nowMs }: TallyStart): Tally {
  let read = 0;
  let newlyActive = 0;
  const stale = { rows: 0, values: 0 };
  let newSignIns = 0;
  const [faults, invalid]: [Counts, Counts] = [{}, {}];
  const attributes = new Map<string, Record<Action | "invalid", number>>();
  const federated = new Map<string, FederatedTally>();
  const messages = { email: 0, phone_number: 0 };
  const marked = { email: 0, phone_number: 0 };
  const calls = { updates: 0, lists: 0 };
  const count = (counts: Counts, word: string): void => void (counts[word] = (counts[word] ?? 0) + 1);
  const countsOf = (name: string): Record<Action | "invalid", number> => {
    const known = attributes.get(name);
    if (known) return known;
    const fresh = {
      set: 0,
      change: 0,
      clear: 0,
      write: 0,
      unchanged: 0,
      awaiting: 0,
      superseded: 0,
      stale: 0,
      invalid: 0,
    };
    attributes.set(name, fresh);
    return fresh;
  };

  return {
    federated: { [Symbol.iterator]: () => federated.values() },
    add(row) {
      read += 1;
      if (row.kind === "fault") return count(faults, row.reason);
      for (const { name, reason } of row.invalid) {
        count(invalid, reason);
        countsOf(name).invalid += 1;
      }
      const sent = row.units.filter(({ action }) => isSent(action));
      for (const { unit, action, message } of row.units) {
        countsOf(unit.name)[action] += 1;
        if (unit.name !== "email" && unit.name !== "phone_number") continue;
        if (message) messages[unit.name] += 1;
        if (isSent(action) && unit.value.kind === "text" && unit.value.verified === "mark") marked[unit.name] += 1;
      }
      const old = row.units.filter(({ action }) => action === "stale").length;
      stale.values += old;
      stale.rows += old > 0 ? 1 : 0;
      calls.lists += looksAt(row, sent, baseline, nowMs + (calls.updates / pace.updatesPerSecond) * 1000);
      if (sent.length === 0) return;
      for (const plannedUnit of sent) {
        if (takesAlias(profile, plannedUnit)) calls.lists += 1;
        if (givesSignIn(profile, plannedUnit)) newSignIns += 1;
      }
      newlyActive += 1;
      // What goes together is one call; a flag that is set alone has its own. Contacts are read before they are written.
      const flags = sent.filter(({ unit }) => contactOf(unit.name) !== undefined).length;
      calls.updates += flags + (sent.length > flags ? 1 : 0);
      for (const provider of row.federated) {
        const names = sent.map(({ unit }) => unit.name).toSorted();
        const key = JSON.stringify([provider, names]);
        const known = federated.get(key) ?? { provider, attributes: names, users: 0 };
        known.users += 1;
        federated.set(key, known);
      }
    },
    figures({ matched, changed, federated: overwritten, scan, times }) {
      const faulty = Object.values(faults).reduce((sum, amount) => sum + amount, 0);
      const seconds = Math.max(calls.updates / pace.updatesPerSecond, calls.lists / pace.listsPerSecond);
      return {
        baseline,
        rows: { read, faulty },
        faults,
        users: { matched, changed, unchanged: matched - changed },
        attributes: Object.fromEntries([...attributes].toSorted(([a], [b]) => (a < b ? -1 : 1))),
        invalid,
        ...(stale.values === 0 ? {} : { stale: { ...stale, ...times } }),
        federated: overwritten,
        messages,
        ...(marked.email + marked.phone_number > 0 ? { marked } : {}),
        newlyActive: Math.min(newlyActive, changed),
        ...(scan?.oneByOne === true && newSignIns > 0 ? { ownersUnknown: newSignIns } : {}),
        calls,
        pace,
        durationMs: Math.round(seconds * 1000),
        scan,
      };
    },
  };
}

type UserRow = Extract<PlannedRow, { kind: "user" }>;

/**
 * Calls of ListUsers that find the row's user and what is there, when it is put and delivered. The look of the plan, or
 * of whoever puts it, serves for a minute, and for no flag that is sent. `atMs`: when it is delivered, by the store's
 * clock.
 */
function looksAt(row: UserRow, sent: readonly PlannedUnit[], baseline: Baseline, atMs: number): number {
  const waits = ({ unit, action }: PlannedUnit): boolean =>
    isSent(action) || (action === "unchanged" && (baseline !== "live" || contactOf(unit.name) !== undefined));
  if (!row.units.some(waits)) return 0;
  // A provider's user is called by username: that it is still the account is asked right before.
  const isFederated = row.person?.account?.federated === true;
  const asksAnew = isFederated || sent.some(({ unit }) => restsOnFlag(unit)) ? 1 : 0;
  if (!row.found) {
    // Whoever is found when the change is put is looked at no second time, if it is sent within the minute.
    const toFind = row.looksToFind ?? 0;
    return baseline === "live" ? 1 + toFind : Math.max(1, toFind + asksAnew);
  }
  if (row.lookedAt !== undefined && isFresh(row.lookedAt, atMs)) return asksAnew;
  const isContactSent =
    sent.some(({ unit }) => isContact(unit.name)) || row.units.some(({ unit }) => isFlag(unit.name));
  return isContactSent || isFederated || row.person?.name !== undefined ? 1 : 0;
}

/** True for a flag alone, or one that is kept: what is sent of it is asked right before. */
function restsOnFlag({ value }: PlannedUnit["unit"]): boolean {
  return value.kind === "as-is" || (value.kind === "text" && value.verified === "keep");
}

/** True where the owner of a sign-in name is looked at before the unit is sent. */
function takesAlias({ aliasAttributes }: TallyStart["profile"], { unit, was }: PlannedUnit): boolean {
  const { name, value } = unit;
  const contact = contactOf(name) ?? name;
  if (!aliasAttributes.includes(contact)) return false;
  if (value.kind === "as-is") return value.verified;
  if (value.kind === "clear") return false;
  return !isContact(name) || value.verified === "mark" || (value.verified === "keep" && was?.flag === "true");
}

function givesSignIn(
  { aliasAttributes, usernameAttributes }: TallyStart["profile"],
  { unit, before }: PlannedUnit,
): boolean {
  const { name, value } = unit;
  return value.kind === "text" && value.text !== before && [...aliasAttributes, ...usernameAttributes].includes(name);
}

/** How many rows and values are not put. */
export function notPutCount({ rows, invalid }: Pick<PlanFigures, "rows" | "invalid">): number {
  return Object.values(invalid).reduce((sum, amount) => sum + amount, rows.faulty);
}

/** The sum of all attributes. */
export function totalActions({ attributes }: Pick<PlanFigures, "attributes">): ActionCounts {
  const sum = { set: 0, change: 0, clear: 0, write: 0, unchanged: 0, awaiting: 0, superseded: 0, stale: 0, invalid: 0 };
  for (const counts of Object.values(attributes)) for (const action of ALL) sum[action] += counts[action];
  return sum;
}

export function exampleOf(row: Extract<PlannedRow, { kind: "user" }>, { unit, action, before }: PlannedUnit): Example {
  const { name, value } = unit;
  const after = shownText(value);
  const difference = differenceOf(value, before, action !== "write");
  return defined({ line: row.line, username: row.username, attribute: name, deed: action, difference, before, after });
}

/** What is to be there; undefined where nothing is. */
export function shownText(value: PlannedUnit["unit"]["value"]): string | undefined {
  return value.kind === "text" ? value.text : value.kind === "as-is" ? String(value.verified) : undefined;
}
