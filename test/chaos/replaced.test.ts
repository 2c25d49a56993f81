/** The verdict on an emptied Redis: a small world that keeps it, and what breaks it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Letter } from "../../src/core/letter.ts";
import { openMemoryStore } from "../support/memory-store.ts";
import { NO_EVIDENCE, type Evidence } from "./evidence.ts";
import { noGates } from "./gate-records.ts";
import { createModel, ordinalOf, valueOf } from "./model.ts";
import { inKeysOfNow, judgeReplaced, type ReplacedFacts } from "./replaced.ts";
import type { Lived, Replacement } from "./replacements.ts";
import { judgeOrder, judgeValues, type Standing } from "./verdict.ts";

const NOW = 1_800_000_000_000;
const EMPTIED = NOW - 5_000;
const BACK = NOW - 4_000;
const USER = "ann";
const OLD_KEY = `first ${USER}`;

const run = (id: string) => ({ id, source: "file", pool: "pool", feed: `${id}.csv`, identity: "", asOf: NOW }) as const;

/** Redis was emptied under a worker and an application; ann's name was written before, and again after. */
async function world() {
  const { store } = openMemoryStore(NOW);
  await store.runs.begin(run("after"));
  const unit = { name: "given_name", digest: "", body: "", ordinal: ordinalOf(NOW, 1) };
  const changes = [{ user: USER, username: USER, units: [unit] }];
  const page = { pool: "pool", run: "after", priority: 1, changes, invalid: 0, rows: { read: 1, faulty: 0 } };
  await store.mailboxes.put(page);
  const claim = await store.mailboxes.claim(USER, "token", 1_000);
  assert.ok(claim.is === "claimed");
  const version = claim.units["given_name"]?.version ?? "";
  await store.mailboxes.settle(USER, "token", { given_name: { is: "applied", version } }, 1_000);

  const model = createModel();
  model.sent({ id: "a.1", username: USER, attributes: ["given_name"], ordinal: ordinalOf(NOW, 1) }, NOW);
  model.acked("a.1", NOW + 10);
  const standing: Standing = {
    model,
    engine: { store: { ...store, identity: "second" } },
    writes: [],
    attributes: new Map(),
    states: new Map([[USER, await store.mailboxes.read(USER)]]),
    userKeys: new Map([[USER, USER]]),
    letters: [],
    asks: [],
    gates: noGates(),
    broken: [],
    evidence: NO_EVIDENCE,
  };
  const worker: Lived = { name: "worker-0", startedAt: NOW - 60_000, end: 1, endedAt: NOW };
  const application: Lived = { name: "producer-a", startedAt: NOW - 60_000 };
  const replacement: Replacement = {
    emptiedAt: EMPTIED,
    backAt: BACK,
    identity: "first",
    runs: [
      { ...run("before"), startedAt: NOW - 50_000, state: "delivering", cursor: "", rows: { read: 0, faulty: 0 } },
    ],
    userKey: (username) => `first ${username}`,
    lived: [worker, application, { name: "emulator", startedAt: NOW - 60_000 }],
    refusedAs: "store-replaced",
  };
  const facts: ReplacedFacts = {
    replacements: [replacement],
    told: [
      { name: "worker-0", at: NOW - 55_000, is: "started" },
      { name: "worker-0", at: NOW - 1, is: "store-replaced" },
    ],
    evidence: NO_EVIDENCE,
    usernames: [USER],
    saidAgain: { changes: 1, files: 0 },
  };
  return { standing, store, facts, replacement, worker, application };
}

function letter(user: string, buriedAt: number): Letter {
  const known = { id: "letter", user, username: user, pool: "pool", run: "after", digest: "", body: "" };
  return { ...known, unit: "given_name", kind: "gave-up", reason: "", version: "1", buriedAt };
}

describe("17, that an emptied Redis is another store,", () => {
  test("holds where each process was told, and nothing of the old store is in the new one", async () => {
    const { standing, facts } = await world();
    const { holds, broken, facts: counted } = await judgeReplaced(standing, facts);
    assert.deepEqual([holds, broken], [true, []]);
    assert.deepEqual([counted["endedAsReplaced"], counted["openedAnew"]], [1, 1]);
  });

  test("breaks where a process goes on, or ends and says nothing", async () => {
    const { standing, facts, replacement, worker, application } = await world();
    const [started, told] = facts.told;
    assert.ok(started && told);
    const worlds: readonly [lived: readonly Lived[], told: ReplacedFacts["told"], wrong: RegExp][] = [
      [[{ name: "worker-0", startedAt: worker.startedAt }], [started], /worker-0, started at \d+, lives on/],
      [[{ name: "worker-0", startedAt: worker.startedAt }], facts.told, /was told, and lives on/],
      [[worker], [started], /ended with 1, and did not say why/],
      [[{ ...worker, end: 0 }], [started], /went on, and ended with 0/],
      [[worker], [started, { ...told, at: EMPTIED - 1 }], /did not say why/],
      [[worker], [started, { ...told, name: "worker-1" }], /did not say why/],
      [[worker, { ...application, name: "producer-b" }], facts.told, /producer-b.* was acknowledged nothing any more/],
    ];
    for (const [lived, lines, wrong] of worlds) {
      const replacements = [{ ...replacement, lived }];
      const { broken } = await judgeReplaced(standing, { ...facts, replacements, told: lines });
      assert.match(broken.join(), wrong);
    }
  });

  test("lets a process be killed, done, or not have opened the store", async () => {
    const { standing, facts, replacement, worker } = await world();
    const sync = { name: "feed-1", startedAt: EMPTIED - 10, end: 0, endedAt: BACK + 30_000 };
    const told = [...facts.told, { name: "feed-1", at: EMPTIED - 5, is: "started" } as const];
    const judged = async (lived: readonly Lived[]) =>
      judgeReplaced(standing, { ...facts, told, replacements: [{ ...replacement, lived: [worker, ...lived] }] });
    const { holds, facts: counted } = await judged([sync, { ...sync, end: "SIGKILL" }, { ...worker, name: "late" }]);
    assert.deepEqual([holds, counted["endedOtherwise"], counted["notOpenYet"]], [true, 2, 1]);
    assert.match((await judged([{ ...sync, endedAt: BACK + 30_001 }])).broken.join(), /feed-1.* went on, and ended/);
    assert.match((await judged([{ ...sync, end: 1 }])).broken.join(), /feed-1.* did not say why/);
  });

  test("breaks where something of the old store is in the new one", async () => {
    const { standing, store, facts, replacement } = await world();
    const wrongOf = async (on: Partial<Standing>, more: Partial<ReplacedFacts> = {}): Promise<string> =>
      (await judgeReplaced({ ...standing, ...on }, { ...facts, ...more })).broken.join();

    assert.match(await wrongOf({ engine: { store: { ...store, identity: "first" } } }), /have the same identity/);
    assert.match(await wrongOf({ letters: [letter(OLD_KEY, NOW)] }), /letter letter is of first ann/);
    assert.match(await wrongOf({ letters: [letter(USER, EMPTIED - 1)] }), /was buried at/);
    const claims = [{ user: OLD_KEY, askedAt: BACK + 1, answeredAt: BACK + 1, units: {} }];
    assert.match(await wrongOf({}, { evidence: { claims } }), /first ann, a key .*, was claimed at/);
    const before = [{ user: OLD_KEY, askedAt: BACK, answeredAt: BACK, units: {} }];
    assert.equal(await wrongOf({}, { evidence: { claims: before } }), "");
    const old = { version: "1", digest: "", at: EMPTIED - 1 };
    assert.match(
      await wrongOf({ states: new Map([[USER, { ledger: { email: old } }]]) }),
      /ann's email was settled at/,
    );
    const kept = { ...store.mailboxes, read: async () => ({ ledger: { email: old } }) };
    const engine = { store: { ...store, identity: "second", mailboxes: kept } };
    assert.match(await wrongOf({ engine }), /ann has something under first ann/);

    const replacements = [{ ...replacement, refusedAs: undefined }];
    assert.match(await wrongOf({}, { replacements }), /went on to write, and was not refused/);
    const forgotten = async () => [{ run: `r-${NOW.toString(36)}-000000`, at: NOW }];
    const noting = { store: { ...store, identity: "second", runs: { ...store.runs, forgotten } } };
    assert.match(await wrongOf({ engine: noting }), /was noted as forgotten, and no store before/);
    await store.runs.begin(run("before"));
    assert.match(await wrongOf({}), /before is of a store that was emptied/);
  });

  test("breaks where nothing was tried", async () => {
    const { standing, facts } = await world();
    assert.equal((await judgeReplaced(standing, { ...facts, replacements: [] })).holds, false);
    const silent = { ...facts, saidAgain: { changes: 0, files: 0 } };
    assert.match((await judgeReplaced(standing, silent)).broken.join(), /no source has said anything again/);
  });
});

describe("where Redis was emptied", () => {
  /** Two versions of ann's name were written, the older one over the newer, which was put before Redis was emptied. */
  function wentBack({ newerAt, olderAt }: { readonly newerAt: number; readonly olderAt: number }) {
    const model = createModel();
    for (const [sequence, sentAt] of [
      [1, EMPTIED - 9],
      [2, EMPTIED - 8],
    ] as const) {
      model.sent(
        { id: `a.${sequence}`, username: USER, attributes: ["given_name"], ordinal: ordinalOf(NOW, sequence) },
        sentAt,
      );
      model.acked(`a.${sequence}`, sentAt + 1);
    }
    model.lost({ from: 0, to: BACK, at: EMPTIED, why: "emptied" });
    const value = (id: string) => ({ username: USER, attributes: { given_name: valueOf(id, "given_name") } });
    const writes = [
      { seq: 1, at: newerAt, ...value("a.2") },
      { seq: 2, at: olderAt, ...value("a.1") },
    ];
    const standing: Standing = {
      model,
      engine: openMemoryStore(NOW),
      writes,
      attributes: new Map([[USER, { given_name: valueOf("a.1", "given_name") }]]),
      states: new Map(),
      userKeys: new Map([[USER, USER]]),
      letters: [],
      asks: [],
      gates: noGates(),
      broken: [],
      evidence: NO_EVIDENCE,
    };
    const claimed = (id: string, askedAt: number): Evidence["claims"][number] => {
      const version = `${ordinalOf(NOW, Number(id.slice(2)))}${"0".repeat(16)}`;
      return { user: USER, askedAt, answeredAt: askedAt, units: { given_name: { version, run: "run" } } };
    };
    const holds = (claims: Evidence["claims"] = []): boolean =>
      judgeOrder({ ...standing, evidence: { ...NO_EVIDENCE, claims } }).holds;
    return { standing, model, claimed, holds };
  }

  test("an older value may go over one that the new store has not claimed, and not before it was emptied", () => {
    const after = wentBack({ newerAt: EMPTIED - 5, olderAt: NOW });
    assert.equal(after.holds(), true);
    assert.equal(after.holds([after.claimed("a.2", BACK + 1)]), false, "the new store knows of it");
    assert.equal(after.holds([after.claimed("a.2", EMPTIED - 6)]), true, "the old one did");
    assert.equal(wentBack({ newerAt: EMPTIED - 5, olderAt: EMPTIED - 1 }).holds(), false, "it was not emptied yet");
  });

  test("a call of the old store may go over what the new one knows, and one of the new store may not", () => {
    const { claimed, holds } = wentBack({ newerAt: BACK + 10, olderAt: BACK + 20 });
    const newer = claimed("a.2", BACK + 5);
    assert.equal(holds([newer]), false);
    assert.equal(holds([newer, claimed("a.1", EMPTIED - 1)]), true);
    assert.equal(holds([newer, claimed("a.1", EMPTIED - 1), claimed("a.1", BACK + 15)]), false);
  });

  test("what was acknowledged before may be lost, until it was put and acknowledged again", () => {
    const { standing, model } = wentBack({ newerAt: EMPTIED - 5, olderAt: NOW });
    const newest = model.changes.get("a.2");
    assert.ok(newest);
    assert.equal(judgeValues(standing).holds, true);
    model.sent(newest, BACK + 5);
    model.acked("a.2", BACK + 6);
    assert.match(judgeValues(standing).broken.join(), /expected a\.2, found a\.1/);
    model.lost({ from: 0, to: NOW, at: NOW - 1, why: "emptied once more" });
    assert.equal(judgeValues(standing).holds, true);
    model.sent(newest, NOW + 5);
    assert.equal(judgeValues(standing).holds, true, "it is not acknowledged yet");
  });

  test("what logs say of a user is said under the key of now", () => {
    const claim = { askedAt: 1, answeredAt: 1, units: {} };
    const evidence: Evidence = {
      ...NO_EVIDENCE,
      claims: [
        { user: OLD_KEY, ...claim },
        { user: "bob", ...claim },
      ],
    };
    const { claims } = inKeysOfNow(
      evidence,
      [{ userKey: (name: string) => `first ${name}` } as Replacement],
      new Map([[USER, "now"]]),
    );
    assert.deepEqual(
      claims.map(({ user }) => user),
      ["now", "bob"],
    );
  });
});
