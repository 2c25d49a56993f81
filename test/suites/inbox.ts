import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { REPEAT_MS } from "../../src/core/inbox.ts";
import { inboxPutCases } from "./inbox-put.ts";
import { inboxStage, LEASE_MS, LIMITS } from "./inbox-stage.ts";
import { createUser } from "./mailbox-user.ts";
import { openForSuite } from "./open-store.ts";
import type { Open, Time } from "./open-store.ts";

const NO_BOUNDS = { keepMs: 1e12, entries: 1e9, bytes: 1e12 };

/** What every store must do with the inbox. */
export function inboxSuite(name: string, open: Open, time: Time): void {
  describe(`the inbox: ${name}`, () => {
    const suite = openForSuite(open, time);

    const stage = inboxStage(suite);

    test("gives what arrived to a drainer, whole and in order of arrival", async () => {
      const { feed, entry, add, take } = await stage();
      const [one, two, three] = [entry({ feed: `${feed}, "the" first` }), entry(), entry()];
      const [first, second] = await add(one, two);
      const [third] = await add(three);
      assert.ok(first?.is === "added" && second?.is === "added" && third?.is === "added");
      assert.ok(first.arrival < second.arrival && second.arrival < third.arrival);
      assert.equal(first.arrivedAt, second.arrivedAt);
      const { entries } = await take();
      assert.deepEqual(
        entries.map((taken) => ({ ...taken })),
        [one, two, three].map(({ id, feed: of, body }, index) => {
          const { arrival, arrivedAt } = [first, second, third][index] ?? assert.fail();
          return { id, feed: of, arrival, arrivedAt, body };
        }),
      );
    });

    test("has arrivals from the counter of changes", async () => {
      const { entry, add } = await stage();
      const u = await createUser(suite);
      const before = (await u.put("name", "x", 1)).arrival;
      const [added] = await add(entry());
      const after = (await u.put("name", "y", 2)).arrival;
      assert.ok(added?.is === "added" && before < added.arrival && added.arrival < after);
    });

    test("takes an event once, and keeps the first entry of one that comes again", async () => {
      const { inbox, entry, add, take } = await stage();
      const first = entry();
      const again = { ...first, body: "b:other" };
      const [added, twin] = await add(first, again);
      assert.ok(added?.is === "added");
      const repeated = { is: "repeated", arrivedAt: added.arrivedAt };
      assert.deepEqual(twin, repeated);
      const answers = await Promise.all([inbox.add([again], LIMITS), inbox.add([entry(), again], LIMITS)]);
      assert.deepEqual(answers[0], [repeated]);
      assert.deepEqual(answers[1]?.[1], repeated);
      const { token, entries, ids } = await take();
      assert.deepEqual([entries[0]?.body, entries[0]?.arrival], [first.body, added.arrival]);
      assert.deepEqual(await add(again), [repeated], "while it is taken");
      await inbox.done({ token, ids });
      assert.deepEqual(await add(again), [repeated], "once it is drained");
      assert.deepEqual((await take()).ids, []);
    });

    suite.hours("knows an event for four days, and for as long as its entry lies there", async () => {
      const { inbox, entry, add, park } = await stage();
      const [drained, lying] = [entry(), entry()];
      await park("nobody", lying);
      const [first] = await add(drained);
      const taken = await inbox.take("token of the first", { leaseMs: LEASE_MS, limit: 9, maxBytes: 999 });
      await inbox.done({ token: "token of the first", ids: taken.entries.map(({ id }) => id) });
      await suite.passes(REPEAT_MS - 1);
      assert.deepEqual(await add(drained), [{ is: "repeated", arrivedAt: first?.arrivedAt }]);
      await suite.passes(1);
      const [again, other] = await add(drained, lying);
      assert.equal(again?.is, "added");
      assert.equal(other?.is, "repeated");
      // What was forgotten on the way is what nobody repeats any more.
      for (let count = 0; count < 5; count += 1) await add(entry());
      assert.equal((await add(drained))[0]?.is, "repeated");
    });

    test("is full for a batch as a whole, and not for what came before, and parked entries keep nobody out", async () => {
      const { inbox, entry, add, take, park } = await stage();
      await park("nobody", entry(), entry());
      const there = [entry({ body: "b:12345678" }), entry({ body: "b:12345678" })];
      await add(...there);
      const more = [entry({ body: "b:12345678" }), entry({ body: "b:12345678" })];
      const full = { entries: 3, bytes: 100 };
      assert.equal(await inbox.add(more, full), "full");
      assert.equal(await inbox.add(more, { entries: 100, bytes: 39 }), "full");
      assert.equal((await inbox.counts()).waiting, 2);
      assert.equal((await inbox.add(there, { entries: 0, bytes: 0 }))[0]?.["is" as never], "repeated");
      const each = await Promise.all([...more, ...there].map((one) => inbox.add([one], full)));
      assert.deepEqual(
        each.map((answer) => (answer === "full" ? answer : answer[0]?.is)),
        ["added", "full", "repeated", "repeated"],
      );
      const taken = await take({ limit: 1 });
      assert.equal(await inbox.add([entry({ body: "b:" })], full), "full", "what is taken lies there");
      await inbox.done(taken);
      assert.notEqual(await inbox.add(more.slice(1), { entries: 3, bytes: 30 }), "full");
      assert.deepEqual(await inbox.add([], { entries: 0, bytes: 0 }), []);
    });

    test("tells what of a feed came before and is to be drained yet: what waits, for a time as well, and what is taken", async () => {
      const { inbox, feed, entry, add, take, park } = await stage();
      const later = (await suite.store.now()) + 300;
      const [taken, ahead, waiting] = [entry(), entry({ notBefore: later }), entry()];
      await add(taken);
      await take();
      await park("nobody", entry());
      await add(ahead, entry({ feed: `${feed}, another` }), waiting);
      const [last, behind] = [entry(), entry()];
      const added = await add(last, behind);
      const before = added[0]?.is === "added" ? added[0].arrival : 0;
      const older = async (options: Partial<Parameters<typeof inbox.older>[0]> = {}) => {
        const { entries, isCut } = await inbox.older({ feed, before, limit: 10, maxBytes: 1_000, ...options });
        for (const one of entries) assert.equal(one.body, `b:${one.id}`);
        return { ids: entries.map(({ id }) => id).toSorted(), isCut };
      };
      const all = [taken, ahead, waiting].map(({ id }) => id).toSorted();
      assert.deepEqual(await older(), { ids: all, isCut: false });
      assert.deepEqual(await older({ limit: 3 }), { ids: all, isCut: false });
      for (const options of [{ limit: 2 }, { maxBytes: 2 * Buffer.byteLength(`b:${taken.id}`) + 1 }]) {
        const { ids, isCut } = await older(options);
        assert.deepEqual([ids.length, isCut], [2, true]);
      }
      assert.deepEqual((await older({ maxBytes: 1 })).ids.length, 1, "the first whatever its size");
      assert.deepEqual(await older({ before: 0 }), { ids: [], isCut: false });
      // The next case has it.
      await suite.passes(300);
    });

    test("gives an entry to one drainer at a time, by count and by bytes", async () => {
      const { entry, add, take } = await stage();
      const all = Array.from({ length: 12 }, () => entry({ body: "b:12345678" }));
      await add(...all);
      const parts = await Promise.all([
        take({ limit: 3 }),
        take({ limit: 4 }),
        take({ maxBytes: 29 }),
        take({ maxBytes: 1 }),
      ]);
      assert.deepEqual(
        parts.map(({ ids }) => ids.length),
        [3, 4, 2, 1],
      );
      assert.equal(parts[3]?.nextInMs, 0);
      const rest = await take();
      assert.deepEqual(
        [...parts.flatMap(({ ids }) => ids), ...rest.ids].toSorted(),
        all.map(({ id }) => id).toSorted(),
      );
      for (const { ids } of parts)
        assert.deepEqual(
          ids,
          all.map(({ id }) => id).filter((id) => ids.includes(id)),
        );
      const { ids, nextInMs } = await take();
      assert.deepEqual(ids, []);
      assert.ok(nextInMs !== undefined && nextInMs > 0 && nextInMs <= LEASE_MS);
    });

    test("gives what a drainer had to another once its lease has ended, and nothing to the late one any more", async () => {
      const { inbox, entry, add, take } = await stage();
      const [one, two] = [entry(), entry()];
      await add(one, two);
      const late = await take({ leaseMs: 50 });
      assert.deepEqual((await take()).ids, []);
      await suite.passes(60);
      const next = await take({ limit: 1 });
      assert.deepEqual(next.ids, [one.id]);
      assert.deepEqual(await inbox.park(late, "nobody"), [], "what waits again is nobody's");
      assert.deepEqual(await inbox.done({ ...next, ids: [...late.ids, "no such entry"] }), [one.id]);
      assert.deepEqual(await inbox.done(late), []);
      assert.deepEqual((await take()).ids, [two.id]);
    });

    test("leaves an entry to a drainer for as long as it renews its lease, and renews none that is another's", async () => {
      const { inbox, entry, add, take } = await stage();
      const [one, two] = [entry(), entry()];
      await add(one, two);
      const first = await take({ leaseMs: 50, limit: 1 });
      const other = await take({ leaseMs: 50 });
      assert.deepEqual(await inbox.renew({ ...first, ids: [one.id, two.id, "no such entry"] }, 1_000), [one.id]);
      await suite.passes(60);
      assert.deepEqual((await take()).ids, [two.id]);
      assert.deepEqual(await inbox.renew(other, 1_000), []);
      assert.deepEqual(await inbox.renew(first, 50), [one.id]);
      await suite.passes(60);
      assert.deepEqual(await inbox.renew(first, 1_000), [one.id], "what nobody has taken since");
      const { ids, nextInMs } = await take();
      assert.deepEqual(ids, []);
      assert.ok(nextInMs !== undefined && nextInMs > 0 && nextInMs <= 1_000);
      await suite.passes(1_000);
      assert.deepEqual((await take()).ids, [one.id]);
      assert.deepEqual(await inbox.done(first), []);
    });

    test("leaves an entry to who has it after the lease, until somebody takes", async () => {
      const { inbox, entry, add, take } = await stage();
      await add(entry());
      const taken = await take({ leaseMs: 50 });
      await suite.passes(60);
      assert.deepEqual(await inbox.done(taken), taken.ids);
    });

    test("keeps an entry until its time has come, in the place of its arrival", async () => {
      const { inbox, entry, add, take } = await stage();
      const now = await suite.store.now();
      const [later, past, next] = [entry({ notBefore: now + 1_000 }), entry({ notBefore: now - 5 }), entry()];
      await add(later, past, next);
      const counts = await inbox.counts();
      assert.deepEqual([counts.waiting, counts.ahead], [2, 1]);
      const taken = await take();
      assert.deepEqual(taken.ids, [past.id, next.id]);
      assert.ok(taken.nextInMs !== undefined && taken.nextInMs > 0 && taken.nextInMs <= 1_000);
      const at = (await suite.store.now()) + 500;
      assert.deepEqual(await inbox.defer({ ...taken, ids: [next.id] }, at), [next.id]);
      assert.deepEqual(await inbox.defer({ ...taken, ids: [past.id, later.id] }, 0), [past.id]);
      const times = await Promise.all([next, past, later].map(async ({ id }) => (await inbox.get(id))?.notBefore));
      assert.deepEqual(times, [at, undefined, now + 1_000]);
      assert.deepEqual((await take({ limit: 1 })).ids, [past.id]);
      await suite.passes(1_000);
      assert.deepEqual((await take()).ids, [later.id, next.id]);
    });

    test("says that nothing is there by no time", async () => {
      const { entry, park, take } = await stage();
      await park("nobody", entry());
      assert.equal((await take()).nextInMs, undefined);
    });

    inboxPutCases(suite, stage);

    describe("an entry that cannot become a change", () => {
      test("is parked with its reason, found by feed, reason and time, and taken by nobody", async () => {
        const { inbox, feed, entry, park, take, parkedIds } = await stage();
        const [one, two, three] = [entry(), entry({ feed: `${feed} other` }), entry()];
        await park("nobody", one);
        await suite.passes(5);
        const since = await suite.store.now();
        await park("unreadable", two, three);
        assert.deepEqual((await take()).ids, []);
        assert.deepEqual(await parkedIds(), [one.id, two.id, three.id]);
        assert.deepEqual(await parkedIds({ feed }), [one.id, three.id]);
        assert.deepEqual(await parkedIds({ feed, reason: "unreadable" }), [three.id]);
        assert.deepEqual(await parkedIds({ since }), [two.id, three.id]);
        assert.deepEqual(await parkedIds({ until: since }), [one.id]);
        const [parked] = await Array.fromAsync(inbox.parked({ reason: "nobody" }));
        const { body, parked: how, ...found } = (await inbox.get(one.id)) ?? assert.fail();
        assert.deepEqual({ ...found, ...how }, { ...parked });
        assert.deepEqual([body, how?.reason], [one.body, "nobody"]);
        assert.ok((how?.parkedAt ?? 0) >= found.arrivedAt);
      });

      test("waits again with its arrival once it is replayed", async () => {
        const { inbox, entry, add, take, park, parkedIds } = await stage();
        const parked = entry();
        await park("nobody", parked);
        const later = entry();
        await add(later);
        assert.deepEqual(await inbox.replay(["no such entry", parked.id, later.id]), [parked.id]);
        assert.deepEqual(await inbox.replay([parked.id]), []);
        const taken = await take();
        assert.deepEqual(taken.ids, [parked.id, later.id]);
        await inbox.park({ ...taken, ids: [parked.id] }, "several");
        assert.deepEqual(await parkedIds({ reason: "several" }), [parked.id]);
      });

      test("is met once by who reads them all and replays them, though they are parked again", async () => {
        const { inbox, entry, take, park } = await stage();
        const all = Array.from({ length: 5 }, () => entry());
        await park("nobody", ...all);
        const met: string[] = [];
        for await (const { id } of inbox.parked({})) {
          met.push(id);
          await inbox.replay([id]);
          await inbox.park(await take(), "nobody");
          await park("nobody", entry());
        }
        assert.deepEqual(
          met,
          all.map(({ id }) => id),
        );
      });

      test("is gone once it is discarded, and known as one that came", async () => {
        const { inbox, entry, add, park, parkedIds } = await stage();
        const [parked, waiting] = [entry(), entry()];
        await park("nobody", parked);
        await add(waiting);
        assert.deepEqual(await inbox.discard([parked.id, waiting.id, parked.id]), [parked.id]);
        assert.deepEqual(await parkedIds(), []);
        assert.equal(await inbox.get(parked.id), undefined);
        assert.equal((await add(parked))[0]?.is, "repeated");
        assert.ok(await inbox.get(waiting.id));
      });

      test("goes once it is too old, or one of too many, the oldest first and so many at a time", async () => {
        const { inbox, entry, park, parkedIds } = await stage();
        const old = [entry({ body: "b:1" }), entry({ body: "b:2" })];
        await park("nobody", ...old);
        await suite.passes(200);
        const young = Array.from({ length: 4 }, () => entry({ body: "b:12345678" }));
        await park("nobody", ...young);
        const ids = young.map(({ id }) => id);
        assert.equal(await inbox.trim(NO_BOUNDS, 10), 0);
        assert.equal(await inbox.trim({ ...NO_BOUNDS, keepMs: 150 }, 1), 1);
        assert.equal(await inbox.trim({ ...NO_BOUNDS, keepMs: 150 }, 10), 1);
        assert.deepEqual(await parkedIds(), ids);
        assert.equal(await inbox.trim({ ...NO_BOUNDS, entries: 3 }, 10), 1);
        assert.equal(await inbox.trim({ ...NO_BOUNDS, bytes: 29 }, 10), 1);
        assert.deepEqual(await parkedIds(), ids.slice(2));
        assert.deepEqual((await inbox.counts()).parked.entries, 2);
      });
    });

    test("counts what a lease has ended of as what waits", async () => {
      const { inbox, entry, add, take } = await stage();
      const [first] = await add(entry());
      await add(entry());
      await take({ limit: 1, leaseMs: 50 });
      await suite.passes(60);
      const { waiting, taken, oldestAt } = await inbox.counts();
      assert.deepEqual([waiting, taken, oldestAt], [2, 0, first?.arrivedAt]);
    });

    // The last one: it leaves what waits for an hour.
    test("counts what waits, is taken and is parked, and since when the oldest waits", async () => {
      const { inbox, feed, entry, add, take, park } = await stage();
      const now = await suite.store.now();
      await park(
        "nobody",
        entry({ body: "b:12" }),
        entry({ feed: `${feed} other`, body: "b:3" }),
        entry({ body: "b:4" }),
      );
      const [first] = await add(entry({ body: "b:56" }), entry({ body: "b:7" }));
      await add(entry({ body: "b:8", notBefore: now + 3_600_000 }));
      const parked = { entries: 3, bytes: 10, feeds: { [feed]: 2, [`${feed} other`]: 1 } };
      const { oldestAt, ...counts } = await inbox.counts();
      assert.deepEqual(counts, { isUsed: true, waiting: 2, ahead: 1, taken: 0, bytes: 10, parked });
      assert.equal(oldestAt, first?.arrivedAt);
      const taken = await take({ limit: 1 });
      assert.deepEqual(await inbox.counts(), { ...counts, waiting: 1, taken: 1, oldestAt });
      await inbox.park(taken, "several");
      await inbox.discard(await Array.fromAsync(inbox.parked({}), ({ id }) => id));
      const rest = { ...counts, waiting: 1, bytes: 6, oldestAt, parked: { entries: 0, bytes: 0, feeds: {} } };
      assert.deepEqual(await inbox.counts(), rest);
      assert.deepEqual(await inbox.verify(), { lost: 0, miscounted: 0 });
      assert.deepEqual(await inbox.counts(), rest);
    });
  });
}
