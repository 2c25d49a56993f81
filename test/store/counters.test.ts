/** Counters in Redis that another program has broken: whatever counts goes on, and loses nothing. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { Redis } from "ioredis";
import { EMPTY_BOOKS, imbalance, TERMS, type Term } from "../../src/core/books.ts";
import { createKeys } from "../../src/store/redis/keys.ts";
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import { createUser, wanted } from "../suites/mailbox-user.ts";
import { openForSuite } from "../suites/open-store.ts";
import { testRedis } from "../support/redis.ts";
import { removeKeys } from "./redis-clock.ts";

const BROKEN = ["abc", "1.5", "", "007", "1e3", "99999999999999999999", "9000000000000001"] as const;

describe("counters that break", () => {
  const at = testRedis();
  const keys = createKeys(at.namespace);
  const redis = new Redis(at.url);
  const suite = openForSuite(async () => {
    const store = await openRedisStore(at);
    return { store, close: () => store.close() };
  }, "real");
  after(async () => {
    await redis.quit();
    await removeKeys(at);
  });

  const aside = async (place: string): Promise<number> => {
    const found = (await suite.store.damaged.list()).filter((one) => one.place === place);
    assert.ok(found.every(({ kind }) => kind === "counter"));
    return found.length;
  };
  const totals = async (): Promise<Record<Term, number>> => ({ ...(await suite.store.runs.books()) });
  /** One user's run of which something has ended in four ways, and something waits. */
  const worked = async () => {
    const u = await createUser(suite);
    await u.put("name", "x", 1);
    await u.deliver("a");
    await u.put("nickname", "x", 2, { invalid: 2, rows: { read: 3, faulty: 1 } });
    await u.buries("b", "nickname");
    await u.put("locale", "x", 3);
    return u;
  };
  const WORKED = { received: 5, applied: 1, invalid: 2, dead: 1, pending: 1 };
  const breakTerms = async (run: string, terms: readonly string[], text = "abc"): Promise<void> => {
    for (const term of terms) await redis.hset(keys.books, `${run}|${term}`, text);
  };

  test("lose no row of a page, and are what the others leave", async () => {
    for (const whose of ["run", "total"]) {
      for (const [index, term] of TERMS.entries()) {
        const u = await worked();
        const total = await totals();
        const of = whose === "run" ? u.run : "";
        await breakTerms(of, [term], BROKEN[index % BROKEN.length]);
        const { accepted, waiting } = await u.put("name", "y", 4, { invalid: 1, cursor: { from: "", to: "end" } });
        assert.deepEqual([accepted, waiting], [true, [u.user]], term);
        assert.deepEqual(await u.pending(), { name: "y", locale: "x" });
        assert.deepEqual(await u.books(), { ...WORKED, received: 7, invalid: 3, pending: 2 }, `${whose} ${term}`);
        const { received, invalid, pending } = total;
        assert.deepEqual(await totals(), {
          ...total,
          received: received + 2,
          invalid: invalid + 1,
          pending: pending + 1,
        });
        assert.equal(await aside(`books ${of}|${term}`), 1);
        const { cursor, rows } = (await suite.store.runs.get(u.run)) ?? {};
        assert.deepEqual([cursor, rows], ["end", { read: 3, faulty: 1 }]);
        for (const { id, place } of await suite.store.damaged.list()) {
          if (place.startsWith("books |")) await suite.store.damaged.remove([id]);
        }
      }
    }
  });

  test("are met by who reads them, too, and by every step that counts", async () => {
    const steps: Readonly<Record<string, (u: Awaited<ReturnType<typeof worked>>) => Promise<object>>> = {
      reading: async () => ({}),
      delivering: async (u) => {
        assert.deepEqual(await u.deliver("c"), { locale: "x" });
        return { applied: 2, pending: 0 };
      },
      burying: async (u) => {
        await u.buries("c", "locale");
        return { dead: 2, pending: 0 };
      },
      discarding: async (u) => {
        const [letter] = await Array.fromAsync(suite.store.letters.list({ user: u.user }));
        assert.equal(await suite.store.letters.discard([letter?.id ?? ""]), 1);
        return { dead: 0, discarded: 1 };
      },
      replaying: async (u) => {
        const [letter] = await Array.fromAsync(suite.store.letters.list({ user: u.user }));
        assert.equal((await suite.store.mailboxes.replay([letter?.id ?? ""], 1)).length, 1);
        return { dead: 0, pending: 2 };
      },
      cancelling: async (u) => {
        await suite.store.runs.advance(u.run, "delivering");
        assert.equal(await suite.store.runs.transition(u.run, ["delivering"], "cancelled"), true);
        return {};
      },
    };
    for (const [step, act] of Object.entries(steps)) {
      const u = await worked();
      await breakTerms(u.run, [step === "cancelling" ? "pending" : "dead"]);
      await redis.hset(keys.pools, u.pool, "abc");
      const after = { ...EMPTY_BOOKS, ...WORKED, ...(await act(u)) };
      assert.deepEqual({ ...(await suite.store.runs.books(u.run)) }, after, step);
      assert.ok((await suite.store.pools()).includes(u.pool), step);
      assert.equal(await aside(`pools ${u.pool}`), 1, step);
      await suite.store.damaged.reckon();
      assert.equal(await redis.hget(keys.pools, u.pool), String(after.dead), step);
      assert.deepEqual({ ...(await suite.store.runs.books(u.run)) }, after, step);
    }
  });

  test("of which several broke balance, and are counted: what nobody knows of is damaged", async () => {
    const cases: readonly (readonly [terms: readonly Term[], first: object, then: object])[] = [
      [["pending", "applied"], { pending: 2, applied: 0 }, { pending: 1, damaged: 1, applied: 0 }],
      [["dead", "applied"], { dead: 2, applied: 0 }, { dead: 1, damaged: 1, applied: 0 }],
      [["invalid", "applied"], { invalid: 0, applied: 0, damaged: 3 }, { invalid: 0, applied: 0, damaged: 3 }],
      [["received", "dead"], { received: 4, dead: 0 }, {}],
      [TERMS, { ...EMPTY_BOOKS, received: 1, pending: 1 }, { ...EMPTY_BOOKS, received: 2, pending: 1, dead: 1 }],
    ];
    for (const whose of ["run", "total"]) {
      for (const [terms, first, then] of cases) {
        await redis.del(keys.books, keys.mailboxes, keys.letters, keys.letterTimes, keys.pools);
        const u = await worked();
        const of = whose === "run" ? u.run : "";
        await breakTerms(of, terms);
        const books = async () => ({ ...(await suite.store.runs.books(of)) });
        const told = `${whose}: ${terms.join(", ")}`;
        assert.deepEqual(await books(), { ...EMPTY_BOOKS, ...WORKED, ...first }, told);
        await suite.store.damaged.reckon();
        assert.deepEqual(await books(), { ...EMPTY_BOOKS, ...WORKED, ...then }, told);
        assert.equal(await suite.store.damaged.reckon(), 0, told);
        assert.equal(imbalance(await suite.store.runs.books()), 0);
        assert.equal(await redis.hget(keys.damagedTexts, "owed"), null, told);
      }
    }
  });

  test("of rows begin anew, and keep nobody from asking for the run", async () => {
    const u = await worked();
    await breakTerms(u.run, ["rows-read", "rows-faulty"]);
    assert.deepEqual((await suite.store.runs.get(u.run))?.rows, { read: 0, faulty: 0 });
    await breakTerms(u.run, ["rows-read"]);
    await u.put("name", "y", 4, { rows: { read: 2, faulty: 1 } });
    assert.deepEqual((await suite.store.runs.get(u.run))?.rows, { read: 2, faulty: 1 });
    assert.equal(await aside(`books ${u.run}|rows-read`), 2);
  });

  test("do not let a run be forgotten of which something waits", async () => {
    const u = await worked();
    await suite.store.runs.advance(u.run, "finished");
    await breakTerms(u.run, ["pending", "dead", "received"]);
    await suite.store.runs.sweep(Date.now() + 60_000);
    assert.equal((await suite.store.runs.get(u.run))?.id, u.run);
  });

  test("of arrivals go on above all that were given", async () => {
    for (const broken of [...BROKEN, "-5"]) {
      const u = await createUser(suite);
      await u.put("name", "first", 1);
      await redis.set(keys.arrivals, broken);
      await u.putAll(wanted("name", "second", 1), wanted("locale", "x", 1));
      assert.equal((await u.pending())["name"], "second");
      await redis.set(keys.arrivals, broken);
      await u.put("name", "third", 1);
      assert.deepEqual(await u.deliver("a"), { name: "third", locale: "x" });
    }
    assert.equal(await aside("arrivals"), 2 * (BROKEN.length + 1));
  });

  test("of the pace are lost, and the pace is made anew", async () => {
    const fields = ["nextAt", "urgentAt", "capacity", "granted", "countedFrom", "freshFrom", "cutAt", "lane:10"];
    for (const text of ["abc", "nan", "inf", "-1e300", ""]) {
      for (const field of [...fields, "lane:abc", "lane:0", "lanes"]) {
        const { pace } = suite.store;
        const bucket = suite.fresh("bucket");
        await pace.reserve(bucket, 10, { maxSlots: 1, urgent: false });
        await redis.hset(keys.pace(bucket), field, text);
        const [slot] = (await pace.reserve(bucket, 10, { maxSlots: 1, urgent: false })).slots;
        assert.ok(slot && slot.waitMs <= 1000, `${field} ${text}`);
        assert.equal(await pace.throttled(bucket, 10, slot.slotAt), true);
        assert.ok((await pace.view(bucket, 10)).ratePerSecond > 0);
      }
    }
  });
});
