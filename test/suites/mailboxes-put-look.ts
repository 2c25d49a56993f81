import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Found } from "../../src/core/put.ts";
import { createUser, heldOf, retry, unchanged, wanted, type AnyVersion } from "./mailbox-user.ts";
import type { Suite } from "./open-store.ts";

/** A unit that a look was for, a moment ago or long ago. */
const seen = (name: string, word: string, version: AnyVersion, found: Found, at = 9e12) => ({
  ...wanted(name, word, version),
  sendUnless: "there" as const,
  look: { at, found },
});

/** A change of an application. */
const enqueued = (name: string, word: string, version: AnyVersion) => ({
  ...wanted(name, word, version),
  sendUnless: "written" as const,
});

export function putThereCases(suite: Suite): void {
  describe("put: a value that a look found there", () => {
    test("is unchanged at once, lets nothing older follow and wakes nobody", async () => {
      const u = await createUser(suite);
      const { waiting } = await u.putAll(seen("name", "x", 1, "there"));
      assert.deepEqual(waiting, []);
      assert.equal(await u.mailbox(), undefined);
      assert.equal(await suite.store.mailboxes.dueCount(u.pool), 0);
      assert.equal((await u.ledger())["name"]?.digest, "", "poolsync did not write it");
      assert.deepEqual(await u.books(), { received: 1, unchanged: 1 });
      await u.put("name", "y", 0);
      assert.deepEqual(await u.books(), { received: 2, unchanged: 1, stale: 1 });
    });

    test("is in the ledgers, which are read together", async () => {
      const [u, other] = [await createUser(suite), await createUser(suite)];
      await u.putAll(seen("name", "x", 1, "there"));
      const ledgers = await suite.store.mailboxes.ledgers([other.user, u.user]);
      assert.deepEqual([...ledgers], [[u.user, await u.ledger()]]);
      assert.deepEqual((await suite.store.mailboxes.ledgers([])).size, 0);
    });

    test("stays poolsync's own where poolsync wrote it, but no address that was waited for", async () => {
      const u = await createUser(suite);
      await u.putAll(wanted("name", "x", 1), wanted("email", "a", 1));
      await u.deliver("a");
      await u.putAll(seen("name", "x", 2, "there"), seen("email", "a", 2, "there"));
      const { name, email } = await u.ledger();
      assert.deepEqual([name?.digest, email?.digest], ["x", ""]);
      assert.deepEqual(await u.books(), { received: 4, applied: 2, unchanged: 2 });
    });

    test("is unchanged though the ledger knows no value, or another from before the look", async () => {
      const u = await createUser(suite);
      await u.putAll(wanted("name", "y", 1), wanted("nickname", "n", 1));
      await u.deliver("a");
      await u.putAll(seen("name", "x", 2, "there"), seen("nickname", "m", 2, "there"));
      assert.equal(await u.mailbox(), undefined);
      assert.deepEqual(await u.books(), { received: 4, applied: 2, unchanged: 2 });
    });

    test("waits for a look where poolsync wrote another after the look began", async () => {
      const u = await createUser(suite);
      await u.put("name", "y", 1);
      await u.deliver("a");
      const { waiting } = await u.putAll(seen("name", "x", 2, "there", 1));
      assert.deepEqual([waiting, await u.pending()], [[u.user], { name: "x" }]);
      assert.equal((await u.mailbox())?.pending["name"]?.sendUnless, "there");
    });

    test("is unchanged where poolsync wrote it after a look that found another", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      await u.deliver("a");
      await u.putAll(seen("name", "x", 2, "other", 1));
      assert.equal(await u.mailbox(), undefined);
      assert.equal((await u.ledger())["name"]?.digest, "x");
      assert.deepEqual(await u.books(), { received: 2, applied: 1, unchanged: 1 });
    });

    test("is sent again where the ledger has it and a later look found another", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      await u.deliver("a");
      await u.putAll(seen("name", "x", 2, "other"));
      assert.equal((await u.ledger())["name"]?.digest, "");
      assert.deepEqual(await u.deliver("b"), { name: "x" });
      assert.deepEqual(await u.books(), { received: 2, applied: 2 });
    });

    test("is not sent again where it awaits the person, and stays the last that was sent", async () => {
      const u = await createUser(suite);
      await u.put("email", "x", 1);
      await u.deliver("a");
      const { at } = (await u.ledger())["email"] ?? {};
      await u.putAll(seen("email", "x", 2, "awaiting"));
      assert.equal(await u.mailbox(), undefined);
      const { email } = await u.ledger();
      assert.deepEqual([email?.digest, email?.at], ["x", at]);
      await u.putAll(seen("email", "z", 3, "awaiting"));
      assert.deepEqual(await u.pending(), { email: "z" });
    });

    test("that is stale, and was not found, leaves the ledger what it knows of the newer one", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 2);
      await u.deliver("a");
      await u.putAll(seen("name", "old", 1, "other"));
      assert.equal((await u.ledger())["name"]?.digest, "x");
      assert.deepEqual(await u.books(), { received: 2, applied: 1, stale: 1 });
    });

    test("is stale where the ledger has something newer", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 2);
      await u.deliver("a");
      await u.putAll(seen("name", "x", 1, "there"));
      assert.deepEqual(await u.books(), { received: 2, applied: 1, stale: 1 });
    });

    test("is invalid where its version lies too far ahead", async () => {
      const u = await createUser(suite);
      const { ahead } = await u.putAll(seen("name", "x", "009999999999999.0000000000000000", "there"));
      assert.equal(ahead, 1);
      assert.deepEqual([await u.ledger(), await u.books()], [{}, { received: 1, invalid: 1 }]);
    });

    for (const [what, begin] of [
      ["an older value is pending", (u: User) => u.put("name", "y", 1)],
      [
        "an older value is in flight",
        async (u: User) => {
          await u.put("name", "y", 1);
          await u.claim("a");
        },
      ],
      [
        "a dead worker may still write an older value",
        async (u: User) => {
          await u.put("name", "y", 1);
          await u.dies("a", "name");
          await u.deliver("b");
        },
      ],
      [
        "a call of an older value has an unknown fate",
        async (u: User) => {
          await u.put("name", "y", 1);
          const answer = await u.claim("a");
          const version = (answer.is === "claimed" ? answer.units["name"]?.version : undefined) ?? "";
          await u.settle("a", { name: retry(version, 0, { fateUnknown: true }) });
        },
      ],
    ] as const) {
      test(`waits as usual while ${what}`, async () => {
        const u = await createUser(suite);
        await begin(u);
        const { waiting } = await u.putAll(seen("name", "x", 2, "there"));
        assert.deepEqual([waiting, (await u.pending())["name"]], [[u.user], "x"]);
      });
    }

    test("waits as usual while its flag is on the way", async () => {
      const u = await createUser(suite);
      await u.put("phone_number_verified", "true", 1);
      await u.putAll(seen("phone_number", "x", 0, "there"));
      assert.deepEqual(await u.pending(), { phone_number_verified: "true", phone_number: "x" });
    });

    test("waits as usual where it is a flag: an older address may still come", async () => {
      const u = await createUser(suite);
      await u.putAll(seen("email_verified", "true", 2, "there"));
      assert.deepEqual(await u.pending(), { email_verified: "true" });
      await u.put("email", "y", 1);
      assert.deepEqual(await u.deliver("a"), { email: "y", email_verified: "true" });
    });

    test("does not keep what else changed of the user from being sent", async () => {
      const u = await createUser(suite);
      const { waiting } = await u.putAll(seen("name", "x", 1, "there"), seen("nickname", "n", 1, "other"));
      assert.deepEqual(waiting, [u.user]);
      assert.deepEqual(await u.deliver("a"), { nickname: "n" });
      assert.deepEqual(await u.books(), { received: 2, unchanged: 1, applied: 1 });
    });
  });

  describe("put: a value that another row of the feed stands instead of", () => {
    test("is superseded, and never on its way", async () => {
      const u = await createUser(suite);
      const { waiting } = await u.putAll({ ...wanted("name", "old", 1), overruled: true });
      assert.deepEqual([waiting, await u.mailbox(), await u.ledger()], [[], undefined, {}]);
      assert.deepEqual(await u.books(), { received: 1, superseded: 1 });
    });
  });

  describe("put: a value that nobody looked for", () => {
    test("is believed to be there for an hour after poolsync wrote it, where an application put it", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      await u.deliver("a");
      const { at } = (await u.ledger())["name"] ?? {};
      const { waiting } = await u.putAll(enqueued("name", "x", 2));
      assert.deepEqual(waiting, []);
      assert.deepEqual(await u.books(), { received: 2, applied: 1, unchanged: 1 });
      assert.equal((await u.ledger())["name"]?.at, at, "the hour is that of the write");
      await u.put("name", "y", 1);
      assert.deepEqual(await u.books(), { received: 3, applied: 1, unchanged: 1, stale: 1 });
    });

    test("is sent where a person asked for it, whatever the ledger has", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      await u.deliver("a");
      await u.put("name", "x", 2);
      assert.deepEqual(await u.deliver("b"), { name: "x" });
      assert.deepEqual(await u.books(), { received: 2, applied: 2 });
    });

    test("waits for a look where a file said it, whatever the ledger has", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      await u.deliver("a");
      await u.putAll({ ...wanted("name", "x", 2), sendUnless: "there" });
      const answer = await u.claim("b");
      assert.equal(heldOf(answer, "name").sendUnless, "there");
      assert.deepEqual(answer.is === "claimed" && answer.sent, ["name"], "it was the last that was written");
      await u.settle("b", { name: unchanged(heldOf(answer, "name").version) });
      assert.equal((await u.ledger())["name"]?.digest, "x");
      assert.deepEqual(await u.books(), { received: 2, applied: 1, unchanged: 1 });
    });

    test("is left to no memory once a person has asked for the same, whoever of the two came first", async () => {
      for (const [first, second] of [
        [enqueued("name", "x", 2), wanted("name", "x", 3)],
        [wanted("name", "x", 2), enqueued("name", "x", 3)],
        [enqueued("name", "x", 2), wanted("name", "x", 2)],
        [wanted("name", "x", 2), enqueued("name", "x", 2)],
      ] as const) {
        const u = await createUser(suite);
        await u.put("name", "x", 1);
        await u.deliver("a");
        await u.put("name", "y", 1);
        await u.putAll({ ...wanted("name", "x", 1), look: { at: 9e12, found: "other" } });
        await u.putAll(first, second);
        assert.equal((await u.mailbox())?.pending["name"]?.sendUnless, undefined);
      }
    });
  });
}

type User = Awaited<ReturnType<typeof createUser>>;
