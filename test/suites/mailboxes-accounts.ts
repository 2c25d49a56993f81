import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accountMark } from "../../src/core/person.ts";
import type { UserChange } from "../../src/store/mailboxes.ts";
import { createUser, wanted } from "./mailbox-user.ts";
import type { Suite } from "./open-store.ts";

const FORMER = accountMark(1_700_000_000_000, "former");
const LATER = accountMark(1_700_000_001_000, "later");

export function accountCases(suite: Suite): void {
  /** One user, for whom changes are put as a look found the account. */
  const createFound = async () => {
    const u = await createUser(suite);
    const { mailboxes } = suite.store;
    const put = (account: string | undefined, ...units: UserChange["units"]) => {
      const { changes, ...page } = u.page(units);
      const whose = account === undefined ? {} : { account };
      return mailboxes.put({ ...page, changes: changes.map((change) => ({ ...change, ...whose })) });
    };
    return { ...u, put };
  };
  const there = (name: string, word: string, version: number) => ({
    ...wanted(name, word, version),
    look: { at: 9e12, found: "there" as const },
  });

  describe("an account", () => {
    test("is in the ledger with what was written to it, and in a letter", async () => {
      const u = await createFound();
      await u.put(LATER, wanted("name", "x", 1));
      await u.deliver("a");
      assert.equal((await u.ledger())["name"]?.account, LATER);
      await u.put(LATER, wanted("name", "y", 2));
      assert.equal((await u.buries("b", "name")).account, LATER);
    });

    test("is unknown again once a change was written that named the user by the username", async () => {
      const u = await createFound();
      await u.put(LATER, wanted("name", "x", 1));
      await u.deliver("a");
      await u.put(undefined, wanted("name", "y", 2));
      await u.deliver("b");
      assert.equal((await u.ledger())["name"]?.account, undefined);
    });

    test("that came in the place of another is given what is older than what that one had", async () => {
      const u = await createFound();
      await u.put(FORMER, wanted("name", "x", 5), wanted("nickname", "n", 5));
      await u.deliver("a");
      await u.put(LATER, wanted("name", "x", 4));
      assert.deepEqual(Object.keys(await u.ledger()), [], "what was known of the other is void");
      assert.deepEqual(await u.deliver("b"), { name: "x" });
    });

    test("that was made after a call by the username has nothing of it", async () => {
      const u = await createFound();
      await u.put(undefined, wanted("name", "x", 5));
      await u.deliver("a");
      const at = (await u.ledger())["name"]?.at ?? assert.fail("Expected the time of the write");
      await u.put(accountMark(at, "same"), there("nickname", "n", 1));
      assert.ok((await u.ledger())["name"], "it was there when it was written");
      await u.put(accountMark(at + 1, "later"), wanted("name", "x", 4));
      assert.deepEqual(await u.pending(), { name: "x" });
    });

    test("that is no more has nothing pending: that is discarded, and what names the username stays", async () => {
      const u = await createFound();
      await u.put(FORMER, wanted("name", "x", 5));
      await u.put(undefined, wanted("nickname", "n", 5));
      await u.put(LATER, wanted("title", "t", 1));
      assert.deepEqual(await u.pending(), { nickname: "n", title: "t" });
      assert.deepEqual(await u.books(), { received: 3, discarded: 1, pending: 2 });
    });

    test("that a lagging list still shows takes nothing from its successor", async () => {
      const u = await createFound();
      await u.put(LATER, wanted("name", "x", 5));
      await u.deliver("a");
      await u.put(LATER, wanted("nickname", "n", 5));
      await u.put(FORMER, there("name", "y", 6));
      assert.equal((await u.ledger())["name"]?.account, LATER);
      assert.deepEqual(await u.pending(), { nickname: "n", name: "y" });
      assert.equal((await u.books()).unchanged, undefined, "what it showed of the former is not believed");
    });

    test("is kept by a letter that is replayed", async () => {
      const u = await createFound();
      await u.put(FORMER, wanted("name", "x", 5));
      const { id } = await u.buries("a", "name");
      await suite.store.mailboxes.replay([id], 10);
      await u.put(LATER, wanted("title", "t", 1));
      assert.deepEqual(await u.pending(), { title: "t" });
    });
  });
}
