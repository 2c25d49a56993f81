/** A proof that cannot fail proves nothing: each invariant is shown a small world that keeps it, and one that breaks it. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { Redis } from "ioredis";
import type { Letter } from "../../src/core/letter.ts";
import { openMemoryStore } from "../support/memory-store.ts";
import { testRedis } from "../support/redis.ts";
import { removeKeys } from "../store/redis-clock.ts";
import {
  CALL_LASTS_MS,
  HELD_UP_MS,
  NO_EVIDENCE,
  SETTLED_WITHIN_MS,
  type Evidence,
  type LateSettle,
} from "./evidence.ts";
import { keysLeft } from "./keys-left.ts";
import { noGates } from "./gate-records.ts";
import { createModel, MARK, ordinalOf, valueOf } from "./model.ts";
import { judgeBooks, judgeClocks, judgeKept, judgeOrder, judgeSecrets, judgeValues, type Standing } from "./verdict.ts";

const USER = "ann";
const FEED = "feed-1.csv";
const NOW = 1_800_000_000_000;

/** Two changes of one user were put, the second was applied over the first, and all is as it should be. */
async function world() {
  const { store } = openMemoryStore(NOW);
  await store.runs.begin({ id: "run", source: "file", pool: "pool", feed: FEED, identity: "", asOf: NOW });
  await store.runs.begin({ id: "direct", source: "file", pool: "pool", feed: "direct", identity: "", asOf: NOW });
  const model = createModel();
  const writes = [];
  /** Of the changes in the store's words. */
  const versions: string[] = [];
  for (const sequence of [1, 2]) {
    const id = `a.${sequence}`;
    const ordinal = ordinalOf(NOW - 1_000, sequence);
    const value = valueOf(id, "given_name");
    model.sent({ id, username: USER, attributes: ["given_name"], ordinal }, NOW);
    versions.push(await deliver("run", "given_name", value, ordinal));
    model.acked(id, NOW + 10);
    writes.push({ seq: sequence, at: NOW + sequence, username: USER, attributes: { given_name: value } });
  }
  model.sent({ id: "c.3", username: USER, attributes: ["nickname"] }, NOW);
  await deliver("direct", "nickname", valueOf("c.3", "nickname"));
  model.acked("c.3", NOW + 10);
  writes.push({ seq: 3, at: NOW + 3, username: USER, attributes: { nickname: valueOf("c.3", "nickname") } });

  async function deliver(run: string, name: string, value: string, ordinal?: string): Promise<string> {
    const unit = { name, digest: value, body: value, ...(ordinal === undefined ? {} : { ordinal }) };
    const changes = [{ user: USER, username: USER, units: [unit] }];
    await store.mailboxes.put({ pool: "pool", run, priority: 1, changes, invalid: 0, rows: { read: 1, faulty: 0 } });
    const claim = await store.mailboxes.claim(USER, value, 1_000);
    assert.ok(claim.is === "claimed");
    const version = claim.units[name]?.version ?? "";
    await store.mailboxes.settle(USER, value, { [name]: { is: "applied", version } }, 1_000);
    return version;
  }

  const standing: Standing = {
    model,
    engine: { store },
    writes,
    attributes: new Map([[USER, { given_name: valueOf("a.2", "given_name"), nickname: valueOf("c.3", "nickname") }]]),
    states: new Map([[USER, await store.mailboxes.read(USER)]]),
    userKeys: new Map([[USER, USER]]),
    letters: [],
    asks: [],
    gates: noGates(),
    broken: [],
    evidence: NO_EVIDENCE,
  };
  const [first = "", second = ""] = versions;
  return { standing, model, store, files: new Map([[FEED, 2]]), first, second };
}

/** What the store has of the user where its ledger says this version of the name. */
function ledgerSays(version: string, { states }: Standing, unresolved: object = {}): Standing["states"] {
  const state = states.get(USER) ?? assert.fail("Expected the user to be known");
  const ledger = { ...state.ledger, given_name: { version, digest: "", ...unresolved } };
  return new Map([[USER, { ...state, ledger }]]);
}

/** A dead letter of the name. */
function letterOf(version: string): Letter {
  const known = { id: version, user: USER, username: USER, pool: "pool", run: "run", digest: "", body: "" };
  return { ...known, unit: "given_name", kind: "gave-up", reason: "", version, buriedAt: NOW };
}

describe("an invariant of the chaos run", () => {
  test("holds where everything is as it should be", async () => {
    const { standing, files } = await world();
    const verdicts = [
      await judgeBooks(standing, [], 0),
      judgeValues(standing),
      judgeOrder(standing),
      await judgeKept(standing, files, 0),
      judgeClocks(standing, 50),
      judgeSecrets({ lines: 1, marked: [] }, []),
    ];
    assert.deepEqual(
      verdicts.flatMap(({ broken }) => broken),
      [],
    );
    assert.ok(verdicts.every(({ holds }) => holds));
  });

  test("1 breaks where the books do not balance, and where they say more than was sent or written", async () => {
    const { standing, store, model } = await world();
    const cooked = async (id?: string) => ({ ...(await store.runs.books(id)), applied: 4 });
    const engine = { store: { ...store, runs: { ...store.runs, books: cooked } } };
    assert.equal((await judgeBooks({ ...standing, engine }, [], 0)).holds, false);
    assert.equal((await judgeBooks({ ...standing, writes: standing.writes.slice(1) }, [], 0)).holds, false);
    assert.equal((await judgeBooks({ ...standing, model: createModel() }, [], 0)).holds, false);
    assert.equal((await judgeBooks(standing, ["checkpoint 1: a difference"], 1)).holds, false);
    const forgotten = { ...store.runs, list: async () => [] };
    assert.equal(
      (await judgeBooks({ ...standing, model, engine: { store: { ...store, runs: forgotten } } }, [], 0)).holds,
      false,
    );
  });

  test("2 breaks where an older value is there, unless the newest lies as a letter or may be lost", async () => {
    const { standing, model, first, second } = await world();
    const attributes = new Map([
      [USER, { given_name: valueOf("a.1", "given_name"), nickname: valueOf("c.3", "nickname") }],
    ]);
    assert.equal(judgeValues({ ...standing, attributes }).holds, false);
    const died = { ...standing, attributes, states: ledgerSays(first, standing) };
    assert.equal(judgeValues(died).holds, false);
    assert.equal(judgeValues({ ...died, letters: [letterOf(second)] }).holds, true);
    assert.equal(judgeValues({ ...died, letters: [letterOf(first)] }).holds, false, "an older one lies there");
    model.lost({ from: NOW, to: NOW + 5, why: "a power cut" });
    assert.equal(judgeValues({ ...standing, attributes }).holds, true);
  });

  test("2 breaks where the ledger says another version than that of the value in the pool", async () => {
    const { standing, first } = await world();
    const { broken } = judgeValues({ ...standing, states: ledgerSays(first, standing) });
    assert.match(broken.join(), /^ann given_name: the ledger says .*, the pool has a\.2/);
    assert.equal(broken.length, 1);
  });

  test("2 holds where a call that nobody heard of was to go over what is there", async () => {
    const { standing, first, second } = await world();
    const holds = (said: object) => judgeValues({ ...standing, states: ledgerSays(first, standing, said) }).holds;
    assert.equal(holds({ outcome: "unresolved", fencedOver: second }), true);
    assert.equal(holds({ outcome: "unresolved", fencedOver: first }), false);
    assert.equal(holds({ fencedOver: second }), false, "its fate is known");
  });

  test("2 excuses a ledger that a loss can have touched, and that of nobody else", async () => {
    const losses: readonly [why: string, from: number, to: number, isExcused: boolean][] = [
      ["while it was put", 5, 5, true],
      ["when its settle may have come", SETTLED_WITHIN_MS + 2, SETTLED_WITHIN_MS + 9, true],
      ["after that", SETTLED_WITHIN_MS + 3, SETTLED_WITHIN_MS + 9, false],
      ["before it was put", -500, -1, false],
    ];
    for (const [why, from, to, isExcused] of losses) {
      const { standing, model, first } = await world();
      model.lost({ from: NOW + from, to: NOW + to, why });
      const { holds, facts } = judgeValues({ ...standing, states: ledgerSays(first, standing) });
      assert.equal(holds, isExcused, why);
      assert.equal(facts["ledgerEntriesMaybeLost"], isExcused ? 1 : 0, why);
    }
    // What is written later is known to the store, unless it may have met a settle of what was lost.
    for (const [afterMs, isExcused] of [
      [60_000, true],
      [60_001, false],
    ] as const) {
      const { standing, model, first } = await world();
      model.lost({ from: NOW, to: NOW + 5, why: "a power cut" });
      const writes = standing.writes.map((write) => ({ ...write, at: NOW + 5 + afterMs }));
      const { holds } = judgeValues({ ...standing, writes, states: ledgerSays(first, standing) });
      assert.equal(holds, isExcused, `${afterMs} ms later`);
    }
    // What is lost of another attribute is no excuse for this one.
    const { standing, model, first } = await world();
    model.sent({ id: "c.9", username: USER, attributes: ["nickname"] }, NOW + 60_000);
    model.acked("c.9", NOW + 60_010);
    model.lost({ from: NOW + 60_000, to: NOW + 60_005, why: "a power cut" });
    assert.match(judgeValues({ ...standing, states: ledgerSays(first, standing) }).broken.join(), /the ledger says/);
  });

  describe("3, that no value goes back,", () => {
    /** The older value was written over the newer one so long after, and the newer one put back where it says so. */
    async function wentBack({ afterMs = 9, isPutBack = false } = {}) {
      const { standing, first, second } = await world();
      const [older, newer] = standing.writes;
      assert.ok(older && newer);
      const at = newer.at + afterMs;
      const putBack = isPutBack ? [{ ...newer, seq: 10, at: at + 1 }] : [];
      const back = { ...standing, writes: [newer, { ...older, seq: 9, at }, ...putBack] };
      const holds = (evidence: Partial<Evidence>): boolean =>
        judgeOrder({ ...back, evidence: { ...NO_EVIDENCE, ...evidence } }).holds;
      return { standing: back, at, first, second, holds };
    }

    test("breaks where one does without evidence", async () => {
      const { holds } = await wentBack();
      assert.equal(holds({}), false);
    });

    test("excuses a call whose caller had gone, of that very write, and only while it may have been under way", async () => {
      const { holds } = await wentBack();
      assert.equal(holds({ unheard: new Set([9]) }), true);
      assert.equal(holds({ unheard: new Set([8, 10]) }), false, "other calls carried nothing of it");
      for (const [afterMs, isExcused] of [
        [CALL_LASTS_MS, true],
        [CALL_LASTS_MS + 1, false],
      ] as const) {
        const long = await wentBack({ afterMs });
        assert.equal(
          long.holds({ unheard: new Set([9]) }),
          isExcused,
          `the newer one was written ${afterMs} ms before`,
        );
      }
    });

    test("excuses what a late settle says was written, where the doubt puts the newest value back", async () => {
      const { at, first, second, holds } = await wentBack({ isPutBack: true });
      const late = { user: USER, at: at + 5, written: { given_name: first }, doubted: [] };
      assert.equal(holds({ lateSettles: [late] }), true);
      const others: readonly [why: string, late: Partial<LateSettle>][] = [
        ["somebody else's", { user: "bob" }],
        ["of another unit", { written: { nickname: first } }],
        ["of another value", { written: { given_name: second } }],
        ["of nothing that was written", { written: {}, doubted: ["given_name"] }],
        ["long after", { at: at + 30_001 }],
        ["long before", { at: at - HELD_UP_MS - 1 }],
      ];
      for (const [why, other] of others) assert.equal(holds({ lateSettles: [{ ...late, ...other }] }), false, why);
      const stays = await wentBack();
      assert.equal(stays.holds({ lateSettles: [late] }), false, "nothing put it back");
    });

    test("excuses what Redis had lost by then", async () => {
      for (const [from, isExcused] of [
        [0, true],
        [9, true],
        [10, false],
      ] as const) {
        const { standing, at, holds } = await wentBack();
        standing.model.lost({ from: at - 9 + from, to: at + 50, why: "a power cut" });
        assert.equal(holds({}), isExcused, `from ${from} ms after the newer write`);
      }
    });
  });

  test("4 breaks where something is not acknowledged, received in part or twice, lost, or half there", async () => {
    const { standing, files, model } = await world();
    assert.equal((await judgeKept(standing, files, 1)).holds, false);
    for (const units of [1, 3]) assert.equal((await judgeKept(standing, new Map([[FEED, units]]), 0)).holds, true);
    await standing.engine.store.runs.advance("run", "finished");
    for (const units of [1, 3]) assert.equal((await judgeKept(standing, new Map([[FEED, units]]), 0)).holds, false);
    model.sent({ id: "a.4", username: USER, attributes: ["given_name", "email"], ordinal: ordinalOf(NOW, 4) }, NOW);
    const half = { seq: 4, at: NOW, username: USER, attributes: { given_name: valueOf("a.4", "given_name") } };
    const attributes = new Map([[USER, half.attributes]]);
    assert.match(
      (await judgeKept({ ...standing, attributes, writes: [...standing.writes, half] }, files, 0)).broken.join(),
      /a\.4 is half there/,
    );
    model.acked("a.4", NOW + 5);
    assert.match((await judgeKept(standing, files, 0)).broken.join(), /received is 3, and 5 units were acknowledged/);
  });

  test("8 breaks where who has no clock got another time than the store's", async () => {
    const { standing, model } = await world();
    const late = createModel();
    for (const change of model.changes.values()) {
      late.sent(change, NOW + 600_000);
      late.acked(change.id, NOW + 600_010);
    }
    assert.equal(judgeClocks({ ...standing, model: late }, 50).holds, false);
  });

  test("9 breaks where a log or a key of Redis tells, and where there was nothing to look at", () => {
    assert.equal(judgeSecrets({ lines: 1, marked: ["worker.log: a value"] }, []).holds, false);
    assert.equal(judgeSecrets({ lines: 1, marked: [] }, ["bull:job"]).holds, false);
    assert.equal(judgeSecrets({ lines: 0, marked: [] }, []).holds, false);
  });
});

describe("what is left in Redis", () => {
  const { url, namespace } = testRedis();
  after(() => removeKeys({ url, namespace }));

  test("is strange, tells, or stays where it may not", async () => {
    const redis = new Redis(url);
    const key = (name: string): string => `{poolsync:${namespace}}:${name}`;
    await redis.hset(key("2:mailboxes"), "u", `${MARK}-a.1`);
    await redis.hset(key("bull:wake-up-pool:7"), "data", `${MARK}-a.1`);
    await redis.set(key("once:1"), "{}");
    await redis.set(key("once:2"), "{}", "PX", 60_000);
    await redis.set(key("forgotten"), "1");
    await redis.set(key("bull:wake-up-pool:de:somebody"), "7");
    const { strange, telling, growing, woken } = await keysLeft(redis, namespace);
    await redis.quit();
    const own = (keys: readonly string[]): string[] => keys.filter((each) => each.includes(namespace));
    assert.deepEqual(own(strange), [key("forgotten")]);
    assert.deepEqual(own(telling), [key("bull:wake-up-pool:7")]);
    assert.deepEqual(own(growing), [`${key("once:1")} does not expire`]);
    assert.ok(woken.has("somebody"));
  });
});
