/** Tables as systems export them, on their way to users: what stands around them, and columns that nobody maps. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConfigError } from "../../src/config/config-error.ts";
import { FeedError } from "../../src/feeds/feed-error.ts";
import { setApp } from "../support/app-stage.ts";
import { POOL } from "../support/pool-stage.ts";

const CONFIG = `
  pools: { staff: { id: ${POOL}, owner: { given_name: newest } } }
  feeds:
    hr:
      pool: staff
      table: { delimiter: "|", after: Generated on, comment: "#", footer: Total }
      username: Employee ID
      ignoreUnknown: true
      attributes: { given_name: First Name, family_name: Last Name }
    notes:
      pool: staff
      username: Employee ID
      ignoreUnknown: true
      attributes: { given_name: First Name, nickname: Notes }
`;
const TABLE = `Report "All
Generated on 2026-01-01
Employee ID|First Name||Last Name|Notes|Notes
# page 1
u1| "Ann"|x|Lee|a|b
Total|1
`;

const refused = (kind: typeof FeedError | typeof ConfigError, message: RegExp) => (error: unknown) =>
  error instanceof kind && message.test(error.message);

describe("a feed with a table", () => {
  test("is read where its settings say, and an option goes before them", async (t) => {
    const app = await setApp(t, { config: CONFIG });
    app.pool.addUser({ username: "u1", attributes: { given_name: "Old" } });
    const file = await app.file(TABLE, "hr.csv");
    const { books, rows } = await app.sync(file, { feed: "hr" });
    assert.deepEqual([books.applied, rows.read, rows.faulty], [2, 1, 0]);
    assert.equal(app.pool.user("u1")?.attributes["given_name"], "Ann");

    const moved = await app.file(TABLE.replace("Generated on", "Of").replace("Ann", "Eve"), "moved.csv");
    await assert.rejects(app.plan(moved, { feed: "hr" }), refused(FeedError, /text of `after`, and no line holds it/));
    assert.equal((await app.sync(moved, { feed: "hr", headerLine: 3 })).books.applied, 1);
    assert.equal(app.pool.user("u1")?.attributes["given_name"], "Eve");
    await assert.rejects(
      app.plan(file, { feed: "hr", delimiter: "||", headerLine: 3, headerAfter: "x" }),
      refused(ConfigError, /--delimiter.*one character[\s\S]*--header-after.*got both/),
    );
  });

  test("refuses two columns of one name where one of them is mapped, and not else", async (t) => {
    const app = await setApp(t, { config: CONFIG });
    app.pool.addUser({ username: "u1", attributes: { given_name: "Old" } });
    const file = await app.file("Employee ID,First Name,Notes,Notes\nu1,Ann,a,b\n", "notes.csv");
    await assert.rejects(app.plan(file, { feed: "notes" }), refused(FeedError, /columns 3 and 4 have the same name/));
  });

  test("is told its encoding where most of what is mapped does not fit, and else has a faulty value", async (t) => {
    const app = await setApp(t, { config: CONFIG });
    for (const username of ["u1", "u2"]) app.pool.addUser({ username, attributes: { given_name: "Old" } });
    const latin = (text: string) => Buffer.from(text, "latin1");
    const utf8 = Buffer.from("Employee ID,First Name,Notes\nu1,Zoë,ü\n");
    const mixed = await app.file(Buffer.concat([utf8, latin("u2,Zo\xeb,\xeb\n")]), "mixed.csv");
    const { notPut } = await app.plan(mixed, { feed: "notes" });
    assert.deepEqual(
      notPut.map(({ line, attribute, reason }) => [line, attribute, reason]),
      [
        [3, "given_name", "bad-bytes"],
        [3, "nickname", "bad-bytes"],
      ],
    );
    const whole = await app.file(latin("Employee ID,First Name,Notes\nu1,Zo\xeb,x\nu2,Ann,x\n"), "latin.csv");
    await assert.rejects(
      app.plan(whole, { feed: "notes" }),
      refused(FeedError, /is not utf-8: the byte at offset 34 .*--encoding windows-1252/),
    );
    assert.equal((await app.plan(whole, { feed: "notes", encoding: "windows-1252" })).notPut.length, 0);
    const header = await app.file(latin("Employee ID,First Name,Note\xe9s\nu1,Ann,x\n"), "header.csv");
    await assert.rejects(
      app.plan(header, { feed: "notes", usernameColumn: "Employé" }),
      refused(FeedError, /--encoding windows-1252/),
    );
    const unmapped = await app.file(latin("Employee ID,First Name,Notes,More\nu1,Ann,x,\xe9\0\n"), "unmapped.csv");
    assert.equal((await app.plan(unmapped, { feed: "notes" })).notPut.length, 0);
  });
});
