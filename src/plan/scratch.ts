/**
 * What a plan is worked out in: an SQLite file of this process alone, so that memory stays flat for any feed and any
 * pool. Nobody else can open it: it lies in a directory of mode 0700 and has no name as soon as it is open, so it is
 * gone with the process, whatever ends that. What names people is a digest under a salt that is never written.
 */
import { hash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { MANY_VALUES, type SameValue } from "../core/guards.ts";

/** A row with what was found of it. */
export interface ScratchRow {
  readonly row: number;
  readonly body: string;
  /** Absent where nobody matches. */
  readonly user?: string | undefined;
  /** Absent where nothing was found of the user beside the row. */
  readonly match?: string | undefined;
  /** Why the whole row is at fault. */
  readonly fault?: string | undefined;
  /** By unit: why it is not sent as the row says it. */
  readonly settled: ReadonlyMap<string, string>;
}

export interface RowBody {
  readonly row: number;
  readonly body: string;
}

export interface Claim {
  readonly alias: string;
  readonly user: string;
  readonly row: number;
  readonly attribute: string;
}

export interface Scratch {
  /** A name for a value that is the same throughout the scratch, and means nothing outside. */
  name(kind: string, value: string): string;
  addRow(row: number, key: string | null, body: string): void;
  addWant(alias: string): void;
  /** All rows are in. */
  index(): void;
  /** How many keys the rows have. */
  names(): number;
  rowsOf(key: string): Iterable<RowBody>;
  addMatch(row: number, user: string, isVerified: boolean, body: string | null): void;
  isWanted(alias: string): boolean;
  addOwner(alias: string, user: string): void;
  /** `alias` null: the user gives the attribute up and wants no other. */
  addClaim(alias: string | null, claim: Omit<Claim, "alias">): void;
  /** Everything but the rows. */
  forgetMatches(): void;
  /** All matches are in. */
  indexMatches(): void;
  /** Rows that several users match, each with the user who has the value verified, where exactly one has. */
  ambiguous(): Iterable<{ readonly row: number; readonly verified?: string | undefined }>;
  /** Keeps one of the users of a row, or none. */
  choose(row: number, user: string | undefined): void;
  fault(row: number, reason: string): void;
  /** Users that several rows match, with those rows: they may be all of the feed, and can be walked several times. */
  doubles(): Iterable<Iterable<RowBody>>;
  settle(row: number, unit: string, as: string): void;
  /** Claims of an alias that somebody has, or that others want too. */
  disputed(): Iterable<Claim>;
  /** Others claim the alias, too. */
  isContested(alias: string, user: string): boolean;
  owner(alias: string): string | undefined;
  claimOf(user: string, attribute: string): { readonly alias: string | null } | undefined;
  rematch(row: number, body: string): void;
  rows(): Iterable<ScratchRow>;
  users(): number;
  markChanged(user: string): void;
  changed(): number;
  markMissed(user: string): void;
  missed(): number;
  tally(attribute: string, value: string, before: string): void;
  /** The value of each attribute that most users are given, of those that replace many others. */
  commonest(): readonly SameValue[];
  close(): void;
}

const SCHEMA = `
  PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA temp_store = FILE; PRAGMA cache_size = -8000;
  CREATE TABLE rows (row INTEGER PRIMARY KEY, key TEXT, body TEXT NOT NULL);
  CREATE TABLE matches (row INTEGER, user TEXT, verified INTEGER, body TEXT, PRIMARY KEY (row, user)) WITHOUT ROWID;
  CREATE TABLE faults (row INTEGER PRIMARY KEY, reason TEXT);
  CREATE TABLE settled (row INTEGER, unit TEXT, reason TEXT, PRIMARY KEY (row, unit)) WITHOUT ROWID;
  CREATE TABLE wants (alias TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE owners (alias TEXT, user TEXT, PRIMARY KEY (alias, user)) WITHOUT ROWID;
  CREATE TABLE claims (alias TEXT, user TEXT, row INTEGER, attribute TEXT);
  CREATE INDEX claims_by_user ON claims (user, attribute);
  CREATE TABLE changed (user TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE missed (user TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE tally (attribute TEXT, value TEXT, before TEXT, users INTEGER,
    PRIMARY KEY (attribute, value, before)) WITHOUT ROWID;
  BEGIN;`;

/** Rows with several matches that are looked for at a time: choosing one changes what is looked at. */
const AMBIGUOUS_PAGE = 500;

/** `directory` is where poolsync keeps its data; it is made where it is missing. */
export function openScratch(directory: string): Scratch {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const place = mkdtempSync(join(directory, "plan-"));
  let db: DatabaseSync;
  try {
    db = new DatabaseSync(join(place, "scratch.db"));
    db.exec(SCHEMA);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
  const salt = randomBytes(16).toString("hex");
  return {
    name: (kind, value) => hash("sha256", `${salt}${kind}\0${value}`, "base64url").slice(0, 22),
    ...rowTables(db),
    ...matchTables(db),
    ...claimTables(db),
    ...countTables(db),
    close: () => db.close(),
  };
}

/** The rows as they were taken, and what was settled of them. */
function rowTables(
  db: DatabaseSync,
): Pick<Scratch, "addRow" | "index" | "names" | "rowsOf" | "fault" | "settle" | "rows"> {
  const insertRow = db.prepare("INSERT INTO rows VALUES (?, ?, ?)");
  const selectRows = db.prepare("SELECT row, body FROM rows WHERE key = ?");
  const insertFault = db.prepare("INSERT OR REPLACE INTO faults VALUES (?, ?)");
  const insertSettled = db.prepare("INSERT OR REPLACE INTO settled VALUES (?, ?, ?)");
  return {
    addRow: (row, key, body) => void insertRow.run(row, key, body),
    index: () => db.exec("CREATE INDEX rows_by_key ON rows (key)"),
    names: () => countOf(db, "SELECT count(DISTINCT key) AS n FROM rows"),
    *rowsOf(key) {
      for (const found of selectRows.iterate(key)) yield rowBody(found);
    },
    fault: (row, reason) => void insertFault.run(row, reason),
    settle: (row, unit, as) => void insertSettled.run(row, unit, as),
    *rows() {
      const settled = db.prepare("SELECT row, unit, reason FROM settled ORDER BY row").iterate();
      let next = settled.next();
      const all = db.prepare(`SELECT rows.row, rows.body, matches.user, matches.body AS match, faults.reason AS fault
        FROM rows LEFT JOIN matches USING (row) LEFT JOIN faults USING (row) ORDER BY rows.row`);
      for (const { row, body, user, match, fault } of all.iterate()) {
        const settledUnits = new Map<string, string>();
        for (; next.done !== true && next.value["row"] === row; next = settled.next()) {
          settledUnits.set(text(next.value["unit"]), text(next.value["reason"]));
        }
        yield {
          row: Number(row),
          body: text(body),
          user: textIfAny(user),
          match: textIfAny(match),
          fault: textIfAny(fault),
          settled: settledUnits,
        };
      }
    },
  };
}

/** Which users the rows are for. */
function matchTables(
  db: DatabaseSync,
): Pick<
  Scratch,
  "addMatch" | "rematch" | "forgetMatches" | "indexMatches" | "ambiguous" | "choose" | "doubles" | "users"
> {
  const upsertMatch = db.prepare("INSERT OR REPLACE INTO matches VALUES (?, ?, ?, ?)");
  const deleteMatches = db.prepare("DELETE FROM matches WHERE row = ? AND user <> ?");
  const deleteClaims = db.prepare("DELETE FROM claims WHERE row = ? AND user <> ?");
  return {
    addMatch: (row, user, isVerified, body) => void upsertMatch.run(row, user, isVerified ? 1 : 0, body),
    rematch: (row, body) => void db.prepare("UPDATE matches SET body = ? WHERE row = ?").run(body, row),
    forgetMatches: () => db.exec("DELETE FROM matches; DELETE FROM owners; DELETE FROM claims"),
    indexMatches: () =>
      db.exec(`CREATE INDEX matches_by_user ON matches (user); CREATE INDEX claims_by_alias ON claims (alias, user);
        CREATE INDEX claims_by_row ON claims (row)`),
    *ambiguous() {
      const page = db.prepare(`SELECT row, sum(verified) AS many, max(iif(verified, user, NULL)) AS one
        FROM matches WHERE row > ? GROUP BY row HAVING count(*) > 1 ORDER BY row LIMIT ${AMBIGUOUS_PAGE}`);
      for (let last = 0; ;) {
        const found = page.all(last);
        for (const { row, many, one } of found) {
          last = Number(row);
          yield { row: last, verified: many === 1 ? text(one) : undefined };
        }
        if (found.length < AMBIGUOUS_PAGE) return;
      }
    },
    choose(row, user) {
      deleteMatches.run(row, user ?? "");
      deleteClaims.run(row, user ?? "");
    },
    *doubles() {
      const rowsOfUser = db.prepare(
        "SELECT matches.row, rows.body FROM matches CROSS JOIN rows USING (row) WHERE user = ? ORDER BY matches.row",
      );
      for (const { user } of db.prepare("SELECT user FROM matches GROUP BY user HAVING count(*) > 1").iterate()) {
        yield {
          *[Symbol.iterator]() {
            for (const found of rowsOfUser.iterate(text(user))) yield rowBody(found);
          },
        };
      }
    },
    users: () => countOf(db, "SELECT count(DISTINCT user) AS n FROM matches"),
  };
}

/** Sign-in names: which of them rows want, who has them, and who is to have them. */
function claimTables(
  db: DatabaseSync,
): Pick<Scratch, "addWant" | "isWanted" | "addOwner" | "addClaim" | "disputed" | "isContested" | "owner" | "claimOf"> {
  const insertWant = db.prepare("INSERT OR IGNORE INTO wants VALUES (?)");
  const selectWant = db.prepare("SELECT 1 FROM wants WHERE alias = ?");
  const insertOwner = db.prepare("INSERT OR IGNORE INTO owners VALUES (?, ?)");
  const insertClaim = db.prepare("INSERT INTO claims VALUES (?, ?, ?, ?)");
  const selectContested = db.prepare(`SELECT (SELECT min(user) FROM claims WHERE alias = ?1) <> ?2
    OR (SELECT max(user) FROM claims WHERE alias = ?1) <> ?2 AS contested`);
  return {
    addWant: (alias) => void insertWant.run(alias),
    isWanted: (alias) => selectWant.get(alias) !== undefined,
    addOwner: (alias, user) => void insertOwner.run(alias, user),
    addClaim: (alias, { user, row, attribute }) => void insertClaim.run(alias, user, row, attribute),
    *disputed() {
      const found = db.prepare(`SELECT alias, user, row, attribute FROM claims AS c WHERE alias IS NOT NULL AND (
        EXISTS (SELECT 1 FROM owners AS o WHERE o.alias = c.alias) OR
        (SELECT min(user) FROM claims WHERE alias = c.alias) <> (SELECT max(user) FROM claims WHERE alias = c.alias))`);
      for (const { alias, user, row, attribute } of found.iterate()) {
        yield { alias: text(alias), user: text(user), row: Number(row), attribute: text(attribute) };
      }
    },
    isContested: (alias, user) => selectContested.get(alias, user)?.["contested"] === 1,
    owner(alias) {
      const found = db.prepare("SELECT user FROM owners WHERE alias = ? LIMIT 1").get(alias);
      return found && text(found["user"]);
    },
    claimOf(user, attribute) {
      const found = db
        .prepare("SELECT alias FROM claims WHERE user = ? AND attribute = ? LIMIT 1")
        .get(user, attribute);
      return found && { alias: found["alias"] === null ? null : text(found["alias"]) };
    },
  };
}

/** What is counted while the finished plan is walked. */
function countTables(
  db: DatabaseSync,
): Pick<Scratch, "markChanged" | "changed" | "markMissed" | "missed" | "tally" | "commonest"> {
  const insertChanged = db.prepare("INSERT OR IGNORE INTO changed VALUES (?)");
  const insertMissed = db.prepare("INSERT OR IGNORE INTO missed VALUES (?)");
  const upsertTally = db.prepare(`INSERT INTO tally VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET users = users + 1`);
  const sums = "SELECT attribute, value, sum(users) AS users, count(*) AS befores FROM tally GROUP BY attribute, value";
  return {
    markChanged: (user) => void insertChanged.run(user),
    changed: () => countOf(db, "SELECT count(*) AS n FROM changed"),
    markMissed: (user) => void insertMissed.run(user),
    missed: () => countOf(db, "SELECT count(*) AS n FROM missed"),
    tally: (attribute, value, before) => void upsertTally.run(attribute, value, before),
    commonest() {
      const found = db
        .prepare(
          `SELECT attribute, value, max(users) AS users, befores FROM (${sums}) WHERE befores >= ? GROUP BY attribute`,
        )
        .all(MANY_VALUES);
      return found.map(({ attribute, value, users, befores }) => ({
        attribute: text(attribute),
        value: text(value),
        users: Number(users),
        values: Number(befores),
      }));
    },
  };
}

function countOf(db: DatabaseSync, sql: string): number {
  return Number(db.prepare(sql).get()?.["n"] ?? 0);
}

function textIfAny(value: SQLOutputValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function text(value: SQLOutputValue | undefined): string {
  if (typeof value === "string") return value;
  throw new TypeError("Expected text in the scratch");
}

function rowBody({ row, body }: Record<string, SQLOutputValue>): RowBody {
  return { row: Number(row), body: text(body) };
}
