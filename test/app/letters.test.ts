/** Dead letters one by one: equal ones are shown as one, and who names one of them means all. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setApp, type App } from "../support/app-stage.ts";

/** Puts the values of people who are not in the pool, as a file of each night does. */
async function bury(app: App, ...nights: readonly string[]): Promise<void> {
  for (const [night, rows] of nights.entries()) {
    await app.sync(await app.file(`username,nickname,locale\n${rows}\n`, "hr.csv"), {
      asOf: `2026-01-0${night + 1}T00:00:00Z`,
    });
  }
}

async function shown(app: App, asked = {}): Promise<string[]> {
  const { letters } = await app.letterPage(asked);
  return letters.map(({ username, attribute, kind, times }) => `${username} ${attribute} ${kind} ${times}`).toSorted();
}

describe("dead letters one by one", () => {
  test("the same fault of the same person and attribute is one letter, with a count and the newest value", async (t) => {
    const app = await setApp(t);
    await bury(app, "ann,Aa,de\nbob,Bob,", "ann,Anny,de\nbob,Bob,");
    assert.deepEqual(await shown(app), [
      "ann locale user-not-found 2",
      "ann nickname user-not-found 2",
      "bob nickname user-not-found 2",
    ]);
    const { total, stored, letters } = await app.letterPage({ user: "ann", attribute: "nickname" });
    const [letter] = letters;
    assert.ok(letter);
    assert.deepEqual([total, stored, letter.value], [1, 2, "A***"]);
    assert.ok(letter.first < letter.last);
    assert.equal(letter.version, "2026-01-02T00:00:00.000Z");
    const [group] = await app.groups();
    assert.deepEqual([group?.people, group?.letters], [2, 6]);
    assert.deepEqual(await shown(app, { reason: "user-not-listed" }), []);
    assert.deepEqual(await shown(app, { run: "r-none" }), []);
    assert.deepEqual(await shown(app, { run: letter.run, user: "bob" }), ["bob nickname user-not-found 1"]);
  });

  test("one letter is mended alone: the newest value is written, and the books of both runs balance", async (t) => {
    const app = await setApp(t);
    await bury(app, "ann,Aa,de\nbob,Bob,", "ann,Anny,de\nbob,Bob,");
    for (const username of ["ann", "bob"]) app.pool.addUser({ username });
    const { letters } = await app.letterPage({ user: "ann", attribute: "nickname" });
    const { replayed, after, balanced, diedAgain } = await app.replay({ ids: letters.map(({ id }) => id) });
    assert.deepEqual([replayed, diedAgain, balanced], [2, 0, true]);
    assert.deepEqual([after.applied, after.superseded, after.dead], [1, 1, 4]);
    assert.deepEqual(
      [app.pool.user("ann")?.attributes["nickname"], app.pool.user("bob")?.attributes["nickname"]],
      ["Anny", undefined],
    );
    assert.deepEqual(await shown(app), ["ann locale user-not-found 2", "bob nickname user-not-found 2"]);
  });

  test("one letter is discarded with its equals, and nothing else is", async (t) => {
    const app = await setApp(t);
    await bury(app, "ann,Aa,de", "ann,Anny,de");
    const { letters } = await app.letterPage({ user: "ann", attribute: "nickname" });
    assert.equal(await app.discard({ ids: letters.map(({ id }) => id) }), 2);
    assert.deepEqual(await shown(app), ["ann locale user-not-found 2"]);
    await assert.rejects(app.discard({ ids: letters.map(({ id }) => id) }), /There is no dead letter/);
  });

  test("pages are in the order of the first of each, and have every letter once", async (t) => {
    const app = await setApp(t);
    await bury(app, "ann,Aa,de\nbob,Bob,fr", "cem,Cem,\nann,Anny,de");
    const seen: string[] = [];
    for (const page of [1, 2, 3]) {
      const { letters, pages } = await app.letterPage({}, { page, size: 2 });
      assert.equal(pages, 3);
      seen.push(...letters.map(({ username, attribute }) => `${username} ${attribute}`));
    }
    assert.deepEqual(seen.toSorted(), ["ann locale", "ann nickname", "bob locale", "bob nickname", "cem nickname"]);
    assert.equal(seen.at(-1), "cem nickname");
    assert.deepEqual((await app.letterPage({}, { page: 4, size: 2 })).letters, []);
  });
});
