/** Files of JSON as systems give them, on their way to users: dotted columns, and lists that `records` finds. */
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
      records: "employees[*]"
      username: "fields.Employee #.value"
      ignore: [changedFields, id, fields]
      attributes:
        given_name: "fields.First name.value"
        family_name: { column: "fields.Last name.value", onBlank: clear }
        name: { template: "{fields.First name.value} ({id})" }
    scim:
      pool: staff
      records: "Resources[?active].{login: userName, name: name, mail: emails[?type == 'work'].value | [0]}"
      username: login
      ignore: [name]
      attributes: { given_name: name.givenName, nickname: mail }
`;

const EMPLOYEES = {
  employees: [
    {
      changedFields: ["First name"],
      fields: { "Employee #": { value: "300" }, "First name": { value: "Tefi" }, "Last name": { value: null } },
      id: "5",
    },
    { changedFields: [], fields: { "Employee #": { value: "301" }, "First name": { value: { en: "x" } } }, id: "6" },
    { changedFields: [], fields: { "Employee #": {}, "First name": { value: "Nobody" } }, id: "7" },
  ],
};

describe("a feed of JSON", () => {
  test("has its list by `records` and its values by dotted columns, and goes on with its own run alone", async (t) => {
    const app = await setApp(t, { config: CONFIG });
    for (const username of ["300", "301", "302"]) {
      app.pool.addUser({ username, attributes: { family_name: "Adams", given_name: "Old" } });
    }
    const file = await app.file(JSON.stringify({ count: 3, ...EMPLOYEES }, undefined, 1), "hr.json");
    const { notPut } = await app.plan(file, { feed: "hr" });
    assert.deepEqual(
      notPut.map(({ line, attribute, reason }) => [line, attribute, reason]),
      [
        [21, "given_name", "not-text"],
        [21, "name", "not-text"],
        [35, undefined, "no-username"],
      ],
    );
    const summary = await app.sync(file, { feed: "hr" });
    assert.equal(summary.books.applied, 3);
    assert.deepEqual(
      Object.fromEntries(
        Object.entries(app.pool.user("300")?.attributes ?? {}).filter(([name]) => name.includes("name")),
      ),
      { given_name: "Tefi", name: "Tefi (5)" },
    );

    const people = {
      Resources: [
        {
          userName: "302",
          active: true,
          name: { givenName: "Zoë" },
          emails: [
            { type: "home", value: "h" },
            { type: "work", value: "w" },
          ],
        },
        { userName: "301", active: false, name: { givenName: "Gone" }, emails: [] },
      ],
    };
    const scim = await app.file(JSON.stringify(people), "scim.json");
    assert.equal((await app.sync(scim, { feed: "scim" })).books.applied, 2);
    assert.equal(app.pool.user("302")?.attributes["nickname"], "w");
    assert.equal(app.pool.user("301")?.attributes["given_name"], "Old");
    // The same content by another list is other content.
    const others = "Resources[?!active].{login: userName, name: name, mail: emails[0].value}";
    assert.equal((await app.sync(scim, { feed: "scim", records: others })).books.applied, 1);
    assert.equal(app.pool.user("301")?.attributes["given_name"], "Gone");
  });

  test("that has no list there, or an expression that is none, is refused with what to do", async (t) => {
    const app = await setApp(t, { config: CONFIG });
    const file = await app.file('{"people":[{"a":1}],"next":null}', "hr.json");
    await assert.rejects(
      app.plan(file, { feed: "hr" }),
      (error) =>
        error instanceof FeedError &&
        /finds nothing in `.*hr.json`: at its top are `people`, `next`; say/.test(error.message),
    );
    await assert.rejects(
      app.plan(file, { feed: "hr", records: "people[" }),
      (error) => error instanceof ConfigError && /--records: .*column 7/.test(error.message),
    );
    await app.configure(CONFIG.replace("employees[*]", "employees["));
    await assert.rejects(
      app.plan(file, { feed: "hr" }),
      (error) => error instanceof ConfigError && /poolsync\.yaml: feeds\.hr\.records: .*column 10/.test(error.message),
    );
  });
});
