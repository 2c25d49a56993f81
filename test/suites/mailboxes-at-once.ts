import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { applied, createUser, heldOf, retry, wanted } from "./mailbox-user.ts";
import type { Suite } from "./open-store.ts";

/** More than a store may take in one go. */
const MANY = 120;

export function atOnceCases(suite: Suite): void {
  const createUsers = (count: number) => Promise.all(Array.from({ length: count }, () => createUser(suite)));

  describe("at once: claims and settles of several users", () => {
    test("are each answered for their own user, and booked in their own run", async () => {
      const users = await createUsers(MANY);
      for (const u of users) await u.put("name", `of ${u.user}`, 1);
      const claims = await Promise.all(users.map((u) => u.claim("a")));
      for (const [index, u] of users.entries()) {
        const claimed = claims[index];
        assert.ok(claimed?.is === "claimed");
        assert.deepEqual([claimed.pool, claimed.username], [u.pool, `p:${u.user}`]);
        assert.equal(heldOf(claimed, "name").body, `of ${u.user}`);
      }
      const settled = await Promise.all(
        users.map((u, index) => {
          const { version } = heldOf(claims[index] ?? { is: "idle" }, "name");
          return u.settle("a", { name: index % 2 === 0 ? applied(version) : u.bury("name", version) });
        }),
      );
      for (const [index, u] of users.entries()) {
        const isApplied = index % 2 === 0;
        const letters = settled[index]?.letters.map(({ user }) => user);
        assert.deepEqual([settled[index]?.late, letters], [false, isApplied ? [] : [u.user]]);
        assert.deepEqual(await u.books(), { received: 1, [isApplied ? "applied" : "dead"]: 1 });
        assert.equal(await u.mailbox(), undefined);
      }
    });

    test("may be of all kinds together", async () => {
      const [idle, busy, fresh, late, waiting] = await createUsers(5);
      assert.ok(idle && busy && fresh && late && waiting);
      for (const u of [busy, fresh, late, waiting]) await u.put("name", "x", 1);
      const unit = heldOf(await busy.claim("a"), "name");
      const forgotten = await late.dies("a", "name");
      const taken = heldOf(await late.claimInTime("b"), "name");
      const { version } = heldOf(await waiting.claim("a"), "name");
      const [nothing, refused, claimed, tooLate, retried] = await Promise.all([
        idle.claim("a"),
        busy.claim("b"),
        fresh.claim("a"),
        late.settle("a", { name: applied(forgotten) }),
        waiting.settle("a", { name: retry(version, 60_000, { counts: "attempt" }) }),
      ]);
      assert.deepEqual([nothing.is, refused.is, claimed.is], ["idle", "busy", "claimed"]);
      assert.deepEqual([tooLate.late, retried.late], [true, false]);
      assert.equal(taken.version, forgotten);
      assert.equal((await waiting.mailbox())?.pending["name"]?.attempts, 1);
      assert.equal((await busy.mailbox())?.claim?.units["name"]?.version, unit.version);
      for (const u of [busy, fresh, late, waiting]) assert.deepEqual(await u.books(), { received: 1, pending: 1 });
    });
  });

  describe("at once: claims and settles of one user", () => {
    test("are in the order in which they were asked for", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const answers = await Promise.all(["a", "b", "c"].map((token) => u.claim(token)));
      assert.deepEqual(
        answers.map(({ is }) => is),
        ["claimed", "busy", "busy"],
      );
      assert.equal((await u.mailbox())?.claim?.token, "a");
    });

    test("see what the one before has done: a claim after a settle", async () => {
      const [u, other] = await createUsers(2);
      assert.ok(u && other);
      await u.put("name", "x", 1);
      const { version } = heldOf(await u.claim("a"), "name");
      await u.put("name", "y", 2);
      const [, settled, claimed] = await Promise.all([
        other.claim("a"),
        u.settle("a", { name: applied(version) }),
        u.claim("b"),
      ]);
      assert.equal(settled.late, false);
      assert.equal(heldOf(claimed, "name").body, "y");
      assert.deepEqual(await u.books(), { received: 2, applied: 1, pending: 1 });
    });

    test("see what the one before has done: a settle after a claim", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const { version } = heldOf(await u.claim("a"), "name");
      await u.put("name", "y", 2);
      const [claimed, settled] = await Promise.all([u.claim("b"), u.settle("a", { name: applied(version) })]);
      assert.deepEqual([claimed.is, settled.late], ["busy", false]);
      assert.deepEqual(await u.pending(), { name: "y" });
    });

    test("may each settle a part", async () => {
      const u = await createUser(suite);
      await u.putAll(wanted("name", "x", 1), wanted("nickname", "y", 1));
      const claimed = await u.claim("a");
      const [first, second] = await Promise.all([
        u.settle("a", { name: applied(heldOf(claimed, "name").version) }),
        u.settle("a", { nickname: u.bury("nickname", heldOf(claimed, "nickname").version) }),
      ]);
      assert.deepEqual([first.late, first.letters.length, second.late, second.letters.length], [false, 0, false, 1]);
      assert.deepEqual(await u.books(), { received: 2, applied: 1, dead: 1 });
    });
  });
}
