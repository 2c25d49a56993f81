/** Users' documents in the database: the mailbox and the ledger of core/mailbox.ts, read and written whole. */
import { dueAt, gatesIn, type Mailbox, type UserState } from "../../core/mailbox.ts";
import { ledgerDocument, mailboxDocument, soundDocument } from "../documents.ts";
import { setAside } from "./damaged.ts";
import type { Session, StoreDatabase } from "./database.ts";

interface UserRow {
  readonly user_key: string;
  readonly pool: string;
  readonly mailbox: string | null;
  readonly ledger: string;
}

const COLUMNS = "user_key, pool, mailbox::text AS mailbox, ledger::text AS ledger";

export const NO_STATE: UserState = { ledger: {} };

/** The states of the users that have one. What of them is broken is set aside. */
export async function readUsers(
  session: Session | StoreDatabase,
  users: readonly string[],
): Promise<Map<string, UserState>> {
  const rows = await session.query<UserRow>(`SELECT ${COLUMNS} FROM poolsync.users WHERE user_key = ANY($1::text[])`, [
    users,
  ]);
  const states = new Map<string, UserState>();
  for (const row of rows) states.set(row.user_key, await stateOf(session, row));
  return states;
}

export async function readUser(session: Session | StoreDatabase, user: string): Promise<UserState> {
  return (await readUsers(session, [user])).get(user) ?? NO_STATE;
}

/**
 * A user who is due at once keeps an earlier place in the queue: the one who has waited longest goes first. `before`: the
 * states as they were read, which say by which gates a user was kept.
 */
export async function writeUsers(
  session: Session,
  states: ReadonlyMap<string, UserState>,
  nowMs: number,
  before: ReadonlyMap<string, UserState>,
): Promise<void> {
  if (states.size === 0) return;
  const users = [...states.keys()];
  const all = [...states.values()];
  await session.query(
    `INSERT INTO poolsync.users AS old (user_key, pool, priority, due_at, claimed, mailbox, ledger)
     SELECT user_key, pool, priority, due_at, claimed, mailbox::json, ledger::json
     FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::boolean[], $6::text[], $7::text[])
       AS new (user_key, pool, priority, due_at, claimed, mailbox, ledger)
     ON CONFLICT (user_key) DO UPDATE SET
       pool = excluded.pool, priority = excluded.priority, claimed = excluded.claimed,
       due_at = CASE excluded.due_at WHEN $8 THEN least(old.due_at, excluded.due_at) ELSE excluded.due_at END,
       mailbox = excluded.mailbox, ledger = excluded.ledger`,
    [
      users,
      all.map(({ mailbox }) => mailbox?.pool ?? ""),
      all.map(({ mailbox }) => mailbox?.priority ?? 0),
      all.map(({ mailbox }) => dueTime(mailbox, nowMs)),
      all.map(({ mailbox }) => mailbox?.claim !== undefined),
      all.map(({ mailbox }) => (mailbox ? JSON.stringify(mailbox) : null)),
      all.map(({ ledger }) => JSON.stringify(ledger)),
      nowMs,
    ],
  );
  await moveKept(session, states, before);
}

/** Null where nothing is due, now or later. */
function dueTime(mailbox: Mailbox | undefined, nowMs: number): number | null {
  const at = mailbox ? dueAt(mailbox) : Infinity;
  return at < Infinity ? Math.ceil(at) || nowMs : null;
}

/** Moves users in and out of the sets of the gates that keep something of theirs. */
async function moveKept(
  session: Session,
  states: ReadonlyMap<string, UserState>,
  before: ReadonlyMap<string, UserState>,
): Promise<void> {
  const into: [gate: string, user: string][] = [];
  const outOf: [gate: string, user: string][] = [];
  for (const [user, { mailbox }] of states) {
    const [now, then] = [gatesIn(mailbox), gatesIn(before.get(user)?.mailbox)];
    for (const gate of now) if (!then.has(gate)) into.push([gate, user]);
    for (const gate of then) if (!now.has(gate)) outOf.push([gate, user]);
  }
  const columns = (pairs: typeof into) => [pairs.map(([gate]) => gate), pairs.map(([, user]) => user)];
  if (into.length > 0) {
    await session.query(
      "INSERT INTO poolsync.kept SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING",
      columns(into),
    );
  }
  if (outOf.length > 0) {
    await session.query(
      "DELETE FROM poolsync.kept WHERE (gate, user_key) IN (SELECT * FROM unnest($1::text[], $2::text[]))",
      columns(outOf),
    );
  }
}

/** Every mailbox that is sound, in pages. Within a transaction it is everybody's at one moment. */
export async function* everyMailbox(
  session: Session | StoreDatabase,
  pageSize: number,
): AsyncGenerator<readonly Mailbox[]> {
  let last = "";
  for (;;) {
    const rows = await session.query<UserRow>(
      `SELECT ${COLUMNS} FROM poolsync.users
       WHERE mailbox IS NOT NULL AND user_key > $1 ORDER BY user_key LIMIT $2`,
      [last, pageSize],
    );
    const end = rows.at(-1);
    if (!end) return;
    const page: Mailbox[] = [];
    for (const row of rows) {
      const mailbox = await soundMailbox(session, row);
      if (mailbox) page.push(mailbox);
    }
    yield page;
    last = end.user_key;
  }
}

/**
 * Ends every lease: every claim belongs to the process before this one, which is dead. The next claim of such a user
 * takes over.
 */
export async function endLeases(session: Session, nowMs: number): Promise<void> {
  for (;;) {
    const rows = await session.query<UserRow>(
      `SELECT ${COLUMNS} FROM poolsync.users WHERE claimed AND due_at > $1 LIMIT 500`,
      [nowMs],
    );
    if (rows.length === 0) return;
    const before = new Map<string, UserState>();
    const ended = new Map<string, UserState>();
    for (const row of rows) {
      const state = await stateOf(session, row);
      const { mailbox, ledger } = state;
      // One that is broken is claimed no more.
      if (!mailbox) continue;
      before.set(row.user_key, state);
      const claim = mailbox.claim && { ...mailbox.claim, leaseUntil: nowMs };
      ended.set(row.user_key, { mailbox: claim ? { ...mailbox, claim } : mailbox, ledger });
    }
    await writeUsers(session, ended, nowMs, before);
  }
}

/** A broken document is set aside, and so is a mailbox that says that it is of another pool. */
async function stateOf(session: Session | StoreDatabase, row: UserRow): Promise<UserState> {
  const mailbox = await soundMailbox(session, row);
  let ledger = soundDocument(ledgerDocument, row.ledger);
  if (!ledger) {
    await setAside(session, { kind: "ledger", place: row.user_key, text: row.ledger });
    ledger = {};
  }
  return mailbox ? { mailbox, ledger } : { ledger };
}

async function soundMailbox(
  session: Session | StoreDatabase,
  { user_key, pool, mailbox: text }: Pick<UserRow, "user_key" | "pool" | "mailbox">,
): Promise<Mailbox | undefined> {
  if (text === null) return undefined;
  const mailbox = soundDocument(mailboxDocument, text, (one) => one.pool === pool);
  if (!mailbox) await setAside(session, { kind: "mailbox", place: user_key, text });
  return mailbox;
}
