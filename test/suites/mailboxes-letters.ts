import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Letter } from "../../src/core/letter.ts";
import type { LetterFilter } from "../../src/store/letters.ts";
import { LONG_MS, applied, createUser, heldOf, retry, wanted } from "./mailbox-user.ts";
import type { Suite } from "./open-store.ts";

export function letterCases(suite: Suite): void {
  const listed = async (filter: LetterFilter): Promise<readonly Letter[]> => {
    const found: Letter[] = [];
    for await (const letter of suite.store.letters.list(filter)) found.push(letter);
    return found;
  };
  const replay = (...ids: readonly string[]) => suite.store.mailboxes.replay(ids, 1);

  describe("letters: burying", () => {
    test("writes a letter that says all", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const { version } = heldOf(await u.claim("a"), "name");
      const { letters } = await u.settle("a", { name: u.bury("name", version) });
      const id = `letter-${u.user}-name-too-long`;
      assert.deepEqual(letters, [{ id, user: u.user, unit: "name", kind: "invalid-value" }]);
      const letter = await suite.store.letters.get(id);
      assert.ok(letter && letter.buriedAt > 0);
      assert.deepEqual(letter, {
        id,
        user: u.user,
        pool: u.pool,
        username: `p:${u.user}`,
        unit: "name",
        kind: "invalid-value",
        reason: "too-long",
        version,
        run: u.run,
        digest: "x",
        body: "x",
        buriedAt: letter.buriedAt,
      });
      assert.equal(await u.mailbox(), undefined);
      assert.deepEqual(await u.books(), { received: 1, dead: 1 });
      assert.ok((await suite.store.pools()).includes(u.pool));
    });

    test("keeps what the settlement says instead of the body", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const { version } = heldOf(await u.claim("a"), "name");
      await u.settle("a", { name: { ...u.bury("name", version), body: "p:other" } });
      assert.equal((await suite.store.letters.get(`letter-${u.user}-name-too-long`))?.body, "p:other");
    });

    test("supersedes instead where a newer value waits", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const { version } = heldOf(await u.claim("a"), "name");
      await u.put("name", "y", 2);
      assert.deepEqual((await u.settle("a", { name: u.bury("name", version) })).letters, []);
      assert.deepEqual(await listed({ user: u.user }), []);
      assert.deepEqual(await u.books(), { received: 2, superseded: 1, pending: 1 });
    });

    test("supersedes a flag instead where a newer address waits", async () => {
      const u = await createUser(suite);
      await u.put("email_verified", "true", 1);
      const { version } = heldOf(await u.claim("a"), "email_verified");
      await u.put("email", "new", 2);
      assert.deepEqual((await u.settle("a", { email_verified: u.bury("email_verified", version) })).letters, []);
      assert.deepEqual(await u.books(), { received: 2, superseded: 1, pending: 1 });
    });

    test("writes one letter, though it is said twice", async () => {
      const u = await createUser(suite);
      await u.putAll(wanted("name", "x", 1), wanted("nickname", "y", 1));
      const { version } = heldOf(await u.claim("a"), "name");
      const said = await Promise.all([1, 2].map(() => u.settle("a", { name: u.bury("name", version) })));
      assert.equal(said.flatMap(({ letters }) => letters).length, 1);
      assert.equal((await listed({ user: u.user })).length, 1);
      assert.deepEqual(await u.books(), { received: 2, dead: 1, pending: 1 });
    });

    test("keeps who has an alias instead", async () => {
      const u = await createUser(suite);
      await u.put("email", "x", 1);
      const { version } = heldOf(await u.claim("a"), "email");
      await u.settle("a", { email: { ...u.bury("email", version), owner: "key-of-ann" } });
      assert.deepEqual(
        (await listed({ user: u.user })).map(({ owner }) => owner),
        ["key-of-ann"],
      );
    });

    test("lets nothing older follow a value that may have been written unheard", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 2);
      await u.dies("a", "name");
      const letter = await u.buries("b", "name");
      await u.put("name", "y", 1);
      assert.deepEqual(await u.books(), { received: 2, dead: 1, stale: 1 });
      await replay(letter.id);
      assert.deepEqual(await u.deliver("d"), { name: "x" });
      assert.deepEqual(await u.books(), { received: 2, applied: 1, stale: 1 });
    });

    test("lets nothing older follow a value whose call has an unknown fate", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 2);
      const { version } = heldOf(await u.claim("a"), "name");
      const letter = "letter-of-unknown-fate";
      const buried = { is: "bury", version, letter, kind: "gave-up", reason: "timed-out", fateUnknown: true } as const;
      await u.settle("a", { name: buried });
      await u.put("name", "y", 1);
      assert.deepEqual(await u.books(), { received: 2, dead: 1, stale: 1 });
    });

    test("lets nothing older follow a value of unknown fate, though a newer one that waits is refused", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 2);
      const { version } = heldOf(await u.claim("a"), "name");
      await u.put("name", "z", 3);
      const fate = { letter: "letter-of-no-rival", kind: "gave-up", reason: "timed-out", fateUnknown: true } as const;
      await u.settle("a", { name: { is: "bury", version, ...fate } });
      await u.put("name", "y", 1);
      assert.deepEqual(await u.books(), { received: 3, superseded: 1, stale: 1, pending: 1 });
    });

    test("keeps a value out of the ledger that was refused at once", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 2);
      await u.buries("a", "name");
      await u.put("name", "y", 1);
      assert.deepEqual(await u.deliver("b"), { name: "y" });
      assert.deepEqual(await u.books(), { received: 2, dead: 1, applied: 1 });
    });
  });

  describe("letters: replaying", () => {
    test("puts the value again under its old version and run, and received does not move", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const { version } = heldOf(await u.claim("z"), "name");
      await u.settle("z", { name: retry(version, 0, { counts: "attempt" }) });
      const letter = await u.buries("a", "name");
      assert.deepEqual(await replay(letter.id), [{ user: u.user, priority: 1, letter: letter.id, pool: u.pool }]);
      assert.deepEqual(await u.books(), { received: 1, pending: 1 });
      assert.equal(await suite.store.letters.get(letter.id), undefined);
      const unit = heldOf(await u.claimInTime("b"), "name");
      assert.deepEqual([unit.version, unit.run, unit.attempts, unit.body], [version, u.run, 0, "x"]);
      await u.settle("b", { name: applied(version) });
      assert.deepEqual(await u.books(), { received: 1, applied: 1 });
    });

    test("changes nothing the second time", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const letter = await u.buries("a", "name");
      assert.equal((await replay(letter.id, letter.id)).length, 1);
      assert.deepEqual(await replay(letter.id), []);
      assert.deepEqual(await u.deliver("b"), { name: "x" });
      assert.deepEqual(await replay(letter.id), []);
      assert.deepEqual(await u.books(), { received: 1, applied: 1 });
    });

    test("is done by one of several who replay at once", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const letter = await u.buries("a", "name");
      const answers = await Promise.all([1, 2, 3].map(() => replay(letter.id)));
      assert.equal(answers.flat().length, 1);
      assert.deepEqual(await u.books(), { received: 1, pending: 1 });
    });

    test("passes over letters that are not there", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const letter = await u.buries("a", "name");
      assert.equal((await replay("no-such-letter", letter.id)).length, 1);
    });

    test("is stale where the ledger is newer", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const letter = await u.buries("a", "name");
      await u.put("name", "y", 2);
      await u.deliver("b");
      assert.deepEqual(
        (await replay(letter.id)).map(({ letter: id }) => id),
        [letter.id],
      );
      assert.equal(await suite.store.letters.get(letter.id), undefined);
      assert.deepEqual(await u.books(), { received: 2, stale: 1, applied: 1 });
    });

    test("is superseded where a newer value waits or is in flight", async () => {
      const u = await createUser(suite);
      await u.putAll(wanted("name", "x", 1), wanted("nickname", "x", 1));
      const first = await u.claim("a");
      const { letters } = await u.settle("a", {
        name: u.bury("name", heldOf(first, "name").version),
        nickname: u.bury("nickname", heldOf(first, "nickname").version),
      });
      await u.put("name", "y", 2);
      await u.claimInTime("b");
      await u.put("nickname", "y", 2);
      await replay(...letters.map(({ id }) => id));
      assert.deepEqual(await u.pending(), { nickname: "y" });
      assert.deepEqual(await u.books(), { received: 4, superseded: 2, pending: 2 });
    });

    test("may end in the same letter again, once", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const first = await u.buries("a", "name");
      await replay(first.id);
      const second = await u.buries("b", "name");
      assert.equal(second.id, first.id);
      assert.deepEqual(await listed({ user: u.user }), [second]);
      assert.deepEqual(await u.books(), { received: 1, dead: 1 });
    });
  });

  describe("letters: discarding", () => {
    test("takes them away, once", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const letter = await u.buries("a", "name");
      assert.equal(await suite.store.letters.discard([letter.id, letter.id, "no-such-letter"]), 1);
      assert.equal(await suite.store.letters.discard([letter.id]), 0);
      assert.deepEqual(await replay(letter.id), []);
      assert.deepEqual(await listed({ user: u.user }), []);
      assert.deepEqual(await u.books(), { received: 1, discarded: 1 });
      assert.equal((await suite.store.pools()).includes(u.pool), false);
    });

    test("or replaying, at once: one of the two", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const letter = await u.buries("a", "name");
      const [discarded, replayed] = await Promise.all([suite.store.letters.discard([letter.id]), replay(letter.id)]);
      assert.equal(discarded + replayed.length, 1);
      await u.books();
    });
  });

  describe("letters: listing", () => {
    test("is oldest first, by pool, kind, user, unit, run, reason and time", async () => {
      const one = await createUser(suite);
      const two = await createUser(suite);
      const letters: Letter[] = [];
      for (const [u, name] of [
        [one, "name"],
        [two, "name"],
        [one, "nickname"],
      ] as const) {
        await u.put(name, "x", 1);
        letters.push(await u.buries("a", name));
        await suite.passes(2);
      }
      const [first, second, third] = letters;
      assert.ok(first && second && third);
      const mine = (found: readonly Letter[]) =>
        found.map(({ id }) => letters.findIndex((letter) => letter.id === id)).filter((index) => index >= 0);
      assert.deepEqual(mine(await listed({})), [0, 1, 2]);
      assert.deepEqual(mine(await listed({ pool: one.pool })), [0, 2]);
      assert.deepEqual(mine(await listed({ user: two.user })), [1]);
      assert.deepEqual(mine(await listed({ unit: "nickname" })), [2]);
      assert.deepEqual(mine(await listed({ run: one.run, unit: "name" })), [0]);
      assert.deepEqual(mine(await listed({ kind: "invalid-value" })), [0, 1, 2]);
      assert.deepEqual(mine(await listed({ kind: "gave-up" })), []);
      assert.deepEqual(mine(await listed({ reason: "too-long", unit: "name" })), [0, 1]);
      assert.deepEqual(mine(await listed({ reason: "not-there" })), []);
      assert.deepEqual(mine(await listed({ since: second.buriedAt })), [1, 2]);
      assert.deepEqual(mine(await listed({ until: second.buriedAt })), [0]);
      assert.deepEqual(mine(await listed({ since: second.buriedAt, until: third.buriedAt })), [1]);
    });

    test("goes on while letters are taken away", async () => {
      const u = await createUser(suite);
      const names = Array.from({ length: 25 }, (_, index) => `custom:${index}`);
      await u.putAll(...names.map((name) => wanted(name, "x", 1)));
      const claimed = await u.claim("a", LONG_MS);
      await u.settle("a", Object.fromEntries(names.map((name) => [name, u.bury(name, heldOf(claimed, name).version)])));
      let seen = 0;
      for await (const letter of suite.store.letters.list({ user: u.user })) {
        seen += await suite.store.letters.discard([letter.id]);
      }
      assert.equal(seen, 25);
      assert.deepEqual(await u.books(), { received: 25, discarded: 25 });
    });
  });

  test("a walk over every mailbox and letter counts what the books say", async () => {
    const { mailboxes, runs } = suite.store;
    const counts = await mailboxes.recount();
    for (const { id } of await runs.list(10_000)) {
      const { pending, dead } = await runs.books(id);
      assert.deepEqual({ ...(counts.get(id) ?? { pending: 0, dead: 0 }) }, { pending, dead }, `of ${id}`);
    }
    const total = await runs.books();
    const sum = (term: "pending" | "dead") => [...counts.values()].reduce((all, count) => all + count[term], 0);
    assert.deepEqual([sum("pending"), sum("dead")], [total.pending, total.dead]);
  });
}
