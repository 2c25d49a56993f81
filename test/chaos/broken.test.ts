/** The verdict on documents that somebody broke: a small world that keeps it, and what breaks it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BrokenDocument } from "./breaking.ts";
import { judgeBroken, type BrokenFacts } from "./broken.ts";
import { createModel, ordinalOf } from "./model.ts";

const NOW = 1_800_000_000_000;
const mailbox: BrokenDocument = { kind: "mailbox", place: "ann", text: "7", at: NOW, held: 2 };
const letter: BrokenDocument = { kind: "letter", place: "letter-1", text: "{}", at: NOW, held: 1 };
const link: BrokenDocument = { kind: "link", place: "digest", text: "broken", at: NOW, held: 0 };

/** A mailbox, a letter and a link were broken; the first two lie set aside, and another link was written over the last. */
const world: BrokenFacts = {
  broken: [mailbox, letter, link],
  shelf: [
    { id: "1", kind: "mailbox", place: "ann", since: NOW + 1 },
    { id: "2", kind: "letter", place: "letter-1", since: NOW + 2 },
  ],
  inPlace: [],
  counted: 2,
  damagedUnits: 3,
  removed: 2,
  left: 0,
  emptiedAt: 0,
};

describe("18, that a document that breaks costs itself,", () => {
  test("holds where each lies set aside, is counted, and can be removed", () => {
    const { holds, broken, facts } = judgeBroken(createModel(), world);
    assert.deepEqual([holds, broken], [true, []]);
    assert.deepEqual([facts["mailbox"], facts["setAside"], facts["writtenOver"], facts["units"]], [1, 2, 1, 3]);
  });

  test("breaks where one was not set aside, or twice, or something was that nobody broke", () => {
    const [first, second] = world.shelf;
    assert.ok(first && second);
    const worlds: readonly [wrong: RegExp, facts: Partial<BrokenFacts>][] = [
      [/mailbox ann.* is gone, and was not set aside/, { shelf: [second], counted: 1, removed: 1, damagedUnits: 1 }],
      [/link digest.* was never set aside/, { inPlace: [link] }],
      [
        /mailbox ann.* was set aside 2 times/,
        { shelf: [first, second, { ...first, id: "3" }], counted: 3, removed: 3 },
      ],
      [
        /run feed was set aside at \d+, and nobody has broken it/,
        { shelf: [first, second, { ...first, kind: "run", place: "feed" }] },
      ],
      [/status counts 1, and 2 were set aside/, { counted: 1 }],
      [/1 of 2 were removed, and 1 are left/, { removed: 1, left: 1 }],
      [/have 2 units .* 3 were in them/, { damagedUnits: 2 }],
      [/have 4 units .* 3 were in them/, { damagedUnits: 4 }],
    ];
    for (const [wrong, facts] of worlds)
      assert.match(judgeBroken(createModel(), { ...world, ...facts }).broken.join("\n"), wrong);
  });

  test("allows for what Redis may have lost, and for a store that was emptied", () => {
    const nothing = { shelf: [], counted: 0, removed: 0, damagedUnits: 0 };
    const model = createModel();
    assert.equal(judgeBroken(model, { ...world, ...nothing }).holds, false);
    assert.equal(judgeBroken(model, { ...world, ...nothing, emptiedAt: NOW }).holds, true);
    model.lost({ from: NOW - 5, to: NOW - 1, why: "a power cut before it" });
    assert.equal(judgeBroken(model, { ...world, ...nothing }).holds, false);
    model.lost({ from: NOW - 5, to: NOW + 1, why: "a power cut" });
    assert.equal(judgeBroken(model, { ...world, ...nothing }).holds, true);
    assert.equal(judgeBroken(model, { ...world, damagedUnits: 4 }).holds, false);
  });
});

describe("where a document of somebody broke", () => {
  const change = (id: string, username = "ann") => ({
    id,
    username,
    attributes: ["given_name", "email"],
    ordinal: ordinalOf(NOW, 1),
  });

  test("what was put by then may be lost of its units, and of nobody else's, and no later", () => {
    const model = createModel();
    model.broke({ username: "ann", units: ["email"], at: NOW, isLedger: false });
    for (const [id, sentAt] of [
      ["a.1", NOW],
      ["a.2", NOW + 1],
    ] as const)
      model.sent(change(id), sentAt);
    model.sent(change("a.3", "bob"), NOW);
    const lost = (id: string, unit?: string): boolean =>
      model.mayBeLost(model.changes.get(id) ?? assert.fail(id), unit);
    assert.deepEqual([lost("a.1"), lost("a.1", "email"), lost("a.1", "given_name")], [true, true, false]);
    assert.deepEqual([lost("a.2"), lost("a.3")], [false, false]);
    assert.deepEqual(model.lossesOf("ann", "email"), [], "what was applied is known still");
  });

  test("with a ledger, the store forgets what was applied of its units", () => {
    const model = createModel();
    model.broke({ username: "ann", units: ["email"], at: NOW, isLedger: true });
    assert.deepEqual(
      model.lossesOf("ann", "email").map(({ at, to }) => [at, to]),
      [[NOW, NOW]],
    );
    assert.deepEqual([model.lossesOf("ann", "given_name"), model.lossesOf("bob", "email")], [[], []]);
  });

  test("with the record of a run, so many units may be received once more", () => {
    const model = createModel();
    model.sent(change("f1.1"), NOW);
    model.mayRepeat(2);
    assert.equal(model.units().most, 4);
  });
});
