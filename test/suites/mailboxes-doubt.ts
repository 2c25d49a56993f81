import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { COOLDOWN_MS, ABANDONED_CALL_MS } from "../../src/core/mailbox.ts";
import { LONG_MS, applied, createUser, heldOf, ordinal, retry, unchanged, wanted } from "./mailbox-user.ts";
import type { Suite } from "./open-store.ts";

/** What becomes of a settle that comes after its claim was taken over. */
export function doubtCases(suite: Suite): void {
  describe("doubt: a late settle", () => {
    test("is refused and books nothing", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const version = await u.dies("a", "name");
      await u.claimInTime("b");
      const settled = await u.settle("a", { name: applied(version) });
      assert.deepEqual([settled.late, settled.doubted, settled.letters], [true, [], []]);
      assert.deepEqual(Object.keys((await u.mailbox())?.claim?.units ?? {}), ["name"]);
      assert.deepEqual(await u.books(), { received: 1, pending: 1 });
    });

    test("is refused where there is no mailbox any more", async () => {
      const u = await createUser(suite);
      const settled = await u.settle("nobody", {});
      assert.deepEqual(settled, { late: true, doubted: [], letters: [] });
      assert.equal(await u.mailbox(), undefined);
    });

    test("buries nothing, and what it found unchanged raises no doubt", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const version = await u.dies("a", "name");
      await u.put("name", "y", 2);
      await u.claimInTime("b");
      const buried = await u.settle("a", { name: u.bury("name", version) });
      assert.deepEqual([buried.late, buried.doubted, buried.letters], [true, [], []]);
      const found = await u.settle("a", { name: unchanged(version) });
      assert.deepEqual([found.late, found.doubted], [true, []]);
    });

    test("has a newer value that is in flight sent once more, and only once", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const late = await u.dies("a", "name");
      await u.put("name", "y", 2);
      const unit = heldOf(await u.claimInTime("b"), "name");
      assert.deepEqual((await u.settle("a", { name: applied(late) })).doubted, ["name"]);
      await u.settle("b", { name: applied(unit.version) });
      assert.deepEqual(await u.books(), { received: 2, superseded: 1, pending: 1 });
      assert.deepEqual(await u.deliver("c"), { name: "y" });
      assert.deepEqual(await u.pending(), {});
      assert.deepEqual(await u.known(), { name: { version: unit.version, digest: "y" } });
      assert.deepEqual(await u.books(), { received: 2, superseded: 1, applied: 1 });
    });

    test("has a newer value that was applied sent once more, and only once", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const late = await u.dies("a", "name");
      await u.put("name", "y", 2);
      await u.deliver("b");
      assert.deepEqual(await u.books(), { received: 2, superseded: 1, applied: 1 });
      assert.deepEqual((await u.settle("a", { name: applied(late) })).doubted, ["name"]);
      assert.deepEqual(await u.books(), { received: 2, superseded: 1, pending: 1 });
      assert.deepEqual(await u.deliver("c"), { name: "y" });
      assert.deepEqual(await u.pending(), {});
      assert.deepEqual(await u.books(), { received: 2, superseded: 1, applied: 1 });
    });

    test("has it sent once more afresh: what it failed at before is not counted", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const late = await u.dies("a", "name");
      await u.put("name", "y", 2);
      const { version } = heldOf(await u.claimInTime("b"), "name");
      await u.settle("b", { name: retry(version, 0, { counts: "attempt" }) });
      await u.dies("c", "name");
      await u.deliver("d");
      await u.settle("a", { name: applied(late) });
      const { attempts, deaths } = heldOf(await u.claimInTime("e"), "name");
      assert.deepEqual([attempts, deaths], [0, 0]);
    });

    test("is made good by the next claim where the one in doubt dies", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const late = await u.dies("a", "name");
      await u.put("name", "y", 2);
      await u.dies("b", "name");
      assert.deepEqual((await u.settle("a", { name: applied(late) })).doubted, ["name"]);
      assert.deepEqual(await u.deliver("c"), { name: "y" });
      assert.deepEqual(await u.pending(), {});
      assert.deepEqual(await u.books(), { received: 2, superseded: 1, applied: 1 });
    });

    test("leaves a newer value that waits to go as it would", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const late = await u.dies("a", "name");
      await u.put("name", "y", 2);
      await u.deliver("b");
      await u.put("name", "z", 3);
      await u.settle("a", { name: applied(late) });
      assert.deepEqual(await u.deliver("c"), { name: "z" });
      assert.deepEqual(await u.books(), { received: 3, superseded: 1, applied: 2 });
    });

    test("is not forgotten over a value that equals the one applied before", async () => {
      const u = await createUser(suite);
      await u.put("name", "y", 1);
      await u.deliver("z");
      await u.put("name", "x", 2);
      const late = await u.dies("a", "name");
      await u.put("name", "y", 3);
      assert.deepEqual(await u.deliver("b"), { name: "y" });
      await u.settle("a", { name: applied(late) });
      assert.deepEqual(await u.deliver("c"), { name: "y" });
    });

    test("has the newest value sent once more after two takeovers", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const late = await u.dies("a", "name");
      await u.put("name", "y", 2);
      await u.dies("b", "name");
      await u.deliver("c");
      assert.deepEqual((await u.settle("a", { name: applied(late) })).doubted, ["name"]);
      assert.deepEqual(await u.words("d"), { name: "y" });
    });

    test("has a newer value sent once more that was found unchanged", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const late = await u.dies("a", "name");
      await u.put("name", "y", 2);
      await u.deliver("b");
      await u.putAll({ ...wanted("name", "y", 3), sendUnless: "there" });
      await u.settle("c", { name: unchanged(heldOf(await u.claim("c"), "name").version) });
      assert.deepEqual(await u.books(), { received: 3, superseded: 1, applied: 1, unchanged: 1 });
      await u.settle("a", { name: applied(late) });
      assert.deepEqual(await u.books(), { received: 3, superseded: 1, applied: 1, pending: 1 });
      assert.deepEqual(await u.words("d"), { name: "y" });
    });

    test("has the value applied before sent once more when the one in flight is buried", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const late = await u.dies("a", "name");
      await u.put("name", "y", 2);
      await u.deliver("b");
      await u.put("name", "z", 3);
      const { version } = heldOf(await u.claimInTime("c"), "name");
      await u.settle("a", { name: applied(late) });
      await u.settle("c", { name: u.bury("name", version) });
      assert.deepEqual(await u.words("d"), { name: "y" });
    });

    test("has the flag sent after the address that is sent once more for a burial", async () => {
      const u = await createUser(suite);
      await u.put("email", "old", 1);
      await u.dies("a", "email");
      await u.deliver("b");
      await u.put("email_verified", "true", 3);
      await u.deliver("c");
      await u.put("email", "new", 2);
      const { version } = heldOf(await u.claimInTime("d"), "email");
      await u.settle("d", { email: u.bury("email", version) });
      assert.deepEqual(await u.words("e"), { email: "old", email_verified: "true" });
    });

    test("moves the ledger on, so that nothing older is applied after it", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 3);
      const late = await u.dies("a", "name");
      await u.put("name", "y", 4);
      const { version } = heldOf(await u.claimInTime("b"), "name");
      await u.settle("a", { name: applied(late) });
      await u.settle("b", { name: u.bury("name", version) });
      await u.put("name", "w", 2);
      assert.deepEqual(await u.books(), { received: 3, superseded: 1, dead: 1, stale: 1 });
      assert.deepEqual(await u.known(), { name: { version: late, digest: "" } });
    });

    test("does not let the ledger go back under an older value that is on its way", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const { version } = heldOf(await u.claim("c"), "name");
      const newer = version.replace(ordinal(1), ordinal(2));
      await u.settle("forgotten", { name: applied(newer) });
      await u.settle("c", { name: applied(version) });
      assert.deepEqual(await u.known(), { name: { version: newer, digest: "" } });
      assert.deepEqual(await u.books(), { received: 1, applied: 1 });
    });

    test("of an address has the flag of a newer one sent once more", async () => {
      const u = await createUser(suite);
      await u.put("email", "old", 1);
      const late = await u.dies("a", "email");
      await u.put("email", "new", 2);
      await u.deliver("b");
      await u.put("email_verified", "true", 3);
      await u.deliver("c");
      const { doubted } = await u.settle("a", { email: applied(late) });
      assert.deepEqual(doubted.toSorted(), ["email", "email_verified"]);
      assert.deepEqual(await u.words("d"), { email: "new", email_verified: "true" });
    });

    test("of unknown fate makes what is sent once more wait", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const late = await u.dies("a", "name");
      await u.put("name", "y", 2);
      await u.deliver("b");
      await u.settle("a", { name: retry(late, 0, { counts: "fault", fateUnknown: true }) });
      const answer = await u.claim("c");
      assert.ok(answer.is === "later" && answer.retryInMs > COOLDOWN_MS / 2 && answer.retryInMs <= COOLDOWN_MS);
      if (suite.movesTime) assert.deepEqual(await u.deliver("c"), { name: "y" });
    });

    test("of a throttle raises no doubt", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const late = await u.dies("a", "name");
      await u.put("name", "y", 2);
      await u.deliver("b");
      const settled = await u.settle("a", { name: retry(late, LONG_MS) });
      assert.deepEqual([settled.late, settled.doubted], [true, []]);
      assert.deepEqual(await u.pending(), {});
    });

    suite.hours("is waited for a quarter of an hour, then the mailbox is gone", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      await u.dies("a", "name");
      await u.deliver("b");
      const answer = await u.claim("c");
      assert.ok(answer.is === "later" && answer.retryInMs === ABANDONED_CALL_MS);
      await suite.passes(ABANDONED_CALL_MS);
      assert.deepEqual(await u.claim("c"), { is: "idle" });
      assert.equal(await u.mailbox(), undefined);
    });
  });
}
