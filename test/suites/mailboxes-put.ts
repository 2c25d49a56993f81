import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ordinalText, timeOf } from "../../src/core/version.ts";
import { bodyOf, valueOf } from "../../src/store/keyring.ts";
import { createUser, ordinal, wanted, withoutPlace } from "./mailbox-user.ts";
import { putThereCases } from "./mailboxes-put-look.ts";
import type { Suite } from "./open-store.ts";

export function putCases(suite: Suite): void {
  putThereCases(suite);

  describe("put: a value among its rivals", () => {
    test("is pending where there are none", async () => {
      const u = await createUser(suite);
      assert.deepEqual(withoutPlace(await u.put("name", "x", 1)), {
        accepted: true,
        cursor: "",
        ahead: 0,
        stale: [],
        waiting: [u.user],
      });
      assert.deepEqual(await u.pending(), { name: "x" });
      assert.deepEqual(await u.books(), { received: 1, pending: 1 });
    });

    test("is stale where the ledger is newer", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 2);
      await u.deliver("a");
      const { stale } = await u.put("name", "y", 1);
      assert.deepEqual(stale, [{ user: u.user, name: "name" }]);
      assert.deepEqual(await u.pending(), {});
      assert.deepEqual(await u.books(), { received: 2, applied: 1, stale: 1 });
    });

    test("is superseded where a newer one is pending", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 2);
      await u.put("name", "y", 1);
      assert.deepEqual(await u.pending(), { name: "x" });
      assert.deepEqual(await u.books(), { received: 2, pending: 1, superseded: 1 });
    });

    test("is superseded where a newer one is in flight", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 2);
      await u.claim("a");
      await u.put("name", "y", 1);
      assert.deepEqual(await u.pending(), {});
      assert.deepEqual(await u.books(), { received: 2, pending: 1, superseded: 1 });
    });

    test("replaces an older one, which is superseded in its own run", async () => {
      const u = await createUser(suite);
      const other = await u.newRun();
      await u.put("name", "x", 1);
      await u.put("name", "y", 2, { run: other });
      assert.deepEqual(await u.pending(), { name: "y" });
      assert.deepEqual(await u.books(), { received: 1, superseded: 1 });
      assert.deepEqual(await u.books(other), { received: 1, pending: 1 });
    });

    test("wins over another of its version that came before", async () => {
      const u = await createUser(suite);
      await u.put("name", "y", 1);
      await u.put("name", "x", 1);
      assert.deepEqual(await u.pending(), { name: "x" });
      assert.deepEqual(await u.books(), { received: 2, pending: 1, superseded: 1 });
    });

    test("wins as the last of three of one version, though it equals the first, which is in flight", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      await u.claim("a");
      await u.put("name", "y", 1);
      await u.put("name", "x", 1);
      assert.deepEqual(await u.pending(), { name: "x" });
      assert.deepEqual(await u.books(), { received: 3, pending: 2, superseded: 1 });
    });

    test("arrives in the order of the page", async () => {
      const u = await createUser(suite);
      await u.putAll(wanted("name", "x", 1), wanted("name", "y", 1), wanted("name", "w", 0));
      assert.deepEqual(await u.pending(), { name: "y" });
      assert.deepEqual(await u.books(), { received: 3, pending: 1, superseded: 2 });
    });
  });

  describe("put: a page is put as one", () => {
    test("with what was invalid in it, its rows and the feed's cursor", async () => {
      const u = await createUser(suite);
      const put = await u.put("name", "x", 1, {
        invalid: 3,
        rows: { read: 5, faulty: 1 },
        cursor: { from: "", to: "row 5" },
      });
      assert.deepEqual(withoutPlace(put), { accepted: true, cursor: "row 5", ahead: 0, stale: [], waiting: [u.user] });
      assert.deepEqual(await u.books(), { received: 4, invalid: 3, pending: 1 });
      const run = await suite.store.runs.get(u.run);
      assert.deepEqual([run?.cursor, run?.rows], ["row 5", { read: 5, faulty: 1 }]);
    });

    test("not at all where the cursor is elsewhere", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1, { rows: { read: 1, faulty: 0 }, cursor: { from: "", to: "row 1" } });
      const put = await u.put("name", "y", 2, {
        invalid: 1,
        rows: { read: 1, faulty: 0 },
        cursor: { from: "", to: "row 2" },
      });
      assert.deepEqual(withoutPlace(put), { accepted: false, cursor: "row 1", ahead: 0, stale: [], waiting: [] });
      assert.deepEqual(await u.pending(), { name: "x" });
      assert.deepEqual(await u.books(), { received: 1, pending: 1 });
      assert.deepEqual((await suite.store.runs.get(u.run))?.rows, { read: 1, faulty: 0 });
    });

    test("not at all where there is no such run", async () => {
      const u = await createUser(suite);
      const before = await suite.store.runs.books();
      for (const cursor of [undefined, { from: "", to: "row 1" }]) {
        const rest = { run: "forgotten", invalid: 1, ...(cursor ? { cursor } : {}) };
        await assert.rejects(u.put("name", "x", 1, rest), { name: "StoreError", kind: "run-lost" });
      }
      assert.equal(await u.mailbox(), undefined);
      assert.deepEqual(await suite.store.runs.books(), before);
      assert.equal(await suite.store.mailboxes.dueCount(u.pool), 0);
    });

    test("without changes it still moves the cursor", async () => {
      const u = await createUser(suite);
      const { mailboxes } = suite.store;
      await mailboxes.put(u.page([], { rows: { read: 2, faulty: 2 }, cursor: { from: "", to: "row 2" } }));
      const put = await u.put("name", "x", 1, { cursor: { from: "row 2", to: "row 3" } });
      assert.deepEqual(withoutPlace(put), { accepted: true, cursor: "row 3", ahead: 0, stale: [], waiting: [u.user] });
      assert.deepEqual(await u.books(), { received: 1, pending: 1 });
    });

    test("by one of several who put it at once", async () => {
      const u = await createUser(suite);
      const puts = await Promise.all(
        ["x", "y", "z"].map((word) => u.put("name", word, 1, { cursor: { from: "", to: word } })),
      );
      const winners = puts.filter(({ accepted }) => accepted);
      assert.equal(winners.length, 1);
      assert.deepEqual(await u.pending(), { name: winners[0]?.cursor });
      assert.deepEqual(await u.books(), { received: 1, pending: 1 });
    });

    test("with many others at once the books balance and the newest value waits", async () => {
      const u = await createUser(suite);
      const versions = Array.from({ length: 40 }, (_, index) => (index * 17) % 40);
      await Promise.all(versions.map((version) => u.put("name", `word ${version}`, version)));
      assert.deepEqual(await u.pending(), { name: "word 39" });
      assert.deepEqual(await u.books(), { received: 40, pending: 1, superseded: 39 });
    });
  });

  describe("put: versions", () => {
    test("are the store's time where the source has none", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      await u.put("name", "y", undefined);
      await u.put("name", "z", undefined);
      assert.deepEqual(await u.pending(), { name: "z" });
      await u.put("name", "w", 2);
      assert.deepEqual(await u.pending(), { name: "z" });
    });

    test("are invalid more than five minutes ahead of the store's clock", async () => {
      const u = await createUser(suite);
      await u.put("zoneinfo", "x", undefined);
      const nowMs = timeOf((await u.mailbox())?.pending["zoneinfo"]?.version ?? "");
      const ahead = (minutes: number) => ordinalText({ timeMs: nowMs + minutes * 60_000, sequence: 0 });
      const put = await u.putAll(
        wanted("name", "y", ahead(6)),
        wanted("nickname", "z", ahead(4)),
        wanted("profile", "w", ahead(60 * 24)),
      );
      assert.deepEqual(withoutPlace(put), { accepted: true, cursor: "", ahead: 2, stale: [], waiting: [u.user] });
      assert.deepEqual(await u.pending(), { zoneinfo: "x", nickname: "z" });
      assert.deepEqual(await u.books(), { received: 4, pending: 2, invalid: 2 });
    });

    test("are ordered by time, then by sequence", async () => {
      const u = await createUser(suite);
      const at = (sequence: number) => ordinalText({ timeMs: 1_700_000_000_000, sequence });
      await u.put("name", "x", at(10));
      await u.put("name", "y", at(9));
      assert.deepEqual(await u.pending(), { name: "x" });
      await u.put("name", "z", ordinalText({ timeMs: 1_700_000_000_001, sequence: 0 }));
      assert.deepEqual(await u.pending(), { name: "z" });
    });

    test("of letters and mailboxes keep the arrival that they were given", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      const version = (await u.mailbox())?.pending["name"]?.version ?? "";
      assert.match(version, /^\d{15}\.\d{16}\.\d{16}$/);
      assert.ok(version.startsWith(ordinal(1)));
      const letter = await u.buries("a", "name");
      await suite.store.mailboxes.replay([letter.id], 10);
      assert.equal((await u.mailbox())?.pending["name"]?.version, version);
    });
  });

  describe("put: units", () => {
    test("of different changes are claimed together", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 2);
      await u.put("nickname", "y", 1);
      assert.deepEqual(await u.words("a"), { name: "x", nickname: "y" });
    });

    test("may clear an attribute, and hold any text", async () => {
      const u = await createUser(suite);
      const texts = ["Zoë O’Hara-Łuć", '{"a":[1,"\\u0000"]}', "line\nline\ttab\\", "👩‍👩‍👧 ", "%s'; --", "é".repeat(2048)];
      const values = texts.map((text) => ({ kind: "text", text }) as const);
      await u.putAll(
        wanted("custom:cleared", bodyOf({ kind: "clear" }), 1),
        ...values.map((value, index) => wanted(`custom:${index}`, bodyOf(value), 1)),
      );
      const words = await u.words("a");
      assert.deepEqual(valueOf(words["custom:cleared"] ?? ""), { kind: "clear" });
      values.forEach((value, index) => assert.deepEqual(valueOf(words[`custom:${index}`] ?? ""), value));
    });

    test("may be called what every object has a property of", async () => {
      const u = await createUser(suite);
      await u.putAll(wanted("__proto__", "x", 1), wanted("constructor", "y", 1), wanted("toString", "z", 1));
      const words = { ["__proto__"]: "x", constructor: "y", toString: "z" };
      assert.deepEqual(new Map(Object.entries(await u.pending())), new Map(Object.entries(words)));
      assert.deepEqual(new Map(Object.entries(await u.deliver("a"))), new Map(Object.entries(words)));
      assert.deepEqual(new Set(Object.keys(await u.ledger())), new Set(Object.keys(words)));
      assert.deepEqual(await u.books(), { received: 3, applied: 3 });
    });

    test("take the more urgent priority of those that wait", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1, { priority: 10 });
      await u.put("nickname", "y", 1, { priority: 1 });
      await u.put("profile", "z", 1, { priority: 10 });
      const claimed = await u.claim("a");
      assert.equal(claimed.is === "claimed" && claimed.priority, 1);
    });
  });

  describe("put: a flag for the value that is there", () => {
    test("is superseded by a newer value that waits", async () => {
      const u = await createUser(suite);
      await u.put("email", "new", 2);
      await u.put("email_verified", "true", 1);
      assert.deepEqual(await u.pending(), { email: "new" });
      assert.deepEqual(await u.books(), { received: 2, pending: 1, superseded: 1 });
    });

    test("is superseded by a newer value that is in flight", async () => {
      const u = await createUser(suite);
      await u.put("phone_number", "new", 2);
      await u.claim("a");
      await u.put("phone_number_verified", "true", 1);
      assert.deepEqual(await u.pending(), {});
      assert.deepEqual(await u.books(), { received: 2, pending: 1, superseded: 1 });
    });

    test("goes when a newer value comes", async () => {
      const u = await createUser(suite);
      await u.put("email_verified", "true", 1);
      await u.put("email", "new", 2);
      assert.deepEqual(await u.pending(), { email: "new" });
      assert.deepEqual(await u.books(), { received: 2, pending: 1, superseded: 1 });
    });

    test("stays beside an older value", async () => {
      const u = await createUser(suite);
      await u.put("email_verified", "true", 2);
      await u.put("email", "new", 1);
      assert.deepEqual(await u.pending(), { email: "new", email_verified: "true" });
    });

    test("is stale where a newer value was applied", async () => {
      const u = await createUser(suite);
      await u.put("email", "new", 2);
      await u.deliver("a");
      await u.put("email_verified", "true", 1);
      assert.deepEqual(await u.books(), { received: 2, applied: 1, stale: 1 });
    });

    test("has nothing to do with the other contact", async () => {
      const u = await createUser(suite);
      await u.put("phone_number", "new", 2);
      await u.put("email_verified", "true", 1);
      assert.deepEqual(await u.pending(), { phone_number: "new", email_verified: "true" });
    });
  });
}
