/** Users' documents in the database: the mailbox and the ledger of core/mailbox.ts, read and written whole. */
import { dueAt, gatesIn, type Ledger, type Mailbox, type UserState } from "../../core/mailbox.ts";
import type { Session } from "./database.ts";

interface UserRow {
  readonly user_key: string;
  readonly mailbox: Mailbox | null;
  readonly ledger: Ledger;
}

export const NO_STATE: UserState = { ledger: {} };

/** The states of the users that have one. */
export async function readUsers(session: Session, users: readonly string[]): Promise<Map<string, UserState>> {
  const rows = await session.query<UserRow>(
    "SELECT user_key, mailbox, ledger FROM poolsync.users WHERE user_key = ANY($1::text[])",
    [users],
  );
  return new Map(rows.map((row) => [row.user_key, stateOf(row)]));
}

export async function readUser(session: Session, user: string): Promise<UserState> {
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

/** Every mailbox there is, in pages. Within a transaction it is everybody's at one moment. */
export async function* everyMailbox(session: Session, pageSize: number): AsyncGenerator<readonly Mailbox[]> {
  let last = "";
  for (;;) {
    const rows = await session.query<{ user_key: string; mailbox: Mailbox }>(
      `SELECT user_key, mailbox FROM poolsync.users
       WHERE mailbox IS NOT NULL AND user_key > $1 ORDER BY user_key LIMIT $2`,
      [last, pageSize],
    );
    const end = rows.at(-1);
    if (!end) return;
    yield rows.map((row) => row.mailbox);
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
      "SELECT user_key, mailbox, ledger FROM poolsync.users WHERE claimed AND due_at > $1 LIMIT 500",
      [nowMs],
    );
    if (rows.length === 0) return;
    const ended = rows.map((row): [string, UserState] => {
      const { mailbox, ledger } = stateOf(row);
      if (!mailbox?.claim) throw new Error("Expected a claimed mailbox to hold its claim");
      return [row.user_key, { mailbox: { ...mailbox, claim: { ...mailbox.claim, leaseUntil: nowMs } }, ledger }];
    });
    await writeUsers(session, new Map(ended), nowMs, new Map(rows.map((row) => [row.user_key, stateOf(row)])));
  }
}

function stateOf({ mailbox, ledger }: UserRow): UserState {
  return mailbox ? { mailbox, ledger } : { ledger };
}
