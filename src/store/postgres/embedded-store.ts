/**
 * The store in a directory of this machine, for one process. The lock is taken before anything else is touched and
 * given back last.
 */
import { resolve } from "node:path";
import { createFence, type Fence, type StoreIdentity } from "../fence.ts";
import type { Store, Target } from "../store.ts";
import { StoreError } from "../store-error.ts";
import { markReady, prepareDirectory, preparePostgres } from "./data-directory.ts";
import { openDatabase, type Database, type StoreDatabase } from "./database.ts";
import { lockDirectory, type DirectoryLock, type DirectoryTurn, type OnCommand } from "./directory-lock.ts";
import { looksSealed } from "../documents.ts";
import { createAccounts, dropFormerScans } from "./accounts.ts";
import { createDamaged, setAside } from "./damaged.ts";
import { createBeforeImages } from "./before-images.ts";
import { createExceptions } from "./exceptions.ts";
import { createGates } from "./gates.ts";
import { createHolds } from "./holds.ts";
import { createInbox, endInboxLeases } from "./inbox.ts";
import { createLetters } from "./letters.ts";
import { createMailboxes, recountRuns } from "./mailboxes.ts";
import { createPace } from "./pace.ts";
import { createPlans } from "./plans.ts";
import { createRekeying } from "./rekeying.ts";
import { createReservations } from "./reservations.ts";
import { createRuns } from "./runs.ts";
import { demandStore, migrate, raiseEpoch, storedIdentity } from "./schema.ts";
import { createTexts } from "./texts.ts";
import { upgradeUsers } from "./upgrade.ts";
import { endLeases } from "./users.ts";
import { createWorkers, forgetWorkers } from "./workers.ts";

export interface EmbeddedStore extends Store {
  readonly kind: "embedded";
  /** BullMQ's queues are in it as well. */
  readonly database: Database;
  /**
   * Sets the answer for another process that asks for the holder of the directory: see `askHolder` in
   * directory-lock.ts.
   */
  answer(status: () => Promise<unknown>): void;
  /** Takes the commands of other processes: see `commandHolder`. */
  serve(onCommand: OnCommand): void;
}

export interface EmbeddedStoreOptions {
  /** Made where it is not there. */
  readonly dataDir: string;
  /** The store's clock in epoch ms. */
  readonly now?: () => number;
  /** How it waits for a directory that another process has. Refused at once where absent. */
  readonly turn?: DirectoryTurn | undefined;
}

/** BullMQ's name for its schema where it is given a pool. */
const QUEUES_SCHEMA = "bullmq";

/** Throws a StoreError where the directory is in use, is not poolsync's, or cannot be used. */
export async function openEmbeddedStore({
  dataDir,
  now = Date.now,
  turn,
}: EmbeddedStoreOptions): Promise<EmbeddedStore> {
  const directory = resolve(dataDir);
  await prepareDirectory(directory);
  const lock = await lockDirectory(directory, turn);
  try {
    const fence = createFence();
    const database = await openOrExplain(directory, fence);
    try {
      await migrate(database, undefined, now());
      await upgradeUsers(database);
      await markReady(directory);
      // Every claim, entry taken, sweep, scan under way and worker belongs to the process before this one, which is dead.
      await endLeases(database, now());
      await endInboxLeases(database, now());
      await forgetWorkers(database);
      await dropFormerScans(database, now());
      await database.query("DELETE FROM poolsync.sweeps");
      return assemble(database, { fence, lock, now, known: await storedIdentity(database) });
    } catch (error) {
      await database.close();
      throw error;
    }
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function openOrExplain(directory: string, fence: Fence): Promise<Database> {
  const postgres = await preparePostgres(directory);
  try {
    return await openDatabase(postgres, QUEUES_SCHEMA, (replaced) => fence.announce(replaced));
  } catch (cause) {
    throw new StoreError(
      "damaged",
      `The database in ${directory} does not open: restore it from a copy, or use another --data-dir and run the feeds again.`,
      { cause },
    );
  }
}

/** The database as the ports use it: what writes looks first whether the store is the same, in the same transaction. */
function fenced(database: Database, fence: Fence, known: () => StoreIdentity): StoreDatabase {
  const transaction: StoreDatabase["transaction"] = (act) =>
    fence.step(() =>
      database.transaction(async (session) => {
        await demandStore(session, known());
        return act(session);
      }),
    );
  return {
    query: (sql, params) => database.query(sql, params),
    transaction,
    write: (sql, params) => transaction((session) => session.query(sql, params)),
  };
}

interface Parts {
  readonly fence: Fence;
  readonly lock: DirectoryLock;
  readonly now: () => number;
  readonly known: StoreIdentity;
}

function assemble(unfenced: Database, { fence, lock, now, known: opened }: Parts): EmbeddedStore {
  let known = opened;
  const database = fenced(unfenced, fence, () => known);
  return {
    kind: "embedded",
    get identity() {
      return known.identity;
    },
    get epoch() {
      return known.epoch;
    },
    get since() {
      return known.since;
    },
    metRuns: new Set(),
    withoutAof: false,
    now: () => Promise.resolve(now()),
    database: unfenced,
    answer: (status) => lock.answer(status),
    serve: (onCommand) => lock.serve(onCommand),
    mailboxes: createMailboxes(database, now),
    inbox: createInbox(database, now),
    letters: createLetters(database, now),
    runs: createRuns(database, now),
    holds: createHolds(database, now),
    gates: createGates(database, now),
    exceptions: createExceptions(database, now),
    beforeImages: createBeforeImages(database, now),
    accounts: createAccounts(database),
    reservations: createReservations(database, now),
    workers: createWorkers(database, now),
    pace: createPace(now),
    plans: createPlans(database),
    lost: fence.met,
    look: () => fence.step(() => demandStore(database, known)),
    async raiseEpoch({ isWhole = false } = {}) {
      known = await database.transaction((session) => raiseEpoch(session, now(), isWhole));
    },
    damaged: createDamaged(database, recountRuns),
    texts: createTexts(database),
    rekeying: createRekeying(database, now),
    async target({ pool, endpoint, region, arn }) {
      await database.write("INSERT INTO poolsync.targets VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING", [
        pool,
        endpoint,
        region,
        arn,
      ]);
      const rows = await database.query<Target>("SELECT * FROM poolsync.targets WHERE pool = $1", [pool]);
      return found(rows[0]);
    },
    targets: () => database.query<Target>("SELECT * FROM poolsync.targets ORDER BY pool", []),
    async setOnce(name, value) {
      await database.write("INSERT INTO poolsync.memory VALUES ($1, $2) ON CONFLICT DO NOTHING", [name, value]);
      const rows = await database.query<{ value: string }>("SELECT value FROM poolsync.memory WHERE name = $1", [name]);
      return found(rows[0]).value;
    },
    async recall(name) {
      const rows = await database.query<{ value: string }>("SELECT value FROM poolsync.memory WHERE name = $1", [name]);
      return rows[0]?.value;
    },
    exchange: (name, from, to, forgotten = []) =>
      database.transaction(async (session) => {
        const set =
          from === undefined
            ? "INSERT INTO poolsync.memory VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING name"
            : "UPDATE poolsync.memory SET value = $2 WHERE name = $1 AND value = $3 RETURNING name";
        const rows = await session.query(set, from === undefined ? [name, to] : [name, to, from]);
        if (rows.length === 0) return false;
        await session.query("DELETE FROM poolsync.memory WHERE name = ANY($1::text[])", [forgotten]);
        return true;
      }),
    async setValue(name, value) {
      await database.write(
        "INSERT INTO poolsync.notes VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [name, value],
      );
    },
    async getValue(name) {
      const rows = await database.query<{ value: string }>("SELECT value FROM poolsync.notes WHERE name = $1", [name]);
      return rows[0]?.value;
    },
    async link(pool, digest) {
      const rows = await database.query<{ username: string }>(
        "SELECT username FROM poolsync.links WHERE pool = $1 AND digest = $2",
        [pool, digest],
      );
      const text = rows[0]?.username;
      if (text === undefined || looksSealed(text)) return text;
      await setAside(database, { kind: "link", place: `${pool}|${digest}`, text });
      return undefined;
    },
    async setLink(pool, digest, sealed) {
      await database.write(
        `INSERT INTO poolsync.links VALUES ($1, $2, $3)
         ON CONFLICT (pool, digest) DO UPDATE SET username = excluded.username`,
        [pool, digest, sealed],
      );
    },
    async dropLink(pool, digest) {
      await database.write("DELETE FROM poolsync.links WHERE pool = $1 AND digest = $2", [pool, digest]);
    },
    async pools() {
      const rows = await database.query<{ pool: string }>(
        `SELECT pool FROM poolsync.users WHERE due_at IS NOT NULL
         UNION SELECT pool FROM poolsync.letters ORDER BY pool`,
        [],
      );
      return rows.map(({ pool }) => pool);
    },
    async close() {
      try {
        await unfenced.close();
      } finally {
        await lock.release();
      }
    },
  };
}

function found<T>(row: T | undefined): T {
  if (row === undefined) throw new Error("Expected the row that was just written to be there");
  return row;
}
