import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { feedGate } from "../../src/core/gate.ts";
import { accountMark } from "../../src/core/person.ts";
import { BY, feedRuns } from "./feed-runs.ts";
import { applied, heldOf, LONG_MS, retry, unchanged, wanted } from "./mailbox-user.ts";
import type { Suite } from "./open-store.ts";

/** Two values that are equal, and of the same time by the source's clock. */
export function equalCases(suite: Suite): void {
  async function twoFeeds() {
    const u = await feedRuns(suite);
    const [first, later] = [await u.newFeed(), await u.newFeed()];
    const put = ({ run }: { run: string }, name = "name") => u.put(name, "x", 1, { run });
    return { ...u, first, later, put };
  }

  describe("an equal value of the same run", () => {
    for (const where of ["waits", "is in flight"] as const) {
      test(`gives way to the one before, which ${where}`, async () => {
        const u = await twoFeeds();
        await u.put(u.first);
        if (where === "is in flight") await u.claim("a");
        const before = await u.mailbox();
        await u.put(u.first);
        assert.deepEqual(await u.mailbox(), before);
        assert.deepEqual(await u.books(u.first.run), { received: 2, pending: 1, superseded: 1 });
      });
    }
  });

  describe("an equal value of a later run", () => {
    test("goes instead of what waits", async () => {
      const u = await twoFeeds();
      await u.put(u.first);
      await u.put(u.later);
      assert.deepEqual(await u.books(u.first.run), { received: 1, superseded: 1 });
      assert.equal((await u.mailboxes.claim(u.user, "a", LONG_MS, { runs: [u.first.run] })).is, "idle");
      const claimed = await u.mailboxes.claim(u.user, "b", LONG_MS, { runs: [u.later.run] });
      await u.settle("b", { name: applied(heldOf(claimed, "name").version) });
      assert.deepEqual(await u.books(u.later.run), { received: 1, applied: 1 });
      assert.equal(await u.mailbox(), undefined);
    });

    test("is sent where the earlier run is paused", async () => {
      const u = await twoFeeds();
      await u.gates.pause(feedGate(u.first.feed), BY);
      await u.put(u.first);
      assert.deepEqual((await u.put(u.later)).waiting, [u.user]);
      assert.deepEqual(await u.deliver("a"), { name: "x" });
      assert.deepEqual(await u.books(u.later.run), { received: 1, applied: 1 });
    });

    test("is sent where the earlier run waits for an approval", async () => {
      const u = await twoFeeds();
      await u.put(u.first);
      await u.runs.transition(u.first.run, ["reading"], "needs-approval");
      await u.put(u.later);
      assert.deepEqual(await u.deliver("a"), { name: "x" });
      await u.runs.transition(u.first.run, ["needs-approval"], "reading");
      assert.deepEqual(await u.books(u.first.run), { received: 1, superseded: 1 });
    });

    test("is sent under the stricter condition of the two", async () => {
      const u = await twoFeeds();
      for (const [feed, sendUnless] of [
        [u.first, {}],
        [u.later, { sendUnless: "there" }],
      ] as const) {
        const units = [{ ...wanted("name", "x", 1), ...sendUnless }];
        await u.mailboxes.put(u.page(units, { run: feed.run }));
      }
      const { run, sendUnless } = (await u.mailbox())?.pending["name"] ?? {};
      assert.deepEqual([run, sendUnless], [u.later.run, undefined]);
    });

    for (const cancelled of ["first", "later"] as const) {
      test(`leaves the value to the other where the ${cancelled} is cancelled`, async () => {
        const u = await twoFeeds();
        const other = cancelled === "first" ? u.later : u.first;
        await u.put(u.first);
        await u.put(u.later);
        await u[cancelled].cancel();
        assert.deepEqual(await u.deliver("a"), { name: "x" });
        assert.deepEqual(await u.books(other.run), { received: 1, applied: 1 });
      });
    }

    test("goes once, however often the runs take over from each other", async () => {
      const u = await twoFeeds();
      for (const feed of [u.first, u.later, u.first, u.later]) await u.put(feed);
      assert.deepEqual(await u.deliver("a"), { name: "x" });
      assert.deepEqual(await u.books(u.first.run), { received: 2, superseded: 2 });
      assert.deepEqual(await u.books(u.later.run), { received: 2, superseded: 1, applied: 1 });
      assert.equal(await u.mailbox(), undefined);
    });

    test("takes over from nothing, where a gate keeps it and the earlier one may go", async () => {
      for (const where of ["waits", "is in flight"] as const) {
        const u = await twoFeeds();
        await u.gates.pause(feedGate(u.later.feed), BY);
        await u.put(u.first);
        const claimed = where === "is in flight" ? await u.claim("a") : undefined;
        await u.put(u.later);
        assert.deepEqual(await u.books(u.later.run), { received: 1, superseded: 1 }, where);
        if (claimed) await u.settle("a", { name: retry(heldOf(claimed, "name").version, 0) });
        assert.deepEqual(await u.deliver("b"), { name: "x" }, where);
        assert.deepEqual(await u.books(u.first.run), { received: 1, applied: 1 }, where);
      }
    });

    /** The later run's value has the place of the earlier one's, and only the later one's feed is paused. */
    async function keptByTheLater() {
      const u = await twoFeeds();
      await u.put(u.first);
      await u.put(u.later);
      await u.gates.pause(feedGate(u.later.feed), BY);
      return u;
    }

    test("is sent for the earlier one, where its own feed is paused meanwhile", async () => {
      const u = await keptByTheLater();
      assert.deepEqual(await u.sortOut(), { looked: 1, left: 1 });
      assert.equal(await u.gates.kept(feedGate(u.later.feed)), 0);
      assert.deepEqual(await u.books(u.first.run), { received: 1, pending: 1 });
      assert.deepEqual(await u.books(u.later.run), { received: 1, superseded: 1 });
      assert.deepEqual(await u.deliver("a"), { name: "x" });
      assert.deepEqual(await u.books(u.first.run), { received: 1, applied: 1 });
      assert.equal(await u.mailbox(), undefined);
    });

    test("is sent for the later one, where that gave way because it was paused, and the earlier one is now", async () => {
      const u = await twoFeeds();
      await u.gates.pause(feedGate(u.later.feed), BY);
      await u.put(u.first);
      await u.put(u.later);
      await u.gates.resume(feedGate(u.later.feed));
      await u.gates.pause(feedGate(u.first.feed), BY);
      assert.deepEqual(await u.deliver("a"), { name: "x" });
      assert.deepEqual(await u.books(u.later.run), { received: 1, applied: 1 });
      assert.deepEqual(await u.books(u.first.run), { received: 1, superseded: 1 });
    });

    for (const opened of ["first", "later"] as const) {
      test(`goes where both are paused, and the ${opened} is resumed`, async () => {
        const u = await keptByTheLater();
        await u.gates.pause(feedGate(u.first.feed), BY);
        assert.deepEqual(await u.sortOut(), { looked: 1, left: 0 });
        for (const { feed } of [u.first, u.later]) assert.equal(await u.gates.kept(feedGate(feed)), 1);
        const gate = feedGate(u[opened].feed);
        await u.gates.resume(gate);
        assert.deepEqual(await u.mailboxes.release(gate, 10), [{ user: u.user, priority: 10, pool: u.pool }]);
        for (const { feed } of [u.first, u.later]) assert.equal(await u.gates.kept(feedGate(feed)), 0);
        assert.deepEqual(await u.deliver("a"), { name: "x" });
        assert.deepEqual(await u.books(u[opened].run), { received: 1, applied: 1 });
      });
    }

    test("goes for the earlier one, and is discarded with it where the later one was cancelled as well", async () => {
      const u = await keptByTheLater();
      await u.sortOut();
      await u.later.cancel();
      await u.first.cancel();
      await u.sortOut();
      assert.equal(await u.mailbox(), undefined);
      assert.deepEqual(await u.books(u.first.run), { received: 1, discarded: 1 });
      assert.deepEqual(await u.books(u.later.run), { received: 1, superseded: 1 });
    });

    test("comes back behind its gate where the earlier one, which goes for it, is cancelled", async () => {
      const u = await keptByTheLater();
      await u.sortOut();
      await u.first.cancel();
      assert.deepEqual(await u.claim("a"), { is: "idle" });
      assert.deepEqual(await u.books(u.later.run), { received: 1, pending: 1 });
      assert.equal(await u.gates.kept(feedGate(u.later.feed)), 1);
    });

    test("keeps its place over a call that nobody heard of, and over its back-off", async () => {
      const u = await twoFeeds();
      await u.put(u.first);
      await u.put(u.later);
      const { version } = heldOf(await u.claim("a"), "name");
      await u.settle("a", { name: retry(version, 0, { counts: "fault", fateUnknown: true }) });
      await u.gates.pause(feedGate(u.later.feed), BY);
      const claimed = heldOf(await u.claim("b"), "name");
      assert.deepEqual([claimed.run, claimed.version, claimed.faults], [u.first.run, version, 1]);
      await u.settle("b", { name: applied(version) });
      assert.deepEqual(await u.books(u.first.run), { received: 1, applied: 1 });
    });

    test("waits behind its gate where another value came between", async () => {
      const u = await twoFeeds();
      const between = await u.newFeed();
      await u.put(u.first);
      await u.gates.pause(feedGate(u.later.feed), BY);
      await u.mailboxes.put(u.page([wanted("name", "y", 1)], { run: between.run }));
      await u.put(u.later);
      assert.deepEqual(await u.claim("a"), { is: "idle" });
      assert.deepEqual(await u.pending(), { name: "x" });
    });

    test("that is kept comes back where the earlier one is cancelled", async () => {
      const u = await twoFeeds();
      await u.gates.pause(feedGate(u.later.feed), BY);
      await u.put(u.first);
      await u.put(u.later);
      await u.first.cancel();
      assert.equal((await u.claim("a")).is, "idle");
      assert.deepEqual(await u.books(u.later.run), { received: 1, pending: 1 });
      assert.equal(await u.gates.kept(feedGate(u.later.feed)), 1);
    });

    test("keeps a letter of the earlier one from being sent again", async () => {
      const u = await twoFeeds();
      await u.put(u.first);
      const letter = await u.buries("a", "name");
      await u.put(u.later);
      await u.mailboxes.replay([letter.id], 10);
      assert.deepEqual(await u.books(u.first.run), { received: 1, superseded: 1 });
      assert.deepEqual(await u.deliver("b"), { name: "x" });
      assert.deepEqual(await u.books(u.later.run), { received: 1, applied: 1 });
    });

    test("goes alone where both are letters that are sent again, in any order", async () => {
      for (const order of [
        [0, 1],
        [1, 0],
      ] as const) {
        const u = await twoFeeds();
        const letters: string[] = [];
        for (const feed of [u.first, u.later]) {
          await u.put(feed);
          letters.push((await u.buries(feed.run, "name")).id);
        }
        for (const nth of order) await u.mailboxes.replay([letters[nth] ?? ""], 10);
        assert.deepEqual(await u.deliver("b"), { name: "x" });
        assert.deepEqual(await u.books(u.first.run), { received: 1, superseded: 1 });
        assert.deepEqual(await u.books(u.later.run), { received: 1, applied: 1 });
      }
    });
  });

  describe("an equal value of another run that is in flight", () => {
    async function behind(name = "name", leaseMs = LONG_MS) {
      const u = await twoFeeds();
      await u.put(u.first, name);
      const { version } = heldOf(await u.claim("a", leaseMs), name);
      await u.put(u.later, name);
      assert.deepEqual(await u.pending(), { [name]: "x" });
      return { ...u, version };
    }

    for (const [how, settled] of [
      ["applied", applied],
      ["unchanged", unchanged],
    ] as const) {
      test(`is ${how}: what waits behind it is unchanged, without a call`, async () => {
        const u = await behind();
        await u.settle("a", { name: settled(u.version) });
        assert.deepEqual(await u.books(u.first.run), { received: 1, [how]: 1 });
        assert.deepEqual(await u.books(u.later.run), { received: 1, unchanged: 1 });
        assert.equal(await u.mailbox(), undefined);
        const entry = (await u.ledger())["name"];
        assert.deepEqual([entry?.run, entry?.outcome], [u.later.run, "unchanged"]);
        assert.ok((entry?.version ?? "") > u.version, "nothing older than the later one follows");
        if (how === "applied") assert.equal(entry?.digest, "x");
      });
    }

    test("fails: what waits behind it is sent", async () => {
      for (const how of ["bury", "retry"] as const) {
        const u = await behind();
        const settlement =
          how === "bury" ? u.bury("name", u.version) : retry(u.version, LONG_MS, { counts: "attempt" });
        const { letters } = await u.settle("a", { name: settlement });
        assert.deepEqual(letters, []);
        assert.deepEqual(await u.books(u.first.run), { received: 1, superseded: 1 }, how);
        assert.deepEqual(await u.deliver("b"), { name: "x" }, how);
        assert.deepEqual(await u.books(u.later.run), { received: 1, applied: 1 }, how);
      }
    });

    test("was a dead worker's: what waits behind it is sent", async () => {
      const u = await behind("name", 1);
      assert.deepEqual(await u.deliver("b"), { name: "x" });
      assert.deepEqual(await u.books(u.first.run), { received: 1, superseded: 1 });
      assert.deepEqual(await u.books(u.later.run), { received: 1, applied: 1 });
    });

    test("is applied: what waits behind it and was cancelled is discarded", async () => {
      const u = await behind();
      await u.later.cancel();
      await u.settle("a", { name: applied(u.version) });
      assert.deepEqual(await u.books(u.later.run), { received: 1, discarded: 1 });
    });

    test("was cancelled: what waits behind it goes, or is there already", async () => {
      for (const how of ["applied", "retried"] as const) {
        const u = await behind();
        await u.first.cancel();
        await u.settle("a", { name: how === "applied" ? applied(u.version) : retry(u.version, 0) });
        assert.deepEqual(await u.deliver("b"), how === "applied" ? {} : { name: "x" });
        const ends = how === "applied" ? { unchanged: 1 } : { applied: 1 };
        assert.deepEqual(await u.books(u.later.run), { received: 1, ...ends }, how);
      }
    });

    test("is applied at another account: what waits behind it is sent", async () => {
      const u = await twoFeeds();
      await u.put(u.first);
      const { version } = heldOf(await u.claim("a"), "name");
      const account = accountMark(1_700_000_000_000, "account");
      const changes = [{ user: u.user, username: `p:${u.user}`, account, units: [wanted("name", "x", 1)] }];
      await u.mailboxes.put({ ...u.page([]), run: u.later.run, changes });
      await u.settle("a", { name: applied(version) });
      assert.deepEqual(await u.deliver("b"), { name: "x" });
    });

    test("is a flag, and its address waits: the flag is sent after it", async () => {
      const u = await twoFeeds();
      await u.put(u.first, "email_verified");
      const { version } = heldOf(await u.claim("a"), "email_verified");
      await u.put(u.later, "email");
      await u.put(u.later, "email_verified");
      await u.settle("a", { email_verified: applied(version) });
      assert.deepEqual(await u.deliver("b"), { email: "x", email_verified: "x" });
    });

    test("is an address, and a flag is in flight beside it: the later address is sent after the flag", async () => {
      const u = await twoFeeds();
      await u.put(u.first, "email");
      await u.put(u.first, "email_verified");
      const claimed = await u.claim("a");
      await u.put(u.later, "email");
      for (const name of ["email", "email_verified"]) {
        await u.settle("a", { [name]: applied(heldOf(claimed, name).version) });
      }
      assert.deepEqual(await u.deliver("b"), { email: "x" });
    });
  });
}
