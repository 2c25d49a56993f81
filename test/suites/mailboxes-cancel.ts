import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { feedGate, poolGate } from "../../src/core/gate.ts";
import type { Letter } from "../../src/core/letter.ts";
import { MAX_LEAD_MS, ordinalText } from "../../src/core/version.ts";
import { BY, feedRuns } from "./feed-runs.ts";
import { applied, heldOf, LONG_MS, retry, wanted } from "./mailbox-user.ts";
import type { Suite } from "./open-store.ts";

/** What becomes of what a cancelled run has put, and of what it had superseded. */
export function cancelCases(suite: Suite): void {
  describe("a run that is cancelled", () => {
    test("is cancelled once, by whoever says it first", async () => {
      const u = await feedRuns(suite);
      const { cancel, run } = await u.newFeed();
      await u.put("name", "x", 1, { run });
      const cancelled = await Promise.all([cancel(), cancel(), cancel()]);
      assert.equal(cancelled.filter(Boolean).length, 1);
    });

    test("has nothing due any more, and what waits is discarded when it is met", async () => {
      const u = await feedRuns(suite);
      const { cancel, run } = await u.newFeed();
      await u.put("name", "x", 1, { run });
      await cancel();
      assert.deepEqual(await u.sortOut(), { looked: 1, left: 0 });
      assert.deepEqual(await u.books(run), { received: 1, discarded: 1 });
      assert.equal(await u.mailbox(), undefined);
    });

    test("is met by a page that puts nothing: what waits is discarded once", async () => {
      const u = await feedRuns(suite);
      const { cancel, run } = await u.newFeed();
      await u.put("name", "x", 1, { run });
      await cancel();
      const ahead = ordinalText({ timeMs: (await suite.store.now()) + 2 * MAX_LEAD_MS, sequence: 0 });
      for (const by of [1, 2]) {
        await u.put("name", "y", ahead);
        assert.equal(await u.mailbox(), undefined);
        assert.deepEqual(await u.books(run), { received: 1, discarded: 1 });
        assert.deepEqual(await u.books(u.run), { received: by, invalid: by });
      }
    });

    for (const [how, ends] of [
      ["is applied", { applied: 1 }],
      ["is retried", { discarded: 1 }],
      ["would be a letter", { discarded: 1 }],
      ["belonged to a worker that is dead", { discarded: 1 }],
    ] as const) {
      test(`while a claim is in flight, whose unit ${how}`, async () => {
        const u = await feedRuns(suite);
        const { cancel, run } = await u.newFeed();
        await u.put("name", "x", 1, { run });
        const isDead = how === "belonged to a worker that is dead";
        const { version } = heldOf(await u.claim("a", isDead ? 1 : LONG_MS), "name");
        await cancel();
        if (how === "is applied") await u.settle("a", { name: applied(version) });
        else if (how === "is retried") await u.settle("a", { name: retry(version, 0) });
        else if (isDead) await suite.becomes(async () => (await u.claim("b")).is !== "busy");
        else {
          const { letters } = await u.settle("a", { name: u.bury("name", version) });
          assert.deepEqual(letters, []);
        }
        assert.deepEqual(await u.books(run), { received: 1, ...ends });
        assert.deepEqual(await u.pending(), {});
      });
    }

    test("has its letters discarded when they are replayed", async () => {
      const u = await feedRuns(suite);
      const { cancel, run } = await u.newFeed();
      await u.put("name", "x", 1, { run });
      const letter: Letter = await u.buries("a", "name");
      await u.put("nickname", "y", 1, { run });
      await cancel();
      await u.mailboxes.replay([letter.id], 10);
      assert.deepEqual(await u.pending(), {});
      assert.equal((await u.books(run))["dead"], undefined);
      assert.equal((await u.books(run))["pending"], undefined);
    });

    test("leaves what another run has put, though it came before it or after it", async () => {
      for (const [first, second] of [
        ["right", "wrong"],
        ["wrong", "right"],
      ] as const) {
        const u = await feedRuns(suite);
        const [right, wrong] = [await u.newFeed(), await u.newFeed()];
        const runs = { right: right.run, wrong: wrong.run };
        // Whichever comes first, the wrong one is newer by its own clock.
        const versions = { right: 1, wrong: 2 };
        for (const word of [first, second]) await u.put("name", word, versions[word], { run: runs[word] });
        assert.deepEqual(await u.pending(), { name: "wrong" });
        assert.deepEqual(await u.books(right.run), { received: 1, superseded: 1 });
        await wrong.cancel();
        await u.sortOut();
        assert.deepEqual(await u.books(right.run), { received: 1, pending: 1 });
        assert.deepEqual(await u.books(wrong.run), { received: 1, discarded: 1 });
        assert.deepEqual(await u.deliver("a"), { name: "right" });
      }
    });

    test("leaves the newest of several, whatever its own rows have superseded of one another", async () => {
      const u = await feedRuns(suite);
      const [one, two, wrong] = [await u.newFeed(), await u.newFeed(), await u.newFeed()];
      await u.put("name", "older", 1, { run: one.run });
      await u.put("name", "newer", 2, { run: two.run });
      for (const version of [3, 4, 5]) await u.put("name", `wrong ${version}`, version, { run: wrong.run });
      await wrong.cancel();
      assert.deepEqual(await u.deliver("a"), { name: "newer" });
      assert.deepEqual(await u.books(one.run), { received: 1, superseded: 1 });
      assert.deepEqual(await u.books(two.run), { received: 1, applied: 1 });
      assert.deepEqual(await u.books(wrong.run), { received: 3, superseded: 2, discarded: 1 });
    });

    test("leaves the right value under two wrong files, whichever of them is cancelled first", async () => {
      for (const first of [0, 1]) {
        const u = await feedRuns(suite);
        const [right, ...wrong] = [await u.newFeed(), await u.newFeed(), await u.newFeed()];
        await u.put("name", "right", 1, { run: right.run });
        for (const [nth, { run }] of wrong.entries()) await u.put("name", `wrong ${nth}`, nth + 2, { run });
        await wrong[first]?.cancel();
        await u.sortOut();
        await wrong[1 - first]?.cancel();
        await u.sortOut();
        assert.deepEqual(await u.deliver("a"), { name: "right" });
        assert.deepEqual(await u.books(right.run), { received: 1, applied: 1 });
      }
    });

    test("puts nothing back that its own value has overtaken in the pool", async () => {
      const u = await feedRuns(suite);
      const [right, wrong] = [await u.newFeed(), await u.newFeed()];
      await u.put("name", "right", 1, { run: right.run });
      await u.put("name", "wrong", 2, { run: wrong.run });
      await u.deliver("a");
      await wrong.cancel();
      assert.deepEqual(await u.claim("b"), { is: "idle" });
      assert.deepEqual(await u.books(right.run), { received: 1, superseded: 1 });
    });

    test("puts back what its call in flight has superseded, when that call fails", async () => {
      const u = await feedRuns(suite);
      const [right, wrong] = [await u.newFeed(), await u.newFeed()];
      await u.put("name", "right", 1, { run: right.run });
      await u.put("name", "wrong", 2, { run: wrong.run });
      const { version } = heldOf(await u.claim("a"), "name");
      await wrong.cancel();
      await u.settle("a", { name: retry(version, 0) });
      assert.deepEqual(await u.deliver("b"), { name: "right" });
    });

    for (const [how, isFirst] of [
      ["that nobody heard of, before it is cancelled", true],
      ["that nobody heard of, afterwards", false],
    ] as const) {
      test(`puts back what gave way to a call ${how}`, async () => {
        const u = await feedRuns(suite);
        const [older, right, wrong] = [await u.newFeed(), await u.newFeed(), await u.newFeed()];
        await u.put("name", "older", 1, { run: older.run });
        await u.deliver("a");
        await u.put("name", "right", 2, { run: right.run });
        await u.put("name", "wrong", 3, { run: wrong.run });
        const { version } = heldOf(await u.claim("b"), "name");
        if (!isFirst) await wrong.cancel();
        await u.settle("b", { name: { is: "retry", version, at: 0, counts: "fault", fateUnknown: true } });
        if (isFirst) await wrong.cancel();
        await u.sortOut();
        assert.deepEqual(await u.pending(), { name: "right" });
        assert.deepEqual(await u.books(right.run), { received: 1, pending: 1 });
        await u.put("name", "late", 0, { run: older.run });
        assert.equal((await u.books(older.run))["stale"], 1, "what the ledger had before stands");
      });
    }

    test("puts back what gave way to a value that a dead worker may have written", async () => {
      const u = await feedRuns(suite);
      const [right, wrong] = [await u.newFeed(), await u.newFeed()];
      await u.put("name", "right", 1, { run: right.run });
      await u.put("name", "wrong", 2, { run: wrong.run });
      await u.claim("a", 1);
      await wrong.cancel();
      await suite.becomes(async () => (await u.claim("b")).is !== "busy");
      assert.deepEqual(await u.books(wrong.run), { received: 1, discarded: 1 });
      assert.deepEqual(await u.books(right.run), { received: 1, pending: 1 });
    });

    test("puts back what was refused for good while its value waited: it fails again, and becomes a letter", async () => {
      const u = await feedRuns(suite);
      const [right, wrong] = [await u.newFeed(), await u.newFeed()];
      await u.put("name", "right", 1, { run: right.run });
      const { version } = heldOf(await u.claim("a"), "name");
      await u.put("name", "wrong", 2, { run: wrong.run });
      const { letters } = await u.settle("a", { name: u.bury("name", version) });
      assert.deepEqual(letters, []);
      assert.deepEqual(await u.books(right.run), { received: 1, superseded: 1 });
      await wrong.cancel();
      await u.sortOut();
      await u.buries("b", "name");
      assert.deepEqual(await u.books(right.run), { received: 1, dead: 1 });
      assert.deepEqual(await u.books(wrong.run), { received: 1, discarded: 1 });
    });

    test("gives back what a letter of it had superseded", async () => {
      const u = await feedRuns(suite);
      const [right, wrong] = [await u.newFeed(), await u.newFeed()];
      await u.put("name", "right", 1, { run: right.run });
      await u.put("name", "wrong", 2, { run: wrong.run });
      const { id } = await u.buries("a", "name");
      await wrong.cancel();
      await u.mailboxes.replay([id], 10);
      assert.deepEqual(await u.books(wrong.run), { received: 1, discarded: 1 });
      assert.deepEqual(await u.deliver("b"), { name: "right" });
      assert.deepEqual(await u.books(right.run), { received: 1, applied: 1 });
    });

    test("is known to be behind a letter, and is not forgotten while it is there", async () => {
      const u = await feedRuns(suite);
      const [right, wrong, worse] = [await u.newFeed(), await u.newFeed(), await u.newFeed()];
      for (const [nth, { run }] of [right, wrong, worse].entries())
        await u.put("name", `value ${nth}`, nth + 1, { run });
      const { id } = await u.buries("a", "name");
      for (const { run } of [right, wrong]) await u.runs.advance(run, "finished");
      assert.equal(await u.due(), 0);
      assert.equal(await u.mailboxes.isBehind(wrong.run), true);
      assert.equal(await u.runs.transition(wrong.run, ["finished"], "cancelled", { evenOver: true }), true);
      await u.runs.sweep((await suite.store.now()) + LONG_MS);
      await worse.cancel();
      await u.mailboxes.replay([id], 10);
      assert.deepEqual(await u.deliver("b"), { name: "value 0" });
    });

    test("keeps no user's token of what it has superseded, nor does its letter", async () => {
      const u = await feedRuns(suite);
      const [own, wrong] = [await u.newFeed(), await u.newFeed()];
      const units = [{ ...wanted("name", "with the token", 1), hasToken: true as const }];
      await u.mailboxes.put(u.page(units, { run: own.run }));
      await u.put("name", "wrong", 2, { run: wrong.run });
      assert.equal((await u.mailbox())?.pending["name"]?.replaced, undefined);
      assert.equal((await u.buries("a", "name")).replaced, undefined);
      assert.deepEqual(await u.books(own.run), { received: 1, superseded: 1 });
    });

    test("is known to be behind another, and may be cancelled there, whichever comes first", async () => {
      const u = await feedRuns(suite);
      const [right, wrong, other] = [await u.newFeed(), await u.newFeed(), await u.newFeed()];
      for (const [nth, { run }] of [right, wrong, other].entries())
        await u.put("name", `value ${nth}`, nth + 1, { run });
      for (const { run } of [right, wrong, other]) await u.runs.advance(run, "delivering");
      assert.equal(await u.runs.transition(wrong.run, ["delivering"], "cancelled"), false, "nothing of it is pending");
      assert.deepEqual([await u.mailboxes.isBehind(wrong.run), await u.mailboxes.isBehind(other.run)], [true, false]);
      assert.equal(await u.runs.transition(wrong.run, ["delivering"], "cancelled", { evenOver: true }), true);
      assert.equal(await u.runs.transition(other.run, ["delivering"], "cancelled"), true);
      await u.sortOut();
      assert.deepEqual(await u.deliver("a"), { name: "value 0" });
    });

    test("is not forgotten while its value waits behind another, so that it never comes back", async () => {
      const u = await feedRuns(suite);
      const [right, wrong, other] = [await u.newFeed(), await u.newFeed(), await u.newFeed()];
      for (const [nth, { run }] of [right, wrong, other].entries())
        await u.put("name", `value ${nth}`, nth + 1, { run });
      await u.runs.transition(wrong.run, ["reading"], "cancelled");
      await u.runs.advance(right.run, "finished");
      const later = (await suite.store.now()) + LONG_MS;
      await u.runs.sweep(later);
      for (const { run } of [right, wrong]) assert.ok(await u.runs.get(run), "it is there");
      await other.cancel();
      await u.sortOut();
      assert.deepEqual(await u.deliver("a"), { name: "value 0" });
    });

    for (const order of ["the newest first", "the oldest first"] as const) {
      for (const dying of ["the last", "the first", "both"] as const) {
        test(`gives the right value back under two of them, ${order}, though workers of ${dying} died`, async () => {
          const u = await feedRuns(suite);
          const [right, wrong, worse] = [await u.newFeed(), await u.newFeed(), await u.newFeed()];
          await u.put("name", "right", 1, { run: right.run });
          await u.put("name", "wrong", 2, { run: wrong.run });
          const late = dying === "the last" ? [] : [await u.dies("a", "name")];
          await u.put("name", "worse", 3, { run: worse.run });
          if (dying !== "the first") late.push(await u.dies("b", "name"));
          for (const { cancel } of order === "the newest first" ? [worse, wrong] : [wrong, worse]) {
            await cancel();
            await u.sortOut();
          }
          assert.deepEqual(await u.deliver("c"), { name: "right" });
          // Whoever died was suspended, and has written.
          for (const [nth, at] of late.entries()) {
            await u.settle(nth === 0 && dying !== "the last" ? "a" : "b", { name: applied(at) });
            assert.deepEqual(await u.deliver(`again ${nth}`), { name: "right" });
          }
          assert.deepEqual(await u.pending(), {});
          assert.deepEqual(await u.books(right.run), { received: 1, applied: 1 });
        });
      }
    }

    for (const when of ["waits", "is in flight", "was written"] as const) {
      test(`sends last what it put back: a worker of the cancelled run wakes and writes while it ${when}`, async () => {
        const u = await feedRuns(suite);
        const [right, wrong] = [await u.newFeed(), await u.newFeed()];
        await u.put("name", "right", 1, { run: right.run });
        await u.put("name", "wrong", 2, { run: wrong.run });
        const late = await u.dies("a", "name");
        await wrong.cancel();
        const { version } = heldOf(await u.claimInTime("b"), "name");
        if (when === "waits") await u.settle("b", { name: retry(version, 0) });
        if (when === "was written") await u.settle("b", { name: applied(version) });
        assert.deepEqual((await u.settle("a", { name: applied(late) })).doubted, ["name"]);
        if (when === "is in flight") await u.settle("b", { name: applied(version) });
        assert.deepEqual(await u.deliver("c"), { name: "right" });
        assert.deepEqual(await u.pending(), {});
        assert.deepEqual(await u.books(wrong.run), { received: 1, discarded: 1 });
        assert.deepEqual(await u.books(right.run), { received: 1, applied: 1 });
      });
    }
  });

  describe("a run that is cancelled behind a pause", () => {
    test("is discarded at once, and what it had superseded goes on", async () => {
      const u = await feedRuns(suite);
      const [right, wrong] = [await u.newFeed(), await u.newFeed()];
      const gate = feedGate(wrong.feed);
      await u.put("name", "right", 1, { run: right.run });
      await u.gates.pause(gate, BY);
      await u.put("name", "wrong", 2, { run: wrong.run });
      await u.put("nickname", "wrong", 2, { run: wrong.run });
      assert.equal(await u.due(), 0);
      await wrong.cancel();
      assert.deepEqual(await u.mailboxes.sortOut({ gate }, { offset: 0, limit: 10 }), { looked: 1, left: 0 });
      assert.equal(await u.gates.kept(gate), 0);
      assert.deepEqual(await u.books(wrong.run), { received: 2, discarded: 2 });
      assert.deepEqual(await u.deliver("a"), { name: "right" });
    });

    test("leaves there what others have put", async () => {
      const u = await feedRuns(suite);
      const [right, wrong] = [await u.newFeed(), await u.newFeed()];
      const gate = poolGate(u.pool);
      await u.gates.pause(gate, BY);
      await u.put("name", "wrong", 1, { run: wrong.run });
      await u.put("nickname", "right", 1, { run: right.run });
      await wrong.cancel();
      assert.deepEqual(await u.mailboxes.sortOut({ gate }, { offset: 0, limit: 10 }), { looked: 1, left: 1 });
      assert.deepEqual(await u.pending(), { nickname: "right" });
      await u.gates.resume(gate);
      await u.mailboxes.release(gate, 10);
      assert.deepEqual(await u.deliver("a"), { nickname: "right" });
    });
  });
}
