/** What version b92f1e6 has left in a data directory is there in today's form, also where the upgrade was cut. */
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { z } from "zod";
import { openDatabase, type Database } from "../../src/store/postgres/database.ts";
import { openEmbeddedStore } from "../../src/store/postgres/embedded-store.ts";
import { FORMAT, migrate } from "../../src/store/postgres/schema.ts";
import { upgradeUsers } from "../../src/store/postgres/upgrade.ts";
import {
  embeddedFigures,
  keyedEmbeddedFigures,
  loadEmbeddedFixture,
  readEmbeddedFixture,
} from "../support/format-1.ts";
import { assertUpgraded, closedGates, sourceOf, withNewNames } from "../support/format-1-upgraded.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

type Row = Readonly<Record<string, unknown>>;

const document = z.record(z.string(), z.unknown());
const claimed = z.looseObject({ claim: z.looseObject({ leaseUntil: z.number() }) });
const runRow = z.looseObject({ id: z.string(), pool: z.string() });

/** A data directory of format 1 that nobody has opened. */
async function format1(t: TestContext, keyed = false): Promise<string> {
  const directory = await temporaryDirectory();
  t.after(() => directory.remove());
  const dataDir = join(directory.path, "data");
  await loadEmbeddedFixture(dataDir, { keyed });
  return dataDir;
}

async function withDatabase<T>(dataDir: string, act: (database: Database) => Promise<T>): Promise<T> {
  const database = await openDatabase(join(dataDir, "postgres"), "bullmq");
  try {
    return await act(database);
  } finally {
    await database.close();
  }
}

/** Every row of every table of poolsync's, in an order. */
async function rowsOf(database: Database): Promise<ReadonlyMap<string, readonly Row[]>> {
  const tables = await database.query<{ name: string }>(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'poolsync' ORDER BY 1",
  );
  const all = new Map<string, readonly Row[]>();
  for (const { name } of tables) {
    const rows = await database.query<{ text: string }>(
      `SELECT row_to_json(each)::text AS text FROM poolsync.${name} AS each`,
    );
    const found = rows.map(({ text }) => document.parse(JSON.parse(text)));
    // Random.
    all.set(name, inOrder(found.filter((row) => row["name"] !== "identity")));
  }
  return all;
}

function inOrder(rows: readonly Row[]): readonly Row[] {
  return rows
    .map((row) => ({
      row,
      text: JSON.stringify(Object.entries(row).toSorted(([one], [other]) => (one < other ? -1 : 1))),
    }))
    .toSorted((one, other) => (one.text < other.text ? -1 : 1))
    .map(({ row }) => row);
}

for (const keyed of [false, true]) {
  describe(`a data directory of format 1, ${keyed ? "encrypted" : "in clear"}`, () => {
    const figures = keyed ? keyedEmbeddedFigures : embeddedFigures;
    const { tables, madeAtMs } = readEmbeddedFixture({ keyed });

    test("says through every port what it said before", async (t) => {
      const store = await openEmbeddedStore({ dataDir: await format1(t, keyed), now: () => madeAtMs });
      try {
        await assertUpgraded(store, figures, madeAtMs);
        const digests = z.array(z.object({ pool: z.string(), digest: z.string(), username: z.string() }));
        for (const { pool, digest, username } of digests.parse(tables["links"])) {
          assert.equal(await store.link(pool, digest), username);
        }
      } finally {
        await store.close();
      }
    });

    test("has every row that it had, and but for gates no other", async (t) => {
      const dataDir = await format1(t, keyed);
      await (await openEmbeddedStore({ dataDir, now: () => madeAtMs })).close();
      const found = await withDatabase(dataDir, rowsOf);
      const expected = new Map<string, readonly Row[]>(Object.entries(tables));
      expected.delete("befores");
      expected.set("before_images", tables["befores"] ?? []);
      expected.set("format", [{ steps: FORMAT }]);
      expected.set("kept", []);
      expected.set("exceptions", []);
      expected.set("damaged", []);
      expected.set("forgotten", []);
      expected.set("stowed", []);
      for (const table of ["inbox", "events_seen", "accounts", "account_scans"]) expected.set(table, []);
      expected.set("inbox_size", [{ entries: 0, bytes: 0, parked_entries: 0, parked_bytes: 0 }]);
      expected.set("memory", [...(tables["memory"] ?? []), { name: "epoch", value: "1" }]);
      expected.set(
        "users",
        (tables["users"] ?? []).map((row) => userRow(row, madeAtMs)),
      );
      expected.set(
        "runs",
        (tables["runs"] ?? []).map((row) => ({ ...row, source: sourceOf(runRow.parse(row)) })),
      );
      expected.set(
        "gates",
        Array.from(closedGates(figures), ([gate, closed]) => ({ gate, ...closed, paused_by: null, reason: null })),
      );
      assert.deepEqual([...found.keys()], [...expected.keys()].toSorted());
      for (const [name, rows] of expected) assert.deepEqual(found.get(name), inOrder(rows), name);
      const marker = z
        .looseObject({ format: z.number() })
        .parse(JSON.parse(await readFile(join(dataDir, "poolsync.json"), "utf8")));
      assert.equal(marker.format, FORMAT);
    });
  });
}

/** Whoever held a claim is dead, so it ends by the time at which the directory is opened; every other due time is as it was. */
function userRow(row: Row, openedAt: number): Row {
  const mailbox = row["mailbox"] === null ? null : withNewNames(document.parse(row["mailbox"]));
  const held = claimed.safeParse(mailbox).data;
  if (held === undefined) return { ...row, mailbox };
  const leaseUntil = Math.min(openedAt, held.claim.leaseUntil);
  return { ...row, due_at: leaseUntil, mailbox: { ...held, claim: { ...held.claim, leaseUntil } } };
}

describe("an upgrade of a data directory with many users", () => {
  /** Two pages more. */
  const COPIES = 1_000;

  /** With copies of one who has a mailbox. */
  async function withCopies(t: TestContext): Promise<string> {
    const dataDir = await format1(t);
    await withDatabase(dataDir, async (database) => {
      await database.query(
        `INSERT INTO poolsync.users
         SELECT lpad(to_hex(copy), 32, '0'), pool, priority, due_at, claimed, mailbox, ledger
         FROM generate_series(1, ${COPIES}) AS copy,
           (SELECT * FROM poolsync.users WHERE mailbox::text LIKE '%unknown%' ORDER BY user_key LIMIT 1) AS one`,
      );
    });
    return dataDir;
  }

  class Cut extends Error {}

  /** Ends the process in its transaction of this number. */
  function cutIn(database: Database, last: number, when: "uncommitted" | "committed"): Database {
    let transactions = 0;
    return {
      ...database,
      async transaction(act) {
        const isLast = (transactions += 1) === last;
        const result = await database.transaction(async (session) => {
          const done = await act(session);
          if (isLast && when === "uncommitted") throw new Cut();
          return done;
        });
        if (isLast) throw new Cut();
        return result;
      },
    };
  }

  test("is brought to the same end where it was cut", async (t) => {
    const openedAt = readEmbeddedFixture().madeAtMs;
    const open = async (dataDir: string): Promise<ReadonlyMap<string, readonly Row[]>> => {
      await (await openEmbeddedStore({ dataDir, now: () => openedAt })).close();
      return withDatabase(dataDir, rowsOf);
    };
    const made = await withCopies(t);
    const cuts = [
      [1, "uncommitted"],
      [2, "committed"],
      [4, "uncommitted"],
    ] as const;
    for (const [last] of cuts) cpSync(made, `${made}-${last}`, { recursive: true });
    const expected = await open(made);
    assert.equal(expected.get("users")?.length, embeddedFigures.counts.ledgers + COPIES);
    assert.ok(expected.get("users")?.every(({ mailbox }) => !JSON.stringify(mailbox).includes('"unknown"')));

    // Three pages of mailboxes, and one that finds nobody.
    for (const [last, when] of cuts) {
      const dataDir = `${made}-${last}`;
      await withDatabase(dataDir, async (database) => {
        await migrate(database);
        await assert.rejects(upgradeUsers(cutIn(database, last, when)), Cut);
      });
      assert.deepEqual(await open(dataDir), expected, `page ${last} ${when}`);
    }
  });
});
