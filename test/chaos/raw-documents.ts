/** Documents as they lie in a store, past poolsync: they can be found, and another text put in the place of one. */
import { Redis } from "ioredis";
import { z } from "zod";
import type { EmbeddedStore } from "../../src/store/postgres/embedded-store.ts";
import { createKeys } from "../../src/store/redis/keys.ts";
import type { Store } from "../../src/store/store.ts";
import { POOL } from "./service.ts";

/** What is broken in a run: the kinds of store/damaged.ts that it always has some of. */
export const BROKEN_KINDS = ["mailbox", "ledger", "letter", "run", "gate", "exceptions", "link"] as const;
export type BrokenKind = (typeof BROKEN_KINDS)[number];

export interface RawDocument {
  /** As store/damaged.ts says it. */
  readonly place: string;
  readonly text: string;
}

export interface RawDocuments {
  readonly engine: Store["kind"];
  all(kind: BrokenKind): Promise<readonly RawDocument[]>;
  /** Does nothing, and answers false, where another text is in its place by now. */
  put(kind: BrokenKind, document: RawDocument, text: string): Promise<boolean>;
}

const SET_IF =
  "if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) return 1";

/** `portOf`: of the server that takes writes. */
export function redisDocuments(namespace: string, portOf: () => Promise<number>): RawDocuments {
  const keys = createKeys(namespace);
  const hashes: Readonly<Record<BrokenKind, string>> = {
    mailbox: keys.mailboxes,
    ledger: keys.ledger,
    letter: keys.letters,
    run: keys.runs,
    gate: keys.gates,
    exceptions: keys.exceptions,
    link: keys.links(POOL),
  };
  async function asked<T>(question: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(await portOf(), "127.0.0.1");
    try {
      return await question(redis);
    } finally {
      redis.disconnect();
    }
  }
  return {
    engine: "redis",
    all: (kind) =>
      asked(async (redis) =>
        Object.entries(await redis.hgetall(hashes[kind])).map(([place, text]) => ({ place, text })),
      ),
    put: (kind, { place, text }, instead) =>
      asked(async (redis) => (await redis.eval(SET_IF, 1, hashes[kind], place, text, instead)) === 1),
  };
}

/** Of each kind: a table, its column with the document, and the expression that says the place. */
const TABLES: Readonly<Record<BrokenKind, readonly [table: string, column: string, place: string]>> = {
  mailbox: ["users", "mailbox", "user_key"],
  ledger: ["users", "ledger", "user_key"],
  letter: ["letters", "letter", "id"],
  run: ["runs", "state", "id"],
  gate: ["gates", "state", "gate"],
  exceptions: ["exceptions", "kind", "about"],
  link: ["links", "username", "pool || '|' || digest"],
};
const IS_JSON: ReadonlySet<BrokenKind> = new Set(["mailbox", "ledger", "letter"]);

/** While this process has the directory. */
export function embeddedDocuments(store: Store): RawDocuments {
  if (!isEmbedded(store)) throw new Error("Expected the embedded store");
  const { database } = store;
  return {
    engine: "embedded",
    async all(kind) {
      const [table, column, place] = TABLES[kind];
      return database.query<RawDocument>(
        `SELECT ${place} AS place, ${column}::text AS text FROM poolsync.${table} WHERE ${column} IS NOT NULL`,
      );
    },
    // Exceptions of one user are a row each.
    async put(kind, document, text) {
      const [table, column, place] = TABLES[kind];
      const rows = await database.query(
        `UPDATE poolsync.${table} SET ${column} = $3${IS_JSON.has(kind) ? "::json" : ""}
         WHERE ctid = (SELECT ctid FROM poolsync.${table} WHERE ${place} = $1 AND ${column}::text = $2 LIMIT 1) RETURNING 1`,
        [document.place, document.text, text],
      );
      return rows.length > 0;
    },
  };
}

function isEmbedded(store: Store): store is EmbeddedStore {
  return store.kind === "embedded";
}

/** True where the column takes a text of JSON alone. */
export const wantsJson = ({ engine }: RawDocuments, kind: BrokenKind): boolean =>
  engine === "embedded" && IS_JSON.has(kind);

/** True where it holds a word, and no document. */
export const holdsWord = ({ engine }: RawDocuments, kind: BrokenKind): boolean =>
  kind === "link" || (engine === "embedded" && !IS_JSON.has(kind));

const unitsOf = z.record(z.string(), z.object({ run: z.string() }));
const mailbox = z.object({
  pending: unitsOf,
  claim: z.unknown().optional(),
  abandonedCalls: z.record(z.string(), z.unknown()).default({}),
  lastSettled: z.record(z.string(), z.unknown()).default({}),
  overwritten: z.record(z.string(), z.unknown()).default({}),
  unresolvedCalls: z.record(z.string(), z.unknown()).default({}),
});

/** The units that wait in a mailbox; undefined where it is claimed, or remembers a call, or nothing waits. */
export function waitingUnits(text: string): readonly string[] | undefined {
  const { pending, claim, ...memory } = mailbox.parse(JSON.parse(text));
  const remembers = claim !== undefined || Object.values(memory).some((record) => Object.keys(record).length > 0);
  const units = Object.keys(pending);
  return remembers || units.length === 0 ? undefined : units;
}

const letter = z.object({ user: z.string(), unit: z.string() });
export const letterOf = (text: string): { user: string; unit: string } => letter.parse(JSON.parse(text));

/** The units of a ledger. */
export const ledgerUnits = (text: string): readonly string[] =>
  Object.keys(z.record(z.string(), z.unknown()).parse(JSON.parse(text)));
