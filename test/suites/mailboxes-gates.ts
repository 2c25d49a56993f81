import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ALL, feedGate, poolGate, runGate } from "../../src/core/gate.ts";
import { BY, feedRuns } from "./feed-runs.ts";
import { heldOf, LONG_MS, retry, wanted, applied } from "./mailbox-user.ts";
import type { Suite } from "./open-store.ts";

/** What gates keep, and how it goes on. */
export function gateCases(suite: Suite): void {
  describe("gates that keep", () => {
    for (const [what, gateOf] of [
      ["everything", () => ALL],
      ["a pool", ({ pool }: { pool: string }) => poolGate(pool)],
      ["a feed", ({ feed }: { feed: string }) => feedGate(feed)],
    ] as const) {
      test(`${what}: what is put, or waits, is not due until it is opened`, async (t) => {
        const u = await feedRuns(suite);
        const { feed, run } = await u.newFeed();
        const gate = gateOf({ pool: u.pool, feed });
        await u.put("name", "before", 1, { run });
        assert.equal(await u.due(), 1);
        assert.equal(await u.gates.pause(gate, BY), true);
        t.after(() => u.gates.resume(gate));
        const [paused] = (await u.gates.list()).filter((one) => one.gate === gate);
        assert.deepEqual([paused?.state, paused?.by, paused?.reason], ["paused", BY.by, BY.reason]);
        assert.deepEqual(await u.sortOut(), { looked: 1, left: 0 });
        assert.deepEqual((await u.put("name", "after", 2, { run })).waiting, []);
        assert.equal(await u.due(), 0);
        assert.deepEqual(await u.claim("a"), { is: "idle" });
        assert.equal(await u.gates.kept(gate), 1);
        assert.deepEqual(await u.mailboxes.release(gate, 10), [], "it is closed");
        assert.deepEqual(await u.gates.opened(), []);
        assert.equal(await u.gates.resume(gate), true);
        assert.deepEqual(await u.gates.opened(), [gate]);
        assert.deepEqual(await u.mailboxes.release(gate, 10), [{ user: u.user, priority: 10, pool: u.pool }]);
        assert.deepEqual(await u.gates.opened(), []);
        assert.equal(await u.due(), 1);
        assert.deepEqual(await u.deliver("b"), { name: "after" });
        assert.deepEqual(await u.books(run), { received: 2, applied: 1, superseded: 1 });
      });
    }

    test("are closed and opened once, whoever says it", async () => {
      const { gates } = suite.store;
      const gate = feedGate(suite.fresh("feed"));
      const paused = await Promise.all([1, 2, 3].map((nth) => gates.pause(gate, { by: `by ${nth}`, reason: "" })));
      assert.equal(paused.filter(Boolean).length, 1);
      const resumed = await Promise.all([1, 2, 3].map(() => gates.resume(gate)));
      assert.equal(resumed.filter(Boolean).length, 1);
      assert.ok((await gates.list()).every((one) => one.gate !== gate));
    });

    test("a feed that is paused does not count as a backlog, and another of the pool goes on", async () => {
      const u = await feedRuns(suite);
      const [paused, other] = [await u.newFeed(), await u.newFeed()];
      const users = Array.from({ length: 30 }, () => suite.fresh("user"));
      const changes = users.map((user) => ({ user, username: `p:${user}`, units: [wanted("name", "x", 1)] }));
      await u.mailboxes.put({ ...u.page([]), run: paused.run, changes });
      await u.gates.pause(feedGate(paused.feed), BY);
      await u.put("name", "x", 1, { run: other.run });
      for (let offset = 0; ;) {
        const { looked, left } = await u.mailboxes.sortOut({ pool: u.pool }, { offset, limit: 7 });
        offset += left;
        if (looked < 7) break;
      }
      assert.equal(await u.due(), 1);
      assert.equal(await u.gates.kept(feedGate(paused.feed)), 30);
      assert.deepEqual(await u.gates.keptUsers(feedGate(paused.feed), 20), users.toSorted().slice(0, 20));
      assert.deepEqual(await u.deliver("a"), { name: "x" });
      await u.gates.resume(feedGate(paused.feed));
      const released = [];
      for (let page = [{}]; page.length > 0;) {
        const some = await u.mailboxes.release(feedGate(paused.feed), 7);
        released.push(...some);
        page = [...some];
      }
      assert.deepEqual(released.map(({ user }) => user).toSorted(), users.toSorted());
      assert.equal(await u.due(), 30);
    });

    test("a user with changes of two feeds is kept for the one, and goes on for the other", async () => {
      const u = await feedRuns(suite);
      const [one, other] = [await u.newFeed(), await u.newFeed()];
      await u.gates.pause(feedGate(one.feed), BY);
      await u.put("name", "x", 1, { run: one.run });
      await u.put("nickname", "y", 1, { run: other.run });
      assert.equal(await u.due(), 1);
      assert.deepEqual(await u.deliver("a"), { nickname: "y" });
      assert.equal(await u.due(), 0);
      assert.deepEqual(await u.pending(), { name: "x" });
    });

    test("what two gates keep goes on when both are open, in any order", async () => {
      const u = await feedRuns(suite);
      const { feed, run } = await u.newFeed();
      const [inner, outer] = [feedGate(feed), poolGate(u.pool)];
      for (const gate of [inner, outer]) await u.gates.pause(gate, BY);
      await u.put("name", "x", 1, { run });
      await u.gates.resume(outer);
      assert.deepEqual(await u.mailboxes.release(outer, 10), []);
      assert.deepEqual([await u.gates.kept(inner), await u.due()], [1, 0]);
      await u.gates.resume(inner);
      assert.equal((await u.mailboxes.release(inner, 10)).length, 1);
      assert.deepEqual(await u.deliver("a"), { name: "x" });
    });

    test("what comes back from a claim is kept: a retry, and what a dead worker had", async () => {
      for (const how of ["retry", "death"] as const) {
        const u = await feedRuns(suite);
        const { feed, run } = await u.newFeed();
        await u.put("name", "x", 1, { run });
        const { version } = heldOf(await u.claim("a", how === "death" ? 1 : LONG_MS), "name");
        await u.gates.pause(feedGate(feed), BY);
        if (how === "retry") {
          const { dueInMs } = await u.settle("a", { name: retry(version, 0) });
          assert.equal(dueInMs, undefined);
        } else {
          await suite.becomes(async () => (await u.claim("b")).is !== "busy");
        }
        assert.deepEqual(await u.pending(), { name: "x" }, how);
        assert.notEqual((await u.claim("c")).is, "claimed");
        assert.deepEqual(await u.books(run), { received: 1, pending: 1 });
      }
    });

    test("a call that was in flight is applied", async () => {
      const u = await feedRuns(suite);
      const { feed, run } = await u.newFeed();
      await u.put("name", "x", 1, { run });
      const { version } = heldOf(await u.claim("a"), "name");
      await u.gates.pause(feedGate(feed), BY);
      await u.settle("a", { name: applied(version) });
      assert.deepEqual(await u.books(run), { received: 1, applied: 1 });
    });

    test("a flag waits with the address that is kept", async () => {
      const u = await feedRuns(suite);
      const [one, other] = [await u.newFeed(), await u.newFeed()];
      await u.gates.pause(feedGate(one.feed), BY);
      await u.put("email", "new", 1, { run: one.run });
      await u.put("email_verified", "true", 2, { run: other.run });
      assert.deepEqual(await u.claim("a"), { is: "idle" });
      await u.gates.resume(feedGate(one.feed));
      await u.mailboxes.release(feedGate(one.feed), 10);
      assert.deepEqual(await u.deliver("b"), { email: "new", email_verified: "true" });
    });

    test("a run that waits for an approval keeps what it has put, and goes on when it is approved", async () => {
      const u = await feedRuns(suite);
      const { run } = await u.newFeed();
      await u.put("name", "x", 1, { run });
      await u.runs.transition(run, ["reading"], "needs-approval");
      assert.deepEqual(await u.claim("a"), { is: "idle" });
      assert.deepEqual([await u.due(), await u.gates.kept(runGate(run))], [0, 1]);
      assert.equal(await u.gates.resume(runGate(run)), false, "it was not paused");
      await u.runs.transition(run, ["needs-approval"], "reading");
      assert.equal((await u.mailboxes.release(runGate(run), 10)).length, 1);
      assert.deepEqual(await u.deliver("b"), { name: "x" });
    });

    test("a single change goes through a pause where it is asked for, and nothing else of the user", async () => {
      const u = await feedRuns(suite);
      const [direct, other] = [await u.newFeed(), await u.newFeed()];
      await u.gates.pause(poolGate(u.pool), BY);
      await u.put("name", "x", 1, { run: direct.run });
      await u.put("nickname", "y", 1, { run: other.run });
      await u.put("given_name", "z", 1, { run: direct.run });
      const selection = { runs: [direct.run], despitePause: ["name", "nickname"] };
      const claimed = await u.mailboxes.claim(u.user, "a", LONG_MS, selection);
      assert.ok(claimed.is === "claimed");
      assert.deepEqual(Object.keys(claimed.units), ["name"]);
      const { version } = heldOf(claimed, "name");
      await u.mailboxes.settle(u.user, "a", { name: applied(version) }, LONG_MS, selection.runs);
      assert.deepEqual(await u.pending(), { nickname: "y", given_name: "z" });
      await u.gates.resume(poolGate(u.pool));
    });
  });

  describe("claims of some runs", () => {
    test("give what these have put, and say nothing of the rest", async () => {
      const u = await feedRuns(suite);
      const [own, other] = [await u.newFeed(), await u.newFeed()];
      await u.put("name", "x", 1, { run: own.run });
      await u.put("nickname", "y", 1, { run: other.run });
      const claimed = await u.mailboxes.claim(u.user, "a", LONG_MS, { runs: [own.run] });
      assert.ok(claimed.is === "claimed");
      assert.deepEqual(Object.keys(claimed.units), ["name"]);
      const { version } = heldOf(claimed, "name");
      const settled = await u.mailboxes.settle(u.user, "a", { name: applied(version) }, LONG_MS, [own.run]);
      assert.equal(settled.dueInMs, undefined);
      assert.deepEqual(await u.mailboxes.claim(u.user, "b", LONG_MS, { runs: [own.run] }), { is: "idle" });
      assert.equal(await u.due(), 1);
      assert.deepEqual(await u.deliver("c"), { nickname: "y" });
    });

    test("take the address that a flag of theirs waits for", async () => {
      const u = await feedRuns(suite);
      const [own, other] = [await u.newFeed(), await u.newFeed()];
      await u.put("email", "new", 1, { run: other.run });
      await u.put("email_verified", "true", 2, { run: own.run });
      const claimed = await u.mailboxes.claim(u.user, "a", LONG_MS, { runs: [own.run] });
      assert.ok(claimed.is === "claimed");
      assert.deepEqual(Object.keys(claimed.units).toSorted(), ["email", "email_verified"]);
    });
  });
}
