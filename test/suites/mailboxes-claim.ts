import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LONG_MS, applied, createUser, heldOf, ordinal, retry, wanted } from "./mailbox-user.ts";
import type { Suite } from "./open-store.ts";

export function claimCases(suite: Suite): void {
  describe("claim: what a claim gives", () => {
    test("is what is due, with the pool, the sealed username and the end of the lease", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const claimed = await u.claim("a");
      assert.ok(claimed.is === "claimed");
      const { pool, username, priority } = claimed;
      assert.deepEqual({ pool, username, priority }, { pool: u.pool, username: `p:${u.user}`, priority: 10 });
      const { body, digest, run, attempts, faults, deaths } = heldOf(claimed, "name");
      assert.deepEqual(
        { body, digest, run, attempts, faults, deaths },
        { body: "x", digest: "x", run: u.run, attempts: 0, faults: 0, deaths: 0 },
      );
      assert.equal((await u.mailbox())?.claim?.leaseUntil, claimed.leaseUntil);
      assert.deepEqual(await u.books(), { received: 1, pending: 1 });
    });

    test("is nothing for a user who is not known", async () => {
      const u = await createUser(suite);
      assert.deepEqual(await u.claim("a"), { is: "idle" });
      assert.equal(await u.mailbox(), undefined);
    });

    test("leaves out what the ledger has overtaken", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      // The settle of a claim that the store forgot says that something newer is there.
      const version = (await u.mailbox())?.pending["name"]?.version ?? "";
      await u.settle("forgotten", { name: applied(version.replace(ordinal(1), ordinal(2))) });
      assert.deepEqual(await u.pending(), { name: "x" });
      assert.notEqual((await u.claim("d")).is, "claimed");
      assert.deepEqual(await u.books(), { received: 1, stale: 1 });
    });

    test("lets no older value follow one of a worker that died, though the newest was refused", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const letter = await u.buries("a", "name", "too-short");
      await u.put("name", "y", 2);
      await u.dies("b", "name");
      await u.put("name", "z", 3);
      await u.buries("c", "name");
      await suite.store.mailboxes.replay([letter.id], 10);
      assert.deepEqual(await u.pending(), {});
      assert.deepEqual(await u.books(), { received: 3, superseded: 1, stale: 1, dead: 1 });
    });

    test("leaves out what an application put and equals the value that was applied last", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      await u.deliver("a");
      // With nothing before it in the mailbox it would not have been given a place.
      const { at } = (await u.ledger())["name"] ?? {};
      await u.put("name", "y", 2);
      await u.putAll({ ...wanted("name", "x", 3), sendUnless: "written" });
      const version = (await u.mailbox())?.pending["name"]?.version;
      assert.deepEqual(await u.claim("b"), { is: "idle" });
      assert.deepEqual(await u.books(), { received: 3, applied: 1, superseded: 1, unchanged: 1 });
      const { settledAt = 0, ...entry } = (await u.ledger())["name"] ?? {};
      assert.deepEqual(entry, { version, digest: "x", at, run: u.run, outcome: "unchanged", writtenBy: u.run });
      assert.ok(settledAt >= (at ?? Infinity));
      await u.put("name", "y", 1);
      assert.deepEqual(await u.books(), { received: 4, applied: 1, superseded: 1, unchanged: 1, stale: 1 });
    });

    test("leaves out one equal unit and gives the others", async () => {
      const u = await createUser(suite);
      await u.putAll(wanted("name", "x", 1), wanted("nickname", "y", 1));
      await u.deliver("a");
      await u.putAll({ ...wanted("name", "x", 2), sendUnless: "written" }, wanted("nickname", "z", 2));
      assert.deepEqual(await u.words("b"), { nickname: "z" });
      assert.deepEqual(await u.books(), { received: 4, applied: 2, unchanged: 1, pending: 1 });
    });

    test("is no longer known to be there from then on", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      await u.deliver("a");
      await u.put("name", "y", 2);
      await u.dies("b", "name");
      assert.equal((await u.ledger())["name"]?.digest, "");
      await u.put("name", "x", 3);
      assert.deepEqual(await u.words("c"), { name: "x" });
    });

    test("is not what has to wait", async () => {
      const u = await createUser(suite);
      await u.putAll(wanted("name", "x", 1), wanted("nickname", "y", 1));
      const claimed = await u.claim("a");
      await u.settle("a", {
        name: retry(heldOf(claimed, "name").version, LONG_MS),
        nickname: applied(heldOf(claimed, "nickname").version),
      });
      const answer = await u.claim("b");
      assert.ok(answer.is === "later" && answer.retryInMs > 0 && answer.retryInMs <= LONG_MS);
      await u.put("profile", "z", 1);
      assert.deepEqual(await u.words("b"), { profile: "z" });
    });
  });

  describe("claim: a flag for the value that is there", () => {
    test("is given again with an older address", async () => {
      const u = await createUser(suite);
      await u.put("email_verified", "true", 1);
      await u.deliver("a");
      await u.put("email_verified", "true", 6);
      await u.put("email", "new", 5);
      assert.deepEqual(await u.words("b"), { email: "new", email_verified: "true" });
    });

    test("is unchanged beside an address that is unchanged", async () => {
      const u = await createUser(suite);
      await u.put("email", "new", 1);
      await u.deliver("a");
      await u.put("email_verified", "true", 2);
      await u.deliver("b");
      await u.put("email", "new", 3);
      await u.deliver("c");
      await u.put("email_verified", "true", 4);
      await u.deliver("d");
      await u.putAll({ ...wanted("email_verified", "true", 6), sendUnless: "written" });
      assert.deepEqual(await u.claim("e"), { is: "idle" });
      assert.equal((await u.books()).unchanged, 1);
    });

    test("waits for an older address that waits", async () => {
      const u = await createUser(suite);
      await u.put("email", "new", 5);
      const claimed = await u.claim("a");
      await u.settle("a", { email: retry(heldOf(claimed, "email").version, 500) });
      await u.put("email_verified", "true", 6);
      const answer = await u.claim("b");
      assert.ok(answer.is === "later" && answer.retryInMs > 0, `expected to wait, got ${answer.is}`);
      assert.deepEqual(await u.words("b"), { email: "new", email_verified: "true" });
    });

    test("is no longer known to be there once an address was on its way", async () => {
      const u = await createUser(suite);
      await u.put("email_verified", "true", 1);
      await u.deliver("a");
      await u.put("email", "new", 2);
      await u.buries("b", "email");
      await u.put("email_verified", "true", 3);
      assert.deepEqual(await u.words("c"), { email_verified: "true" });
    });

    test("leaves it unknown what the address is", async () => {
      const u = await createUser(suite);
      await u.put("email", "new", 5);
      await u.deliver("a");
      await u.put("email_verified", "false", 6);
      await u.deliver("b");
      await u.put("email", "new", 7);
      assert.deepEqual(await u.deliver("c"), { email: "new" });
      await u.putAll(wanted("email", "newer", 8), wanted("email_verified", "false", 9));
      await u.deliver("d");
      await u.put("email", "newer", 10);
      assert.deepEqual(await u.words("e"), { email: "newer" });
    });
  });

  describe("claim: whose the mailbox is", () => {
    test("is refused to others while the lease lives, and nothing is counted", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      await u.claim("a");
      const before = await u.mailbox();
      const answer = await u.claim("b");
      assert.ok(answer.is === "busy" && answer.retryInMs > 0 && answer.retryInMs <= LONG_MS);
      assert.deepEqual(await u.mailbox(), before);
    });

    test("goes to one of several who claim at once", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const answers = await Promise.all(["a", "b", "c", "d"].map((token) => u.claim(token)));
      assert.deepEqual(answers.map(({ is }) => is).toSorted(), ["busy", "busy", "busy", "claimed"]);
    });

    test("is taken over when the lease has ended, and the death is counted", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const version = await u.dies("a", "name");
      const unit = heldOf(await u.claimInTime("b"), "name");
      const { deaths, attempts, faults } = unit;
      assert.deepEqual([unit.version, deaths, attempts, faults], [version, 1, 0, 0]);
      assert.deepEqual(await u.books(), { received: 1, pending: 1 });
    });

    test("is taken over with what came since, and the older is superseded in its own run", async () => {
      const u = await createUser(suite);
      const other = await u.newRun();
      await u.putAll(wanted("name", "x", 1), wanted("nickname", "y", 1));
      await u.dies("a", "name");
      await u.put("name", "z", 2, { run: other });
      const claimed = await u.claimInTime("b");
      assert.deepEqual([heldOf(claimed, "name").body, heldOf(claimed, "name").deaths], ["z", 0]);
      assert.deepEqual([heldOf(claimed, "nickname").body, heldOf(claimed, "nickname").deaths], ["y", 1]);
      assert.deepEqual(await u.books(), { received: 2, superseded: 1, pending: 1 });
      assert.deepEqual(await u.books(other), { received: 1, pending: 1 });
    });

    test("stays with its worker after the lease where nobody took over", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const version = await u.dies("a", "name");
      await suite.passes(2);
      const { late } = await u.settle("a", { name: applied(version) });
      assert.equal(late, false);
      assert.deepEqual(await u.books(), { received: 1, applied: 1 });
    });
  });
}
