import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MAX_LEAD_MS, ordinalText } from "../../src/core/version.ts";
import type { inboxStage } from "./inbox-stage.ts";
import { createUser, wanted } from "./mailbox-user.ts";
import type { Suite } from "./open-store.ts";

/** What a put does with the entries that it comes of. */
export function inboxPutCases(suite: Suite, stage: ReturnType<typeof inboxStage>): void {
  describe("an entry that becomes changes", () => {
    test("is gone in the step that puts them", async () => {
      const { inbox, entry, add, take } = await stage();
      const u = await createUser(suite);
      const [one, two] = [entry(), entry()];
      await add(one, two);
      const entries = await take();
      const put = await suite.store.mailboxes.put({ ...u.page([wanted("name", "x", 1)]), entries });
      assert.equal(put.accepted, true);
      assert.deepEqual(await u.pending(), { name: "x" });
      for (const { id } of [one, two]) assert.equal(await inbox.get(id), undefined);
      const { waiting, taken, bytes } = await inbox.counts();
      assert.deepEqual([waiting, taken, bytes], [0, 0, 0]);
      const again = await suite.store.mailboxes.put({ ...u.page([wanted("name", "y", 2)]), entries });
      assert.equal(again.accepted, false);
      assert.deepEqual(await u.pending(), { name: "x" });
    });

    test("refuses the whole page where one of them is not there, or is another drainer's", async () => {
      const { inbox, entry, add, take } = await stage();
      const u = await createUser(suite);
      const [one, two] = [entry(), entry()];
      await add(one, two);
      const late = await take({ leaseMs: 50 });
      await suite.passes(60);
      const other = await take({ limit: 1 });
      const cursor = { from: "", to: "end" };
      const page = { ...u.page([wanted("name", "x", 1)], { invalid: 1, rows: { read: 2, faulty: 1 }, cursor }) };
      for (const entries of [
        late,
        { token: other.token, ids: [one.id, two.id] },
        { token: other.token, ids: [one.id, "no such entry"] },
      ]) {
        const put = await suite.store.mailboxes.put({ ...page, entries });
        assert.deepEqual([put.accepted, put.cursor, put.waiting], [false, "", []]);
      }
      assert.equal(await u.mailbox(), undefined);
      assert.deepEqual(await u.books(), {});
      assert.deepEqual((await suite.store.runs.get(u.run))?.rows, { read: 0, faulty: 0 });
      const wrong = { ...page, cursor: { from: "elsewhere", to: "end" }, entries: other };
      assert.equal((await suite.store.mailboxes.put(wrong)).accepted, false);
      assert.ok(await inbox.get(one.id), "a page that is refused for its cursor takes no entry away");
      const put = await suite.store.mailboxes.put({ ...page, entries: other });
      assert.deepEqual([put.accepted, put.cursor], [true, "end"]);
    });

    test("is still there where the run of the page is not", async () => {
      const { inbox, entry, add, take } = await stage();
      const u = await createUser(suite);
      await add(entry());
      const entries = await take();
      const lost = { ...u.page([wanted("name", "x", 1)]), run: suite.fresh("no such run"), entries };
      await assert.rejects(suite.store.mailboxes.put(lost), { kind: "run-lost" });
      assert.ok(await inbox.get(entries.ids[0] ?? ""));
    });

    test("is still there where the run of the page has ended, which takes other pages", async () => {
      const { inbox, entry, add, take } = await stage();
      const u = await createUser(suite);
      await add(entry());
      const entries = await take();
      await suite.store.runs.advance(u.run, "finished");
      const page = u.page([wanted("name", "x", 1)]);
      await assert.rejects(suite.store.mailboxes.put({ ...page, entries }), { kind: "run-ended" });
      assert.ok(await inbox.get(entries.ids[0] ?? ""));
      assert.deepEqual(await u.books(), {});
      assert.equal((await suite.store.mailboxes.put(page)).accepted, true);
    });

    test("is still there where its version is ahead of the store's clock", async () => {
      const { inbox, entry, add, take } = await stage();
      const u = await createUser(suite);
      await add(entry());
      const entries = await take();
      const timeMs = (await suite.store.now()) + 2 * MAX_LEAD_MS;
      const page = u.page([{ ...wanted("name", "x", 1), ordinal: ordinalText({ timeMs, sequence: 0 }) }]);
      assert.equal((await suite.store.mailboxes.put({ ...page, entries })).accepted, false);
      assert.ok(await inbox.get(entries.ids[0] ?? ""));
      assert.deepEqual(await u.books(), {});
      assert.equal((await suite.store.mailboxes.put(page)).ahead, 1);
    });

    test("of which something cannot become a change is parked in that step with the rest, or not at all", async () => {
      const { inbox, entry, add, take, parkedIds } = await stage();
      const u = await createUser(suite);
      const [whole, some, other] = [entry(), entry(), entry()];
      await add(whole, some, other);
      const taken = await take();
      const before = await inbox.get(some.id);
      const rest = { id: some.id, reason: "nobody", body: "b:the rest, which is longer than all of it was" };
      const page = u.page([wanted("name", "x", 1)]);
      const refused = { token: "another", ids: [whole.id, some.id], parked: [rest] };
      assert.equal((await suite.store.mailboxes.put({ ...page, entries: refused })).accepted, false);
      assert.deepEqual(await inbox.get(some.id), before);
      const entries = { token: taken.token, ids: [whole.id, some.id], parked: [rest] };
      assert.equal((await suite.store.mailboxes.put({ ...page, entries })).accepted, true);
      assert.equal(await inbox.get(whole.id), undefined);
      assert.deepEqual(await parkedIds({ reason: "nobody" }), [some.id]);
      const { parked, ...parkedEntry } = (await inbox.get(some.id)) ?? assert.fail();
      assert.deepEqual(parkedEntry, { ...before, body: rest.body });
      assert.equal(parked?.reason, "nobody");
      const counts = await inbox.counts();
      assert.deepEqual([counts.taken, counts.bytes], [1, other.body.length]);
      assert.deepEqual([counts.parked.entries, counts.parked.bytes], [1, rest.body.length]);
      assert.deepEqual(await inbox.verify(), { lost: 0, miscounted: 0 });
      assert.deepEqual(await inbox.replay([some.id]), [some.id]);
      assert.deepEqual((await take()).ids, [some.id]);
    });

    test("is the drainer's still where a later page has the rest of it, which alone is left in it", async () => {
      const { inbox, entry, add, take } = await stage();
      const u = await createUser(suite);
      const [large, other] = [entry(), entry()];
      await add(large, other);
      const taken = await take({ leaseMs: 50 });
      const before = await inbox.get(large.id);
      const kept = [{ id: large.id, body: "b:the rest, which is longer than all of it was" }];
      const ref = { token: taken.token, ids: [large.id, other.id] };
      const put = await suite.store.mailboxes.put({ ...u.page([wanted("name", "x", 1)]), entries: { ...ref, kept } });
      assert.equal(put.accepted, true);
      assert.deepEqual(await inbox.get(large.id), { ...before, body: kept[0]?.body });
      assert.equal(await inbox.get(other.id), undefined);
      const counts = await inbox.counts();
      assert.deepEqual([counts.bytes, counts.parked.entries], [kept[0]?.body.length, 0]);
      assert.deepEqual(await inbox.verify(), { lost: 0, miscounted: 0 });
      await suite.passes(60);
      const next = await take();
      assert.deepEqual([next.ids, next.entries[0]?.body], [[large.id], kept[0]?.body]);
      const late = { ...u.page([wanted("name", "y", 2)]), entries: { token: taken.token, ids: [large.id] } };
      assert.equal((await suite.store.mailboxes.put(late)).accepted, false);
      const last = await suite.store.mailboxes.put({ ...u.page([wanted("name", "z", 3)]), entries: next });
      assert.deepEqual([last.accepted, await inbox.get(large.id)], [true, undefined]);
      assert.deepEqual(await u.pending(), { name: "z" });
    });

    test("gives them its arrival, which decides between equal times whoever puts first", async () => {
      const { entry, add, take } = await stage();
      const u = await createUser(suite);
      await add(entry(), entry());
      const [first, second] = [await take({ limit: 1 }), await take({ limit: 1 })];
      for (const [taken, word] of [
        [second, "second"],
        [first, "first"],
      ] as const) {
        const { arrival } = taken.entries[0] ?? assert.fail();
        const page = u.page([wanted("name", word, 1)]);
        const changes = page.changes.map((change) => ({ ...change, arrival }));
        await suite.store.mailboxes.put({ ...page, changes, entries: taken });
      }
      assert.deepEqual(await u.pending(), { name: "second" });
      assert.equal((await u.books())["superseded"], 1);
    });
  });
}
