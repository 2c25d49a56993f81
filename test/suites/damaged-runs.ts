/** Other documents that break, in each place that reads them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { poolGate, runGate } from "../../src/core/gate.ts";
import { ANYWHERE, damageOf, IN_RUNS, type Breakable } from "./damages.ts";
import { BY } from "./feed-runs.ts";
import { createUser } from "./mailbox-user.ts";
import { openForSuite } from "./open-store.ts";

export function damagedRunsSuite(name: string, open: () => Promise<Breakable>): void {
  describe(`runs, gates and what else breaks: ${name}`, () => {
    let breakable: Breakable | undefined;
    const suite = openForSuite(async () => (breakable = await open()), "real");
    const { damage, aside, isAside, counted } = damageOf(suite, () => breakable);

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
