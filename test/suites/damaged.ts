/** Documents that break, one kind of damage after the other, in each place that reads them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { poolGate, runGate } from "../../src/core/gate.ts";
import type { DamagedDocument, DocumentKind } from "../../src/store/damaged.ts";
import { BY } from "./feed-runs.ts";
import { LONG_MS, applied, createUser, heldOf, wanted } from "./mailbox-user.ts";
import { openForSuite, type Opened } from "./open-store.ts";

export interface Breakable extends Opened {
  /**
   * Changes the text of a document where it lies. `undefined` where the store cannot hold such a text: then it is as it
   * was.
   */
  damage(kind: DocumentKind, place: string, change: (text: string) => string): Promise<"broken" | undefined>;
  /** What lies aside under an id. */
  shelved(id: string): Promise<string | undefined>;
}

/** A change to a document that is an object. */
const within = (change: (document: Record<string, unknown>) => object) => (text: string) => {
  return JSON.stringify(change(JSON.parse(text) as Record<string, unknown>));
};

const ANYWHERE: Readonly<Record<string, (text: string) => string>> = {
  "cut off": (text) => text.slice(0, -1),
  "a number": () => "5",
  "a list": () => "[1]",
  nothing: () => "null",
  "another object": () => '{"broken":1}',
};

const IN_UNITS: Readonly<Record<string, (text: string) => string>> = {
  ...ANYWHERE,
  "without its name": within(({ username: _, ...rest }) => rest),
  "with a number for a name": within((document) => ({ ...document, username: 5 })),
};

const IN_MAILBOXES: Readonly<Record<string, (text: string) => string>> = {
  ...IN_UNITS,
  "of units that are none": within((document) => ({ ...document, pending: { name: 5 } })),
  "of a unit without a run": within((document) => ({
    ...document,
    pending: { name: { version: "1", digest: "", body: "" } },
  })),
  "whose lease is a word": within((document) => ({
    ...document,
    claim: { token: "a", leaseUntil: "later", units: {} },
  })),
  "of another pool": within((document) => ({ ...document, pool: "somewhere-else" })),
  "of a pool that has no name": within((document) => ({ ...document, pool: 'a "pool"' })),
};

const MET_EVERYWHERE = new Set(["cut off", "of units that are none", "of another pool"]);

const IN_LETTERS: Readonly<Record<string, (text: string) => string>> = {
  ...IN_UNITS,
  "whose value is a number": within((document) => ({ ...document, body: 1 })),
  "that superseded nothing": within((document) => ({ ...document, replaced: [5] })),
  "with another id": within((document) => ({ ...document, id: "other" })),
};

const IN_LEDGERS: Readonly<Record<string, (text: string) => string>> = {
  ...ANYWHERE,
  "whose entry has no digest": () => '{"name":{"version":"1"}}',
  "whose time is a word": () => '{"name":{"version":"1","digest":"","at":"now"}}',
};

const IN_RUNS: Readonly<Record<string, (text: string) => string>> = {
  ...ANYWHERE,
  "without its pool": within(({ pool: _, ...rest }) => rest),
  "in no state that there is": within((document) => ({ ...document, state: 7 })),
};

export function damagedSuite(name: string, open: () => Promise<Breakable>): void {
  describe(`documents that break: ${name}`, () => {
    let breakable: Breakable | undefined;
    const suite = openForSuite(async () => (breakable = await open()), "real");

    const damage = async (kind: DocumentKind, place: string, change: (text: string) => string): Promise<boolean> => {
      assert.ok(breakable);
      return (await breakable.damage(kind, place, change)) === "broken";
    };
    const aside = async (place: string): Promise<readonly DamagedDocument[]> =>
      (await suite.store.damaged.list()).filter((one) => one.place === place);
    /** What lay there is aside, with its whole text, and says nothing of it. */
    const isAside = async (kind: DocumentKind, place: string): Promise<DamagedDocument> => {
      const [one, another] = await aside(place);
      assert.ok(one, `${kind} ${place} lies aside`);
      assert.equal(another, undefined, "once");
      assert.equal(one.kind, kind);
      assert.ok(one.since > 0);
      assert.ok(((await breakable?.shelved(one.id)) ?? "").length > 0, "its text is kept");
      return one;
    };
    const counted = async () => {
      await suite.store.damaged.reckon();
      assert.equal(await suite.store.damaged.reckon(), 0, "nothing is left to be counted");
    };

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
              const { pool } = await isAside("mailbox", bad.user);
              assert.equal(pool, bad.pool);
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

    describe("the record of a run", () => {
      const begun = async () => {
        const id = suite.fresh("run");
        const asked = { id, source: "file" as const, pool: suite.fresh("pool"), feed: "hr", identity: id, asOf: 0 };
        await suite.store.runs.begin(asked);
        return asked;
      };
      const PLACES: Readonly<Record<string, (asked: Awaited<ReturnType<typeof begun>>) => Promise<void>>> = {
        "being asked for": async ({ id }) => assert.equal(await suite.store.runs.get(id), undefined),
        "being listed": async ({ id }) => {
          assert.ok((await suite.store.runs.list(1000)).every((run) => run.id !== id));
        },
        "the same begun again": async (asked) => {
          const { run, resumed } = await suite.store.runs.begin({ ...asked, id: `${asked.id}-again` });
          assert.deepEqual([run.id, resumed], [`${asked.id}-again`, false]);
        },
        "a page": async ({ id, pool }) => {
          const page = { pool, run: id, priority: 10, changes: [], invalid: 0, rows: { read: 1, faulty: 0 } };
          await assert.rejects(suite.store.mailboxes.put(page), { kind: "run-lost" });
        },
        "its end": async ({ id }) => {
          await assert.rejects(suite.store.runs.advance(id, "finished"), { kind: "run-lost" });
        },
        "a cancel": async ({ id }) => {
          assert.equal(await suite.store.runs.transition(id, ["reading"], "cancelled"), false);
        },
      };
      for (const [place, act] of Object.entries(PLACES)) {
        test(`that is met by ${place} is set aside, and the run is not known any more`, async (t) => {
          for (const [what, change] of Object.entries(IN_RUNS)) {
            if (place !== "being asked for" && what !== "without its pool") continue;
            await t.test(what, async () => {
              const asked = await begun();
              const other = await begun();
              if (!(await damage("run", asked.id, change))) return;
              await act(asked);
              await isAside("run", asked.id);
              assert.equal((await suite.store.runs.get(other.id))?.id, other.id);
            });
          }
        });
      }

      test("keeps the sweep of old runs from nothing", async () => {
        const [bad, old] = [await begun(), await begun()];
        for (const { id } of [bad, old]) await suite.store.runs.advance(id, "finished");
        assert.ok(await damage("run", bad.id, () => "5"));
        await suite.passes(5);
        const { startedAt } = (await suite.store.runs.begin(await begun())).run;
        await suite.store.runs.sweep(startedAt);
        assert.equal(await suite.store.runs.get(old.id), undefined);
        assert.equal(await suite.store.runs.get(bad.id), undefined);
      });

      test("takes nothing with it that was put, which goes on once nothing is paused", async () => {
        const u = await createUser(suite);
        await u.put("name", "x", 1);
        assert.ok(await damage("run", u.run, () => "5"));
        const gate = poolGate(u.pool);
        await suite.store.gates.pause(gate, BY);
        assert.deepEqual(await u.claim("a"), { is: "idle" }, "nobody knows whether it is of what is paused");
        await suite.store.gates.resume(gate);
        assert.equal((await suite.store.mailboxes.release(gate, 9)).length, 1);
        assert.deepEqual(await u.deliver("b"), { name: "x" });
        await isAside("run", u.run);
        assert.deepEqual(await u.books(), { received: 1, applied: 1 });
      });

      test("of direct changes is begun anew", async () => {
        const pool = suite.fresh("pool");
        const { id } = await suite.store.runs.direct(pool);
        assert.ok(await damage("run", id, () => "5"));
        assert.equal((await suite.store.runs.direct(pool)).id, id);
        assert.equal((await suite.store.runs.get(id))?.pool, pool);
        await isAside("run", id);
      });
    });

    describe("a gate", () => {
      for (const met of ["a claim", "a list", "a resume"]) {
        test(`that is met by ${met} lets nothing pass until somebody resumes`, async (t) => {
          for (const [what, change] of Object.entries(ANYWHERE)) {
            await t.test(what, async () => {
              const u = await createUser(suite);
              const gate = poolGate(u.pool);
              await u.put("name", "x", 1);
              await suite.store.gates.pause(gate, BY);
              if (!(await damage("gate", gate, change))) return void (await suite.store.gates.resume(gate));
              if (met === "a list") {
                const found = (await suite.store.gates.list()).find((one) => one.gate === gate);
                assert.deepEqual([found?.state, found?.by], ["paused", "poolsync"]);
              }
              if (met !== "a resume") assert.deepEqual(await u.claim("a"), { is: "idle" });
              assert.equal(await suite.store.gates.resume(gate), true);
              await isAside("gate", gate);
              await suite.store.mailboxes.release(gate, 9);
              assert.deepEqual(await u.deliver("b"), { name: "x" });
            });
          }
        });
      }

      test("of a run stands as the run does", async () => {
        const u = await createUser(suite);
        await u.put("name", "x", 1);
        assert.equal(await suite.store.runs.transition(u.run, ["reading"], "cancelled"), true);
        assert.ok(await damage("gate", runGate(u.run), () => "5"));
        assert.deepEqual(await u.claim("a"), { is: "idle" });
        assert.deepEqual(await u.books(), { received: 1, discarded: 1 });
        await isAside("gate", runGate(u.run));
      });

      test("of a run whose record is broken as well opens when it is removed", async () => {
        const u = await createUser(suite);
        await u.put("name", "x", 1);
        await suite.store.runs.transition(u.run, ["reading"], "needs-approval");
        assert.ok(await damage("gate", runGate(u.run), () => "5"));
        assert.ok(await damage("run", u.run, () => "5"));
        assert.deepEqual(await u.claim("a"), { is: "idle" });
        const { id } = await isAside("gate", runGate(u.run));
        assert.equal(await suite.store.damaged.remove([id]), 1);
        await suite.store.mailboxes.release(runGate(u.run), 9);
        assert.deepEqual(await u.deliver("b"), { name: "x" });
      });
    });

    test("holds, exceptions, targets, links and plans are not there any more, and can be made anew", async () => {
      const { store } = suite;
      const pool = suite.fresh("pool");
      await store.holds.place(pool, "pool", "pool-not-found");
      const about = suite.fresh("user");
      const exception = { about, unit: "name", kind: "invalid", run: "run", reason: "too-long" } as const;
      await store.exceptions.note([exception]);
      await store.setLink(pool, "digest", "p:ann");
      async function* chunks() {
        yield "one";
      }
      const run = suite.fresh("run");
      await store.plans.keep({ run, expiresAt: Date.now() + 60_000 }, chunks());

      const holds = async () => (await store.damaged.list()).filter(({ kind }) => kind === "hold").length;
      assert.ok(await damage("hold", `${pool}|pool`, () => "5"));
      assert.deepEqual(await store.holds.ask(pool, "pool"), { is: "free" });
      assert.ok((await store.holds.list()).every((hold) => hold.pool !== pool));
      assert.equal(await holds(), 1);
      assert.equal(await store.holds.place(pool, "pool", "pool-not-found"), true);
      assert.ok(await damage("hold", `${pool}|pool`, () => '{"pool":1}'));
      assert.ok((await store.holds.list()).every((hold) => hold.pool !== pool));
      assert.equal(await holds(), 2);

      assert.ok(await damage("exceptions", about, () => "5"));
      assert.deepEqual(await store.exceptions.about(about), []);
      await isAside("exceptions", about);
      await store.exceptions.note([exception]);
      assert.ok(await damage("exceptions", about, () => "5"));
      await store.exceptions.note([exception]);
      assert.equal((await store.exceptions.about(about)).length, 1);

      assert.ok(await damage("link", `${pool}|digest`, () => "5"));
      assert.equal(await store.link(pool, "digest"), undefined);

      const target = { pool, endpoint: "localhost", region: "eu-west-1", arn: "arn" };
      await store.target(target);
      if (await damage("target", pool, () => "5")) {
        assert.ok((await store.targets()).every((one) => one.pool !== pool));
        assert.deepEqual({ ...(await store.target(target)) }, target);
        await isAside("target", pool);
      }

      await store.plans.setAside(run);
      await isAside("plan", run);
      assert.deepEqual(await Array.fromAsync(store.plans.read(run)), []);
      assert.ok((await store.plans.list()).every((plan) => plan.run !== run));
      await store.plans.setAside(run);
      await isAside("plan", run);
    });

    test("are removed by id, and their units stay counted", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      assert.ok(await damage("mailbox", u.user, () => "5"));
      await u.claim("a");
      const { id } = await isAside("mailbox", u.user);
      assert.equal(await suite.store.damaged.remove([id, "no-such-id"]), 1);
      assert.deepEqual(await aside(u.user), []);
      await counted();
      assert.deepEqual(await u.books(), { received: 1, damaged: 1 });
      assert.equal(await suite.store.damaged.remove([id]), 0);
    });

    test("do not make the books say that anything is gone which is there", async () => {
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      assert.ok(await damage("mailbox", u.user, () => "5"));
      await u.claim("a");
      const other = await createUser(suite);
      await other.put("name", "x", 1);
      await other.buries("a", "name");
      await other.put("nickname", "x", 1);
      await other.claim("b");
      await counted();
      assert.deepEqual(await other.books(), { received: 2, dead: 1, pending: 1 });
      assert.deepEqual(await u.books(), { received: 1, damaged: 1 });
    });
  });
}
