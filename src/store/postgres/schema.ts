/**
 * The store's tables, in steps: a step that was released is never changed, another is added. Names are qualified,
 * because BullMQ's schema is the session's own. What is compared has the collation "C", so that text order is version
 * order and nobody's locale matters.
 *
 * Documents are `json`, not `jsonb`: they are read and written whole, and text goes in as it is.
 */
import { randomBytes } from "node:crypto";
import type { StoreIdentity } from "../fence.ts";
import { timeIn } from "../documents.ts";
import { epochOf, StoreError, storeReplaced } from "../store-error.ts";
import type { Database, Session } from "./database.ts";

const STEPS: readonly string[] = [
  `
  CREATE TABLE poolsync.users (
    user_key text COLLATE "C" PRIMARY KEY,
    pool     text COLLATE "C" NOT NULL,
    priority integer NOT NULL,
    -- Epoch ms, as core's dueAt says; null where there is no mailbox.
    due_at   bigint,
    claimed  boolean NOT NULL,
    mailbox  json,
    ledger   json NOT NULL
  );
  CREATE INDEX users_due ON poolsync.users (pool, due_at, user_key) WHERE due_at IS NOT NULL;
  CREATE INDEX users_claimed ON poolsync.users (user_key) WHERE claimed;

  CREATE TABLE poolsync.letters (
    id        text COLLATE "C" PRIMARY KEY,
    user_key  text COLLATE "C" NOT NULL,
    pool      text COLLATE "C" NOT NULL,
    unit      text COLLATE "C" NOT NULL,
    kind      text COLLATE "C" NOT NULL,
    run       text COLLATE "C" NOT NULL,
    buried_at bigint NOT NULL,
    letter    json NOT NULL
  );
  CREATE INDEX letters_age ON poolsync.letters (buried_at, id);

  CREATE TABLE poolsync.runs (
    id          text COLLATE "C" PRIMARY KEY,
    place       bigint GENERATED ALWAYS AS IDENTITY,
    pool        text COLLATE "C" NOT NULL,
    feed        text NOT NULL,
    identity    text COLLATE "C" NOT NULL,
    as_of       bigint NOT NULL,
    started_at  bigint NOT NULL,
    finished_at bigint,
    state       text NOT NULL
  );
  CREATE INDEX runs_identity ON poolsync.runs (identity) WHERE identity <> '' AND finished_at IS NULL;

  -- What moves with every page of a run.
  CREATE TABLE poolsync.progress (
    run         text COLLATE "C" PRIMARY KEY,
    cursor      text NOT NULL,
    rows_read   bigint NOT NULL,
    rows_faulty bigint NOT NULL
  );
  CREATE TABLE poolsync.books (
    run  text COLLATE "C",
    term text COLLATE "C",
    n    bigint NOT NULL,
    PRIMARY KEY (run, term)
  );
  CREATE TABLE poolsync.arrivals (last bigint NOT NULL);
  INSERT INTO poolsync.arrivals VALUES (0);

  CREATE TABLE poolsync.sweeps (
    pool        text COLLATE "C" PRIMARY KEY,
    holder      text NOT NULL,
    lease_until bigint NOT NULL
  );
  CREATE TABLE poolsync.holds (
    pool           text COLLATE "C",
    scope          text COLLATE "C",
    kind           text NOT NULL,
    since          bigint NOT NULL,
    probe_at       bigint NOT NULL,
    probe_every_ms bigint NOT NULL,
    PRIMARY KEY (pool, scope)
  );
  CREATE TABLE poolsync.targets (
    pool     text COLLATE "C" PRIMARY KEY,
    endpoint text NOT NULL,
    region   text NOT NULL,
    arn      text NOT NULL
  );
  CREATE TABLE poolsync.memory (name text COLLATE "C" PRIMARY KEY, value text NOT NULL);
  CREATE TABLE poolsync.links (
    pool     text COLLATE "C",
    digest   text COLLATE "C",
    username text NOT NULL,
    PRIMARY KEY (pool, digest)
  );
  `,
  `
  CREATE TABLE poolsync.reservations (
    pool     text COLLATE "C",
    alias    text COLLATE "C",
    user_key text COLLATE "C" NOT NULL,
    ends_at  bigint NOT NULL,
    PRIMARY KEY (pool, alias)
  );
  CREATE INDEX reservations_end ON poolsync.reservations (ends_at);
  `,
  `
  CREATE TABLE poolsync.plans (run text COLLATE "C" PRIMARY KEY, expires_at bigint NOT NULL);
  CREATE TABLE poolsync.plan_chunks (
    run   text COLLATE "C",
    place integer,
    chunk text NOT NULL,
    PRIMARY KEY (run, place)
  );
  CREATE TABLE poolsync.notes (name text COLLATE "C" PRIMARY KEY, value text NOT NULL);
  CREATE INDEX runs_age ON poolsync.runs (started_at);
  `,
  `
  CREATE TABLE poolsync.befores (
    run        text COLLATE "C",
    unit       text COLLATE "C",
    body       text NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (run, unit)
  );
  CREATE INDEX befores_end ON poolsync.befores (expires_at);
  `,
  // Documents of users are brought to this form page by page: see upgrade.ts.
  `
  ALTER TABLE poolsync.befores RENAME TO before_images;
  ALTER INDEX poolsync.befores_end RENAME TO before_images_end;
  ALTER TABLE poolsync.runs ADD COLUMN source text NOT NULL DEFAULT 'file';
  ALTER TABLE poolsync.runs ALTER COLUMN source DROP DEFAULT;
  UPDATE poolsync.runs SET source = 'direct' WHERE id = 'direct:' || pool;

  CREATE TABLE poolsync.gates (
    gate   text COLLATE "C" PRIMARY KEY,
    state  text NOT NULL,
    since  bigint NOT NULL,
    paused_by text,
    reason text
  );
  INSERT INTO poolsync.gates (gate, state, since)
    SELECT 'run:' || id, 'cancelled', coalesce(finished_at, started_at) FROM poolsync.runs WHERE state = 'cancelled';
  INSERT INTO poolsync.gates (gate, state, since)
    SELECT 'run:' || id, 'waiting', started_at FROM poolsync.runs WHERE state = 'needs-approval';
  CREATE TABLE poolsync.exceptions (
    about  text COLLATE "C",
    unit   text COLLATE "C",
    kind   text NOT NULL,
    run    text NOT NULL,
    line   bigint,
    reason text NOT NULL,
    at     bigint NOT NULL,
    PRIMARY KEY (about, unit)
  );
  CREATE INDEX exceptions_age ON poolsync.exceptions (at);

  CREATE TABLE poolsync.upgrade (last_user text COLLATE "C" NOT NULL);
  INSERT INTO poolsync.upgrade VALUES ('');

  -- Users of whom a gate keeps something.
  CREATE TABLE poolsync.kept (
    gate     text COLLATE "C",
    user_key text COLLATE "C",
    PRIMARY KEY (gate, user_key)
  );
  `,
  // step 6
  `
  -- Runs of an earlier store that this one does not know, by when that was found (epoch ms).
  CREATE TABLE poolsync.forgotten (run text COLLATE "C" PRIMARY KEY, at bigint NOT NULL);
  -- Documents that were set aside: see store/damaged.ts. Owed: its units are still in the books.
  CREATE TABLE poolsync.damaged (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind  text NOT NULL,
    place text NOT NULL,
    since bigint NOT NULL,
    pool  text,
    run   text,
    body  text NOT NULL,
    owed  boolean NOT NULL
  );
  -- What is stowed while new keys are made, by kind; pool of links, else blank.
  CREATE TABLE poolsync.stowed (
    kind text COLLATE "C",
    pool text COLLATE "C",
    name text COLLATE "C",
    text text NOT NULL,
    PRIMARY KEY (kind, pool, name)
  );
  `,
  // step 7
  `
  -- Events that came, and are not changes yet: see store/inbox.ts.
  CREATE TABLE poolsync.inbox (
    id          text COLLATE "C" PRIMARY KEY,
    feed        text COLLATE "C" NOT NULL,
    arrival     bigint NOT NULL,
    arrived_at  bigint NOT NULL,
    -- Of one that waits for its time.
    not_before  bigint,
    -- Of one that a drainer has.
    token       text COLLATE "C",
    lease_until bigint,
    -- Of one that is parked.
    parked_at   bigint,
    reason      text COLLATE "C",
    bytes       bigint NOT NULL,
    body        text NOT NULL
  );
  CREATE INDEX inbox_line ON poolsync.inbox (arrival) WHERE parked_at IS NULL;
  CREATE INDEX inbox_ahead ON poolsync.inbox (not_before) WHERE not_before IS NOT NULL;
  CREATE INDEX inbox_taken ON poolsync.inbox (lease_until) WHERE lease_until IS NOT NULL;
  CREATE INDEX inbox_parked ON poolsync.inbox (arrival) WHERE parked_at IS NOT NULL;
  -- How much of it there is, what is parked apart.
  CREATE TABLE poolsync.inbox_size (
    entries        bigint NOT NULL,
    bytes          bigint NOT NULL,
    parked_entries bigint NOT NULL,
    parked_bytes   bigint NOT NULL
  );
  INSERT INTO poolsync.inbox_size VALUES (0, 0, 0, 0);
  -- Every event of the last four days.
  CREATE TABLE poolsync.events_seen (id text COLLATE "C" PRIMARY KEY, arrived_at bigint NOT NULL);
  CREATE INDEX events_seen_age ON poolsync.events_seen (arrived_at);
  `,
  // Scans of pools, and the accounts that each saw: see store/account-index.ts. Named by a number, as there are many.
  `
  CREATE TABLE poolsync.account_scans (
    id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pool      text COLLATE "C" NOT NULL,
    attribute text COLLATE "C" NOT NULL,
    scan      text COLLATE "C" NOT NULL,
    began_at  bigint NOT NULL,
    adds      integer NOT NULL,
    whole     boolean NOT NULL,
    UNIQUE (scan, attribute)
  );
  CREATE TABLE poolsync.accounts (
    scan    integer,
    name    text COLLATE "C",
    account text NOT NULL,
    PRIMARY KEY (scan, name)
  );
  `,
];

/** The number of the newest form of the tables. A data directory says which it holds. */
export const FORMAT = STEPS.length;

/**
 * Brings the tables to the newest form. Throws a StoreError where they are newer than this version knows. `format` is an
 * older form, for tests that need tables as an older version left them.
 *
 * In the same step the store is given its identity and epoch, and where it is new, since when it is there.
 */
export async function migrate(database: Database, format = FORMAT, now = Date.now()): Promise<void> {
  await database.transaction(async (session) => {
    await session.query(`
      CREATE SCHEMA IF NOT EXISTS poolsync;
      CREATE TABLE IF NOT EXISTS poolsync.format (steps integer NOT NULL);
    `);
    const stored = await storedFormat(session);
    const done = stored ?? 0;
    if (done > FORMAT) throw foreignFormat(done);
    for (const step of STEPS.slice(done, format)) await session.query(step);
    if (stored === undefined) await session.query("INSERT INTO poolsync.format VALUES ($1)", [format]);
    else if (done < format) await session.query("UPDATE poolsync.format SET steps = $1", [format]);
    if (format < FORMAT) return;
    const remember = "INSERT INTO poolsync.memory VALUES ($1, $2) ON CONFLICT DO NOTHING";
    await session.query(remember, ["identity", randomBytes(16).toString("base64url")]);
    await session.query(remember, ["epoch", "1"]);
    if (stored === undefined) await session.query(remember, ["since", String(now)]);
  });
}

const remembered = (name: string): string => `(SELECT value FROM poolsync.memory WHERE name = '${name}') AS ${name}`;

interface IdentityRow {
  readonly steps: number | null;
  readonly identity: string | null;
  readonly epoch: string | null;
  readonly since: string | null;
}

async function readIdentity(session: Session): Promise<IdentityRow | undefined> {
  const names = ["identity", "epoch", "since"].map(remembered).join(", ");
  const rows = await session.query<IdentityRow>(`SELECT (SELECT steps FROM poolsync.format) AS steps, ${names}`);
  return rows[0];
}

/** Of tables that were migrated. */
export async function storedIdentity(session: Session): Promise<StoreIdentity> {
  const { identity, epoch, since } = (await readIdentity(session)) ?? {};
  return {
    identity: identity ?? "",
    epoch: epochOf(epoch, ["put a copy of the data directory in its place"]),
    since: timeIn(since ?? "") || undefined,
  };
}

/**
 * Throws a StoreError: `foreign-format` where the tables are not, or no more, of the form that this version writes,
 * `store-replaced` where they are of another store or epoch than was opened.
 */
export async function demandStore(session: Session, known: StoreIdentity): Promise<void> {
  const { steps, identity, epoch } = (await readIdentity(session)) ?? {};
  if (typeof steps === "number" && steps !== FORMAT) throw foreignFormat(steps);
  if (identity !== known.identity) throw storeReplaced("other");
  if (epoch !== String(known.epoch)) throw storeReplaced("epoch");
}

/**
 * Raises the epoch: a time, so that none comes twice though a copy from before an earlier one was restored. What is returned
 * is to be known from now on. Unless `isWhole`, what it says of the past is whole from now on only.
 */
export async function raiseEpoch(session: Session, nowMs: number, isWhole: boolean): Promise<StoreIdentity> {
  await session.query(
    "UPDATE poolsync.memory SET value = greatest(value::bigint + 1, $1::bigint)::text WHERE name = 'epoch'",
    [nowMs],
  );
  if (!isWhole) {
    await session.query(
      "INSERT INTO poolsync.memory VALUES ('since', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      [String(nowMs)],
    );
  }
  return storedIdentity(session);
}

async function storedFormat(session: Session): Promise<number | undefined> {
  const rows = await session.query<{ steps: number }>("SELECT steps FROM poolsync.format");
  return rows[0]?.steps;
}

function foreignFormat(stored: number): StoreError {
  const next = stored > FORMAT ? "use the newer version that wrote it" : "start again, which brings it to that format";
  return new StoreError(
    "foreign-format",
    `The data directory holds format ${stored}, and this version of poolsync knows ${FORMAT}: ${next}.`,
  );
}
