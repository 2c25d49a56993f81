import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LONG_MS, applied, createUser, heldOf, retry, wanted } from "./mailbox-user.ts";
import type { Suite } from "./open-store.ts";

/** Who has something to do, and the sweep that finds them where a wake-up was lost. */
export function dueCases(suite: Suite): void {
  /** `count` users of one pool, put one after another. */
  async function users(count: number) {
    const first = await createUser(suite);
    const names = Array.from({ length: count }, () => suite.fresh("swept"));
    for (const user of names) {
      await suite.store.mailboxes.put({
        ...first.page([]),
        changes: [{ user, username: `p:${user}`, units: [wanted("name", "x", 1)] }],
      });
      await suite.passes(1);
    }
    const sweep = (holder: string, rest: { offset?: number; limit?: number; leaseMs?: number } = {}) =>
      suite.store.mailboxes.sweep(first.pool, { holder, leaseMs: LONG_MS, offset: 0, limit: 100, ...rest });
    return { pool: first.pool, run: first.run, names, sweep };
  }

  describe("due", () => {
    test("users are swept oldest first, a part at a time", async () => {
      const { names, sweep } = await users(4);
      const swept = await sweep("a");
      assert.deepEqual(
        swept.map(({ user, priority }) => ({ user, priority })),
        names.map((user) => ({ user, priority: 10 })),
      );
      const times = swept.map(({ dueAt }) => dueAt);
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      );
      assert.deepEqual(
        (await sweep("a", { offset: 1, limit: 2 })).map(({ user }) => user),
        names.slice(1, 3),
      );
      assert.deepEqual(await sweep("a", { offset: 4 }), []);
    });

    test("users are swept by one at a time", async () => {
      const { sweep } = await users(1);
      assert.equal((await sweep("a")).length, 1);
      assert.deepEqual(await sweep("b"), []);
      assert.equal((await sweep("a", { leaseMs: 1 })).length, 1);
      await suite.becomes(async () => (await sweep("b")).length === 1);
      assert.deepEqual(await sweep("a"), []);
    });

    test("users of other pools are not swept", async () => {
      const one = await users(1);
      const other = await users(2);
      assert.equal((await one.sweep("a")).length, 1);
      assert.equal((await other.sweep("a")).length, 2);
    });

    test("a user in flight is due at the end of the lease", async () => {
      const { names, sweep } = await users(1);
      const { mailboxes } = suite.store;
      const [user = ""] = names;
      await mailboxes.claim(user, "a", 20);
      const { leaseUntil } = (await mailboxes.read(user)).mailbox?.claim ?? { leaseUntil: 0 };
      assert.ok(leaseUntil > 0);
      await mailboxes.settle(user, "a", {}, LONG_MS);
      assert.deepEqual(await sweep("s"), [], "the lease was renewed");
      await mailboxes.settle(user, "a", {}, 1);
      await suite.passes(2);
      assert.deepEqual(
        (await sweep("s")).map((due) => due.user),
        [user],
      );
    });

    test("a user with a unit that waits is due when it may go", async () => {
      const { names, pool, run, sweep } = await users(1);
      const { mailboxes } = suite.store;
      const [user = ""] = names;
      const { version } = heldOf(await mailboxes.claim(user, "a", LONG_MS), "name");
      await mailboxes.settle(user, "a", { name: retry(version, 200) }, LONG_MS);
      assert.deepEqual(await sweep("s"), []);
      assert.equal(await mailboxes.dueCount(pool), 1);
      const { notBefore } = (await mailboxes.read(user)).mailbox?.pending["name"] ?? {};
      await suite.passes(200);
      assert.deepEqual(await sweep("s"), [{ user, priority: 10, dueAt: notBefore, runs: [run] }]);
    });

    test("a user who is done is due no longer", async () => {
      const { names, pool, sweep } = await users(2);
      const { mailboxes } = suite.store;
      assert.equal(await mailboxes.dueCount(pool), 2);
      assert.deepEqual(await suite.store.pools().then((pools) => pools.includes(pool)), true);
      for (const user of names) {
        const { version } = heldOf(await mailboxes.claim(user, "a", LONG_MS), "name");
        await mailboxes.settle(user, "a", { name: applied(version) }, LONG_MS);
      }
      assert.equal(await mailboxes.dueCount(pool), 0);
      assert.deepEqual(await sweep("a"), []);
      assert.equal((await suite.store.pools()).includes(pool), false);
    });

    test("a user whose priority was raised is swept with it", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1, { priority: 10 });
      await u.put("nickname", "y", 1, { priority: 1 });
      const swept = await suite.store.mailboxes.sweep(u.pool, { holder: "a", leaseMs: 1, offset: 0, limit: 10 });
      assert.deepEqual(
        swept.map(({ user, priority }) => ({ user, priority })),
        [{ user: u.user, priority: 1 }],
      );
    });
  });
}
