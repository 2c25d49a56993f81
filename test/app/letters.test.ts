/** Dead letters one by one: the same fault of the same person and attribute is one, with a count. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { setApp, type App } from "../support/app-stage.ts";

/** Puts the values of people who are not in the pool, as a file of each night does. */
async function bury(app: App, ...nights: readonly string[]): Promise<string[]> {
  const runs: string[] = [];
  for (const [night, rows] of nights.entries()) {
    const file = await app.file(`username,nickname,locale\n${rows}\n`, "hr.csv");
    const { run } = await app.sync(file, { asOf: `2026-01-0${night + 1}T00:00:00Z` });
    runs.push(run);
  }
  return runs;
}

async function shown(app: App, asked = {}): Promise<string[]> {
  const { letters } = await app.letterPage(asked);
  return letters.map(({ username, attribute, kind, times }) => `${username} ${attribute} ${kind} ${times}`).toSorted();
}

async function idsOf(app: App, asked = {}): Promise<string[]> {
  return (await app.letterPage(asked)).letters.map(({ id }) => id);
}

const booksOf = async (app: App, run: string) => (await app.open()).store.runs.books(run);

/** A file of four values is synced eight nights, for people who are not there. */
async function eightNights(t: TestContext) {
  const app = await setApp(t);
  const [first = ""] = await bury(app, "ann,Aa,de\nbob,Bob,fr");
  const ids = (await idsOf(app)).toSorted();
  const others = await bury(app, ...Array<string>(6).fill("ann,Aa,de\nbob,Bob,fr"), "ann,Anny,de\nbob,Bob,fr");
  return { app, ids, runs: [first, ...others], last: others.at(-1) ?? "" };
}

describe("dead letters one by one", () => {
  test("a file of four faults leaves four letters the first night, and the same four after eight", async (t) => {
    const { app, ids, runs, last } = await eightNights(t);
    assert.equal(ids.length, 4);
    assert.deepEqual((await idsOf(app)).toSorted(), ids);
    assert.deepEqual(await shown(app), [
      "ann locale user-not-found 8",
      "ann nickname user-not-found 8",
      "bob locale user-not-found 8",
      "bob nickname user-not-found 8",
    ]);
    const { total, times, letters } = await app.letterPage({ user: "ann", attribute: "nickname" });
    const [letter] = letters;
    assert.ok(letter);
    assert.deepEqual([total, times, letter.value, letter.run], [1, 8, "A***", last]);
    assert.ok(letter.first < letter.last);
    assert.equal(letter.version, "2026-01-07T00:00:00.000Z");
    const [group] = await app.groups();
    assert.deepEqual([group?.people, group?.letters], [2, 4]);
    assert.equal(new Date(group?.oldest ?? 0).toISOString() <= letter.first, true);
    assert.deepEqual((await app.exportLetters()).letters, 4);
    assert.equal((await app.because("ann")).match(/`nickname` is a dead letter/g)?.length, 1);
    assert.match(
      await app.because("ann"),
      /`nickname` is a dead letter, [0-9a-f]{32} \(user-not-found\), buried 8 times/,
    );
    for (const run of runs) {
      const { received, superseded, dead } = await booksOf(app, run);
      assert.deepEqual([received, superseded, dead], run === last ? [4, 0, 4] : [4, 4, 0]);
    }
    assert.deepEqual(await shown(app, { reason: "user-not-listed" }), []);
    assert.deepEqual(await shown(app, { run: runs[0] }), []);
    assert.equal((await shown(app, { run: last, user: "bob" })).length, 2);

    // One is mended alone: the newest value is written, and the other letters stay.
    for (const username of ["ann", "bob"]) app.pool.addUser({ username });
    const { replayed, after, balanced, diedAgain } = await app.replay({ ids: [letter.id] });
    assert.deepEqual([replayed, diedAgain, balanced], [1, 0, true]);
    assert.deepEqual([after.received, after.applied, after.dead], [4, 1, 3]);
    assert.deepEqual(
      [app.pool.user("ann")?.attributes["nickname"], app.pool.user("bob")?.attributes["nickname"]],
      ["Anny", undefined],
    );
    assert.deepEqual(await shown(app), [
      "ann locale user-not-found 8",
      "bob locale user-not-found 8",
      "bob nickname user-not-found 8",
    ]);
  });

  test("one letter is discarded, and nothing else is; its fault is counted from one where it comes again", async (t) => {
    const app = await setApp(t);
    await bury(app, "ann,Aa,de", "ann,Anny,de");
    const ids = await idsOf(app, { user: "ann", attribute: "nickname" });
    assert.equal(await app.discard({ ids: [...ids, ...ids] }), 1);
    assert.deepEqual(await shown(app), ["ann locale user-not-found 2"]);
    await assert.rejects(app.discard({ ids }), /There is no dead letter/);
    const [run = ""] = await bury(app, "ann,Aa,de");
    assert.deepEqual(await shown(app), ["ann locale user-not-found 3", "ann nickname user-not-found 1"]);
    assert.deepEqual(await idsOf(app, { attribute: "nickname" }), ids);
    assert.equal((await booksOf(app, run)).dead, 1);
  });

  test("a letter that dies again is counted from one, and one of two feeds gives way to the other", async (t) => {
    const app = await setApp(t);
    await bury(app, "ann,Aa,de");
    await app.sync(await app.file("username,nickname\nann,Nan\n", "crm.csv"), { asOf: "2026-01-02T00:00:00Z" });
    assert.deepEqual(await shown(app), ["ann locale user-not-found 1", "ann nickname user-not-found 2"]);
    const { replayed, diedAgain } = await app.replay({ attribute: "nickname" });
    assert.deepEqual([replayed, diedAgain], [1, 1]);
    assert.deepEqual(await shown(app), ["ann locale user-not-found 1", "ann nickname user-not-found 1"]);
  });

  test("a single change whose fault is known already ends as that letter", async (t) => {
    const app = await setApp(t);
    await bury(app, "ann,Aa,");
    const [id = ""] = await idsOf(app);
    const outcome = await app.change("ann", { nickname: "Nan" });
    assert.ok(outcome.is === "delivered");
    assert.deepEqual(
      [...outcome.delivered.outcomes.values()],
      [{ is: "dead", letter: id, kind: "user-not-found", reason: "user-not-found" }],
    );
    const { letters } = await app.letterPage();
    assert.deepEqual(
      letters.map(({ times, run, pool }) => [times, run === `direct:${pool}`]),
      [[2, true]],
    );
  });

  test("a letter of an account that was deleted and made anew is another", async (t) => {
    const app = await setApp(t);
    app.emulator.faults.add({ operation: "AdminUpdateUserAttributes", error: "UserLambdaValidationException" });
    for (const night of [1, 2, 3]) {
      if (night < 3) app.pool.addUser({ username: "ann" });
      const file = await app.file("username,nickname\nann,Aa\n");
      await app.sync(file, { baseline: "live", asOf: `2026-01-0${night}T00:00:00Z` });
      if (night === 1) app.pool.removeUser("ann");
    }
    const { letters } = await app.letterPage();
    assert.deepEqual(
      letters.map(({ kind, times }) => `${kind} ${times}`),
      ["refused-by-lambda 1", "refused-by-lambda 2"],
    );
    assert.equal(new Set(letters.map(({ sub }) => sub)).size, 2);
  });

  test("pages have every letter once, those that were buried last at the end", async (t) => {
    const app = await setApp(t);
    await bury(app, "ann,Aa,de\nbob,Bob,fr", "cem,Cem,\nann,Anny,");
    const seen: string[] = [];
    for (const page of [1, 2, 3]) {
      const { letters, pages } = await app.letterPage({}, { page, size: 2 });
      assert.equal(pages, 3);
      seen.push(...letters.map(({ username, attribute }) => `${username} ${attribute}`));
    }
    assert.deepEqual(seen.slice(0, 3).toSorted(), ["ann locale", "bob locale", "bob nickname"]);
    assert.deepEqual(seen.slice(3).toSorted(), ["ann nickname", "cem nickname"]);
    assert.deepEqual((await app.letterPage({}, { page: 4, size: 2 })).letters, []);
  });
});
