import assert from "node:assert/strict";
import { test } from "node:test";
import { groupLetters } from "../../src/app/letters/letter-groups.ts";
import { viewLetter } from "../../src/app/letters/letter-view.ts";
import type { Letter } from "../../src/core/letter.ts";
import { ordinalOf } from "../../src/core/version.ts";
import { executeReplay, replayLetters, whyNotReplayable } from "../../src/delivery/replay.ts";
import { letterGroupsText } from "../../src/views/letters.ts";
import { clear } from "../../src/store/keyring.ts";
import { sealUsername } from "../../src/store/sealed-unit.ts";
import type { OpenStage, Stage } from "../support/delivery-stage.ts";
import { text } from "../support/delivery-stage.ts";

const UNIT = "nickname";

/** Somebody who can write to the store, and has no key, changes what is in it. */
export function alteredSuite(open: OpenStage): void {
  /** What waits of a user whose wake-up is lost. */
  async function waiting(stage: Stage, username: string, units = [text(UNIT, `of ${username}`)]) {
    await stage.put(username, units, { unheard: true });
    const unit = await stage.held(username, units[0]?.name ?? "");
    const { mailbox } = await stage.engine.store.mailboxes.read(stage.key(username));
    assert.ok(unit && mailbox);
    return { ...unit, username: mailbox.username };
  }

  /** As if the mailbox held this in the place of what was put. */
  async function write(stage: Stage, username: string, body: string, ordinal: string, sealedName?: string) {
    const user = stage.key(username);
    const named = sealedName ?? sealUsername(stage.engine.keyring, { pool: stage.id, user }, username);
    await stage.engine.store.mailboxes.put({
      pool: stage.id,
      run: stage.run,
      priority: 10,
      changes: [{ user, username: named, units: [{ name: UNIT, ordinal, digest: username, body }] }],
      invalid: 0,
      rows: { read: 1, faulty: 0 },
    });
    await stage.engine.wakeUps.wake(stage.id, [{ user, priority: 10 }]);
  }

  const kindOf = ({ user, unit, kind }: Letter) => `${user} ${unit} ${kind}`;

  test("what is in the place of a value becomes a letter, and the user's other values are sent", async (t) => {
    const people = ["another-persons", "another-units", "an-older", "a-clear", "an-unreadable"];
    const stage = await open(t, [...people, "bob"]);
    const { body: foreign, version } = await waiting(stage, "bob");
    const ordinal = ordinalOf(version);
    const names = await waiting(stage, "another-units", [text("name", "Name"), text("family_name", "Family")]);
    const older = await waiting(stage, "an-older");
    await write(stage, "another-persons", foreign, ordinal);
    await write(stage, "another-units", names.body, ordinalOf(names.version));
    await write(stage, "an-older", older.body, `${ordinalOf(older.version).slice(0, -1)}9`);
    await write(stage, "a-clear", clear('{"text":"clear"}'), ordinal);
    await write(stage, "an-unreadable", "?", ordinal);
    await stage.engine.wakeUps.wake(stage.id, [{ user: stage.key("bob"), priority: 10 }]);
    await stage.deliver();
    await stage.settled();
    const letters = await stage.letters();
    assert.deepEqual(
      letters.map(kindOf).toSorted(),
      people.map((username) => `${stage.key(username)} ${UNIT} altered`).toSorted(),
    );
    assert.deepEqual(stage.writes("bob"), [{ [UNIT]: "of bob" }]);
    assert.deepEqual(stage.writes("another-units"), [{ name: "Name", family_name: "Family" }]);
    assert.equal(stage.writes().length, 2);

    for (const letter of letters) {
      const view = viewLetter(letter, stage.engine.keyring, true);
      assert.deepEqual([people.includes(view.username), view.value], [true, "(altered)"]);
      assert.match(view.advice, /past poolsync.*discard the letter/s);
    }
    assert.equal((await executeReplay(stage.engine, { pool: stage.id, until: Date.now() + 60_000 })).letters, 0);
    assert.equal(await stage.engine.store.letters.discard(letters.map(({ id }) => id)), people.length);
  });

  test("nothing is sent of a user whose mailbox has another's username, and others go on", async (t) => {
    const stage = await open(t, ["ann", "bob"]);
    const bob = await waiting(stage, "bob");
    const ann = stage.key("ann");
    await write(stage, "ann", "?", ordinalOf(bob.version), bob.username);
    await stage.put("ann", [text("name", "Ann")]);
    await stage.engine.wakeUps.wake(stage.id, [{ user: stage.key("bob"), priority: 10 }]);
    await stage.deliver();
    await stage.settled();
    const letters = await stage.letters();
    assert.deepEqual(letters.map(kindOf).toSorted(), [`${ann} name altered`, `${ann} ${UNIT} altered`]);
    assert.deepEqual(new Set(letters.map(({ reason }) => reason)), new Set(["username-altered"]));
    assert.deepEqual(stage.writes(), [{ [UNIT]: "of bob" }]);
    assert.equal(
      (
        await replayLetters(
          stage.engine,
          letters.map(({ id }) => id),
        )
      ).letters,
      0,
    );
    assert.deepEqual(
      letters.map((letter) => viewLetter(letter, stage.engine.keyring, true).username),
      ["(altered)", "(altered)"],
    );
  });

  test("a letter that holds another's value, or names another user, is not replayed", async (t) => {
    const stage = await open(t, []);
    await stage.put("ann", [text(UNIT, "of ann"), text("name", "Ann")]);
    await stage.deliver();
    await stage.settled();
    const [letter, other] = await stage.letters();
    assert.ok(letter && other);
    const { keyring } = stage.engine;
    const bob = { pool: stage.id, user: stage.key("bob") };
    for (const altered of [{ body: other.body }, { username: sealUsername(keyring, bob, "bob") }, { user: bob.user }]) {
      assert.equal(await whyNotReplayable(stage.engine, { ...letter, ...altered }), "altered");
    }
    assert.equal(await whyNotReplayable(stage.engine, letter), undefined);

    // Nor is it listed as one of those that are as they were.
    const { store } = stage.engine;
    async function* list() {
      for (let nth = 0; nth < 8; nth += 1) yield { ...letter, ...bob } as Letter;
      yield letter as Letter;
    }
    const groups = await groupLetters({ ...stage.engine, store: { ...store, letters: { ...store.letters, list } } }, [
      {},
    ]);
    const shown = groups.map((group) => ({ group, example: viewLetter(group.example, keyring, false) }));
    const { kind, reason } = letter;
    assert.deepEqual(
      groups.map((group) => [group.kind, group.reason, group.altered, group.letters]),
      [
        [kind, reason, true, 8],
        [kind, reason, false, 1],
      ],
    );
    const listed = letterGroupsText(shown, {
      width: 200,
      now: Date.now(),
      command: (...words) => words.join(" "),
      filters: [],
    });
    assert.match(listed, new RegExp(`^${kind} +altered +1 +8 `, "m"));
    assert.match(listed, new RegExp(`^${kind} +${reason} +1 +1 `, "m"));
    assert.match(listed, new RegExp(`${kind}: altered\\n.*\\n  Somebody wrote to the store past poolsync`));
    assert.equal(listed.split("dead replay --kind").length, 2, "those that are as they were may be replayed");
  });
}
