import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isComplete } from "../../src/app/runs/run-summary.ts";
import { setApp } from "../support/app-stage.ts";
import { byHand, POOL } from "../support/pool-stage.ts";

describe("dead letters that mend themselves", () => {
  test("are replayed by a sync whose scan finds the alias free and the user there", async (t) => {
    const feed = `pool: ${POOL}, username: id, attributes: { email: { column: mail, verified: mark } }`;
    const app = await setApp(t, {
      pool: { aliasAttributes: ["email"] },
      config: `feeds: { hr: { ${feed}, heal: true }, crm: { username: id, attributes: { nickname: n } } }\n`,
    });
    const { emulator, pool } = app;
    pool.addUser({ username: "ann", attributes: { email: "x@example.com", email_verified: "true" } });
    for (const username of ["bob", "cem"]) pool.addUser({ username });

    const hr = await app.file("id,mail\nbob,x@example.com\nnew,new@example.com\n", "hr.csv");
    const first = await app.sync(hr, { feed: "hr", baseline: "none" });
    assert.ok(!isComplete(first));
    assert.deepEqual([first.healed, first.books.applied, first.books.dead], [undefined, 0, 2]);
    const owner = (await app.groups()).find(({ kind }) => kind === "alias-exists")?.example.owner;
    assert.ok(owner !== undefined);
    assert.match(await app.because("bob"), new RegExp(`User ${owner} had it`));
    // Of a feed that does not heal: it stays where it is.
    await app.sync(await app.file("id,n\nnew,newt\n", "crm.csv"), { feed: "crm", userPoolId: POOL, baseline: "none" });

    const next = await app.file("id,mail\ncem,cem@example.com\n", "next.csv");
    const live = { feed: "hr", baseline: "live" } as const;
    assert.equal((await app.plan(next, live)).figures.scan?.healable, 0);

    await byHand(emulator, "ann", { email: "ann@example.com", email_verified: "true" });
    pool.addUser({ username: "new" });
    assert.equal((await app.plan(next, live)).figures.scan?.healable, 2);

    const second = await app.sync(next, live);
    assert.ok(isComplete(second));
    assert.deepEqual([second.healed, second.books.applied, second.books.dead], [2, 1, 0]);
    assert.equal(pool.user("bob")?.attributes["email"], "x@example.com");
    assert.equal(pool.user("new")?.attributes["email"], "new@example.com");
    assert.equal(pool.user("new")?.attributes["nickname"], undefined);
    assert.equal(pool.user("ann")?.attributes["email"], "ann@example.com");
  });
});
