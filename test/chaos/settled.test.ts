/** What the pool took is settled and counted: made-up calls and lines of logs that keep the verdict, and that break it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EMPTY_BOOKS } from "../../src/core/books.ts";
import { ABANDONED_CALL_MS } from "../../src/core/mailbox.ts";
import { versionText } from "../../src/core/version.ts";
import { openMemoryStore } from "../support/memory-store.ts";
import { NO_EVIDENCE, type Evidence, type ToldSettle } from "./evidence.ts";
import { noGates } from "./gate-records.ts";
import { createModel, ordinalOf, valueOf, type Loss } from "./model.ts";
import { judgeSettled } from "./settled.ts";
import { judgeBooks } from "./verdict.ts";

const USER = "ann";
const KEY = "ann's key";
const NOW = 1_800_000_000_000;
const NAME = "given_name";

const version = (sequence: number): string => versionText(ordinalOf(NOW - 1_000, sequence), sequence);
/** What a process says of the change with this sequence, so long after NOW. */
function told(at: number, sequence: number, is = "applied", more: Partial<ToldSettle> = {}): ToldSettle {
  const fateUnknown = is === "unresolved";
  const units = { [NAME]: { is: fateUnknown ? "retry" : is, version: version(sequence), fateUnknown } };
  return { user: KEY, at: NOW + at, units, failed: false, ...more };
}
const late = (at: number, sequence: number, doubted: readonly string[] = []): Evidence["lateSettles"] => [
  { user: KEY, at: NOW + at, written: { [NAME]: version(sequence) }, doubted },
];

interface World {
  /** Times of writes, by the change they are of. */
  readonly writes: readonly (readonly [at: number, sequence: number])[];
  readonly settles?: readonly ToldSettle[];
  readonly applied: number;
  readonly lateSettles?: Evidence["lateSettles"];
  readonly ends?: readonly number[];
  readonly losses?: readonly Loss[];
  readonly unheard?: readonly number[];
  /** Units of claims that ended without a settle. */
  readonly abandoned?: readonly string[];
}

function standingOf({
  writes,
  settles = [],
  applied,
  lateSettles = [],
  ends = [],
  losses = [],
  unheard = [],
  abandoned = [],
}: World) {
  const model = createModel();
  for (const sequence of new Set(writes.map(([, each]) => each))) {
    const ordinal = ordinalOf(NOW - 1_000, sequence);
    model.sent({ id: `a.${sequence}`, username: USER, attributes: [NAME], ordinal }, NOW);
    model.acked(`a.${sequence}`, NOW);
  }
  for (const loss of losses) model.lost(loss);
  const { store } = openMemoryStore(NOW);
  const books = { ...EMPTY_BOOKS, received: applied, applied };
  const abandonedCalls = Object.fromEntries(abandoned.map((unit) => [unit, { until: NOW + ABANDONED_CALL_MS }]));
  const mailbox = {
    pool: "pool",
    username: USER,
    priority: 1,
    pending: {},
    lastSettled: {},
    overwritten: {},
    unresolvedCalls: {},
    abandonedCalls,
  };
  const logged = writes.map(([at, sequence], index) => ({
    seq: index + 1,
    at: NOW + at,
    username: USER,
    attributes: { [NAME]: valueOf(`a.${sequence}`, NAME) },
    ...(unheard.includes(index + 1) ? { unanswered: true } : {}),
  }));
  return {
    model,
    engine: { store: { ...store, runs: { ...store.runs, books: async () => books } } },
    writes: logged,
    attributes: new Map(),
    states: new Map([[USER, { ledger: {}, mailbox }]]),
    userKeys: new Map([[USER, KEY]]),
    letters: [],
    asks: [],
    gates: noGates(),
    broken: [],
    evidence: { ...NO_EVIDENCE, lateSettles, settles, ends: ends.map((at) => ({ name: "worker-0", at: NOW + at })) },
  };
}

const brokenIn = async (world: World): Promise<string> => (await judgeSettled(standingOf(world))).broken.join("; ");

describe("1, that what the pool took is settled and counted,", () => {
  const both = { writes: [[1, 1] as const, [20, 2] as const], settles: [told(5, 1), told(25, 2)] };

  test("holds where each call was settled, and each unit counted", async () => {
    const { broken, facts } = await judgeSettled(standingOf({ ...both, applied: 2 }));
    assert.deepEqual(broken, []);
    assert.deepEqual([facts["heard"], facts["settled"], facts["appliedAtLeast"]], [2, 2, 2]);
  });

  test("breaks where fewer are counted, which the bound from above does not see", async () => {
    assert.match(await brokenIn({ ...both, applied: 1 }), /applied is 1, and 2 units must have been counted/);
    const fewer = standingOf({ ...both, applied: 1 });
    const { broken } = await judgeBooks(fewer, [], 0);
    assert.deepEqual(
      broken.filter((line) => /applied is/.test(line) && /emulator/.test(line)),
      [],
    );
  });

  test("breaks where a call that was answered is never settled, unless it is known why", async () => {
    const lost = { writes: [...both.writes, [40, 3] as const], settles: both.settles, applied: 2 };
    assert.match(await brokenIn(lost), /^#3 at .*: ann's given_name was taken while its caller was there, and never/);
    const excuses: readonly [why: string, more: Partial<World>][] = [
      ["its caller had gone", { unheard: [3] }],
      ["no answer was heard", { settles: [...lost.settles, told(45, 3, "unresolved")] }],
      ["the store did not answer", { settles: [...lost.settles, told(45, 3, "applied", { failed: true })] }],
      ["its settle came too late", { lateSettles: late(45, 3) }],
      ["its process ended", { ends: [41] }],
    ];
    for (const [why, more] of excuses) assert.equal(await brokenIn({ ...lost, ...more }), "", why);
    const noExcuses: readonly [why: string, more: Partial<World>][] = [
      ["another value had no answer", { settles: [...lost.settles, told(45, 2, "unresolved")] }],
      ["another's settle came too late", { lateSettles: late(45, 2) }],
      ["a process ended before it", { ends: [39] }],
      ["a process ended long after it", { ends: [40 + 60_001] }],
      ["somebody else's failed", { settles: [...lost.settles, told(45, 3, "applied", { failed: true, user: "bob" })] }],
    ];
    for (const [why, more] of noExcuses) assert.match(await brokenIn({ ...lost, ...more }), /^#3 /, why);
  });

  test("breaks where more are left unsettled than a process that ended had under way", async () => {
    const writes = Array.from({ length: 11 }, (_, index) => [index, index + 1] as const);
    const settles = [told(30, 11)];
    assert.equal(await brokenIn({ writes, settles, ends: [20], applied: 1 }), "");
    const twelve = [...writes, [11, 12] as const];
    assert.match(await brokenIn({ writes: twelve, settles, ends: [20], applied: 1 }), /^#12 /);
    assert.equal(await brokenIn({ writes: twelve, settles, ends: [20, 21], applied: 1 }), "");
  });

  test("breaks where something is settled as applied that the pool never took", async () => {
    const unwritten = { ...both, settles: [...both.settles, told(30, 2)], applied: 2 };
    assert.match(
      await brokenIn(unwritten),
      /^given_name of ann's key was settled as applied at .*, and the pool took no/,
    );
  });

  test("takes for lost what Redis may have forgotten, and nothing else", async () => {
    const loss = (from: number, to: number): Loss => ({ from: NOW + from, to: NOW + to, why: "a power cut" });
    assert.equal(await brokenIn({ ...both, applied: 1, losses: [loss(22, 23)] }), "");
    assert.match(await brokenIn({ ...both, applied: 1, losses: [loss(6, 19)] }), /applied is 1, and 2/);
  });

  test("allows once for each doubt and each burial of the unit", async () => {
    const buried = { ...both, applied: 1, settles: [...both.settles, told(30, 3, "bury")] };
    assert.match(await brokenIn(buried), /applied is 1, and 2/, "no claim ended without a settle");
    assert.equal(await brokenIn({ ...buried, abandoned: [NAME] }), "");
    assert.match(await brokenIn({ ...buried, abandoned: ["email"] }), /applied is 1, and 2/);
    const long = { ...buried, writes: [...both.writes, [ABANDONED_CALL_MS, 2] as const], unheard: [3] };
    assert.equal(await brokenIn(long), "", "the store may have forgotten such a claim");
    const before = {
      abandoned: [NAME],
      ...both,
      applied: 1,
      settles: [told(0, 3, "bury"), ...both.settles],
    };
    assert.match(await brokenIn(before), /applied is 1, and 2/, "nothing was settled yet");
    const doubted = { ...both, writes: [...both.writes, [28, 1] as const] };
    assert.equal(await brokenIn({ ...doubted, applied: 1, lateSettles: late(30, 1, [NAME]) }), "");
    assert.match(
      await brokenIn({ ...doubted, applied: 1, lateSettles: late(30, 1, ["email"]) }),
      /applied is 1, and 2/,
    );
    assert.match(await brokenIn({ ...doubted, applied: 0, lateSettles: late(30, 1, [NAME]) }), /applied is 0, and 1/);
  });

  test("breaks where no log tells of a settle", async () => {
    assert.match(await brokenIn({ writes: both.writes, ends: [30], applied: 0 }), /no log tells of a settle/);
  });
});
