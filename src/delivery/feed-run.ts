/**
 * One pass over a feed: records are mapped and checked, put page by page, and counted. While too many users of the pool
 * are due it waits, so that memory and the queue stay flat for any feed. A pass that was cut goes on
 * where its cursor stands; records before it are mapped and checked again for the report, but not put.
 */
import type { Change } from "../core/change.ts";
import { defined } from "../core/defined.ts";
import type { Identifier } from "../core/identifier.ts";
import { PLAN_FAULTS } from "../core/plan-fault.ts";
import { nextStep, sentence, textOf, type Sentence } from "../core/sentence.ts";
import type { PoolProfile } from "../core/pool-schema.ts";
import type { MappedRecord } from "../feeds/mapping.ts";
import type { Put } from "../store/mailboxes.ts";
import type { Run } from "../store/runs.ts";
import { cursorBeyond, runLost } from "../store/store-error.ts";
import type { UserNames } from "./user-names.ts";
import type { Engine } from "../queues/engine.ts";
import { belowBacklog } from "./backlog.ts";
import { createProducer, VERSION_AHEAD } from "./producer.ts";
import type { RowIssue } from "./row-issue.ts";
import { createRowExceptions, type RowExceptions } from "./row-exceptions.ts";
import { PRIORITY } from "../queues/wake-ups.ts";

/** A record as it is put: `found` says that its user is known to be in the pool, by the username. */
export type FeedRow =
  | (MappedRecord & {
      readonly found?: boolean;
      /** How the row names its user, where it is at fault: for those who ask later, and in no report. */
      readonly name?: string | undefined;
    })
  | RestOfRows;

/** Stands for rows without anything to put, so that a run counts all rows of its feed. */
export interface RestOfRows {
  readonly kind: "rest";
  readonly read: number;
  readonly faulty: number;
  /** For the report. */
  readonly issues?: readonly RowIssue[];
}

export interface FeedRunOptions {
  readonly engine: Engine;
  readonly profile: PoolProfile;
  readonly run: Run;
  readonly records: AsyncIterable<FeedRow>;
  readonly names: UserNames;
  /** What the feed says it names users by. */
  readonly identifier?: Identifier;
  /** Canonical usernames and attributes that are never written. */
  readonly isProtected?: { user(username: string): boolean; attribute(name: string): boolean };
  readonly report: (issue: RowIssue) => void;
  readonly progress?: (rows: number) => void;
  /** Told of values that are older than what was written since, and that no look has found there. */
  readonly stale?: (values: number) => void;
  /** This process delivers what it puts, and leaves the rest of the pool: how much of that is due is not its backlog. */
  readonly deliversOwn?: boolean;
  /** How many may be due before it waits, where that is not as many as `belowBacklog` says. */
  readonly backlog?: number;
  /** Called when the feed waits because many users are due, and no worker seems to deliver. */
  readonly onStill?: () => void;
  readonly signal: AbortSignal;
}

const PAGE_ROWS = 500;

/** How many rows were put. A cursor that is no such number was altered in the store: then all are put again. */
function rowsPut(cursor: string): number {
  return /^\d{1,15}$/.test(cursor) ? Number(cursor) : 0;
}

/**
 * Puts the whole feed, and answers the cursor at its end. Rejects when `signal` aborts, between two pages; what was put
 * stays put. Rejects with a StoreError `run-lost` where the store has forgotten what was put.
 */
export async function putFeed(options: FeedRunOptions): Promise<string> {
  const { engine, profile, run, report, progress, deliversOwn = false, backlog: limit, onStill, signal } = options;
  const producer = createProducer({ engine, profile, run: run.id, priority: PRIORITY.bulk, sendUnless: "there" });
  let cursor = run.cursor;
  // Where fewer rows were counted than the cursor says, it was altered. One that was put whole has its state to say so.
  const startAt = run.state === "reading" ? Math.min(rowsPut(cursor), run.rows.read) : rowsPut(cursor);
  let rows = 0;
  /** Rows of the feed that no record stands for. */
  let others = 0;
  let page: Collected = { changes: [], invalid: 0, read: 0, faulty: 0 };
  const exceptions = createRowExceptions(engine.keyring, profile.id, run.id);

  const { mailboxes, runs } = engine.store;
  const countWaiting = async (): Promise<number> =>
    deliversOwn ? (await runs.books(run.id)).pending : mailboxes.dueCount(profile.id);

  const flush = async (): Promise<void> => {
    if (page.read === 0) return;
    signal.throwIfAborted();
    await belowBacklog(countWaiting, defined({ limit, onStill }), signal);
    const rowsFound = await linked(options, page, exceptions);
    const changes = rowsFound.map(({ change }) => change);
    const { invalid, read, faulty } = page;
    const to = String(rows);
    const put = await producer.put(changes, { invalid, rows: { read, faulty }, cursor: { from: cursor, to } });
    // Refused with the cursor where we wanted it: the page was put, and only the answer was lost on the way.
    if (!put.accepted && put.cursor !== to) {
      throw rowsPut(put.cursor) < rowsPut(cursor) ? runLost(run.id) : new RunTakenError(run.id);
    }
    cursor = put.cursor;
    for (const { line, change } of furthestAhead(rowsFound, put.ahead)) {
      for (const { name } of change.units) {
        const issue = { line, attribute: name, ...VERSION_AHEAD };
        report(issue);
        exceptions.add(issue, change.username, true);
      }
    }
    const lines = new Map(rowsFound.map(({ line, change }) => [producer.userKey(change.username), line]));
    const left = notThere(rowsFound, put.stale, (username) => producer.userKey(username));
    for (const { user, name } of left) exceptions.stale(user, name, lines.get(user));
    options.stale?.(left.length);
    await noteExceptions(engine, exceptions);
    page = { changes: [], invalid: 0, read: 0, faulty: 0 };
    progress?.(rows + others);
  };

  for await (const record of options.records) {
    rows += 1;
    const counts = rows > startAt;
    if (record.kind === "rest") {
      others += record.read - 1;
      for (const issue of record.issues ?? []) report(issue);
      if (counts) {
        page.read += record.read;
        page.faulty += record.faulty;
      }
      continue;
    }
    if (counts) page.read += 1;
    const checked = record.kind === "fault" ? { fault: record } : producer.check(record.change);
    if ("fault" in checked) {
      const { reason, detail } = checked.fault;
      const issue = { line: record.line, reason, detail };
      report(issue);
      if (counts) {
        page.faulty += 1;
        exceptions.add(issue, record.kind === "fault" ? record.name : undefined, false);
      }
    } else {
      const invalid = [...(record.kind === "change" ? record.invalid : []), ...checked.invalid];
      for (const { name, reason, detail } of invalid) {
        const issue = { line: record.line, attribute: name, reason, detail };
        report(issue);
        if (counts) exceptions.add(issue, checked.sound.username, record.kind === "change" && record.found === true);
      }
      if (counts) {
        page.invalid += invalid.length;
        page.changes.push({
          line: record.line,
          change: checked.sound,
          found: record.kind === "change" && record.found === true,
        });
      }
    }
    if (page.read >= PAGE_ROWS) await flush();
  }
  // A stream that was cut off has an end as well.
  signal.throwIfAborted();
  // The content is the same, or the run would be another.
  if (rows < rowsPut(run.cursor)) throw cursorBeyond(run.id);
  await flush();
  return cursor;
}

interface Row {
  readonly line: number;
  readonly change: Change;
  readonly found: boolean;
}

/** The rows of a page, on their way. */
interface Collected {
  readonly changes: Row[];
  invalid: number;
  read: number;
  faulty: number;
}

/** Lookups under way at a time: their pace is that of the quota anyhow. */
const LOOKUPS = 5;

/** The page's changes by username; rows whose user cannot be found are reported, and faulty as a whole. */
async function linked(options: FeedRunOptions, page: Collected, exceptions: RowExceptions): Promise<Row[]> {
  const { names, identifier, isProtected, report, signal } = options;
  const changes: Row[] = [];
  for (let at = 0; at < page.changes.length; at += LOOKUPS) {
    const batch = page.changes.slice(at, at + LOOKUPS);
    const users = await Promise.all(
      batch.map(({ change, found }) =>
        found
          ? Promise.resolve({ is: "one" as const, username: change.username, person: change.person ?? {} })
          : names.whose(change.username, identifier, signal, { inBulk: true }),
      ),
    );
    for (const [index, row] of batch.entries()) {
      const { line } = row;
      const user = users[index];
      if (user?.is === "one" && isProtected?.user(user.username) !== true) {
        const { username, person } = user;
        changes.push({ ...row, change: { ...unprotected(options, page, row), username, person } });
      } else {
        page.faulty += 1;
        const isProtectedUser = user?.is === "one";
        const whose = user?.is === "many" ? SEVERAL_USERS : NO_USER;
        const issue = { line, ...(isProtectedUser ? PROTECTED_USER : whose) };
        report(issue);
        exceptions.add(issue, isProtectedUser ? user.username : row.change.username, isProtectedUser);
      }
    }
  }
  return changes;
}

/** The change without the attributes that are never written, which are invalid. */
function unprotected({ isProtected, report }: FeedRunOptions, page: Collected, { line, change }: Row): Change {
  if (!isProtected) return change;
  const units = change.units.filter(({ name }) => {
    if (!isProtected.attribute(name)) return true;
    page.invalid += 1;
    report({ line, attribute: name, reason: "protected-attribute", detail: PLAN_FAULTS["protected-attribute"] });
    return false;
  });
  return { ...change, units };
}

/**
 * The rows whose units the store found ahead of its clock, of which it says only how many there are: it compares all of
 * a page with one time, so they are the latest.
 */
function furthestAhead(rows: readonly Row[], units: number): Row[] {
  if (units === 0) return [];
  const latest = rows.toSorted((a, b) => (b.change.version?.timeMs ?? 0) - (a.change.version?.timeMs ?? 0));
  const ahead: Row[] = [];
  let left = units;
  for (const row of latest) {
    if (left <= 0) break;
    left -= row.change.units.length;
    ahead.push(row);
  }
  return ahead.toSorted((a, b) => a.line - b.line);
}

/** Those of these units that no look has found as their row has them. */
function notThere(rows: readonly Row[], units: Put["stale"], userKey: (username: string) => string): Put["stale"] {
  if (units.length === 0) return units;
  const there = new Set<string>();
  for (const { change } of rows) {
    for (const [name, found] of change.look?.found ?? []) {
      if (found === "there") there.add(`${userKey(change.username)} ${name}`);
    }
  }
  return units.filter(({ user, name }) => !there.has(`${user} ${name}`));
}

/** Notes them for those who ask later. */
async function noteExceptions({ store }: Engine, exceptions: RowExceptions): Promise<void> {
  const noted = exceptions.take();
  if (noted.length > 0) await store.exceptions.note(noted);
}

const PROTECTED_USER = { reason: "protected-user", detail: PLAN_FAULTS["protected-user"] };
const NO_USER = {
  reason: "user-unknown",
  detail: "Expected the row to name a user of the pool; nobody has this address, number or sub.",
};
const SEVERAL_USERS = {
  reason: "user-ambiguous",
  detail: "Expected the row to name one user of the pool; several have this address or number.",
};

/** Another process goes on with the same run. */
class RunTakenError extends Error {
  readonly kind = "run-taken";
  readonly sentence: Sentence;

  constructor(run: string) {
    const said = sentence`Another process is reading the same feed into run ${run}: let it finish, and look at it with ${nextStep("runs", "show", run)}.`;
    super(textOf(said));
    this.sentence = said;
  }
}
