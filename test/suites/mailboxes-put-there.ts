import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createUser, retry, wanted, type AnyVersion } from "./mailbox-user.ts";
import type { Suite } from "./open-store.ts";

/** A unit that was looked for in the pool. */
const seen = (name: string, word: string, version: AnyVersion, there: boolean) => ({
  ...wanted(name, word, version),
  there,
});

export function putThereCases(suite: Suite): void {
  describe("put: a value that is known to be there", () => {
    test("is unchanged at once, moves the ledger and wakes nobody", async () => {
      const u = await createUser(suite);
      const { waiting } = await u.putAll(seen("name", "x", 1, true));
      assert.deepEqual(waiting, []);
      assert.equal(await u.mailbox(), undefined);
      assert.equal(await suite.store.mailboxes.dueCount(u.pool), 0);
      assert.equal((await u.ledger())["name"]?.digest, "x");
      assert.deepEqual(await u.books(), { received: 1, unchanged: 1 });
      await u.put("name", "y", 0);
      assert.deepEqual(await u.books(), { received: 2, unchanged: 1, stale: 1 });
    });

    test("is in the ledgers, which are read together", async () => {
      const [u, other] = [await createUser(suite), await createUser(suite)];
      await u.putAll(seen("name", "x", 1, true));
      const ledgers = await suite.store.mailboxes.ledgers([other.user, u.user]);
      assert.deepEqual([...ledgers], [[u.user, await u.ledger()]]);
      assert.deepEqual((await suite.store.mailboxes.ledgers([])).size, 0);
    });

    test("is unchanged at once where the ledger has it, though nobody looked", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      await u.deliver("a");
      const { waiting } = await u.putAll(wanted("name", "x", 2));
      assert.deepEqual(waiting, []);
      assert.deepEqual(await u.books(), { received: 2, applied: 1, unchanged: 1 });
      await u.put("name", "y", 1);
      assert.deepEqual(await u.books(), { received: 3, applied: 1, unchanged: 1, stale: 1 });
    });

    test("is sent again where the ledger has it and a look at the pool did not find it", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      await u.deliver("a");
      await u.putAll(seen("name", "x", 2, false));
      assert.deepEqual(await u.deliver("b"), { name: "x" });
      assert.deepEqual(await u.books(), { received: 2, applied: 2 });
    });

    test("waits as usual where the ledger has another: it may have been written after the look", async () => {
      const u = await createUser(suite);
      await u.put("name", "y", 1);
      await u.deliver("a");
      const { waiting } = await u.putAll(seen("name", "x", 2, true));
      assert.deepEqual([waiting, await u.pending()], [[u.user], { name: "x" }]);
    });

    test("is stale where the ledger has something newer", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 2);
      await u.deliver("a");
      await u.putAll(seen("name", "x", 1, true));
      assert.deepEqual(await u.books(), { received: 2, applied: 1, stale: 1 });
    });

    test("is invalid where its version lies too far ahead", async () => {
      const u = await createUser(suite);
      const { ahead } = await u.putAll(seen("name", "x", "009999999999999.0000000000000000", true));
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
        const { waiting } = await u.putAll(seen("name", "x", 2, true));
        assert.deepEqual([waiting, (await u.pending())["name"]], [[u.user], "x"]);
      });
    }

    test("waits as usual while its flag is on the way", async () => {
      const u = await createUser(suite);
      await u.put("phone_number_verified", "true", 1);
      await u.putAll(seen("phone_number", "x", 0, true));
      assert.deepEqual(await u.pending(), { phone_number_verified: "true", phone_number: "x" });
    });

    test("waits as usual where it is a flag: an older address may still come", async () => {
      const u = await createUser(suite);
      await u.putAll(seen("email_verified", "true", 2, true));
      assert.deepEqual(await u.pending(), { email_verified: "true" });
      await u.put("email", "y", 1);
      assert.deepEqual(await u.deliver("a"), { email: "y", email_verified: "true" });
    });

    test("does not keep what else changed of the user from being sent", async () => {
      const u = await createUser(suite);
      const { waiting } = await u.putAll(seen("name", "x", 1, true), seen("nickname", "n", 1, false));
      assert.deepEqual(waiting, [u.user]);
      assert.deepEqual(await u.deliver("a"), { nickname: "n" });
      assert.deepEqual(await u.books(), { received: 2, unchanged: 1, applied: 1 });
    });
  });
}

type User = Awaited<ReturnType<typeof createUser>>;
