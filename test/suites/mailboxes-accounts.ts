import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accountMark } from "../../src/core/person.ts";
import type { UserUnits } from "../../src/store/mailboxes.ts";
import { createUser, heldOf, wanted } from "./mailbox-user.ts";
import type { Suite } from "./open-store.ts";

const FORMER = accountMark(1_700_000_000_000, "former");
const LATER = accountMark(1_700_000_001_000, "later");

export function accountCases(suite: Suite): void {
  /** One user, for whom changes are put as a look found the account. */
  const createFound = async () => {
    const u = await createUser(suite);
    const { mailboxes } = suite.store;
    const put = (account: string | undefined, ...units: UserUnits["units"]) => {
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

    test("is that at which a look of a delivery saw the value, also where the change named the username", async () => {
      const u = await createFound();
      await u.put(FORMER, wanted("name", "x", 1));
      await u.deliver("a");
      await u.put(undefined, wanted("name", "y", 2));
      const { version } = heldOf(await u.claim("b"), "name");
      await u.settle("b", { name: { is: "unchanged", version, account: LATER } });
      assert.equal((await u.ledger())["name"]?.account, LATER);
      await u.put(LATER, wanted("name", "old", 1));
      assert.equal((await u.books()).stale, 1, "what was found at this account is not forgotten by the next look");
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
      await u.put(accountMark(at + 60_000, "same"), there("nickname", "n", 1));
      assert.ok((await u.ledger())["name"], "Cognito's clock may be so far ahead: it was there when it was written");
      await u.put(accountMark(at + 60_001, "later"), wanted("name", "x", 4));
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

    test("is given what is equal to, or older than, what a worker has in hand for the one before", async () => {
      const u = await createFound();
      await u.put(FORMER, wanted("name", "x", 5), wanted("title", "new", 9));
      const claimed = await u.claim("a");
      await u.put(LATER, wanted("name", "x", 5), wanted("title", "old", 1));
      assert.deepEqual(await u.pending(), { name: "x", title: "old" });
      const settled = ["name", "title"].map((name) => [name, u.bury(name, heldOf(claimed, name).version)] as const);
      await u.settle("a", Object.fromEntries(settled));
      assert.deepEqual(await u.deliver("b"), { name: "x", title: "old" });
      assert.deepEqual(await u.books(), { received: 4, dead: 2, applied: 2 });
    });

    test("takes nothing over from a worker that died with the other in hand", async () => {
      const u = await createFound();
      await u.put(FORMER, wanted("name", "x", 5));
      await u.dies("a", "name");
      await u.put(LATER, wanted("name", "y", 4));
      assert.deepEqual(await u.words("b"), { name: "y" });
      assert.deepEqual(await u.books(), { received: 2, discarded: 1, pending: 1 });
    });

    test("is not overtaken by a letter of the one before that is replayed", async () => {
      const u = await createFound();
      await u.put(FORMER, wanted("name", "x", 5));
      const { id } = await u.buries("a", "name");
      await u.put(LATER, wanted("name", "y", 4));
      await suite.store.mailboxes.replay([id], 10);
      assert.deepEqual(await u.pending(), { name: "y" });
      await u.deliver("b");
      assert.deepEqual(await u.books(), { received: 2, discarded: 1, applied: 1 });
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
