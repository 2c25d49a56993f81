/**
 * The port to mailboxes: each step runs a function of core/mailbox.ts within one transaction. One process has the
 * directory and one session runs the statements, so transactions follow one another, and what was read in one is
 * still true when it is written.
 */
import type { Entry } from "../../core/books.ts";
import { claim } from "../../core/claim.ts";
import { defined } from "../../core/defined.ts";
import { buriedOf } from "../../core/letter.ts";
import { dueAt, gatesIn, isBehind, openUnits, type Mailbox, type Runs, type UserState } from "../../core/mailbox.ts";
import { put } from "../../core/put.ts";
import { replay } from "../../core/replay.ts";
import { settle } from "../../core/settle.ts";
import { sortOut } from "../../core/sort-out.ts";
import { type Settlements } from "../../core/settlement.ts";
import {
  isAnyAhead,
  type ClaimAnswer,
  type Mailboxes,
  type Page,
  type Put,
  type Selection,
  type SettleAnswer,
  type Sorted,
  type Swept,
} from "../mailboxes.ts";
import { runCancelled, runEnded, runLost, StoreError } from "../store-error.ts";
import { postEntries } from "./books-table.ts";
import type { Session, StoreDatabase } from "./database.ts";
import { readPassages } from "./gates.ts";
import { areTaken, removeEntries } from "./inbox.ts";
import { everyLetter, readLettersOf, takeLetters, writeLetters } from "./letters.ts";
import { readRun } from "./runs.ts";
import { everyMailbox, NO_STATE, readUser, readUsers, writeUsers } from "./users.ts";

const WALK_PAGE = 1000;

/** The port to mailboxes: as long as it has methods, of which each is one transaction or one query. */
export function createMailboxes(database: StoreDatabase, now: () => number): Mailboxes {
  return {
    async put(page) {
      try {
        return await database.transaction((session) => putPage(session, page, now));
      } catch (error) {
        // What was set aside on the way was undone with the rest.
        if (error instanceof StoreError && error.kind === "run-lost") await readRun(database, page.run);
        throw error;
      }
    },
    claim: (user, token, leaseMs, selection = {}) =>
      database.transaction((session) => claimUser(session, user, { token, leaseMs, ...selection, at: now() })),
    settle: (user, token, settlements, leaseMs, runs) =>
      database.transaction((session) =>
        settleUser(session, user, settlements, { token, leaseMs, at: now(), ...(runs && { runs }) }),
      ),
    sweep: (pool, lease) => database.transaction((session) => sweepPool(session, pool, lease, now())),
    async dueCount(pool) {
      const rows = await database.query<{ n: number }>(
        "SELECT count(*) AS n FROM poolsync.users WHERE pool = $1 AND due_at IS NOT NULL",
        [pool],
      );
      return rows[0]?.n ?? 0;
    },
    sortOut: (whose, page) => database.transaction((session) => sortOutPage(session, whose, page, now())),
    release: (gate, limit) => database.transaction((session) => releaseGate(session, gate, limit, now())),
    read: (user) => readUser(database, user),
    async ledgers(users) {
      const states = await readUsers(database, users);
      return new Map(Array.from(states, ([user, { ledger }]) => [user, ledger]));
    },
    replay: (ids, priority) => database.transaction((session) => replayLetters(session, ids, priority, now())),
    async isBehind(run) {
      for await (const page of everyMailbox(database, WALK_PAGE)) {
        if (page.some((mailbox) => isBehind(openUnits(mailbox), run))) return true;
      }
      for await (const page of everyLetter(database, run)) if (isBehind(page, run)) return true;
      return false;
    },
    recount: () => database.transaction(recountRuns),
    // A user's place is in the row itself.
    lineUp: () => Promise.resolve({ users: 0, letters: 0 }),
  };
}

async function putPage(session: Session, page: Page, now: () => number): Promise<Put> {
  const at = now();
  const { moved, cursor } = await moveProgress(session, page, at);
  if (!moved) return { accepted: false, cursor, ahead: 0, stale: [], waiting: [], at, arrival: 0 };
  if (page.entries) await removeEntries(session, page.entries, at);
  return { accepted: true, cursor, at, ...(await putChanges(session, page, at)) };
}

/** Who claims or settles, until when, and the time of the step in epoch ms. */
interface ClaimStep extends Selection {
  readonly token: string;
  readonly leaseMs: number;
  readonly at: number;
}

const setOf = (runs: readonly string[] | undefined): Runs => (runs === undefined ? undefined : new Set(runs));

async function claimUser(session: Session, user: string, step: ClaimStep): Promise<ClaimAnswer> {
  const { token, leaseMs, at, despitePause = [] } = step;
  const before = await readUser(session, user);
  const passageOf = await readPassages(session, [before]);
  const request = { token, leaseMs, runs: setOf(step.runs), despitePause };
  const { state, entries, result } = claim(before, user, request, at, passageOf);
  if (state !== before) await writeUsers(session, new Map([[user, state]]), at, new Map([[user, before]]));
  await postEntries(session, entries);
  switch (result.is) {
    case "claimed": {
      const { pool, username, priority } = result.mailbox;
      const { units, leaseUntil, sent } = result.claim;
      return defined({ is: "claimed" as const, pool, username, priority, units, leaseUntil, sent });
    }
    case "busy":
    case "later":
      return { is: result.is, retryInMs: Math.max(0, result.retryAt - at) };
    case "idle":
      return result;
  }
}

async function settleUser(
  session: Session,
  user: string,
  settlements: Settlements,
  { token, leaseMs, at, runs }: ClaimStep,
): Promise<SettleAnswer> {
  const before = await readUser(session, user);
  const known = await readLettersOf(session, user, before.mailbox?.pool, settlements);
  const passageOf = await readPassages(
    session,
    [before],
    [...known.values()].flatMap(({ run, replaced = [] }) => [run, ...replaced.map((one) => one.run)]),
  );
  const timed = fromNow(settlements, at);
  const { state, entries, result } = settle(before, user, token, timed, leaseMs, at, passageOf, (id) => known.get(id));
  if (before !== NO_STATE) await writeUsers(session, new Map([[user, state]]), at, new Map([[user, before]]));
  await writeLetters(session, result.letters);
  await postEntries(session, entries);
  const settled = { ...result, letters: result.letters.map(buriedOf) };
  const due = state.mailbox ? dueAt(state.mailbox, setOf(runs)) : Infinity;
  if (!state.mailbox || due === Infinity) return settled;
  return { ...settled, dueInMs: Math.max(0, due - at), priority: state.mailbox.priority };
}

async function sweepPool(
  session: Session,
  pool: string,
  { holder, leaseMs, offset, limit }: Parameters<Mailboxes["sweep"]>[1],
  at: number,
): Promise<readonly Swept[]> {
  const leases = await session.query(
    `INSERT INTO poolsync.sweeps AS old VALUES ($1, $2, $3)
     ON CONFLICT (pool) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
     WHERE old.holder = excluded.holder OR old.lease_until <= $4 RETURNING holder`,
    [pool, holder, at + leaseMs, at],
  );
  if (leases.length === 0) return [];
  const due = await session.query<Omit<Swept, "runs">>(
    `SELECT user_key AS user, priority, due_at AS "dueAt" FROM poolsync.users
     WHERE pool = $1 AND due_at <= $2 ORDER BY due_at, user_key OFFSET $3 LIMIT $4`,
    [pool, at, offset, limit],
  );
  const states = await readUsers(
    session,
    due.map(({ user }) => user),
  );
  return due.flatMap((swept) => {
    const mailbox = states.get(swept.user)?.mailbox;
    return mailbox ? { ...swept, runs: runsOf(mailbox) } : [];
  });
}

function runsOf({ pending, claim: current }: Mailbox): string[] {
  return [...new Set([...Object.values(pending), ...Object.values(current?.units ?? {})].map(({ run }) => run))];
}

/** True where something is to be done, now or later. */
function isDue(state: UserState): state is UserState & { readonly mailbox: Mailbox } {
  return state.mailbox !== undefined && dueAt(state.mailbox) < Infinity;
}

async function sortOutPage(
  session: Session,
  whose: Sorted,
  { offset, limit }: Parameters<Mailboxes["sortOut"]>[1],
  at: number,
): ReturnType<Mailboxes["sortOut"]> {
  const [from, name] =
    "pool" in whose
      ? ["poolsync.users WHERE pool = $1 AND due_at IS NOT NULL ORDER BY due_at, user_key", whose.pool]
      : ["poolsync.kept WHERE gate = $1 ORDER BY user_key", whose.gate];
  const rows = await session.query<{ user: string }>(`SELECT user_key AS user FROM ${from} OFFSET $2 LIMIT $3`, [
    name,
    offset,
    limit,
  ]);
  const after = await sortOutUsers(
    session,
    rows.map(({ user }) => user),
    at,
  );
  const isLeft = (state: UserState): boolean =>
    "pool" in whose ? isDue(state) : gatesIn(state.mailbox).has(whose.gate);
  return { looked: rows.length, left: [...after.values()].filter(isLeft).length };
}

async function releaseGate(
  session: Session,
  gate: string,
  limit: number,
  at: number,
): ReturnType<Mailboxes["release"]> {
  const rows = await session.query<{ user: string }>(
    `DELETE FROM poolsync.kept WHERE gate = $1 AND user_key IN (
       SELECT user_key FROM poolsync.kept
       WHERE gate = $1 AND NOT EXISTS (SELECT 1 FROM poolsync.gates WHERE gates.gate = $1) ORDER BY user_key LIMIT $2)
     RETURNING user_key AS user`,
    [gate, limit],
  );
  const after = await sortOutUsers(
    session,
    rows.map(({ user }) => user),
    at,
  );
  return Array.from(after).flatMap(([user, state]) =>
    isDue(state) ? { user, priority: state.mailbox.priority, pool: state.mailbox.pool } : [],
  );
}

async function sortOutUsers(
  session: Session,
  users: readonly string[],
  at: number,
): Promise<ReadonlyMap<string, UserState>> {
  const before = await readUsers(session, users);
  const passageOf = await readPassages(session, before.values());
  const after = new Map<string, UserState>();
  const entries: Entry[] = [];
  for (const [user, state] of before) {
    const outcome = sortOut(state, user, at, passageOf);
    after.set(user, outcome.state);
    entries.push(...outcome.entries);
  }
  await writeUsers(session, after, at, before);
  await postEntries(session, entries);
  return after;
}

async function replayLetters(
  session: Session,
  ids: readonly string[],
  priority: number,
  at: number,
): ReturnType<Mailboxes["replay"]> {
  const letters = await takeLetters(session, ids);
  const before = await readUsers(session, [...new Set(letters.map(({ user }) => user))]);
  const passageOf = await readPassages(
    session,
    before.values(),
    letters.map(({ run }) => run),
  );
  const states = new Map(before);
  const entries: Entry[] = [];
  for (const letter of letters) {
    const outcome = replay(states.get(letter.user) ?? NO_STATE, letter, priority, at, passageOf);
    states.set(letter.user, outcome.state);
    entries.push(...outcome.entries);
  }
  await writeUsers(session, states, at, before);
  await postEntries(session, entries);
  return letters.map(({ id, user, pool }) => {
    return { user, priority: states.get(user)?.mailbox?.priority ?? priority, letter: id, pool };
  });
}

interface RunCount {
  pending: number;
  dead: number;
}

/** Counts, by walking every mailbox and every letter. */
export async function recountRuns(session: Session): Promise<ReadonlyMap<string, RunCount>> {
  const counts = new Map<string, RunCount>();
  const countOf = (run: string): RunCount => {
    const count = counts.get(run) ?? { pending: 0, dead: 0 };
    counts.set(run, count);
    return count;
  };
  for await (const mailboxes of everyMailbox(session, WALK_PAGE)) {
    for (const { pending, claim: current } of mailboxes) {
      for (const { run } of Object.values(pending)) countOf(run).pending++;
      for (const { run } of Object.values(current?.units ?? {})) countOf(run).pending++;
    }
  }
  for await (const letters of everyLetter(session)) for (const { run } of letters) countOf(run).dead++;
  return counts;
}

/**
 * Moves the run's cursor and rows, where the cursor is the one that the page was read from, and the entries that it comes of
 * are in the hands of who puts it.
 */
async function moveProgress(session: Session, page: Page, at: number): Promise<{ moved: boolean; cursor: string }> {
  const { run, cursor, rows, entries, changes } = page;
  const found = await readRun(session, run);
  if (found?.state === "cancelled") throw runCancelled(run);
  if (entries !== undefined && found?.finishedAt !== undefined) throw runEnded(run);
  await session.query(
    "INSERT INTO poolsync.progress SELECT id, '', 0, 0 FROM poolsync.runs WHERE id = $1 ON CONFLICT DO NOTHING",
    [run],
  );
  const mayMove = entries === undefined || (!isAnyAhead(changes, at) && (await areTaken(session, entries)));
  const moved = await session.query<{ cursor: string }>(
    `UPDATE poolsync.progress
     SET cursor = coalesce($3, cursor), rows_read = rows_read + $4, rows_faulty = rows_faulty + $5
     WHERE run = $1 AND ($2::text IS NULL OR cursor = $2) AND $6 RETURNING cursor`,
    [run, cursor?.from ?? null, cursor?.to ?? null, rows.read, rows.faulty, mayMove],
  );
  if (moved[0]) return { moved: true, cursor: moved[0].cursor };
  const left = await session.query<{ cursor: string }>("SELECT cursor FROM poolsync.progress WHERE run = $1", [run]);
  if (!left[0]) throw runLost(run);
  return { moved: false, cursor: left[0].cursor };
}

async function putChanges(
  session: Session,
  page: Page,
  at: number,
): Promise<Pick<Put, "ahead" | "stale" | "waiting" | "arrival">> {
  const { pool, run, priority, changes, invalid } = page;
  const count = changes.reduce((sum, change) => sum + change.units.length, 0);
  const rows = await session.query<{ last: number }>("UPDATE poolsync.arrivals SET last = last + $1 RETURNING last", [
    count,
  ]);
  let arrival = (rows[0]?.last ?? 0) - count;
  const first = count > 0 ? arrival + 1 : 0;
  const before = await readUsers(session, [...new Set(changes.map(({ user }) => user))]);
  const passageOf = await readPassages(session, before.values(), [run]);
  const states = new Map(before);
  const entries: Entry[] = [];
  const stale: Put["stale"][number][] = [];
  let ahead = 0;
  for (const userUnits of changes) {
    const { user } = userUnits;
    const given = userUnits.units.map(() => ++arrival);
    const arrivals = given.map((next) => userUnits.arrival ?? next);
    const change = { ...userUnits, pool, priority, run };
    const outcome = put(states.get(user) ?? NO_STATE, change, arrivals, at, passageOf);
    states.set(user, outcome.state);
    stale.push(...outcome.stale.map((name) => ({ user, name })));
    for (const entry of outcome.entries) {
      entries.push(entry);
      if (entry.term === "invalid") ahead += entry.by;
    }
  }
  entries.push({ run, term: "received", by: invalid }, { run, term: "invalid", by: invalid });
  await writeUsers(session, withSomething(states, before), at, before);
  await postEntries(session, entries);
  const waiting = [...new Set(changes.map(({ user }) => user))].filter((user) => isDue(states.get(user) ?? NO_STATE));
  return { ahead, stale, waiting, arrival: first };
}

/** A user without mailbox and ledger gets no row. One who has a row keeps it, and what was discarded is not in it. */
function withSomething(
  states: ReadonlyMap<string, UserState>,
  before: ReadonlyMap<string, UserState>,
): ReadonlyMap<string, UserState> {
  return new Map(
    [...states].filter(([user, { mailbox, ledger }]) => before.has(user) || mailbox || Object.keys(ledger).length > 0),
  );
}

/** A retry's `at` is said in ms from now. */
function fromNow(settlements: Settlements, at: number): Settlements {
  return Object.fromEntries(
    Object.entries(settlements).map(([name, settlement]) => [
      name,
      settlement.is === "retry" ? { ...settlement, at: Math.ceil(at + settlement.at) } : settlement,
    ]),
  );
}
