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
});
