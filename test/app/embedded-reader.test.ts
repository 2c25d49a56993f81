/** What a reader of a data directory can find of people by trying, with POOLSYNC_KEY and without it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createKeyring } from "../../src/store/keyring.ts";
import type { EmbeddedStore } from "../../src/store/postgres/embedded-store.ts";
import { setApp } from "../support/app-stage.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { addUsers, POOL } from "../support/pool-stage.ts";
import { guess, secretsIn } from "../support/thief.ts";

const BORN = "1994-07-13";
const NUMBER = "+390612345678";
const TRIED = {
  pool: POOL,
  usernames: ["u0", "u1"],
  birthdates: [BORN, "1994-07-14"],
  numbers: [NUMBER, `${NUMBER}0`],
};
const MEMORY = "poolsync.memory";

for (const key of [Buffer.alloc(32, 7).toString("base64"), undefined]) {
  test(`finds ${key ? "nobody with POOLSYNC_KEY" : "everybody without a key"}`, async (t) => {
    const environment = key ? { POOLSYNC_KEY: key } : {};
    const app = await setApp(t, { putData: putMadeDirectory, environment });
    addUsers(app.pool, 1);
    await app.sync(await app.file(`username,birthdate,phone_number\nu0,${BORN},${NUMBER}\n`), { verified: "mark" });
    const { store, keyring } = await app.open();
    const { database, identity } = store as EmbeddedStore;
    const tables = await database.query<{ name: string }>(
      "SELECT schemaname || '.' || quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'poolsync'",
      [],
    );
    const dump = new Map<string, string>();
    for (const { name } of tables) {
      const rows = await database.query<{ row: string }>(
        `SELECT row_to_json(one)::text AS row FROM ${name} AS one`,
        [],
      );
      dump.set(name, rows.map(({ row }) => row.replaceAll("\\", "")).join("\n"));
    }
    const all = ["u0", BORN, NUMBER].toSorted();
    assert.deepEqual([...guess(dump, [keyring], TRIED)].toSorted(), all, "the digests are there");
    const keyrings = secretsIn(dump, MEMORY).map((secret) =>
      createKeyring({
        identity,
        keys: { data: secret, digest: secret, earlier: [] },
        encrypts: false,
        isSealed: () => true,
      }),
    );
    assert.deepEqual([...guess(dump, keyrings, TRIED)].toSorted(), key ? [] : all);
  });
}
