/** What an earlier run left: told before anything is sent, and sent where somebody asks for it. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { ordinalText } from "../../src/core/version.ts";
import { bodyOf } from "../../src/store/keyring.ts";
import { sealBody, sealUsername } from "../../src/store/sealed-unit.ts";
import type { Leftover } from "../../src/app/runs/leftovers.ts";
import { summaryText } from "../../src/views/run-summary.ts";
import { setApp } from "../support/app-stage.ts";
import { until } from "../support/condition.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { addUsers, POOL } from "../support/pool-stage.ts";

/** So few that no guard looks at them. */
const ROWS = 48;
const SLOW = "rate: 20\nconcurrency: 2\n";
const QUICK = "rate: 1000\n";

const STORES = [
  ["Redis", undefined],
  ["the embedded engine", putMadeDirectory],
] as const;

async function setStage(t: TestContext, putData: (typeof STORES)[number][1]) {
  const app = await setApp(t, putData === undefined ? {} : { putData });
  addUsers(app.pool, ROWS + 1);
  const engine = await app.open();
  const { runs, mailboxes } = engine.store;
  const writes = (): number => app.emulator.log.writes.length;
  const written = (from: number): string[] => app.emulator.log.writes.slice(from).map(({ username }) => username);
  const rows = (name: string, value: string, count = ROWS): Promise<string> => {
    const lines = Array.from({ length: count }, (_, nth) => `u${nth},${value}`);
    return app.file(`username,given_name\n${lines.join("\n")}\n`, name);
  };

  return {
    ...app,
    wakeUps: engine.wakeUps,
    runs,
    writes,
    written,
    rows,
    /** The one row of the last user. */
    one: (name: string, value: string): Promise<string> => app.file(`username,given_name\nu${ROWS},${value}\n`, name),
    /** A sync that is interrupted when some of it is written. Answers its run. */
    async cut(file: string): Promise<{ readonly run: string; readonly pending: number }> {
      await app.configure(SLOW);
      const interrupt = new AbortController();
      const before = writes();
      const running = app.sync(file, { drain: interrupt.signal });
      running.catch(() => undefined);
      await until("some of it is written", () => writes() > before + 2);
      interrupt.abort();
      await assert.rejects(running, { category: "interrupted" });
      await app.configure(QUICK);
      const [latest] = await runs.list(1);
      const run = latest?.id ?? "";
      const { pending } = await runs.books(run);
      assert.ok(pending > 10, `${pending} are left`);
      return { run, pending };
    },
    /** A run of users whom the pool does not have: whoever sends it anything is seen. */
    async leave(id: string, users: number): Promise<void> {
      await runs.begin({ id, source: "file", pool: POOL, feed: "old.csv", identity: "", asOf: Date.now() });
      const { keyring } = engine;
      const ordinal = ordinalText({ timeMs: Date.now(), sequence: 0 });
      const unit = { name: "given_name", digest: keyring.valueDigest("given_name", { kind: "text", text: "Old" }) };
      for (let from = 0; from < users; from += 500) {
        const changes = Array.from({ length: Math.min(500, users - from) }, (_, nth) => {
          const username = `nobody${from + nth}`;
          const at = { pool: POOL, user: keyring.userKey(POOL, username) };
          const body = sealBody(keyring, { ...at, unit: unit.name }, ordinal, bodyOf({ kind: "text", text: "Old" }));
          return { user: at.user, username: sealUsername(keyring, at, username), units: [{ ...unit, ordinal, body }] };
        });
        const read = changes.length;
        await mailboxes.put({ pool: POOL, run: id, priority: 10, changes, invalid: 0, rows: { read, faulty: 0 } });
      }
      await runs.advance(id, "delivering");
    },
  };
}

for (const [store, putData] of STORES) {
  test(`a later file is written, though values like its own of the same time wait in another run, on ${store}`, async (t) => {
    const stage = await setStage(t, putData);
    await stage.configure(QUICK);
    const asOf = "2026-01-01T00:00:00Z";
    const first = await stage.sync(await stage.rows("first.csv", "New", 5), { asOf, detached: true });
    const later = await stage.sync(await stage.rows("later.csv", "New", 6), { asOf });
    assert.deepEqual([later.books.applied, later.books.superseded, stage.writes()], [6, 0, 6]);
    const books = await stage.runs.books(first.run);
    assert.deepEqual([books.superseded, books.pending], [5, 0]);
    const text = summaryText({ ...first, books }, 200, { command: (...words) => words.join(" ") });
    assert.match(text, /5 values gave way /);

    await stage.pause({ feed: "first.csv" }, { by: "anna@desk", reason: "wrong" });
    const newer = "2026-01-02T00:00:00Z";
    await stage.sync(await stage.rows("first.csv", "Newer", 5), { asOf: newer, detached: true });
    const { applied } = (await stage.sync(await stage.rows("later.csv", "Newer", 6), { asOf: newer })).books;
    assert.deepEqual([applied, stage.writes()], [6, 12]);
  });

  describe(`a run that was interrupted, on ${store}`, () => {
    test("is told of by the next one, which sends it only where it is asked to", async (t) => {
      const stage = await setStage(t, putData);
      const { run, pending } = await stage.cut(await stage.rows("wrong.csv", "Wrong"));
      const before = stage.writes();
      const told: { left: readonly Leftover[]; writes: number }[] = [];
      const onLeft = (left: readonly Leftover[]): void => void told.push({ left, writes: stage.writes() });

      await stage.sync(await stage.one("right.csv", "Right"), { onLeft });
      assert.deepEqual(
        told.map(({ left, writes }) => [left.map((one) => [one.id, one.feed, one.pending]), writes]),
        [[[[run, "wrong.csv", pending]], before]],
      );
      assert.deepEqual(stage.written(before), [`u${ROWS}`]);
      assert.equal((await stage.runs.books(run)).pending, pending);

      await stage.sync(await stage.one("righter.csv", "Righter"), { onLeft, leftovers: true });
      assert.equal(told.length, 2);
      await until("what was left is written", async () => (await stage.runs.books(run)).pending === 0);
      assert.equal(stage.writes(), before + 1 + 1 + pending);

      // What nobody wants any more.
      const again = await stage.cut(await stage.rows("wronger.csv", "Wronger"));
      const cancelled = await stage.cancel(again.run);
      assert.deepEqual([cancelled.applied, cancelled.discarded], [ROWS - again.pending, again.pending]);
      const then = stage.writes();
      await stage.sync(await stage.one("last.csv", "Last"), {
        leftovers: true,
        onLeft: () => assert.fail("nothing is left"),
      });
      assert.deepEqual(stage.written(then), [`u${ROWS}`]);
      const { applied, discarded, pending: still } = await stage.runs.books(again.run);
      assert.deepEqual([applied, discarded, still], [ROWS - again.pending, again.pending, 0]);
    });

    test("goes on with the same command, whatever another run left before it", async (t) => {
      const stage = await setStage(t, putData);
      await stage.leave("r-old", 3000);
      const file = await stage.rows("right.csv", "Right");
      const { run, pending } = await stage.cut(file);
      const before = stage.writes();
      const told: string[] = [];
      const { mock } = t.mock.method(stage.wakeUps, "wake");
      const summary = await stage.sync(file, { onLeft: (left) => told.push(...left.map(({ id }) => id)) });
      // At once, and not as sweeps come to them page by page.
      const woken = new Set(mock.calls.flatMap(({ arguments: [, dues] }) => dues.map(({ user }) => user)));
      assert.equal(woken.size, pending);
      assert.equal(summary.run, run);
      assert.deepEqual([summary.resumed, summary.books.applied], [true, ROWS]);
      assert.equal(stage.writes(), before + pending);
      assert.deepEqual(told, ["r-old"]);
      assert.equal((await stage.runs.books("r-old")).pending, 3000);
    });
  });
}
