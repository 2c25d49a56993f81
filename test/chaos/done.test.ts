/** Done means done: made-up histories in which somebody else writes as well, that keep the verdicts and that break them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { versionText } from "../../src/core/version.ts";
import { openMemoryStore } from "../support/memory-store.ts";
import { directRunId } from "../../src/store/runs.ts";
import type { Ask } from "./asks.ts";
import { judgeDone, judgeFound } from "./done.ts";
import { noGates } from "./gate-records.ts";
import {
  CALL_LASTS_MS,
  HELD_UP_MS,
  NO_EVIDENCE,
  SETTLED_WITHIN_MS,
  type Evidence,
  type LateSettle,
} from "./evidence.ts";
import { BELIEVED_MS, createModel, ordinalOf, valueOf, type SentChange } from "./model.ts";
import { POOL } from "./service.ts";
import { judgeBooks, judgeOrder, judgeValues, type Standing } from "./verdict.ts";

const USER = "ann";
const NOW = 1_800_000_000_000;
const NAME = "given_name";

type Written = readonly [at: number, attributes: Readonly<Record<string, string>>, by?: "others"];

/** A history of ann's, the times from NOW. What it left is what is there. */
function world(written: readonly Written[], asks: readonly Ask[] = []) {
  const model = createModel();
  const writes = written.map(([at, attributes, by], index) => {
    const others = by === undefined ? {} : { others: true };
    return { seq: index + 1, at: NOW + at, username: USER, attributes, ...others };
  });
  const there = Object.fromEntries(written.flatMap(([, attributes]) => Object.entries(attributes)));
  const standing: Standing = {
    model,
    engine: openMemoryStore(NOW),
    writes,
    attributes: new Map([[USER, there]]),
    states: new Map(),
    userKeys: new Map([[USER, USER]]),
    letters: [],
    asks,
    gates: noGates(),
    broken: [],
    evidence: NO_EVIDENCE,
  };
  return { standing, model };
}

const named = (id: string): Record<string, string> => ({ [NAME]: valueOf(id, NAME) });
const mailed = (id: string, verified: boolean): Record<string, string> => ({
  email: valueOf(id, "email"),
  email_verified: String(verified),
});

/** A request from one time to another, for the value of the request that it names. */
function asked(says: string, attribute: string, outcome: string, begunAt: number, answeredAt: number): Ask {
  const answered = { outcomes: { [attribute]: outcome }, begunAt: NOW + begunAt, answeredAt: NOW + answeredAt };
  return { id: `q.${begunAt}`, says, username: USER, attributes: [attribute], by: "update()", answered };
}

/** A change that was put from one time to another. */
function put(
  model: Standing["model"],
  from: number,
  to: number,
  change: Omit<SentChange, "sentAt" | "times" | "username">,
) {
  model.sent({ username: USER, ...change }, NOW + from);
  model.acked(change.id, NOW + to);
}

describe("10, that what was told done was there,", () => {
  const first = asked("q.1", NAME, "applied", 1, 20);

  test("holds where it was written, found, or written again over somebody else's", () => {
    const again = asked("q.1", NAME, "unchanged", 30, 35);
    const over = asked("q.1", NAME, "applied", 50, 60);
    const { standing } = world(
      [
        [10, named("q.1")],
        [40, named("o.1"), "others"],
        [55, named("q.1")],
        [70, named("o.2"), "others"],
      ],
      [first, again, over],
    );
    assert.deepEqual(judgeDone(standing).broken, []);
    assert.equal(judgeDone(standing).facts["askedOverOthers"], 1);
  });

  test("breaks where it was told unchanged while the pool had another value", () => {
    const believed = asked("q.1", NAME, "unchanged", 50, 60);
    const { standing } = world(
      [
        [10, named("q.1")],
        [40, named("o.1"), "others"],
      ],
      [first, believed],
    );
    const { holds, broken } = judgeDone(standing);
    assert.equal(holds, false);
    assert.match(
      broken.join(),
      /^ann given_name: update\(\) q\.50 asked for q\.1 .* was told unchanged .* o\.1 by somebody/,
    );
    assert.equal(broken.length, 1);
    // It makes no difference that it is written later, nor what the person deleted.
    const later = world(
      [
        [10, named("q.1")],
        [40, { [NAME]: "" }, "others"],
        [61, named("q.1")],
      ],
      [first, believed],
    );
    assert.match(judgeDone(later.standing).broken.join(), /the pool had nothing of the run by somebody else/);
  });

  test("breaks where the value was right and its flag wrong", () => {
    const mine = asked("q.1", "email", "applied", 1, 20);
    const believed = asked("q.1", "email", "unchanged", 50, 60);
    const flagged: Written = [40, { email_verified: "false" }, "others"];
    const { standing } = world([[10, mailed("q.1", true)], flagged], [mine, believed]);
    assert.match(
      judgeDone(standing).broken.join(),
      /asked for q\.1 .* was told unchanged .* the pool had q\.1 by somebody else/,
    );
    const mended = world([[10, mailed("q.1", true)], flagged, [55, mailed("q.1", true)]], [mine, believed]);
    assert.deepEqual(judgeDone(mended.standing).broken, []);
    // An address that is written without its flag is not verified.
    const lost = world([[10, { email: valueOf("q.1", "email") }], flagged], [mine]);
    assert.equal(judgeDone(lost.standing).holds, false);
  });

  test("breaks where it was told applied and never sent", () => {
    const { standing } = world([[5, named("o.1"), "others"]], [first]);
    assert.match(judgeDone(standing).broken.join(), /was told applied/);
    const nothing = world([[5, { nickname: valueOf("o.1", "nickname") }, "others"]], [first]);
    assert.match(judgeDone(nothing.standing).broken.join(), /the pool had nothing of the run from -Infinity/);
  });

  test("says nothing of what is pending, dead or overtaken", () => {
    const asks = ["pending", "dead", "stale", "superseded"].map((outcome) => asked("q.1", NAME, outcome, 1, 20));
    assert.deepEqual(judgeDone(world([[5, named("o.1"), "others"]], asks).standing).broken, []);
  });

  test("breaks where it is written again over somebody else's and nobody asked, unless it is known why", () => {
    const history: readonly Written[] = [
      [10, named("q.1")],
      [40, named("o.1"), "others"],
      [55, named("q.1")],
    ];
    const { standing, model } = world(history, [first]);
    assert.match(judgeDone(standing).broken.join(), /q\.1 was written at .* nobody had asked for it again/);
    assert.equal(judgeDone(world(history, [first, asked("q.1", NAME, "applied", 60, 70)]).standing).holds, false);
    const pending = asked("q.1", NAME, "pending", 30, 35);
    assert.equal(judgeDone(world(history, [first, pending]).standing).holds, true);
    const evidence = { ...standing.evidence, unheard: new Set([3]) };
    assert.equal(judgeDone({ ...standing, evidence }).holds, true);
    model.lost({ from: NOW + 50, to: NOW + 51, why: "a power cut" });
    assert.equal(judgeDone(standing).holds, true);
  });

  /** It was told done, somebody else wrote, and so long after its write it is written again. */
  function unasked(againMs: number) {
    const history: readonly Written[] = [
      [10, named("q.1")],
      [40, named("o.1"), "others"],
      [againMs, named("q.1")],
    ];
    const { standing, model } = world(history, [first]);
    put(model, 1, 20, { id: "q.1", attributes: [NAME], ordinal: ordinalOf(NOW, 1) });
    const holds = (evidence: Partial<Evidence>): boolean =>
      judgeDone({ ...standing, evidence: { ...NO_EVIDENCE, ...evidence } }).holds;
    return { standing, model, holds };
  }

  test("excuses a call whose caller had gone only while one may have been under way", () => {
    const unheard = new Set([3]);
    assert.equal(unasked(20 + CALL_LASTS_MS).holds({ unheard }), true);
    assert.equal(unasked(21 + CALL_LASTS_MS).holds({ unheard }), false);
  });

  test("excuses what a late settle wrote, or had sent once more, and nothing else of the user", () => {
    const { holds } = unasked(55);
    const version = versionText(ordinalOf(NOW, 1), 7);
    const late = { user: USER, at: NOW + 50, written: {}, doubted: [] };
    const excuses: readonly [why: string, late: Partial<LateSettle>, isExcused: boolean][] = [
      ["it wrote it", { at: NOW + 60, written: { [NAME]: version } }, true],
      ["it wrote something else", { at: NOW + 60, written: { email: version } }, false],
      ["it wrote another version", { at: NOW + 60, written: { [NAME]: versionText(ordinalOf(NOW, 2), 7) } }, false],
      ["the unit was in doubt", { doubted: [NAME] }, true],
      ["another unit was in doubt", { doubted: ["email"] }, false],
      ["it was in doubt later", { at: NOW + 56 + HELD_UP_MS, doubted: [NAME] }, false],
      ["nothing was", {}, false],
    ];
    for (const [why, other, isExcused] of excuses)
      assert.equal(holds({ lateSettles: [{ ...late, ...other }] }), isExcused, why);
  });

  test("excuses what Redis forgot of the value, and no other loss", () => {
    const losses: readonly [from: number, to: number, isExcused: boolean][] = [
      [15, 18, true],
      [10 + SETTLED_WITHIN_MS, 11 + SETTLED_WITHIN_MS, true],
      [11 + SETTLED_WITHIN_MS, 12 + SETTLED_WITHIN_MS, false],
      [-9, 0, false],
    ];
    for (const [from, to, isExcused] of losses) {
      const { model, holds } = unasked(60_000);
      model.lost({ from: NOW + from, to: NOW + to, why: "a power cut" });
      assert.equal(holds({}), isExcused, `from ${from} to ${to}`);
    }
  });

  test("breaks where nobody asked, or nobody else wrote", () => {
    assert.match(judgeDone(world([[5, named("o.1"), "others"]]).standing).broken.join(), /nobody was told anything/);
    assert.match(judgeDone(world([[10, named("q.1")]], [first]).standing).broken.join(), /nobody else wrote/);
  });
});

describe("2, that every value is the newest,", () => {
  const over: readonly Written[] = [
    [10, named("a.1")],
    [40, named("o.1"), "others"],
  ];
  const change = { id: "a.1", attributes: [NAME], ordinal: ordinalOf(NOW, 1) };

  test("holds where somebody else wrote over it", () => {
    const { standing, model } = world(over);
    put(model, 0, 5, change);
    assert.deepEqual(judgeValues(standing).broken, []);
    assert.equal(judgeValues(standing).facts["lastWrittenByOthers"], 1);
  });

  test("breaks where it was never there, and where a file says it again and somebody else's stays", () => {
    const { standing, model } = world([[40, named("o.1"), "others"]]);
    put(model, 0, 5, change);
    assert.match(judgeValues(standing).broken.join(), /expected a\.1, found o\.1/);
    const file = world(over);
    put(file.model, 0, 5, change);
    put(file.model, 50, 60, { ...change, id: "f1.1", says: "a.1", ordinal: ordinalOf(NOW, 2), looks: true });
    assert.match(judgeValues(file.standing).broken.join(), /expected f1\.1, found o\.1/);
  });

  test("holds where a queued change is believed to be there, for an hour", () => {
    for (const [later, holds] of [
      [50, true],
      [40 + BELIEVED_MS, true],
      [41 + BELIEVED_MS, false],
    ] as const) {
      const { standing, model } = world(over);
      put(model, 0, 5, change);
      put(model, later, later + 5, { ...change, id: "a.2", says: "a.1", ordinal: ordinalOf(NOW, 2) });
      assert.equal(judgeValues(standing).holds, holds, `${later}`);
    }
  });

  test("breaks where the flag is not as it was asked for, unless somebody else took it back", () => {
    const mail = { id: "a.1", attributes: ["email"], ordinal: ordinalOf(NOW, 1) };
    const unflagged = world([[10, { email: valueOf("a.1", "email") }]]);
    put(unflagged.model, 0, 5, mail);
    assert.equal(judgeValues(unflagged.standing).holds, false);
    const takenBack = world([
      [10, mailed("a.1", true)],
      [40, { email_verified: "false" }, "others"],
    ]);
    put(takenBack.model, 0, 5, mail);
    assert.deepEqual(judgeValues(takenBack.standing).broken, []);
  });
});

test("3 breaks where an older value goes over somebody else's that went over a newer one", () => {
  const { standing, model } = world([
    [10, named("a.2")],
    [40, named("o.1"), "others"],
    [50, named("a.1")],
  ]);
  put(model, 0, 5, { id: "a.1", attributes: [NAME], ordinal: ordinalOf(NOW, 1) });
  put(model, 0, 5, { id: "a.2", attributes: [NAME], ordinal: ordinalOf(NOW, 2) });
  assert.match(judgeOrder(standing).broken.join(), /went back from a\.2 to a\.1/);
  // Said once more and newest again, it does not go back.
  put(model, 45, 60, { id: "a.3", says: "a.1", attributes: [NAME], ordinal: ordinalOf(NOW, 3) });
  assert.deepEqual(judgeOrder(standing).broken, []);
});

describe("1 and 11, that the books say no more than the pool had,", () => {
  /** One change was put and settled, and the books count it. */
  async function counted(written: readonly Written[], change: Partial<SentChange>) {
    const { standing, model } = world(written);
    const { runs, mailboxes } = openMemoryStore(NOW).store;
    const run = (await runs.direct(POOL)).id;
    assert.equal(run, directRunId(POOL));
    const changes = [{ user: USER, username: USER, units: [{ name: NAME, digest: "d", body: "b" }] }];
    await mailboxes.put({ pool: POOL, run, priority: 1, changes, invalid: 0, rows: { read: 1, faulty: 0 } });
    const claim = await mailboxes.claim(USER, "token", 1_000);
    assert.ok(claim.is === "claimed");
    const version = claim.units[NAME]?.version ?? "";
    await mailboxes.settle(USER, "token", { [NAME]: { is: "applied", version } }, 1_000);
    put(model, 50, 60, { id: "a.2", attributes: [NAME], ...change });
    return { ...standing, engine: { store: { ...openMemoryStore(NOW).store, runs, mailboxes } } };
  }

  test("hold where it was written, or found", async () => {
    assert.deepEqual((await judgeFound(await counted([[55, named("a.2")]], {}))).broken, []);
    const found = await counted([[10, named("a.1")]], { says: "a.1" });
    assert.deepEqual((await judgeFound(found)).broken, []);
  });

  test("break where it was not there since, or only somebody else wrote", async () => {
    const over: readonly Written[] = [
      [10, named("a.1")],
      [40, named("o.1"), "others"],
    ];
    const believed = await counted(over, { says: "a.1" });
    assert.deepEqual((await judgeFound(believed)).broken, [], "it was within the hour");
    const looked = await counted(over, { says: "a.1", looks: true });
    assert.match((await judgeFound(looked)).broken.join(), /1 applied and 0 unchanged, and only 0/);
    const others = await counted([[40, named("o.1"), "others"]], {});
    assert.match((await judgeBooks(others, [], 0)).broken.join(), /applied is 1, and the emulator's log has 0 units/);
  });
});
