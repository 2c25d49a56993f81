/**
 * Brings users' documents of a data directory to the form of today, in pages: the table `poolsync.upgrade` says how far
 * it is, and is there for as long as something is left to do.
 */
import { upgradedMailbox } from "../format-1.ts";
import type { Database } from "./database.ts";

const PAGE = 500;

/** Goes on where a process that was killed has left it. */
export async function upgradeUsers(database: Database): Promise<void> {
  while (await upgradePage(database)) {
    // Each page is a transaction of its own.
  }
}

/** Answers whether there may be more. */
function upgradePage(database: Database): Promise<boolean> {
  return database.transaction(async (session) => {
    const under = await session.query<{ there: boolean }>(
      "SELECT to_regclass('poolsync.upgrade') IS NOT NULL AS there",
    );
    if (under[0]?.there !== true) return false;
    const rows = await session.query<{ user_key: string; mailbox: string }>(
      `SELECT user_key, mailbox::text AS mailbox FROM poolsync.users
       WHERE mailbox IS NOT NULL AND user_key > (SELECT last_user FROM poolsync.upgrade) ORDER BY user_key LIMIT $1`,
      [PAGE],
    );
    const end = rows.at(-1);
    if (!end) {
      await session.query("DROP TABLE poolsync.upgrade");
      return false;
    }
    await session.query(
      `UPDATE poolsync.users AS old SET mailbox = new.mailbox::json
       FROM unnest($1::text[], $2::text[]) AS new (user_key, mailbox) WHERE old.user_key = new.user_key`,
      [rows.map(({ user_key }) => user_key), rows.map(({ mailbox }) => upgradedMailbox(mailbox))],
    );
    await session.query("UPDATE poolsync.upgrade SET last_user = $1", [end.user_key]);
    return true;
  });
}
