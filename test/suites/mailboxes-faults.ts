import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Letter } from "../../src/core/letter.ts";
import type { LetterFilter } from "../../src/store/letters.ts";
import { feedRuns } from "./feed-runs.ts";
import { heldOf, wanted } from "./mailbox-user.ts";
import type { Suite } from "./open-store.ts";

/** The same fault of the same unit, again and again: as a file leaves it that is synced each night. */
export function faultCases(suite: Suite): void {
  const listed = (filter: LetterFilter): Promise<Letter[]> => Array.fromAsync(suite.store.letters.list(filter));

  /** A value that one of two feeds puts, and that is refused. */
  const twoFeeds = async () => {
    const u = await feedRuns(suite);
    const [one, two] = [await u.newFeed(), await u.newFeed()];
    let tokens = 0;
    const refused = async (run: string, word: string, version: number, reason?: string): Promise<Letter> => {
      await u.put("name", word, version, { run });
      return u.buries(`token ${(tokens += 1)}`, "name", reason);
    };
    return { u, one, two, refused };
  };

  describe("letters: the same fault", () => {
    test("is one letter under one id, with the newest value, a count, the first and the last time", async () => {
      const { u, one, two, refused } = await twoFeeds();
      const first = await refused(one.run, "x", 1);
      await suite.passes(2);
      await refused(two.run, "y", 2);
      await suite.passes(2);
      const last = await refused(two.run, "z", 3);
      assert.equal(last.id, first.id);
      assert.deepEqual([last.body, last.run, last.times, last.first], ["z", two.run, 3, first.buriedAt]);
      assert.ok(last.buriedAt > first.buriedAt);
      assert.deepEqual(await listed({ user: u.user }), [last]);
      assert.deepEqual(await listed({ user: u.user, until: last.buriedAt }), []);
      assert.deepEqual(await u.books(one.run), { received: 1, superseded: 1 });
      assert.deepEqual(await u.books(two.run), { received: 2, superseded: 1, dead: 1 });
      assert.equal((await suite.store.mailboxes.recount()).get(two.run)?.dead, 1);
      assert.equal(await suite.store.letters.discard([last.id]), 1);
      assert.deepEqual(await u.books(two.run), { received: 2, superseded: 1, discarded: 1 });
      assert.equal((await suite.store.pools()).includes(u.pool), false);
    });

    test("keeps the newer value where an older one is refused after it", async () => {
      const { u, one, two, refused } = await twoFeeds();
      await refused(two.run, "newer", 2);
      await suite.passes(2);
      const letter = await refused(one.run, "older", 1);
      assert.deepEqual([letter.body, letter.run, letter.times], ["newer", two.run, 2]);
      assert.ok(letter.first !== undefined && letter.first < letter.buriedAt);
      assert.deepEqual(await u.books(one.run), { received: 1, superseded: 1 });
      assert.deepEqual(await u.books(two.run), { received: 1, dead: 1 });
      await suite.store.mailboxes.replay([letter.id], 1);
      assert.deepEqual(await u.deliver("b"), { name: "newer" });
      assert.deepEqual(await u.books(two.run), { received: 1, applied: 1 });
    });

    test("is another letter for another reason, and of another attribute", async () => {
      const { u, one, refused } = await twoFeeds();
      await refused(one.run, "x", 1);
      await refused(one.run, "y", 2, "too-short");
      await u.put("nickname", "x", 1);
      await u.buries("n", "nickname");
      const found = await listed({ user: u.user });
      assert.deepEqual(
        found.map(({ unit, reason, times }) => [unit, reason, times]),
        [
          ["name", "too-long", undefined],
          ["name", "too-short", undefined],
          ["nickname", "too-long", undefined],
        ],
      );
    });

    test("is counted from one where the letter was replayed, or discarded", async () => {
      const { u, one, refused } = await twoFeeds();
      await refused(one.run, "x", 1);
      const { id, times } = await refused(one.run, "y", 2);
      assert.equal(times, 2);
      await suite.store.mailboxes.replay([id], 1);
      const again = await u.buries("again", "name");
      assert.deepEqual([again.id, again.body, again.times, again.first], [id, "y", undefined, undefined]);
      await suite.store.letters.discard([id]);
      const anew = await refused(one.run, "z", 3);
      assert.deepEqual([anew.id, anew.times], [id, undefined]);
      assert.deepEqual(await u.books(one.run), { received: 3, superseded: 1, discarded: 1, dead: 1 });
    });

    test("gives back what gave way to it, where its run is cancelled", async () => {
      const { u, one, two, refused } = await twoFeeds();
      await refused(one.run, "right", 1);
      const { id } = await refused(two.run, "wrong", 2);
      assert.equal(await u.mailboxes.isBehind(one.run), true);
      await two.cancel();
      await suite.store.mailboxes.replay([id], 1);
      assert.deepEqual(await u.books(two.run), { received: 1, discarded: 1 });
      assert.deepEqual(await u.deliver("b"), { name: "right" });
      assert.deepEqual(await u.books(one.run), { received: 1, applied: 1 });
    });

    test("leaves a letter of a cancelled run where whoever ends it looks for it", async () => {
      const { u, one, two, refused } = await twoFeeds();
      const { id, buriedAt } = await refused(two.run, "newer", 2);
      await two.cancel();
      await suite.passes(2);
      assert.equal((await refused(one.run, "older", 1)).buriedAt, buriedAt);
      await suite.store.mailboxes.replay([id], 1);
      assert.deepEqual(await u.books(two.run), { received: 1, discarded: 1 });
      assert.deepEqual(await u.deliver("b"), { name: "older" });
    });

    test("may befall several units of one call, each of which has its letter", async () => {
      const { u } = await twoFeeds();
      for (const version of [1, 2]) {
        await u.putAll(wanted("name", "x", version), wanted("nickname", "y", version));
        const claimed = await u.claim(`token ${version}`);
        const { letters: told } = await u.settle(`token ${version}`, {
          name: u.bury("name", heldOf(claimed, "name").version),
          nickname: u.bury("nickname", heldOf(claimed, "nickname").version),
        });
        assert.equal(told.length, 2);
      }
      const found = await listed({ user: u.user });
      assert.deepEqual(found.map(({ unit, times }) => `${unit} ${times}`).toSorted(), ["name 2", "nickname 2"]);
      assert.deepEqual(await u.books(), { received: 4, superseded: 2, dead: 2 });
    });
  });
}
