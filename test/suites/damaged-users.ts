/** Documents of users that break, one kind of damage after the other, in each place that reads them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { poolGate } from "../../src/core/gate.ts";
import { damageOf, IN_LEDGERS, IN_LETTERS, IN_MAILBOXES, MET_EVERYWHERE, within, type Breakable } from "./damages.ts";
import { BY } from "./feed-runs.ts";
import { LONG_MS, applied, createUser, heldOf, wanted } from "./mailbox-user.ts";
import { openForSuite } from "./open-store.ts";

export function damagedUsersSuite(name: string, open: () => Promise<Breakable>): void {
  describe(`mailboxes, ledgers and letters that break: ${name}`, () => {
    let breakable: Breakable | undefined;
    const suite = openForSuite(async () => (breakable = await open()), "real");
    const { damage, isAside, counted } = damageOf(suite, () => breakable);

    /** Two users of one pool: of one the document breaks. */
    const pair = async () => {
      const bad = await createUser(suite);
      const good = suite.fresh("good");
      const put = (word: string, version: number) =>
        suite.store.mailboxes.put({
          ...bad.page([]),
          changes: [bad.user, good].map((user) => ({
            user,
            username: `p:${user}`,
            units: [wanted("name", word, version)],
          })),
        });
      return { bad, good, put };
    };
    type Pair = Awaited<ReturnType<typeof pair>>;

    describe("a mailbox", () => {
      const claims = async ({ good }: Pair): Promise<void> => {
        const [answer] = await Promise.all([
          suite.store.mailboxes.claim(good, suite.fresh("token"), LONG_MS),
          suite.store.mailboxes.claim("nobody", suite.fresh("token"), LONG_MS),
        ]);
        assert.equal(answer.is, "claimed");
      };
      /** What is done, and what the other user has of it. */
      const PLACES: Readonly<Record<string, (pair: Pair) => Promise<void>>> = {
        claim: async (both) => {
          const [mine] = await Promise.all([both.bad.claim("a"), claims(both)]);
          assert.deepEqual(mine, { is: "idle" });
        },
        put: async ({ bad, put }) => {
          const { waiting } = await put("newer", 2);
          assert.equal(waiting.length, 2);
          assert.deepEqual(await bad.words("a"), { name: "newer" });
        },
        sweep: async ({ bad, good }) => {
          const due = await suite.store.mailboxes.sweep(bad.pool, { holder: "me", leaseMs: 1, offset: 0, limit: 9 });
          assert.deepEqual(
            due.map(({ user }) => user),
            [good],
          );
          assert.equal(await suite.store.mailboxes.dueCount(bad.pool), 1);
        },
        "sorting out": async ({ bad }) => {
          assert.deepEqual(await suite.store.mailboxes.sortOut({ pool: bad.pool }, { offset: 0, limit: 9 }), {
            looked: 2,
            left: 1,
          });
        },
        reading: async ({ bad }) => {
          assert.equal(await bad.mailbox(), undefined);
        },
        counting: async ({ bad }) => {
          assert.deepEqual({ ...(await suite.store.mailboxes.recount()).get(bad.run) }, { pending: 1, dead: 0 });
        },
      };
      for (const [place, act] of Object.entries(PLACES)) {
        test(`that is met by ${place} is set aside, whatever its damage, and nobody else is touched`, async (t) => {
          for (const [what, change] of Object.entries(IN_MAILBOXES)) {
            // All look at the form in the same way.
            if (place !== "claim" && !MET_EVERYWHERE.has(what)) continue;
            // Nobody who reads one user's mailbox, or all of them, knows of which pool it should be.
            if (what.startsWith("of another pool") && ["reading", "counting"].includes(place) && name === "Redis")
              continue;
            await t.test(what, async () => {
              const both = await pair();
              const { bad } = both;
              await both.put("x", 1);
              if (!(await damage("mailbox", bad.user, change))) return;
              await act(both);
              const { pool, run } = await isAside("mailbox", bad.user);
              assert.equal(pool, bad.pool);
              if (what === "cut off" || what === "of another pool") assert.equal(run, bad.run);
              await counted();
              const { damaged = 0, ...rest } = await bad.books();
              assert.equal(damaged, 1);
              assert.equal(rest.pending, place === "put" ? 2 : 1);
              // And it goes on.
              await bad.put("nickname", "n", 3);
              assert.equal((await bad.pending())["nickname"], "n");
            });
          }
        });
      }

      test("that is met by a settle is set aside: what was written is known to the ledger", async () => {
        const both = await pair();
        const { bad, good } = both;
        await both.put("x", 1);
        const [one, other] = [await bad.claim("a"), await suite.store.mailboxes.claim(good, "a", LONG_MS)];
        assert.ok(await damage("mailbox", bad.user, IN_MAILBOXES["of units that are none"] ?? assert.fail()));
        const { version } = heldOf(one, "name");
        const settled = await Promise.all([
          bad.settle("a", { name: applied(version) }),
          suite.store.mailboxes.settle(good, "a", { name: applied(heldOf(other, "name").version) }, LONG_MS),
        ]);
        assert.deepEqual(
          settled.map(({ late }) => late),
          [true, false],
        );
        assert.deepEqual((await bad.known())["name"], { version, digest: "" });
        await isAside("mailbox", bad.user);
        await counted();
        assert.deepEqual(await bad.books(), { received: 2, applied: 1, damaged: 1 });
        await bad.put("name", "older", 0);
        assert.deepEqual((await bad.books()).stale, 1, "nothing older goes after it");
      });

      test("whose claim has ended is set aside by who would take over", async () => {
        const u = await createUser(suite);
        await u.put("name", "x", 1);
        await u.dies("a", "name");
        await suite.passes(5);
        assert.ok(
          await damage(
            "mailbox",
            u.user,
            within((document) => ({ ...document, claim: { units: [] } })),
          ),
        );
        assert.deepEqual(await u.claim("b"), { is: "idle" });
        await isAside("mailbox", u.user);
        await counted();
        assert.deepEqual(await u.books(), { received: 1, damaged: 1 });
      });

      test("that a gate keeps holds up no other whom it keeps", async () => {
        const both = await pair();
        const { bad, good } = both;
        const gate = poolGate(bad.pool);
        await suite.store.gates.pause(gate, BY);
        await both.put("x", 1);
        assert.equal(await suite.store.gates.kept(gate), 2);
        assert.ok(await damage("mailbox", bad.user, (text) => text.replace('"pending":{', '"pending":{"other":null,')));
        await suite.store.gates.resume(gate);
        assert.deepEqual(
          (await suite.store.mailboxes.release(gate, 9)).map(({ user }) => user),
          [good],
        );
        assert.equal(await suite.store.gates.kept(gate), 0);
        await isAside("mailbox", bad.user);
        await counted();
      });

      test("and another that breaks at once are two, and of one user the ledger as well", async () => {
        const both = await pair();
        const { bad, good } = both;
        await both.put("x", 1);
        await suite.store.mailboxes.claim(good, "a", LONG_MS);
        for (const user of [bad.user, good]) assert.ok(await damage("mailbox", user, () => '{"broken":1}'));
        await both.put("y", 2);
        await isAside("mailbox", bad.user);
        await isAside("mailbox", good);
        await counted();
        assert.deepEqual(await bad.books(), { received: 4, damaged: 2, pending: 2 });
      });
    });

    describe("a ledger", () => {
      const PLACES: Readonly<Record<string, (pair: Pair) => Promise<unknown>>> = {
        claim: ({ bad }) => bad.claim("b"),
        put: ({ put }) => put("y", 2),
        reading: ({ bad }) => bad.ledger(),
        "reading many": ({ bad, good }) => suite.store.mailboxes.ledgers([bad.user, good]),
      };
      for (const [place, act] of Object.entries(PLACES)) {
        test(`that is met by ${place} is set aside, and what is wanted next is sent`, async (t) => {
          for (const [what, change] of Object.entries(IN_LEDGERS)) {
            if (place !== "claim" && what !== "a number") continue;
            await t.test(what, async () => {
              const both = await pair();
              const { bad, good, put } = both;
              await put("x", 1);
              assert.deepEqual(await bad.deliver("a"), { name: "x" });
              await bad.put("nickname", "n", 1);
              await suite.store.mailboxes.claim(good, "a", LONG_MS);
              if (!(await damage("ledger", bad.user, change))) return;
              await act(both);
              await isAside("ledger", bad.user);
              assert.ok((await suite.store.mailboxes.ledgers([good])).size <= 1);
              assert.equal((await bad.books()).damaged, undefined);
            });
          }
        });
      }
    });

    describe("a letter", () => {
      const ids = async (pool: string): Promise<readonly string[]> =>
        (await Array.fromAsync(suite.store.letters.list({ pool }))).map(({ id }) => id);
      const PLACES: Readonly<Record<string, (bad: string, good: string, pool: string) => Promise<void>>> = {
        "being listed": async (_bad, good, pool) => assert.deepEqual(await ids(pool), [good]),
        "being asked for": async (bad, good) => {
          assert.equal(await suite.store.letters.get(bad), undefined);
          assert.equal((await suite.store.letters.get(good))?.id, good);
        },
        "a replay": async (bad, good) => {
          const replayed = await suite.store.mailboxes.replay([bad, good], 1);
          assert.deepEqual(
            replayed.map(({ letter }) => letter),
            [good],
          );
        },
        "a discard": async (bad, good) => assert.equal(await suite.store.letters.discard([bad, good]), 1),
        counting: async () => void (await suite.store.mailboxes.recount()),
      };
      for (const [place, act] of Object.entries(PLACES)) {
        test(`that is met by ${place} is set aside, whatever its damage`, async (t) => {
          for (const [what, change] of Object.entries(IN_LETTERS)) {
            if (place !== "being listed" && place !== "a replay" && what !== "another object") continue;
            await t.test(what, async () => {
              const u = await createUser(suite);
              await u.put("name", "x", 1);
              const bad = (await u.buries("a", "name")).id;
              await u.put("nickname", "y", 1);
              const good = (await u.buries("b", "nickname")).id;
              if (!(await damage("letter", bad, change))) return;
              await act(bad, good, u.pool);
              await isAside("letter", bad);
              await counted();
              const { damaged, dead = 0, pending = 0, discarded = 0 } = await u.books();
              assert.deepEqual([damaged, dead + pending + discarded], [1, 1]);
              assert.ok(!(await ids(u.pool)).includes(bad));
            });
          }
        });
      }

      for (const what of ["another object", "that says another pool"]) {
        test(`that is met by its fault, which came again, is set aside (${what})`, async () => {
          const u = await createUser(suite);
          await u.put("name", "x", 1);
          const { id } = await u.buries("a", "name");
          await u.put("name", "y", 2);
          const elsewhere = within((document) => ({ ...document, pool: "elsewhere" }));
          assert.ok(await damage("letter", id, IN_LETTERS[what] ?? elsewhere));
          const { body, times } = await u.buries("b", "name");
          assert.deepEqual([body, times], ["y", undefined]);
          await isAside("letter", id);
          await counted();
          assert.deepEqual(await u.books(), { received: 2, dead: 1, damaged: 1 });
        });
      }

      test("that says that it is of another pool is put into none", async () => {
        const u = await createUser(suite);
        await u.put("name", "x", 1);
        const { id } = await u.buries("a", "name");
        await u.put("nickname", "y", 1);
        assert.ok(
          await damage(
            "letter",
            id,
            within((document) => ({ ...document, pool: "elsewhere" })),
          ),
        );
        assert.deepEqual(await suite.store.mailboxes.replay([id], 1), []);
        await isAside("letter", id);
        assert.deepEqual(await u.words("b"), { nickname: "y" });
        await counted();
        assert.deepEqual(await u.books(), { received: 2, pending: 1, damaged: 1 });
      });
    });
  });
}
