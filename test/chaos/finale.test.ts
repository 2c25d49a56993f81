/** Invariants 5, 6 and 7: each is shown a small world that keeps it, and some that break it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EMPTY_BOOKS } from "../../src/core/books.ts";
import type { UserState } from "../../src/core/mailbox.ts";
import { openMemoryStore } from "../support/memory-store.ts";
import { NO_EVIDENCE } from "./evidence.ts";
import { DRAIN_WITHIN_MS, judgeDrain, judgeReplays, settleDown, type Look, type Replays } from "./finale.ts";
import type { KeysLeft } from "./keys-left.ts";
import { judgeKeys, judgeRowsLeft } from "./leaks.ts";
import { noGates } from "./gate-records.ts";
import { createModel, ordinalOf, valueOf } from "./model.ts";
import type { Standing } from "./verdict.ts";

const USER = "ann";
const NOW = 1_800_000_000_000;
const NAME = "given_name";

/** An older change died and a newer one was applied. `replayed` is what the replays wrote, in their order. */
function world(replayed: readonly string[] = []) {
  const model = createModel();
  for (const sequence of [1, 2, 3]) {
    const id = `a.${sequence}`;
    model.sent({ id, username: USER, attributes: [NAME], ordinal: ordinalOf(NOW - 1_000, sequence) }, NOW);
    model.acked(id, NOW + 10);
  }
  const writes = ["a.2", ...replayed].map((id, index) => ({
    seq: index + 1,
    at: NOW + index,
    username: USER,
    attributes: { [NAME]: valueOf(id, NAME) },
  }));
  const standing: Standing = {
    model,
    engine: openMemoryStore(NOW),
    writes,
    attributes: new Map(),
    states: new Map(),
    userKeys: new Map([[USER, USER]]),
    letters: [],
    asks: [],
    gates: noGates(),
    broken: [],
    evidence: NO_EVIDENCE,
  };
  return { standing, model };
}

/** What is there when the emulator's log has so many writes. */
function look(id: string, writes: number, stale = 0): Look {
  return {
    books: { ...EMPTY_BOOKS, received: 3, applied: 2, stale, dead: 1 - stale },
    attributes: new Map([[USER, { [NAME]: valueOf(id, NAME) }]]),
    writes,
  };
}

describe("5, that replays change nothing newer,", () => {
  const still: Replays = {
    mending: [look("a.2", 1), look("a.2", 1, 1)],
    further: [look("a.2", 1, 1), look("a.2", 1, 1), look("a.2", 1, 1)],
  };

  test("holds where a letter is stale, or what it has is the newest", () => {
    assert.deepEqual(judgeReplays(world().standing, still).broken, []);
    const after = look("a.3", 2);
    const mended: Replays = { mending: [look("a.2", 1), after], further: [after, after, after] };
    assert.deepEqual(judgeReplays(world(["a.3"]).standing, mended).broken, []);
  });

  test("breaks where a replay put an older value over a newer one, unless it is known why", () => {
    const after = look("a.1", 2);
    const replays: Replays = { mending: [look("a.2", 1), after], further: [after, after, after] };
    const { standing, model } = world(["a.1"]);
    assert.match(judgeReplays(standing, replays).broken.join(), /a replay put a\.1 over a\.2/);
    // Put right again within the same replay, it still went back.
    const both = { mending: [look("a.2", 1), look("a.2", 3)], further: still.further };
    assert.equal(judgeReplays(world(["a.1", "a.2"]).standing, { ...both, further: [look("a.2", 3)] }).holds, false);
    const evidence = { ...standing.evidence, unheard: new Set([2]) };
    assert.equal(judgeReplays({ ...standing, evidence }, replays).holds, true);
    model.lost({ from: NOW, to: NOW + 5, why: "a power cut" });
    assert.equal(judgeReplays(standing, replays).holds, true);
  });

  test("does not look at what went back before the first replay", () => {
    const { standing } = world(["a.1"]);
    const after = look("a.1", 2);
    assert.equal(judgeReplays(standing, { mending: [after, after], further: [after, after, after] }).holds, true);
  });

  test("breaks where a further replay moved a value or the books", () => {
    const { standing } = world(["a.3"]);
    const [first, second] = [look("a.2", 1, 1), look("a.3", 2, 1)];
    for (const further of [
      [first, second, second],
      [first, first, second],
    ]) {
      const { holds, broken } = judgeReplays(standing, { mending: still.mending, further });
      assert.equal(holds, false);
      assert.match(broken.join(), /changed a value of ann/);
    }
    const moved = [look("a.2", 1), look("a.2", 1), look("a.2", 1, 1)];
    assert.match(
      judgeReplays(standing, { ...still, further: moved }).broken.join(),
      /further replay 2 moved the books/,
    );
  });

  test("breaks where no replay was tried", () => {
    assert.equal(judgeReplays(world().standing, { mending: [], further: [] }).holds, false);
  });
});

test("6 holds where everything was delivered in time, and breaks where something is pending, under way, or late", () => {
  const none = new Map<string, number>();
  assert.equal(judgeDrain({ ms: DRAIN_WITHIN_MS, drained: true, pending: none }).holds, true);
  assert.equal(judgeDrain({ ms: DRAIN_WITHIN_MS + 1, drained: true, pending: none }).holds, false);
  // Nothing is pending, and yet a replay's order is never carried out.
  assert.equal(judgeDrain({ ms: DRAIN_WITHIN_MS, drained: false, pending: none }).holds, false);
  const { broken } = judgeDrain({ ms: DRAIN_WITHIN_MS, drained: false, pending: new Map([["run", 7]]) });
  assert.match(broken.join(), /run has 7 pending/);
});

describe("the wait for everything to be delivered", () => {
  const { store } = openMemoryStore(NOW);
  // Since faults ended all of the time has passed but for the least that is waited.
  const deps = {
    engine: { store },
    service: { attributesOf: async () => ({}), writes: async () => [] },
    users: [],
    calmAt: Date.now() - DRAIN_WITHIN_MS,
    replayAll: () => assert.fail("Expected no replay"),
    lastWord: () => assert.fail("Expected no last word"),
  };

  test("says that it was not where its time is over", async () => {
    const { drain } = await settleDown({ ...deps, drained: async () => false });
    assert.equal(drain.drained, false);
    assert.equal(judgeDrain(drain).holds, false);
  });

  test("fails where the store does not say", async () => {
    const drained = () => Promise.reject(new Error("the store does not answer"));
    await assert.rejects(settleDown({ ...deps, drained }), /the store does not answer/);
  });
});

describe("7, that nothing leaks,", () => {
  const clean: KeysLeft = { known: {}, strange: [], woken: new Set(), telling: [], growing: [], old: [] };
  const noWakeUps = { sleeping: new Set<string>(), jobs: 0, wrong: [] };
  const none = { states: new Map<string, UserState>(), letters: [] };

  test("holds where a claim that died is remembered and its wake-up sleeps", () => {
    const left = { ...clean, known: { "bull wake-up job": 1 }, woken: new Set(["an"]) };
    const wakeUps = { sleeping: new Set(["ann"]), jobs: 1, wrong: [] };
    assert.deepEqual(judgeKeys(left, none, wakeUps, [0]).broken, []);
    assert.deepEqual(judgeRowsLeft(none, wakeUps, 0).broken, []);
  });

  test("breaks where a key, a job, a lock, an order or a wake-up is left, and where a process did not end well", () => {
    const leaks: readonly Partial<KeysLeft>[] = [
      { strange: ["forgotten"] },
      { growing: ["once:1 does not expire"] },
      { woken: new Set(["an"]) },
      ...["wake-up lock", "wake-up job", "letter job", "replay job"].map((kind) => ({
        known: { [`bull ${kind}`]: 1 },
      })),
    ];
    for (const leak of leaks) {
      assert.equal(judgeKeys({ ...clean, ...leak }, none, noWakeUps, []).holds, false, JSON.stringify(leak));
    }
    assert.equal(judgeKeys(clean, none, { ...noWakeUps, wrong: ["two wake-ups"] }, []).holds, false);
    assert.equal(judgeKeys(clean, none, noWakeUps, [0, "SIGKILL"]).holds, false);
    assert.equal(judgeRowsLeft(none, noWakeUps, 1).holds, false);
    assert.equal(judgeRowsLeft(none, { ...noWakeUps, wrong: ["two wake-ups"] }, 0).holds, false);
  });

  test("breaks where a user is claimed, or has something pending", async () => {
    const { store } = openMemoryStore(NOW);
    await store.runs.begin({ id: "run", source: "file", pool: "pool", feed: "feed", identity: "", asOf: NOW });
    const changes = [{ user: USER, username: USER, units: [{ name: NAME, digest: "d", body: "b" }] }];
    const rows = { read: 1, faulty: 0 };
    await store.mailboxes.put({ pool: "pool", run: "run", priority: 1, changes, invalid: 0, rows });
    const judged = async () =>
      judgeRowsLeft({ states: new Map([[USER, await store.mailboxes.read(USER)]]), letters: [] }, noWakeUps, 0);
    assert.match((await judged()).broken.join(), /ann has something pending/);
    await store.mailboxes.claim(USER, "token", 1_000);
    assert.match((await judged()).broken.join(), /ann is still claimed/);
  });
});
