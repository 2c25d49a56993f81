/**
 * A namespace in Redis and a data directory as version b92f1e6 left them, and the scripts by which its workers write:
 * for tests that take such a store over. Nobody edits the fixtures: they were made with that version's own commands.
 *
 * Namespace `old`, pools eu-west-1_Staff (u1 to u40) and eu-west-1_Clients (c1 to c14, e-mail is an alias) of one
 * `poolsync emulator`, whose faults were set over its control port:
 *
 * | commands                                            | what they left                                              |
 * |-----------------------------------------------------|-------------------------------------------------------------|
 * | `sync base.csv`, faults for u21 to u25, u98 unknown | run finished, ledgers of 31 users, 18 letters of 6 kinds    |
 * | `sync --feed crm` (users by e-mail)                 | run finished, 12 links                                      |
 * | `sync alias.csv`: c5 is to have c6's address        | run finished, a letter `alias-exists` with its owner        |
 * | `admin-update-user-attributes` of u97, unknown      | a letter of the direct run, with client metadata            |
 * | `sync - --stream` of a cut .gz                      | run failed                                                  |
 * | u31: worker killed while the call hung, another one | `suspects` and `kept`: two units, one of them an address    |
 * | u33: worker stopped (SIGSTOP) while its call hung,  | a claim with `suspects` and `doubts`; `unknown` (Redis)     |
 * |   a newer value claimed, worker goes on, both killed|                                                             |
 * | c1: ResourceNotFound; u29: InvalidSmsRole…          | a hold on pool Clients, a hold on contacts of Staff         |
 * | u26 to u28 (`sync bulk.csv --detach`), u29, u30:    | claims whose worker is dead (Redis)                         |
 * |   worker killed while calls hung                    |                                                             |
 * | u32: call timed out, worker killed, another value   | `unknown`, a clear with a fault, a value that waits for it  |
 * | `sync --feed people --detach`                       | run delivering, 12 users with 5 units: clears, e-mail to    |
 * |                                                     | mark, phone to keep                                         |
 * | `sync half.csv --feed crm --detach`, killed         | run reading, cursor 500, with an identity                   |
 * | `admin-update-user-attributes --queue`, seven times | direct runs: client metadata, an address with its flag,     |
 * |                                                     | a flag alone (u14), clears (u15), u1 over a run's value     |
 * | `sync cancel.csv --detach`, `runs cancel`           | run cancelled, 3 units of it pending                        |
 * | workers/directory.ts with feeds hr and news         | run needs-approval with its plan; a note; run finished      |
 *
 * The data directory is the same but for this: nothing is detached, so `sync --feed people` and `sync cancel.csv` were
 * killed while all calls hung, 3 at a time, which left the claims; u33's documents were made through the port
 * `Mailboxes` (claim, put, claim, settle), and hr's plan by `passFeed`; u32 has a dead claim, u34 has `unknown`; no
 * u17 and no news. The keyed ones: `keepBefore: true`, `sync small.csv`, `sync --feed people` killed (Redis: a worker) while 2
 * calls hung, u12's own change with a token, u10's with metadata; in Redis also a letter `token-expired`. Only there
 * are before images, because they want a key.
 *
 * All times are absolute and lie about `madeAtMs`: leases, due times, `unknown` and `suspects` ended long ago, the plan
 * waits until 7 days after that, and the data directory's before images are kept until 30 days after it (open that
 * store with `now: () => madeAtMs` to find them alive). Keys that expire in Redis get the time to live that they had. Of
 * BullMQ's keys all are there but the streams of events; of the data directory only the schema poolsync.
 */
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { z } from "zod";
import { POOL_DEFINITION, USER_SEED, type PoolDefinition, type UserSeed } from "../../src/emulator/pool-definition.ts";
import { openDatabase } from "../../src/store/postgres/database.ts";
import { migrate } from "../../src/store/postgres/schema.ts";
import { figuresOf, type Figures, type StoreContent } from "./format-1-figures.ts";
import { putMadeDirectory } from "./made-directory.ts";

/** The POOLSYNC_KEY of the two fixtures that are encrypted. The other two have none. */
export const FIXTURE_KEY = Buffer.alloc(32, "k");

export interface FixtureOptions {
  /** The fixture that was written with FIXTURE_KEY, instead of the one in clear. */
  readonly keyed?: boolean;
  /** Host and port of the emulator in which the pools are from now on; else those in the fixture. */
  readonly endpoint?: string;
}

const texts = z.record(z.string(), z.string());
const key = z.discriminatedUnion("type", [
  z.object({ key: z.string(), ttlMs: z.exactOptional(z.number()), type: z.literal("string"), value: z.string() }),
  z.object({ key: z.string(), ttlMs: z.exactOptional(z.number()), type: z.literal("hash"), value: texts }),
  z.object({
    key: z.string(),
    ttlMs: z.exactOptional(z.number()),
    type: z.literal("list"),
    value: z.array(z.string()),
  }),
  z.object({ key: z.string(), ttlMs: z.exactOptional(z.number()), type: z.literal("set"), value: z.array(z.string()) }),
  /** Member, score, member, score. */
  z.object({
    key: z.string(),
    ttlMs: z.exactOptional(z.number()),
    type: z.literal("zset"),
    value: z.array(z.string()),
  }),
]);
const redisFixture = z.object({ madeAtMs: z.number(), keys: z.array(key) });
const row = z.record(z.string(), z.unknown());
const embeddedFixture = z.object({
  madeAtMs: z.number(),
  /** `poolsync.json` of the data directory. */
  marker: z.object({ format: z.number(), postgres: z.number(), ready: z.boolean() }),
  /** The rows of each table of the schema poolsync. */
  tables: z.record(z.string(), z.array(row)),
});
export type RedisFixture = z.infer<typeof redisFixture>;
export type EmbeddedFixture = z.infer<typeof embeddedFixture>;

const FIXTURES = new URL("../fixtures/format-1/", import.meta.url);

function read<T>(shape: z.ZodType<T>, name: string): T {
  const content: unknown = JSON.parse(readFileSync(new URL(name, FIXTURES), "utf8"));
  return shape.parse(content);
}

export function readRedisFixture({ keyed = false }: FixtureOptions = {}): RedisFixture {
  return read(redisFixture, keyed ? "redis-keyed.json" : "redis.json");
}

export function readEmbeddedFixture({ keyed = false }: FixtureOptions = {}): EmbeddedFixture {
  return read(embeddedFixture, keyed ? "embedded-keyed.json" : "embedded.json");
}

/** Writes the fixture's keys under another namespace, each with as long to live as it had when the fixture was made. */
export async function loadRedisFixture(redis: Redis, namespace: string, options: FixtureOptions = {}): Promise<void> {
  const { keys } = readRedisFixture(options);
  const pipeline = redis.pipeline();
  for (const { key: name, ttlMs, ...content } of keys) {
    const full = `{poolsync:${namespace}}:${name}`;
    switch (content.type) {
      case "string":
        pipeline.set(full, content.value);
        break;
      case "hash":
        pipeline.hset(full, name === "targets" ? withEndpoint(content.value, options.endpoint) : content.value);
        break;
      case "list":
        pipeline.rpush(full, ...content.value);
        break;
      case "set":
        pipeline.sadd(full, ...content.value);
        break;
      case "zset":
        for (const [member, score] of pairs(content.value)) pipeline.zadd(full, score, member);
        break;
    }
    if (ttlMs !== undefined) pipeline.pexpire(full, ttlMs);
  }
  for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
}

function withEndpoint(targets: Readonly<Record<string, string>>, endpoint: string | undefined): Record<string, string> {
  const moved = endpoint === undefined ? {} : { endpoint };
  return Object.fromEntries(
    Object.entries(targets).map(([pool, text]) => [pool, JSON.stringify({ ...row.parse(JSON.parse(text)), ...moved })]),
  );
}

function pairs(flat: readonly string[]): (readonly [member: string, score: string])[] {
  return flat.flatMap((member, index) => (index % 2 === 0 ? [[member, flat[index + 1] ?? "0"] as const] : []));
}

/** Makes a data directory in the form of that time, with the fixture's rows. `dataDir` is not there, or empty. */
export async function loadEmbeddedFixture(dataDir: string, options: FixtureOptions = {}): Promise<void> {
  const { marker, tables } = readEmbeddedFixture(options);
  const { endpoint } = options;
  await mkdir(join(dataDir, "postgres"), { recursive: true, mode: 0o700 });
  // Spares the making of the database, which takes seconds. Its tables are of today.
  putMadeDirectory(dataDir);
  const database = await openDatabase(join(dataDir, "postgres"), "bullmq");
  try {
    await database.query("DROP SCHEMA IF EXISTS poolsync CASCADE");
    await migrate(database, marker.format);
    for (const [table, rows] of Object.entries(tables)) {
      const moved = table === "targets" && endpoint !== undefined ? rows.map((each) => ({ ...each, endpoint })) : rows;
      await database.query(`DELETE FROM poolsync.${table}`);
      await database.query(
        `INSERT INTO poolsync.${table} OVERRIDING SYSTEM VALUE
         SELECT * FROM json_populate_recordset(NULL::poolsync.${table}, $1::text::json)`,
        [JSON.stringify(moved)],
      );
    }
    await database.query(
      "SELECT setval(pg_get_serial_sequence('poolsync.runs', 'place'), max(place)) FROM poolsync.runs",
    );
  } finally {
    await database.close();
  }
  await writeFile(join(dataDir, "poolsync.json"), `${JSON.stringify(marker)}\n`, { mode: 0o600 });
}

const OLD_SCRIPTS = [
  "put",
  "claim-and-settle",
  "replay",
  "discard",
  "advance",
  "begin-run",
  "sweep",
  "hold-place",
] as const;
export type OldScript = (typeof OLD_SCRIPTS)[number];

/** The texts that a worker of that version sends. Their KEYS and ARGV are in test/fixtures/format-1/lua/README.md. */
export const oldScripts = Object.fromEntries(
  OLD_SCRIPTS.map((name) => [name, readFileSync(new URL(`lua/${name}.lua`, FIXTURES), "utf8")]),
) as Readonly<Record<OldScript, string>>;

/** MAILBOX of that README, and DUE of these pools. */
export function oldMailboxKeys(namespace: string, token: string, pools: readonly string[] = []): string[] {
  const names = ["mailboxes", "ledger", "books", "letters", "letter-times", "pools", `once:${token}`];
  return [...names, ...pools.map((pool) => `due:${pool}`)].map((name) => `{poolsync:${namespace}}:${name}`);
}

function redisContent({ keys }: RedisFixture): StoreContent {
  const hash = (name: string): Record<string, string> => {
    const found = keys.find((each) => each.key === name);
    return found?.type === "hash" ? found.value : {};
  };
  const sorted = (name: string): readonly (readonly [member: string, score: string])[] => {
    const found = keys.find((each) => each.key === name);
    return found?.type === "zset" ? pairs(found.value) : [];
  };
  const sizes = (prefix: string): Record<string, number> =>
    Object.fromEntries(
      keys.flatMap((each) =>
        each.key.startsWith(prefix) ? [[each.key.slice(prefix.length), Object.keys(each.value).length] as const] : [],
      ),
    );
  const runs = parsed(hash("runs"));
  const chunks = sizes("plan:");
  const arrivals = keys.find((each) => each.key === "arrivals");
  return {
    mailboxes: parsed(hash("mailboxes")),
    ledgers: parsed(hash("ledger")),
    letters: sorted("letter-times").map(([id]) => parsed(hash("letters"))[id]),
    runs: sorted("run-index").map(([id]) => runs[id]),
    cursors: hash("cursors"),
    books: Object.fromEntries(Object.entries(hash("books")).map(([field, n]) => [field, Number(n)])),
    holds: Object.values(parsed(hash("holds"))),
    targets: Object.values(parsed(hash("targets"))),
    links: sizes("links:"),
    plans: sorted("plans").map(([run, at]) => ({ run, expiresAt: Number(at), chunks: chunks[run] ?? 0 })),
    beforeImages: sizes("before:"),
    memory: hash("memory"),
    notes: hash("notes"),
    arrivals: Number(arrivals?.type === "string" ? arrivals.value : 0),
  };
}

function parsed(documents: Readonly<Record<string, string>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(documents).map(([name, text]): [string, unknown] => [name, JSON.parse(text)]),
  );
}

const user = z.object({ user_key: z.string(), mailbox: z.unknown(), ledger: z.unknown() });
const run = z.object({
  id: z.string(),
  place: z.number(),
  pool: z.string(),
  feed: z.string(),
  identity: z.string(),
  as_of: z.number(),
  started_at: z.number(),
  finished_at: z.number().nullable(),
  state: z.string(),
});
const progressed = z.object({ run: z.string(), cursor: z.string(), rows_read: z.number(), rows_faulty: z.number() });
const booked = z.object({ run: z.string(), term: z.string(), n: z.number() });
const named = z.object({ name: z.string(), value: z.string() });

function embeddedContent({ tables }: EmbeddedFixture): StoreContent {
  const rows = <T>(table: string, shape: z.ZodType<T>): T[] => z.array(shape).parse(tables[table] ?? []);
  const users = rows("users", user);
  const sizes = (table: string, column: string): Record<string, number> => {
    const names = rows(table, row).map((each) => String(each[column]));
    return Object.fromEntries(names.map((name) => [name, names.filter((other) => other === name).length]));
  };
  const texts = (table: string): Record<string, string> =>
    Object.fromEntries(rows(table, named).map(({ name, value }) => [name, value]));
  const chunks = sizes("plan_chunks", "run");
  const progress = rows("progress", progressed);
  // Nothing was kept of all runs together.
  const books = rows("books", booked).concat(
    progress.flatMap(({ run: id, rows_read, rows_faulty }) => [
      { run: id, term: "rows-read", n: rows_read },
      { run: id, term: "rows-faulty", n: rows_faulty },
    ]),
  );
  const sums: Record<string, number> = {};
  for (const { run: id, term, n } of books) {
    sums[`${id}|${term}`] = n;
    sums[`|${term}`] = (sums[`|${term}`] ?? 0) + n;
  }
  const plans = rows("plans", z.object({ run: z.string(), expires_at: z.number() }));
  return {
    mailboxes: Object.fromEntries(users.flatMap((each) => (each.mailbox ? [[each.user_key, each.mailbox]] : []))),
    ledgers: Object.fromEntries(users.map((each) => [each.user_key, each.ledger])),
    letters: rows("letters", z.object({ letter: z.unknown() })).map(({ letter }) => letter),
    runs: rows("runs", run)
      .toSorted((a, b) => a.place - b.place)
      .map(({ as_of, started_at, finished_at, ...rest }) => ({
        ...rest,
        asOf: as_of,
        startedAt: started_at,
        ...(finished_at === null ? {} : { finishedAt: finished_at }),
      })),
    cursors: Object.fromEntries(progress.map(({ run: id, cursor }) => [id, cursor])),
    books: sums,
    holds: rows("holds", row),
    targets: rows("targets", row),
    links: sizes("links", "pool"),
    plans: plans.map(({ run: id, expires_at }) => ({ run: id, expiresAt: expires_at, chunks: chunks[id] ?? 0 })),
    beforeImages: sizes("befores", "run"),
    memory: texts("memory"),
    notes: texts("notes"),
    arrivals: rows("arrivals", z.object({ last: z.number() }))[0]?.last ?? 0,
  };
}

const emulated = z.array(z.object({ pool: POOL_DEFINITION, users: z.array(USER_SEED) }));

/** The pools and their users as the emulator had them before the first call. */
export const fixturePools: readonly { readonly pool: PoolDefinition; readonly users: readonly UserSeed[] }[] = read(
  emulated,
  "emulator.json",
);

/** What is in the fixture in Redis, counted. */
export const redisFigures: Figures = figuresOf(redisContent(readRedisFixture()));
export const keyedRedisFigures: Figures = figuresOf(redisContent(readRedisFixture({ keyed: true })));
/** What is in the data directory, counted. */
export const embeddedFigures: Figures = figuresOf(embeddedContent(readEmbeddedFixture()));
export const keyedEmbeddedFigures: Figures = figuresOf(embeddedContent(readEmbeddedFixture({ keyed: true })));
