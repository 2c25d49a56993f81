import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { COOLDOWN_MS } from "../../src/core/mailbox.ts";
import { LONG_MS, applied, createUser, heldOf, retry, unchanged, wanted } from "./mailbox-user.ts";
import type { Suite } from "./open-store.ts";

export function settleCases(suite: Suite): void {
  describe("settle: what a settle does", () => {
    test("writes the ledger and the books, and the mailbox is gone", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const { version } = heldOf(await u.claim("a"), "name");
      const settled = await u.settle("a", { name: applied(version) });
      assert.deepEqual(settled, { late: false, doubted: [], letters: [] });
      assert.deepEqual(await u.known(), { name: { version, digest: "x" } });
      assert.equal(typeof (await u.ledger())["name"]?.at, "number");
      assert.equal(await u.mailbox(), undefined);
      assert.deepEqual(await u.books(), { received: 1, applied: 1 });
    });

    test("takes a value that was found in the pool for unchanged", async () => {
      const u = await createUser(suite);
      await u.put("email", "x", 1);
      const { version } = heldOf(await u.claim("a"), "email");
      await u.settle("a", { email: unchanged(version) });
      assert.deepEqual(await u.known(), { email: { version, digest: "" } });
      assert.deepEqual(await u.books(), { received: 1, unchanged: 1 });
    });

    test("of a call that was not made leaves it the last that was written", async () => {
      const u = await createUser(suite);
      await u.put("email", "x", 1);
      await u.deliver("a");
      await u.putAll({ ...wanted("email", "x", 2), sendUnless: "there" });
      await u.settle("b", { email: retry(heldOf(await u.claim("b"), "email").version, 0) });
      const claimed = await u.claimInTime("c");
      assert.deepEqual(claimed.is === "claimed" && claimed.sent, ["email"]);
      const unknown = retry(heldOf(claimed, "email").version, 0, { fateUnknown: true });
      await u.settle("c", { email: unknown });
      const again = await u.claimInTime("d");
      assert.deepEqual(again.is === "claimed" && again.sent, undefined);
    });

    test("keeps an address that awaits the person as the last that was sent, until it was seen", async () => {
      const u = await createUser(suite);
      await u.put("email", "x", 1);
      await u.deliver("a");
      const unless = { sendUnless: "there" as const };
      for (const [version, awaiting, digest] of [
        [2, true, "x"],
        [3, false, ""],
      ] as const) {
        await u.putAll({ ...wanted("email", "x", version), ...unless });
        const claimed = await u.claim(`look ${version}`);
        const settlement = { ...unchanged(heldOf(claimed, "email").version), awaiting };
        await u.settle(`look ${version}`, { email: settlement });
        assert.equal((await u.ledger())["email"]?.digest, digest);
      }
    });

    test("leaves what arrived meanwhile pending and due", async () => {
      const u = await createUser(suite);
      await u.putAll(wanted("name", "x", 1), wanted("nickname", "w", 1));
      const claimed = await u.claim("a");
      await u.put("name", "y", 2);
      const settled = await u.settle("a", {
        name: applied(heldOf(claimed, "name").version),
        nickname: applied(heldOf(claimed, "nickname").version),
      });
      assert.equal(settled.dueInMs, 0);
      assert.deepEqual(await u.deliver("b"), { name: "y" });
      assert.deepEqual(await u.books(), { received: 3, applied: 3 });
    });

    test("of a part leaves the rest claimed, under a renewed lease", async () => {
      const u = await createUser(suite);
      await u.putAll(wanted("name", "x", 1), wanted("nickname", "y", 1));
      const claimed = await u.claim("a", LONG_MS);
      assert.ok(claimed.is === "claimed");
      const settled = await u.settle("a", { name: applied(heldOf(claimed, "name").version) }, 2 * LONG_MS);
      assert.ok(settled.dueInMs !== undefined && settled.dueInMs > LONG_MS);
      const claim = (await u.mailbox())?.claim;
      assert.deepEqual(Object.keys(claim?.units ?? {}), ["nickname"]);
      assert.ok(claim && claim.leaseUntil > claimed.leaseUntil);
      assert.equal((await u.claim("b")).is, "busy");
      assert.deepEqual(await u.books(), { received: 2, applied: 1, pending: 1 });
    });

    test("has a flag go again after an older address that arrived while it was in flight", async () => {
      const u = await createUser(suite);
      await u.put("email_verified", "true", 2);
      const { version } = heldOf(await u.claim("a"), "email_verified");
      await u.put("email", "new", 1);
      await u.settle("a", { email_verified: applied(version) });
      assert.deepEqual(await u.books(), { received: 2, pending: 2 });
      assert.deepEqual(await u.deliver("b"), { email: "new", email_verified: "true" });
      assert.deepEqual(await u.books(), { received: 2, applied: 2 });
    });

    test("has a flag that could not be sent go after the address that was written before it", async () => {
      const u = await createUser(suite);
      const flag = (version: number) => ({
        ...wanted("email_verified", "true", version),
        sendUnless: "written" as const,
      });
      await u.putAll(flag(1));
      await u.deliver("a");
      await u.putAll(wanted("email", "new", 2), flag(3));
      const claimed = await u.claim("b");
      const [address, again] = [heldOf(claimed, "email").version, heldOf(claimed, "email_verified").version];
      await u.settle("b", { email: applied(address), email_verified: retry(again, 0) });
      assert.deepEqual(await u.deliver("c"), { email_verified: "true" });
    });

    test("of nothing renews the lease", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const claimed = await u.claim("a", LONG_MS);
      await u.settle("a", {}, 2 * LONG_MS);
      const { leaseUntil } = (await u.mailbox())?.claim ?? { leaseUntil: 0 };
      assert.ok(claimed.is === "claimed" && leaseUntil > claimed.leaseUntil);
    });

    test("passes over units and versions that the claim does not hold", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const { version } = heldOf(await u.claim("a"), "name");
      const before = { ...(await u.mailbox())?.claim?.units };
      await u.settle("a", { nickname: applied(version), name: applied(version.replace(/\d$/, "x")) });
      assert.deepEqual({ ...(await u.mailbox())?.claim?.units }, before);
      assert.deepEqual(await u.books(), { received: 1, pending: 1 });
    });

    test("counts once, though it is said twice", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const { version } = heldOf(await u.claim("a"), "name");
      await Promise.all([1, 2].map(() => u.settle("a", { name: applied(version) })));
      assert.deepEqual(await u.books(), { received: 1, applied: 1 });
    });
  });

  describe("settle: what counts", () => {
    test("are answered failures as attempts, and those without an answer as faults", async () => {
      const u = await createUser(suite);
      await u.putAll(wanted("name", "x", 1), wanted("nickname", "y", 1), wanted("profile", "z", 1));
      const first = await u.claim("a");
      await u.settle("a", {
        name: retry(heldOf(first, "name").version, 0, { counts: "attempt" }),
        nickname: retry(heldOf(first, "nickname").version, 0, { counts: "fault" }),
        profile: retry(heldOf(first, "profile").version, 0, { counts: "nothing" }),
      });
      const second = await u.claimInTime("b");
      const counts = ["name", "nickname", "profile"].map((name) => {
        const { attempts, faults, deaths } = heldOf(second, name);
        return [attempts, faults, deaths];
      });
      assert.deepEqual(counts, [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 0],
      ]);
      assert.deepEqual(await u.books(), { received: 3, pending: 3 });
    });

    test("stays with the unit through throttles and deaths", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const { version } = heldOf(await u.claim("a"), "name");
      await u.settle("a", { name: retry(version, 0, { counts: "attempt" }) });
      await u.dies("b", "name");
      heldOf(await u.claimInTime("c"), "name");
      await u.settle("c", { name: retry(version, 0) });
      const { attempts, deaths } = heldOf(await u.claimInTime("d"), "name");
      assert.deepEqual([attempts, deaths], [1, 1]);
    });

    test("begins anew with a newer value, and the older is superseded when it comes back", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const { version } = heldOf(await u.claim("a"), "name");
      await u.put("name", "y", 2);
      await u.settle("a", { name: retry(version, LONG_MS, { counts: "attempt" }) });
      const unit = heldOf(await u.claimInTime("b"), "name");
      assert.deepEqual([unit.body, unit.attempts], ["y", 0]);
      assert.deepEqual(await u.books(), { received: 2, superseded: 1, pending: 1 });
    });

    test("waits as long as it is told", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const { version } = heldOf(await u.claim("a"), "name");
      const { dueInMs } = await u.settle("a", { name: retry(version, LONG_MS) });
      assert.ok(dueInMs !== undefined && dueInMs > LONG_MS / 2 && dueInMs <= LONG_MS);
      assert.equal((await u.claim("b")).is, "later");
    });
  });

  describe("settle: a call of unknown fate", () => {
    const fate = { counts: "fault", fateUnknown: true } as const;

    test("makes a different value wait that comes after it", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const { version } = heldOf(await u.claim("a"), "name");
      await u.settle("a", { name: retry(version, 0, fate) });
      await u.put("name", "y", 2);
      const answer = await u.claim("b");
      assert.ok(answer.is === "later" && answer.retryInMs > COOLDOWN_MS / 2 && answer.retryInMs <= COOLDOWN_MS);
      if (suite.movesTime) assert.deepEqual(await u.deliver("b"), { name: "y" });
    });

    test("makes a different value wait that came before its end", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const { version } = heldOf(await u.claim("a"), "name");
      await u.put("name", "y", 2);
      const { dueInMs } = await u.settle("a", { name: retry(version, 0, fate) });
      assert.ok(dueInMs !== undefined && dueInMs > COOLDOWN_MS / 2 && dueInMs <= COOLDOWN_MS);
      assert.equal((await u.claim("b")).is, "later");
    });

    test("lets the same value go at once", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const { version } = heldOf(await u.claim("a"), "name");
      await u.settle("a", { name: retry(version, 0, fate) });
      await u.put("name", "x", 2);
      const unit = heldOf(await u.claimInTime("b"), "name");
      assert.deepEqual([unit.body, unit.faults], ["x", 0]);
    });

    test("makes the flag of an address wait, and the address of a flag", async () => {
      for (const [first, then] of [
        ["email", "email_verified"],
        ["email_verified", "email"],
      ] as const) {
        const u = await createUser(suite);
        await u.put(first, "true", 1);
        const { version } = heldOf(await u.claim("a"), first);
        await u.settle("a", { [first]: retry(version, 0, fate) });
        await u.put(then, "new", 2);
        const waiting = (await u.mailbox())?.pending;
        assert.ok(waiting?.[then] && waiting[then].notBefore > (waiting[first]?.notBefore ?? 0));
      }
    });

    test("makes every value wait where two different ones are on their way", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const late = await u.dies("a", "name");
      const unit = heldOf(await u.claimInTime("b"), "name");
      await u.settle("a", { name: retry(late, 0, fate) });
      const { dueInMs } = await u.settle("b", { name: retry(unit.version, 0, fate) });
      assert.ok(dueInMs !== undefined && dueInMs > COOLDOWN_MS / 2);
    });

    test("leaves other units alone", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const { version } = heldOf(await u.claim("a"), "name");
      await u.settle("a", { name: retry(version, LONG_MS, fate) });
      await u.put("nickname", "y", 2);
      assert.deepEqual(await u.words("b"), { nickname: "y" });
    });
  });
}
