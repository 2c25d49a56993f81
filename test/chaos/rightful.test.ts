/** Who is named by an address: made-up histories in which it is passed on, that keep the verdicts and that break them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openMemoryStore } from "../support/memory-store.ts";
import type { Letter } from "../../src/core/letter.ts";
import { versionText } from "../../src/core/version.ts";
import { seedOf } from "./accounts.ts";
import { NO_EVIDENCE } from "./evidence.ts";
import { noGates } from "./gate-records.ts";
import { createModel, ordinalOf, valueOf, type LoggedWrite } from "./model.ts";
import { LIST_LAG_MS } from "./named.ts";
import { ASKED_WITHIN_MS, judgeNames } from "./rightful.ts";
import { LEASE_MS } from "./run-settings.ts";
import type { Standing } from "./verdict.ts";

const NOW = 1_800_000_000_000;
const NAME = "given_name";
const ADDRESS = { contact: "email", value: "it@example.net" } as const;
const mailed = (email: string, verified = true) => ({ email, email_verified: String(verified) });
const ann = seedOf("ann", NOW - 1_000, mailed(ADDRESS.value));
const bob = seedOf("bob", NOW - 1_000, mailed("bob@example.net"));
/** The longest for which the former owner may be written to. */
const WINDOW_MS = ASKED_WITHIN_MS + LIST_LAG_MS + LEASE_MS;

type Done = Omit<LoggedWrite, "seq" | "at" | "attributes"> & Partial<Pick<LoggedWrite, "attributes">>;

const byOthers = (of: typeof ann, attributes: LoggedWrite["attributes"]): Done => ({
  username: of.username,
  sub: of.sub,
  attributes,
  others: true,
});
const deleted: Done = { username: ann.username, sub: ann.sub, deed: "deleted", others: true };
const madeAnew = (attributes: LoggedWrite["attributes"]): Done => ({
  ...deleted,
  sub: "anew",
  deed: "made",
  attributes,
});
const written = (id: string, { username, sub }: { username: string; sub: string }): Done => ({
  username,
  sub,
  attributes: { [NAME]: valueOf(id, NAME) },
});
/** Ann gets another address, and bob gets hers. */
const passedOn = (at: number): [number, Done][] => [
  [at, byOthers(ann, mailed("ann@example.net"))],
  [at, byOthers(bob, mailed(ADDRESS.value))],
];

/** Changes of the address's person that were put at these times, and what the journal has; all times from NOW. */
function judged(
  put: Readonly<Record<string, number>>,
  journal: readonly (readonly [at: number, done: Done])[],
  more: Partial<Standing> = {},
) {
  const model = createModel();
  for (const [index, [id, at]] of Object.entries(put).entries()) {
    const ordinal = ordinalOf(NOW + at, index);
    model.sent({ id, username: ADDRESS.value, name: ADDRESS, attributes: [NAME], ordinal }, NOW + at);
    model.acked(id, NOW + at + 10);
  }
  const standing: Standing = {
    model,
    engine: openMemoryStore(NOW),
    writes: journal.map(([at, done], index) => ({ attributes: {}, ...done, seq: index + 1, at: NOW + at })),
    attributes: new Map(),
    states: new Map(),
    userKeys: new Map([["ann", "ann's key"]]),
    letters: [],
    asks: [],
    gates: noGates(),
    broken: [],
    evidence: NO_EVIDENCE,
    ...more,
  };
  const [rightful, kept] = judgeNames(standing, { seeds: [ann, bob], looks: 0, refused: 0 });
  assert.ok(rightful && kept);
  return { rightful, kept };
}

function letter(reason: string, putAt: number): Letter {
  const version = versionText(ordinalOf(NOW + putAt, 0), 1);
  const known = { id: "letter", user: "ann's key", username: "", pool: "pool", run: "run", digest: "", body: "" };
  return { ...known, unit: NAME, kind: "user-not-found", reason, version, buriedAt: NOW };
}

describe("12, that a write reached who bore the name,", () => {
  test("holds while the account bears it, and within the window after it did", () => {
    const { rightful, kept } = judged({ "n.1": 0, "n.2": 100 }, [
      [50, written("n.1", ann)],
      ...passedOn(1_000),
      [1_000 + WINDOW_MS, written("n.2", ann)],
    ]);
    assert.deepEqual([rightful.broken, kept.broken], [[], []]);
    assert.equal(rightful.facts["writesByAddress"], 2);
    assert.equal(rightful.facts["reachedWhoBoreItBefore"], 1);
    assert.equal(rightful.facts["widestWindowMs"], WINDOW_MS);
    assert.equal(rightful.facts["namesPassedOn"], 2);
  });

  test("breaks where the former owner is written to after the window", () => {
    const journal: [number, Done][] = [...passedOn(1_000), [1_001 + WINDOW_MS, written("n.1", ann)]];
    const { rightful } = judged({ "n.1": 2_000 }, journal);
    assert.equal(rightful.holds, false);
    assert.match(rightful.broken.join(), /^#3 .* reached ann .*, who had not borne it for 69501 ms; it was bob's/);
    // The journal tells of a caller that had gone: its call began earlier.
    const unheard = { evidence: { ...NO_EVIDENCE, unheard: new Set([3]) } };
    assert.equal(judged({ "n.1": 2_000 }, journal, unheard).rightful.holds, true);
    // So does a late settle, of the value that was written: not any of that user.
    const late = { user: "ann's key", at: NOW + 1_001 + WINDOW_MS, doubted: [] };
    for (const [putAt, holds] of [
      [2_000, true],
      [2_001, false],
    ] as const) {
      const written = { [NAME]: versionText(ordinalOf(NOW + putAt, 0), 1) };
      const evidence = { ...NO_EVIDENCE, lateSettles: [{ ...late, written }] };
      assert.equal(judged({ "n.1": 2_000 }, journal, { evidence }).rightful.holds, holds);
    }
  });

  test("breaks where a namesake is written to, who never bore it, and holds for one who does", () => {
    const write = written("n.1", { username: "ann", sub: "anew" });
    const namesake = madeAnew(mailed("ann@example.net"));
    const journal = (made: Done): [number, Done][] => [
      [1_000, deleted],
      [1_010, made],
      [1_020, write],
    ];
    const { rightful } = judged({ "n.1": 0 }, journal(namesake));
    assert.match(rightful.broken.join(), /reached ann \(anew\), who never bore it; it was nobody's/);
    assert.equal(judged({ "n.1": 0 }, journal(madeAnew(mailed(ADDRESS.value)))).rightful.holds, true);
  });

  test("takes for the owner who has verified it, or the only one who has it", () => {
    const taken = byOthers(bob, mailed(ADDRESS.value));
    const late = 1_001 + WINDOW_MS;
    assert.equal(
      judged({ "n.1": 0 }, [
        [1_000, taken],
        [late, written("n.1", ann)],
      ]).rightful.holds,
      false,
    );
    const unverified = byOthers(bob, mailed(ADDRESS.value, false));
    assert.equal(
      judged({ "n.1": 0 }, [
        [1_000, unverified],
        [late, written("n.1", ann)],
      ]).rightful.holds,
      true,
    );
    const flagTaken = byOthers(ann, { email_verified: "false" });
    assert.equal(
      judged({ "n.1": 0 }, [
        [1_000, flagTaken],
        [late, written("n.1", ann)],
      ]).rightful.holds,
      true,
    );
    // Two have it, and neither has verified it: it is nobody's.
    const both: [number, Done][] = [
      [1_000, flagTaken],
      [1_000, unverified],
    ];
    assert.equal(judged({ "n.1": 0 }, [...both, [late, written("n.1", ann)]]).rightful.holds, false);
  });

  test("breaks where there was nothing to judge", () => {
    assert.match(judged({ "n.1": 0 }, []).rightful.broken.join(), /no write was for anybody/);
  });
});

describe("12, that nothing put by a name is lost,", () => {
  test("breaks where no value came, or it came to another, and holds where a newer one did", () => {
    const first = written("n.1", ann);
    assert.match(judged({ "n.1": 0, "n.2": 5 }, [[50, first]]).kept.broken.join(), /^n\.2 for it@example\.net/);
    assert.equal(judged({ "n.1": 0 }, [[50, written("n.1", bob)]]).kept.holds, false);
    const { kept } = judged({ "n.1": 0, "n.2": 5 }, [[50, written("n.2", ann)]]);
    assert.deepEqual([kept.broken, kept.facts["there"]], [[], 2]);
  });

  test("holds where it is a dead letter, and where the account was deleted", () => {
    const letters = [letter("no-longer-theirs", 0)];
    const { rightful, kept } = judged({ "n.1": 0 }, [[50, byOthers(bob, mailed("x@example.net"))]], { letters });
    assert.deepEqual([kept.broken, kept.facts["dead"]], [[], 1]);
    assert.equal(rightful.facts["lettersNoLongerTheirs"], 1);
    assert.equal(judged({ "n.1": 0 }, [[50, byOthers(bob, mailed("x@example.net"))]]).kept.holds, false);
    assert.equal(judged({ "n.1": 0 }, [[50, deleted]]).kept.facts["deleted"], 1);
  });
});
