import assert from "node:assert/strict";
import type { Runs } from "../../src/store/runs.ts";
import { describe, test } from "node:test";
import { EMPTY_BOOKS } from "../../src/core/books.ts";
import { accountIndexSuite } from "./account-index.ts";
import { beforeImagesSuite } from "./before-images.ts";
import { exceptionSuite } from "./exceptions.ts";
import { holdSuite } from "./holds.ts";
import { inboxSuite } from "./inbox.ts";
import { mailboxSuite } from "./mailboxes.ts";
import { openForSuite, type Open, type Time } from "./open-store.ts";
import { paceSuite } from "./pace.ts";
import { createUser } from "./mailbox-user.ts";
import { reservationSuite } from "./reservations.ts";
import { workerSuite } from "./workers.ts";

/** Everything that a store must do. Each suite opens a store of its own. */
export function storeSuite(name: string, open: Open, time: Time): void {
  mailboxSuite(name, open, time);
  inboxSuite(name, open, time);
  runSuite(name, open, time);
  holdSuite(name, open, time);
  exceptionSuite(name, open, time);
  reservationSuite(name, open, time);
  workerSuite(name, open, time);
  beforeImagesSuite(name, open, time);
  accountIndexSuite(name, open, time);
  paceSuite(name, open, time);

  describe(`plans that wait: ${name}`, () => {
    const suite = openForSuite(open, time);
    async function* chunks(...texts: readonly string[]) {
      yield* texts;
    }

    test("are read in their order, and are gone when they were dropped", async () => {
      const { plans } = suite.store;
      const run = suite.fresh("run");
      const later = suite.fresh("run");
      const expiresAt = Date.now() + 60_000;
      await plans.keep({ run: later, expiresAt: expiresAt + 1 }, chunks("x"));
      await plans.keep({ run, expiresAt }, chunks("first", "second", "third"));
      await plans.keep({ run, expiresAt }, chunks("one", "two"));
      assert.deepEqual(await Array.fromAsync(plans.read(run)), ["one", "two"]);
      const mine = (await plans.list()).filter((plan) => plan.run === run || plan.run === later);
      assert.deepEqual(
        mine.map((plan) => ({ ...plan })),
        [
          { run, expiresAt },
          { run: later, expiresAt: expiresAt + 1 },
        ],
      );
      await plans.drop(run);
      assert.deepEqual(await Array.fromAsync(plans.read(run)), []);
      assert.ok((await plans.list()).every((plan) => plan.run !== run));
    });

    test("are not listed where they could not be kept whole", async () => {
      const { plans } = suite.store;
      const run = suite.fresh("run");
      async function* broken() {
        yield "one";
        throw new Error("cut");
      }
      await assert.rejects(plans.keep({ run, expiresAt: Date.now() + 60_000 }, broken()), /cut/);
      assert.ok((await plans.list()).every((plan) => plan.run !== run));
    });
  });

  describe(`what the namespace remembers: ${name}`, () => {
    const suite = openForSuite(open, time);

    test("is a pool's first target", async () => {
      const { store } = suite;
      const pool = suite.fresh("pool");
      const target = { pool, endpoint: "127.0.0.1:9229", region: "eu-west-1", arn: "arn:aws:cognito-idp:one" };
      assert.deepEqual({ ...(await store.target(target)) }, target);
      const other = { ...target, endpoint: "cognito-idp.eu-west-1.amazonaws.com", arn: "arn:aws:cognito-idp:two" };
      assert.deepEqual({ ...(await store.target(other)) }, target);
      const elsewhere = { ...other, pool: suite.fresh("pool") };
      assert.deepEqual({ ...(await store.target(elsewhere)) }, elsewhere);
    });

    test("is the first text under a name, for all who write at once", async () => {
      const { store } = suite;
      const text = suite.fresh("text");
      const answers = await Promise.all(["a", "b", "c"].map((value) => store.setOnce(text, value)));
      assert.equal(new Set(answers).size, 1);
      assert.equal(await store.setOnce(text, "later"), answers[0]);
      assert.equal(await store.setOnce(suite.fresh("text"), "other"), "other");
    });

    test("sets a text anew for one alone of those who read the same", async () => {
      const { store } = suite;
      const [text, other] = [suite.fresh("text"), suite.fresh("text")];
      await store.setOnce(other, "other");
      assert.equal(await store.recall(text), undefined);
      assert.equal(await store.exchange(text, "nothing", "a"), false);
      const made = await Promise.all(["a", "b"].map((to) => store.exchange(text, undefined, to, [other])));
      assert.deepEqual(new Set(made), new Set([false, true]));
      assert.equal(await store.recall(other), undefined);
      const there = (await store.recall(text)) ?? "";
      assert.equal(await store.exchange(text, undefined, "c"), false);
      const anew = await Promise.all(["d", "e"].map((to) => store.exchange(text, there, to)));
      assert.deepEqual(new Set(anew), new Set([false, true]));
      assert.match((await store.recall(text)) ?? "", /^[de]$/);
    });

    test("is the last note under a name", async () => {
      const { store } = suite;
      const note = suite.fresh("note");
      assert.equal(await store.getValue(note), undefined);
      await store.setValue(note, "a");
      await store.setValue(note, "b");
      assert.equal(await store.getValue(note), "b");
    });

    test("is the last link from an address in a pool", async () => {
      const { store } = suite;
      const [pool, other] = [suite.fresh("pool"), suite.fresh("pool")];
      assert.equal(await store.link(pool, "digest"), undefined);
      await store.setLink(pool, "digest", "p:zoë");
      assert.equal(await store.link(pool, "digest"), "p:zoë");
      assert.equal(await store.link(other, "digest"), undefined);
      await store.setLink(pool, "digest", "p:zofia");
      assert.equal(await store.link(pool, "digest"), "p:zofia");
      await store.dropLink(pool, "digest");
      assert.equal(await store.link(pool, "digest"), undefined);
    });
  });
}

function runSuite(name: string, open: Open, time: Time): void {
  describe(`runs: ${name}`, () => {
    const suite = openForSuite(open, time);
    const wanted = (rest: { identity?: string } = {}): Parameters<Runs["begin"]>[0] => {
      const id = suite.fresh("run");
      return { id, source: "file", pool: "pool", feed: "staff.csv", identity: id, asOf: 1_700_000_000_000, ...rest };
    };

    test("begin at the blank cursor", async () => {
      const { runs } = suite.store;
      const asked = wanted();
      const { run, resumed } = await runs.begin(asked);
      assert.equal(resumed, false);
      assert.ok(run.startedAt > 0);
      const { startedAt } = run;
      assert.deepEqual(
        { ...run, rows: { ...run.rows } },
        { ...asked, startedAt, state: "reading", cursor: "", rows: { read: 0, faulty: 0 } },
      );
      assert.deepEqual(await runs.get(asked.id), run);
      assert.equal(await runs.get("no-such-run"), undefined);
    });

    test("go on where an unfinished one of the same identity was cut", async () => {
      const { store } = suite;
      const first = wanted();
      await store.runs.begin(first);
      const rows = { read: 3, faulty: 1 };
      const cursor = { from: "", to: "row 3" };
      await store.mailboxes.put({ pool: "pool", run: first.id, priority: 10, changes: [], invalid: 0, rows, cursor });
      await store.runs.advance(first.id, "delivering");
      const { run, resumed } = await store.runs.begin(wanted({ identity: first.identity }));
      assert.equal(resumed, true);
      assert.deepEqual([run.id, run.cursor, run.asOf, { ...run.rows }], [first.id, "row 3", first.asOf, rows]);
      assert.equal(run.state, "delivering");
    });

    test("are found by another identity once their content has another name, and by the former one no more", async () => {
      const { runs } = suite.store;
      const [first, ended] = [wanted(), wanted()];
      await runs.begin(first);
      await runs.begin(ended);
      await runs.advance(ended.id, "finished");
      for (const { id } of [first, ended]) {
        await runs.rename(id, `${id} renamed`);
        assert.equal((await runs.get(id))?.identity, `${id} renamed`);
      }
      const found = await runs.begin(wanted({ identity: `${first.id} renamed` }));
      assert.deepEqual([found.run.id, found.resumed], [first.id, true]);
      for (const identity of [first.identity, `${ended.id} renamed`]) {
        assert.equal((await runs.begin(wanted({ identity }))).resumed, false);
      }
      await runs.advance(first.id, "finished");
      assert.equal((await runs.begin(wanted({ identity: `${first.id} renamed` }))).resumed, false);
      await runs.rename(suite.fresh("run"), "nobody's");
    });

    test("begin anew once that of the same identity has ended", async () => {
      const { runs } = suite.store;
      for (const state of ["finished", "failed"] as const) {
        const first = wanted();
        await runs.begin(first);
        await runs.advance(first.id, state);
        const ended = await runs.get(first.id);
        assert.equal(ended?.state, state);
        assert.ok(ended?.finishedAt !== undefined && ended.finishedAt >= ended.startedAt);
        const second = wanted({ identity: first.identity });
        const { run, resumed } = await runs.begin(second);
        assert.deepEqual([run.id, resumed], [second.id, false]);
      }
    });

    test("that have ended keep the time at which they did", async () => {
      const { runs } = suite.store;
      const { run } = await runs.begin(wanted());
      await runs.advance(run.id, "finished");
      const ended = await runs.get(run.id);
      await suite.passes(2);
      await runs.advance(run.id, "failed");
      assert.equal((await runs.get(run.id))?.finishedAt, ended?.finishedAt);
    });

    test("turn from one of some states only, and of several who ask one gets it", async () => {
      const { runs } = suite.store;
      const { run } = await runs.begin(wanted());
      assert.equal(await runs.transition(run.id, ["reading"], "needs-approval"), true);
      assert.equal((await runs.get(run.id))?.finishedAt, undefined);
      const turned = await Promise.all([
        runs.transition(run.id, ["needs-approval"], "reading"),
        runs.transition(run.id, ["needs-approval"], "cancelled"),
        runs.transition(run.id, ["needs-approval"], "expired"),
      ]);
      assert.equal(turned.filter(Boolean).length, 1);
      assert.equal(await runs.transition(suite.fresh("run"), ["reading"], "cancelled"), false);
    });

    test("are not cancelled any more once they were put whole and delivered", async () => {
      const { runs } = suite.store;
      const u = await createUser(suite);
      await u.put("name", "x", 1);
      await runs.advance(u.run, "delivering");
      await u.deliver("a");
      assert.equal(await runs.transition(u.run, ["reading", "delivering"], "cancelled"), false);
      assert.equal((await runs.get(u.run))?.state, "delivering");
      await u.put("name", "y", 2);
      assert.equal(await runs.transition(u.run, ["reading", "delivering"], "cancelled"), true);
    });

    test("that are cancelled take nothing more, and what they put is discarded instead of claimed", async () => {
      const { runs } = suite.store;
      const u = await createUser(suite);
      const other = await u.newRun();
      await u.put("name", "x", 1);
      await u.put("nickname", "n", 1, { run: other });
      assert.equal(await runs.transition(u.run, ["reading"], "cancelled"), true);
      await assert.rejects(u.put("name", "y", 2), { name: "StoreError", kind: "run-cancelled" });
      assert.deepEqual(await u.words("a"), { nickname: "n" });
      assert.deepEqual(await u.books(), { received: 1, discarded: 1 });
      assert.deepEqual(await u.books(other), { received: 1, pending: 1 });
    });

    test("that are cancelled take nothing with them that others put afterwards", async () => {
      const { runs } = suite.store;
      const u = await createUser(suite);
      const [corrected, older] = [await u.newRun(), await u.newRun()];
      await u.put("name", "x", 5);
      await u.put("nickname", "n", 5);
      assert.equal(await runs.transition(u.run, ["reading"], "cancelled"), true);
      await u.put("name", "x", 5, { run: corrected });
      await u.put("nickname", "m", 4, { run: older });
      assert.deepEqual(await u.books(), { received: 2, discarded: 2 });
      assert.deepEqual(await u.words("a"), { name: "x", nickname: "m" });
    });

    test("that were cancelled or have expired stay so, and another of the identity begins anew", async () => {
      const { runs } = suite.store;
      for (const state of ["cancelled", "expired"] as const) {
        const first = wanted();
        await runs.begin(first);
        assert.equal(await runs.transition(first.id, ["reading", "delivering"], state), true);
        await runs.advance(first.id, "finished");
        assert.equal(await runs.transition(first.id, [state], "reading"), false);
        const ended = await runs.get(first.id);
        assert.equal(ended?.state, state);
        assert.ok(ended.finishedAt !== undefined);
        assert.equal((await runs.begin(wanted({ identity: first.identity }))).resumed, false);
      }
    });

    test("are forgotten once they are old, but not with anything open, and the total keeps their books", async () => {
      const { mailboxes, runs } = suite.store;
      const put = async (state: "finished" | "needs-approval", change: boolean) => {
        const { run } = await runs.begin(wanted());
        const units = [{ name: "given_name", digest: "d", body: "p:b" }];
        const changes = change ? [{ user: suite.fresh("user"), username: "p:u", units }] : [];
        const page = { pool: suite.fresh("pool"), run: run.id, priority: 10, changes, invalid: 2 };
        await mailboxes.put({ ...page, rows: { read: 1, faulty: 0 }, cursor: { from: "", to: "1" } });
        await runs.transition(run.id, ["reading"], state);
        return run;
      };
      const [old, open, waiting] = [
        await put("finished", false),
        await put("finished", true),
        await put("needs-approval", false),
      ];
      const direct = await runs.direct(suite.fresh("pool"));
      await suite.passes(5);
      const { startedAt } = (await runs.begin(wanted())).run;
      const total = await runs.books();
      assert.equal((await runs.books(old.id)).invalid, 2);
      assert.ok((await runs.sweep(startedAt)) >= 1);
      assert.equal(await runs.get(old.id), undefined);
      assert.equal((await runs.books(old.id)).received, 0);
      for (const { id } of [open, waiting, direct]) assert.ok(await runs.get(id), id);
      assert.deepEqual(await runs.books(), total);
      const again = await runs.begin(wanted({ identity: old.identity }));
      assert.equal(again.resumed, false);
    });

    test("that an earlier store knew are noted, each once, for as long as runs are kept", async () => {
      const { runs } = suite.store;
      const [one, other] = [suite.fresh("run"), suite.fresh("run")];
      const noted = async () => (await runs.forgotten()).filter(({ run }) => [one, other].includes(run));
      await runs.noteForgotten([one]);
      await suite.passes(5);
      await runs.noteForgotten([one, other]);
      const [first, second] = await noted();
      assert.deepEqual([first?.run, second?.run], [one, other]);
      assert.ok(first && second && first.at < second.at);
      await runs.sweep(second.at);
      assert.deepEqual(await noted(), [second]);
    });

    test("that are not there cannot be advanced", async () => {
      const { runs } = suite.store;
      const id = suite.fresh("run");
      await assert.rejects(runs.advance(id, "delivering"), { name: "StoreError", kind: "run-lost" });
      assert.equal(await runs.get(id), undefined);
    });

    test("of no identity never go on", async () => {
      const { runs } = suite.store;
      await runs.begin(wanted({ identity: "" }));
      assert.equal((await runs.begin(wanted({ identity: "" }))).resumed, false);
    });

    test("of one identity that begin at once are one", async () => {
      const { runs } = suite.store;
      const identity = suite.fresh("identity");
      const begun = await Promise.all([1, 2, 3].map(() => runs.begin(wanted({ identity }))));
      assert.equal(new Set(begun.map(({ run }) => run.id)).size, 1);
      assert.equal(begun.filter(({ resumed }) => !resumed).length, 1);
    });

    test("that stand for direct changes are one a pool", async () => {
      const { runs } = suite.store;
      const [pool, other] = [suite.fresh("pool"), suite.fresh("pool")];
      const standing = await Promise.all([1, 2, 3].map(() => runs.direct(pool)));
      const [first] = standing;
      assert.ok(first);
      assert.deepEqual([first.id, first.pool, first.feed], [`direct:${pool}`, pool, "direct"]);
      assert.equal(first.asOf, first.startedAt);
      assert.equal(new Set(standing.map(({ id }) => id)).size, 1);
      assert.notEqual((await runs.direct(other)).id, first.id);
      assert.deepEqual(await runs.get(first.id), await runs.direct(pool));
    });

    test("are listed newest first, and those that have not ended are found", async () => {
      const { runs } = suite.store;
      const begun: string[] = [];
      for (let count = 0; count < 3; count += 1) {
        begun.unshift((await runs.begin(wanted())).run.id);
        await suite.passes(2);
      }
      assert.deepEqual(
        (await runs.list(3)).map(({ id }) => id),
        begun,
      );
      assert.equal((await runs.list(1)).length, 1);
      await runs.advance(begun[1] ?? "", "finished");
      const open = (await runs.unfinished()).map(({ id }) => id).filter((id) => begun.includes(id));
      assert.deepEqual(new Set(open), new Set([begun[0], begun[2]]));
    });

    test("have books of their own beside the total", async () => {
      const { mailboxes, runs } = suite.store;
      const { run } = await runs.begin(wanted());
      assert.deepEqual({ ...(await runs.books(run.id)) }, EMPTY_BOOKS);
      const before = await runs.books();
      await mailboxes.put({
        pool: "pool",
        run: run.id,
        priority: 10,
        changes: [],
        invalid: 2,
        rows: { read: 2, faulty: 0 },
      });
      assert.deepEqual({ ...(await runs.books(run.id)) }, { ...EMPTY_BOOKS, received: 2, invalid: 2 });
      const after = await runs.books();
      assert.deepEqual([after.received - before.received, after.invalid - before.invalid], [2, 2]);
    });
  });
}
