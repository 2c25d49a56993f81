import type { KeptText } from "../kept-texts.ts";
import { STOWED, type Move, type Named, type Rekeying, type Stowed } from "../rekeying.ts";
import type { Session, StoreDatabase } from "./database.ts";
import { readUsers, writeUsers } from "./users.ts";

/** The port to what is named by the keys of a namespace. */
export function createRekeying(database: StoreDatabase, now: () => number): Rekeying {
  return {
    begin: () =>
      database.transaction(async (session) => {
        const remember = "INSERT INTO poolsync.memory VALUES ($1, '1') ON CONFLICT DO NOTHING RETURNING name";
        if ((await session.query(remember, [STOWED])).length > 0) await session.query(STOWING);
      }),

    find: ({ kind, of }, names) =>
      database.query<KeptText>(
        "SELECT name, text FROM poolsync.stowed WHERE kind = $1 AND pool = $2 AND name = ANY($3::text[])",
        [kind, of, names],
      ),

    move: (shelf, moves) =>
      database.transaction(async (session) => {
        if (shelf.kind === "mailboxes") return moveMailboxes(session, moves, now());
        for (const move of moves) await moveOne(session, shelf, move);
      }),

    async left() {
      const rows = await database.query<{ kind: Stowed["kind"]; n: number }>(
        "SELECT kind, count(*) AS n FROM poolsync.stowed GROUP BY kind",
        [],
      );
      const counts = { ledgers: 0, exceptions: 0, links: 0 };
      for (const { kind, n } of rows) counts[kind] = n;
      return counts;
    },

    async end() {
      await database.write("DELETE FROM poolsync.stowed", []);
    },
  };
}

const STOWING = `
  INSERT INTO poolsync.stowed
    SELECT 'ledgers', '', user_key, ledger::text FROM poolsync.users WHERE ledger::text <> '{}'
    UNION ALL SELECT 'links', pool, digest, username FROM poolsync.links
    UNION ALL SELECT 'exceptions', '', about, json_agg(one)::text FROM poolsync.exceptions AS one GROUP BY about;
  UPDATE poolsync.users SET ledger = '{}' WHERE ledger::text <> '{}';
  DELETE FROM poolsync.users WHERE mailbox IS NULL;
  DELETE FROM poolsync.links;
  DELETE FROM poolsync.exceptions;
  DELETE FROM poolsync.reservations;
  DELETE FROM poolsync.events_seen;
  DELETE FROM poolsync.accounts;
  DELETE FROM poolsync.account_scans;
`;

/** Users whose mailboxes lie in their place have no ledger there: those were stowed. */
async function moveMailboxes(session: Session, moves: readonly Move[], nowMs: number): Promise<void> {
  const rows = await session.query<{ user_key: string }>(
    "DELETE FROM poolsync.users WHERE user_key = ANY($1::text[]) AND mailbox IS NOT NULL RETURNING user_key",
    [moves.map(({ from }) => from)],
  );
  const there = new Set(rows.map(({ user_key }) => user_key));
  await session.query("DELETE FROM poolsync.kept WHERE user_key = ANY($1::text[])", [[...there]]);
  const moved = moves.filter(({ from }) => there.has(from)).map(({ to }) => to);
  const names = moved.map(({ name }) => name);
  await session.query(
    `INSERT INTO poolsync.users (user_key, pool, priority, claimed, mailbox, ledger)
     SELECT name, coalesce(mailbox::json->>'pool', ''), 0, false, mailbox::json, '{}'
     FROM unnest($1::text[], $2::text[]) AS new (name, mailbox)
     ON CONFLICT (user_key) DO UPDATE SET pool = excluded.pool, mailbox = excluded.mailbox`,
    [names, moved.map(({ text }) => text)],
  );
  await writeUsers(session, await readUsers(session, names), nowMs, new Map());
}

async function moveOne(session: Session, { kind, of }: Stowed | Named, { from, to: { name, text } }: Move) {
  switch (kind) {
    case "letters": {
      const set = "UPDATE poolsync.letters SET id = $2, user_key = $3::json->>'user', letter = $3::json WHERE id = $1";
      return void (await session.query(set, [from, name, text]));
    }
    case "events":
      return void (await session.query("UPDATE poolsync.inbox SET id = $2, body = $3 WHERE id = $1", [
        from,
        name,
        text,
      ]));
    case "before images": {
      const set = "UPDATE poolsync.before_images SET unit = $3, body = $4 WHERE run = $1 AND unit = $2";
      return void (await session.query(set, [of, from, name, text]));
    }
    default:
  }
  const take = "DELETE FROM poolsync.stowed WHERE kind = $1 AND pool = $2 AND name = $3 RETURNING name";
  if ((await session.query(take, [kind, of, from])).length === 0) return;
  switch (kind) {
    case "ledgers":
      await session.query(
        `INSERT INTO poolsync.users (user_key, pool, priority, claimed, ledger) VALUES ($1, '', 0, false, $2::json)
         ON CONFLICT (user_key) DO UPDATE SET ledger = excluded.ledger`,
        [name, text],
      );
      break;
    case "links":
      await session.query("INSERT INTO poolsync.links VALUES ($1, $2, $3)", [of, name, text]);
      break;
    case "exceptions":
      await session.query(
        `INSERT INTO poolsync.exceptions SELECT $1, unit, kind, run, line, reason, at
         FROM json_populate_recordset(NULL::poolsync.exceptions, $2::json)`,
        [name, text],
      );
      break;
    default:
  }
}
