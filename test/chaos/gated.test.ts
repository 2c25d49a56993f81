/** The verdicts on gates: each holds in a small world, and breaks in another. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ALL, feedGate, poolGate, runGate } from "../../src/core/gate.ts";
import { versionText } from "../../src/core/version.ts";
import { directRunId } from "../../src/store/runs.ts";
import { openMemoryStore } from "../support/memory-store.ts";
import { CALL_LASTS_MS, NO_EVIDENCE, type ToldClaim } from "./evidence.ts";
import { noGates, type Cancel, type Pause } from "./gate-records.ts";
import { forgone, judgeCancels, judgeGatesLeft, judgePauses } from "./gated.ts";
import { createModel, ordinalOf, valueOf } from "./model.ts";
import { POOL } from "./service.ts";
import { judgeOrder, judgeValues, type Standing } from "./verdict.ts";

const NOW = 1_800_000_000_000;
const USER = "ann";
const FEED = "feed-1.csv";
const DIRECT = directRunId(POOL);
const NAME = "given_name";

interface Told {
  /** When its claim was asked for, and its call applied; no claim, where it is absent. */
  readonly claimedAt?: number;
  /** When the claim was answered; at once, where it is absent. */
  readonly answeredAt?: number;
  readonly writtenAt: number;
}

/** A row of a file, and a single change of the same person before it. Both are put; `row` and `single` are written. */
async function world({ row, single, cancel, pause }: { row?: Told; single?: Told; cancel?: Cancel; pause?: Pause }) {
  const { store } = openMemoryStore(NOW);
  await store.runs.begin({ id: "run", source: "file", pool: POOL, feed: FEED, identity: "", asOf: NOW });
  await store.runs.direct(POOL);
  const model = createModel();
  const changes = [
    { id: "q.1", run: DIRECT, told: single, despitePause: true as const },
    { id: "f1.1", run: "run", told: row },
  ];
  const claims: ToldClaim[] = [];
  const writes = [];
  for (const [index, { id, run, told, ...rest }] of changes.entries()) {
    const ordinal = ordinalOf(NOW, index + 1);
    model.sent({ id, username: USER, attributes: [NAME], ordinal, ...rest }, NOW);
    model.acked(id, NOW + 1_000);
    if (!told) continue;
    const { claimedAt, answeredAt = claimedAt, writtenAt } = told;
    const units = { [NAME]: { version: versionText(ordinal, index + 1), run } };
    if (claimedAt !== undefined && answeredAt !== undefined)
      claims.push({ user: USER, askedAt: NOW + claimedAt, answeredAt: NOW + answeredAt, units });
    writes.push({ seq: index + 1, at: NOW + writtenAt, username: USER, attributes: { [NAME]: valueOf(id, NAME) } });
  }
  const standing: Standing = {
    model,
    engine: { store },
    writes,
    attributes: new Map([[USER, writes.at(-1)?.attributes ?? {}]]),
    states: new Map(),
    userKeys: new Map([[USER, USER]]),
    letters: [],
    asks: [],
    gates: { cancels: cancel ? [cancel] : [], pauses: pause ? [pause] : [] },
    broken: [],
    evidence: { ...NO_EVIDENCE, claims },
  };
  return { standing, store, model };
}

const CANCEL: Cancel = { run: "run", feed: FEED, askedAt: NOW + 90, answeredAt: NOW + 100, did: 1 };

describe("13: of a run that was cancelled", () => {
  const cases: readonly [what: string, row: Told, holds: boolean][] = [
    ["what was written before", { claimedAt: 10, writtenAt: 20 }, true],
    ["a call ends that was claimed before", { claimedAt: 90, writtenAt: 120 }, true],
    ["what was claimed afterwards is written", { claimedAt: 101, writtenAt: 120 }, false],
    ["what was claimed before is written long afterwards", { claimedAt: 90, writtenAt: 91 + CALL_LASTS_MS }, false],
    ["a write of which no log has the claim comes soon", { writtenAt: 100 + CALL_LASTS_MS }, true],
    ["a write of which no log has the claim comes late", { writtenAt: 101 + CALL_LASTS_MS }, false],
  ];
  for (const [what, row, holds] of cases) {
    test(`${what}: ${holds ? "holds" : "breaks"}`, async () => {
      const { standing, store } = await world({ row, cancel: CANCEL });
      await store.runs.transition("run", ["reading"], "cancelled");
      const { broken } = await judgeCancels(standing, await store.runs.list(10));
      assert.equal(broken.length, holds ? 0 : 1, broken.join());
    });
  }

  test("breaks where an answer is not true, unless Redis may have lost it", async () => {
    const row = { claimedAt: 200, writtenAt: 210 };
    const losses: readonly [from: number, to: number, holds: boolean][] = [
      [95, 100, true],
      [100, 300, true],
      [101, 300, false],
      [0, 89, false],
    ];
    for (const [from, to, holds] of losses) {
      const { standing, store, model } = await world({ row, cancel: CANCEL });
      const runs = await store.runs.list(10);
      assert.equal((await judgeCancels(standing, runs)).holds, false, "nothing was lost");
      model.lost({ from: NOW + from, to: NOW + to, why: "a power cut" });
      assert.equal((await judgeCancels(standing, runs)).holds, holds, `lost from ${from} to ${to}`);
    }
  });

  test("breaks where two were told that they did it", async () => {
    const { standing, store } = await world({ cancel: { ...CANCEL, did: 2 } });
    await store.runs.transition("run", ["reading"], "cancelled");
    assert.equal((await judgeCancels(standing, await store.runs.list(10))).holds, false);
  });

  test("what Redis may have lost counts from when it was said again", async () => {
    const { standing, store, model } = await world({ row: { claimedAt: 200, writtenAt: 210 } });
    model.lost({ from: NOW + 95, to: NOW + 110, why: "a power cut" });
    await store.runs.transition("run", ["reading"], "cancelled");
    const runs = await store.runs.list(10);
    for (const [againAt, holds] of [
      [300, true],
      [150, false],
    ] as const) {
      const again = { ...CANCEL, askedAt: NOW + againAt - 1, answeredAt: NOW + againAt };
      const gates = { cancels: [CANCEL, again], pauses: [] };
      assert.equal((await judgeCancels({ ...standing, gates }, runs)).holds, holds);
    }
  });
});

describe("14: what was paused", () => {
  const paused = (gate: string): Pause => ({
    gate,
    askedAt: NOW + 90,
    answeredAt: NOW + 100,
    resumeAskedAt: NOW + 200,
  });
  const within = { claimedAt: 110, writtenAt: 120 };
  const cases: readonly [what: string, gate: string, told: { row?: Told; single?: Told }, holds: boolean][] = [
    ["everything, and a row is claimed", ALL, { row: within }, false],
    ["the pool, and a row is claimed", poolGate(POOL), { row: within }, false],
    ["its feed, and a row is claimed", feedGate(FEED), { row: within }, false],
    ["another feed, and a row is claimed", feedGate("feed-2.csv"), { row: within }, true],
    ["everything, and a row was claimed before", ALL, { row: { claimedAt: 99, writtenAt: 120 } }, true],
    ["everything, and a row is claimed afterwards", ALL, { row: { claimedAt: 201, writtenAt: 220 } }, true],
    [
      "everything, and a row that was claimed meanwhile is written afterwards",
      ALL,
      { row: { claimedAt: 199, writtenAt: 220 } },
      false,
    ],
    [
      "everything, and a claim that was asked for meanwhile is answered afterwards",
      ALL,
      { row: { claimedAt: 199, answeredAt: 201, writtenAt: 220 } },
      true,
    ],
    ["everything, and a single change goes all the same", ALL, { single: within }, true],
    [
      "everything, and a write comes long after its claim",
      ALL,
      { row: { claimedAt: 99, writtenAt: 100 + CALL_LASTS_MS } },
      false,
    ],
  ];
  for (const [what, gate, told, holds] of cases) {
    test(`${what}: ${holds ? "holds" : "breaks"}`, async () => {
      const { standing, store } = await world({ ...told, pause: paused(gate) });
      assert.equal(judgePauses(standing, await store.runs.list(10)).holds, holds);
    });
  }

  test("a single change is sent all the same while somebody asks for it, and no longer", async () => {
    const single = { claimedAt: 1_110, writtenAt: 1_120 };
    const pause = { ...paused(ALL), resumeAskedAt: NOW + 2_000 };
    const { standing, store } = await world({ single, pause });
    assert.equal(judgePauses(standing, await store.runs.list(10)).holds, false);
  });

  test("breaks where it was not paused any more, unless Redis may have lost that", async () => {
    const { standing, store, model } = await world({ row: within, pause: { ...paused(ALL), gone: true } });
    const runs = await store.runs.list(10);
    assert.equal(judgePauses(standing, runs).broken.length, 2);
    model.lost({ from: NOW + 101, to: NOW + 150, why: "a power cut" });
    assert.equal(judgePauses(standing, runs).holds, false);
    model.lost({ from: NOW + 99, to: NOW + 150, why: "a power cut" });
    assert.equal(judgePauses(standing, runs).holds, true);
  });
});

describe("15: in the end", () => {
  const page = { pool: POOL, run: "run", priority: 10, invalid: 0, rows: { read: 1, faulty: 0 } };
  const units = [{ name: NAME, digest: "digest", body: "body" }];
  const changes = [{ user: USER, username: USER, units }];

  test("holds where nothing is kept", async () => {
    const { standing, store } = await world({});
    await store.runs.transition("run", ["reading"], "cancelled");
    assert.deepEqual((await judgeGatesLeft(standing, await store.runs.list(10))).broken, []);
  });

  test("breaks where something is paused still, or kept, or what was cancelled waits", async () => {
    const gate = feedGate(FEED);
    const by = { by: "somebody", reason: "" };
    const { standing, store } = await world({});
    const broken = async (): Promise<string> =>
      (await judgeGatesLeft(standing, await store.runs.list(10))).broken.join("\n");
    await store.gates.pause(gate, by);
    assert.match(await broken(), /^feed:feed-1\.csv is paused in the end$/m);
    await store.mailboxes.put({ ...page, changes });
    assert.match(await broken(), /keeps 1 users in the end/);
    await store.gates.resume(gate);
    assert.match(await broken(), /is open, and keeps users still/);
    await store.mailboxes.release(gate, 10);
    assert.equal(await broken(), "");
    await store.runs.transition("run", ["reading"], "cancelled");
    assert.match(await broken(), /run was cancelled, and 1 of it are pending/);
    await store.mailboxes.sortOut({ pool: POOL }, { offset: 0, limit: 10 });
    assert.equal(await broken(), "");
  });

  test("breaks where a run waits for an approval", async () => {
    const { standing, store } = await world({});
    await store.runs.transition("run", ["reading"], "needs-approval");
    const { broken } = await judgeGatesLeft(standing, await store.runs.list(10));
    assert.deepEqual(broken, [`${runGate("run")} is waiting in the end`]);
  });
});

describe("2: where a file's run was cancelled", () => {
  /** The pool has the single change's value, which is older than the row. */
  async function overtaken(isCancelled: boolean) {
    const { standing, store, model } = await world({ single: { claimedAt: 10, writtenAt: 20 } });
    if (isCancelled) await store.runs.transition("run", ["reading"], "cancelled");
    for (const [file, at] of forgone(noGates(), await store.runs.list(10))) model.forgo(file, at);
    return { standing, model };
  }

  test("its value need not be there, and the newest of other runs must be", async () => {
    assert.equal(judgeValues((await overtaken(false)).standing).holds, false, "it was not cancelled");
    const { standing } = await overtaken(true);
    assert.equal(judgeValues(standing).holds, true);
    const nothing = { ...standing, writes: [], attributes: new Map([[USER, {}]]) };
    assert.equal(judgeValues(nothing).holds, false, "what it had superseded is lost");
  });

  test("its value may be there", async () => {
    const { standing } = await overtaken(true);
    assert.equal(
      judgeValues({ ...standing, attributes: new Map([[USER, { [NAME]: valueOf("f1.1", NAME) }]]) }).holds,
      true,
    );
  });

  test("a value that gave way to two of them is not put back, unless the one was over before the other began", async () => {
    for (const [sentAt, holds] of [
      [NOW + 50, true],
      [NOW + 500, false],
    ] as const) {
      const { standing, model } = await overtaken(false);
      model.forgo(FEED, NOW + 100);
      model.sent({ id: "f2.1", username: USER, attributes: [NAME], ordinal: ordinalOf(NOW, 3) }, sentAt);
      model.forgo("feed-2.csv", NOW + 600);
      const nothing = { ...standing, writes: [], attributes: new Map([[USER, {}]]) };
      assert.equal(judgeValues(nothing).holds, holds);
    }
  });
});

describe("3: where a file's run was cancelled", () => {
  /** The row was written first, and then the single change, which is older. */
  async function wentBack(...told: Parameters<typeof settled>) {
    const { standing, store, model } = await world({ row: { writtenAt: 40 }, single: { writtenAt: 20 } });
    const [single, row] = standing.writes;
    assert.ok(single && row);
    const writes = [
      { ...row, at: single.at },
      { ...single, seq: 3, at: row.at },
    ];
    await store.runs.transition("run", ["reading"], "cancelled");
    const evidence = { ...NO_EVIDENCE, settles: [settled(...told)] };
    return { standing: { ...standing, writes, evidence }, model };
  }
  const settled = (is: string, failed: boolean) => {
    const version = versionText(ordinalOf(NOW, 2), 2);
    return { user: USER, at: NOW + 30, units: { [NAME]: { is, version, fateUnknown: true } }, failed };
  };

  test("what it had superseded goes over it, where nobody heard that it was applied", async () => {
    const cases: readonly [...told: Parameters<typeof settled>, holds: boolean][] = [
      ["retry", false, true],
      ["applied", true, true],
      ["applied", false, false],
    ];
    for (const [is, failed, holds] of cases) {
      const { standing, model } = await wentBack(is, failed);
      assert.equal(judgeOrder(standing).holds, false, "it was not cancelled");
      model.forgo(FEED, NOW + 35);
      assert.equal(judgeOrder(standing).holds, holds, `${is}${failed ? ", failed" : ""}`);
    }
  });
});
