/** One look at a user serves the plan, the name, the account, the contacts and the comparison. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import type { PoolDefinition } from "../../src/emulator/pool-definition.ts";
import { setApp, type App, type Asked } from "../support/app-stage.ts";
import { addUsers, byHand } from "../support/pool-stage.ts";

/** More pages than a file of some rows has looks. */
const USERS = 400;
const ALIASES = { aliasAttributes: ["email"] } as const satisfies PoolDefinition;

async function setUsers(t: TestContext, pool: Omit<PoolDefinition, "id"> = {}): Promise<App> {
  const environment = { POOLSYNC_KEY: Buffer.alloc(32, 7).toString("base64") };
  const app = await setApp(t, { pool, environment, emulator: { shortPages: 0 }, config: "rate: 500\n" });
  addUsers(app.pool, USERS);
  return app;
}

/** Calls of looks, of AdminGetUser and of writes. */
function calls({ emulator }: App): readonly [looks: number, billed: number, writes: number] {
  const of = (operation: string): number => emulator.counters.operations[operation]?.calls ?? 0;
  return [of("ListUsers"), of("AdminGetUser"), of("AdminUpdateUserAttributes")];
}

describe("a row costs", () => {
  const NUMBER = "+14325551212";
  const table: readonly (readonly [
    string,
    Omit<PoolDefinition, "id">,
    string,
    Asked,
    readonly [number, number, number],
  ])[] = [
    ["one look with an address, by username", {}, "username,email\nu7,new@example.com\n", {}, [1, 0, 1]],
    [
      "one look more for the owner of the address in an alias pool",
      ALIASES,
      "username,email\nu7,new@example.com\n",
      {},
      [2, 0, 1],
    ],
    [
      "one look by address",
      ALIASES,
      `email,phone_number\nu7@example.com,${NUMBER}\n`,
      { usernameColumn: "email" },
      [1, 0, 1],
    ],
    ["one look with two contacts", {}, `username,email,phone_number\nu7,new@example.com,${NUMBER}\n`, {}, [1, 0, 1]],
    [
      "one look more with a flag that is kept",
      {},
      "username,email\nu7,new@example.com\n",
      { verified: "keep" },
      [2, 0, 1],
    ],
    ["one look more with a flag alone", {}, "username,email_verified\nu7,false\n", {}, [2, 0, 1]],
    ["one look with a flag that is there", {}, "username,email_verified\nu7,true\n", {}, [1, 0, 0]],
    [
      "one look with a flag that is kept of an address that is there",
      {},
      "username,email\nu7,u7@example.com\n",
      { verified: "keep" },
      [1, 0, 0],
    ],
    [
      "one look more with a flag that is kept, by address where it is put without one",
      ALIASES,
      `email,phone_number\nu7@example.com,${NUMBER}\n`,
      { usernameColumn: "email", baseline: "none", verified: "keep" },
      [2, 0, 1],
    ],
    ["one look with a plain value", {}, "username,nickname\nu7,New\n", {}, [1, 0, 1]],
    [
      "one look, and no write, where all is there",
      {},
      "username,email,given_name\nu7,u7@example.com,Old\n",
      {},
      [1, 0, 0],
    ],
    [
      "one look where it is put without one",
      {},
      `username,email\nu7,new@example.com\n`,
      { baseline: "none" },
      [1, 0, 1],
    ],
    [
      "one look by address where it is put without one",
      ALIASES,
      `email,phone_number,nickname\nu7@example.com,${NUMBER},New\n`,
      { usernameColumn: "email", baseline: "none" },
      [1, 0, 1],
    ],
    [
      "one look where it is put without one, and all is there",
      ALIASES,
      "email,given_name\nu7@example.com,Old\n",
      { usernameColumn: "email", baseline: "none" },
      [1, 0, 0],
    ],
  ];
  for (const [title, pool, text, asked, expected] of table) {
    test(title, async (t) => {
      const app = await setUsers(t, pool);
      await app.sync(await app.file(text), { verified: "mark", ...asked });
      assert.deepEqual(calls(app), expected);
    });
  }

  test("one look more with a provider's user, who is called by name, and serves for a number", async (t) => {
    const app = await setUsers(t);
    app.pool.addUser({ username: "Okta_ann", status: "EXTERNAL_PROVIDER", attributes: {} });
    await app.sync(await app.file(`username,nickname,phone_number\nOkta_ann,Ann,${NUMBER}\n`), { verified: "mark" });
    assert.deepEqual(calls(app), [2, 0, 1]);
  });

  test("one look for a change that names its person by address", async (t) => {
    const app = await setUsers(t, ALIASES);
    await app.update("u7@example.com", { phone_number: NUMBER }, { verified: "mark" });
    assert.deepEqual(calls(app), [1, 0, 1]);
  });
});

describe("a file is compared with the live pool", () => {
  test("by a look a row where the pool has more pages, whatever is asked for, and by a scan where it has fewer", async (t) => {
    const app = await setUsers(t);
    const file = (rows: number) =>
      app.file(`username,given_name\n${Array.from({ length: rows }, (_, row) => `u${row},Old`).join("\n")}\n`);
    for (const [rows, asked, looks] of [
      [3, {}, 3],
      [3, { baseline: "live" }, 3],
      [6, {}, 6],
      [7, {}, 7],
      [8, {}, 7],
    ] as const) {
      const before = calls(app)[0];
      const { figures } = await app.plan(await file(rows), asked);
      assert.equal(calls(app)[0] - before, looks, `${rows} rows`);
      assert.deepEqual([figures.users.matched, figures.scan?.oneByOne], [rows, rows < 7 ? true : undefined]);
    }
  });

  test("by a look a row where its users are matched by what the list can be asked for", async (t) => {
    const app = await setUsers(t, { schema: [{ name: "team" }] });
    const feed = (match: string) =>
      app.configure(
        `feeds: { hr: { pool: eu-west-1_Example, username: Id, match: "${match}", attributes: { nickname: N } } }\n`,
      );
    await feed("email");
    const { figures } = await app.plan(await app.file("Id,N\nu7@example.com,New\nnobody@example.com,New\n"), {
      feed: "hr",
    });
    assert.deepEqual([figures.users.matched, figures.faults, calls(app)[0]], [1, { "user-unknown": 1 }, 2]);
    await feed("custom:team");
    await app.plan(await app.file("Id,N\n7,New\n"), { feed: "hr" });
    assert.equal(calls(app)[0], 2 + 7, "everybody is read");
  });

  test("as a whole for drift", async (t) => {
    const app = await setUsers(t);
    await app.drift(await app.file("username,given_name\nu7,Old\n"));
    assert.equal(calls(app)[0], 7);
  });

  test("where it keeps what was there before, and heals letters, one by one as well", async (t) => {
    const app = await setUsers(t, ALIASES);
    await app.configure("rate: 500\nkeepBefore: true\nheal: true\n");
    const file = () => app.file("username,email\nu7,u8@example.com\nu9,new@example.com\nwho,w@example.com\n");
    const first = await app.sync(await file(), { verified: "mark" });
    assert.deepEqual([first.books.applied, first.books.dead, first.rows.faulty], [1, 1, 1]);
    await byHand(app.emulator, "u8", { email: "u8-old@example.com", email_verified: "true" });
    const { figures } = await app.plan(await file(), { verified: "mark" });
    assert.deepEqual([figures.scan?.oneByOne, figures.scan?.healable], [true, 1]);
    const { stopped } = await app.undo(first.run);
    assert.deepEqual(stopped, []);
    assert.equal(app.pool.user("u9")?.attributes["email"], "u9@example.com");
  });

  test("as a whole where the pool ignores case, because the list does not", async (t) => {
    const app = await setUsers(t, { caseSensitive: false });
    app.pool.addUser({ username: "Ann.Lee", attributes: { nickname: "Old" } });
    const file = () => app.file("username,nickname\nU7,New\nANN.LEE,Old\n");
    const { figures } = await app.plan(await file());
    assert.deepEqual([figures.users.matched, figures.unlisted, figures.users.changed], [2, 0, 1]);
    const { books } = await app.sync(await file());
    assert.deepEqual([books.applied, books.unchanged, calls(app)], [1, 1, [14, 0, 1]]);
  });
});

describe("AdminGetUser, which bills,", () => {
  test("is asked only for those who are written, of whom a text that may be two things names somebody", async (t) => {
    const app = await setUsers(t, { aliasAttributes: ["preferred_username"], caseSensitive: false });
    for (const who of ["ann", "bob"]) {
      app.pool.addUser({ username: `user-${who}`, attributes: { preferred_username: who } });
    }
    await app.configure("rate: 500\nguards: { protectUsers: [user-ann, u1] }\n");
    await app.explain("ann");
    const rows = "ann,New\nu1,New\n";
    const file = () => app.file(`username,nickname\n${rows}bob,${"x".repeat(3000)}\n`);
    const { rows: read, books } = await app.sync(await file(), { baseline: "none" });
    assert.deepEqual([read.faulty, books.applied, calls(app)[1]], [2, 0, 0]);
    await app.sync(await app.file("username,nickname\nbob,New\n"), { baseline: "none" });
    assert.deepEqual(calls(app).slice(1), [1, 1]);
  });
});
